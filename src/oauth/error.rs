//! What can go wrong with an OAuth server.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use reqwest::StatusCode;

use crate::storage::InvalidTokenResponse;

/// An OAuth server gave no token. Neither the request nor the answer is shown, both may hold secrets.
#[derive(Debug)]
pub struct OAuthError {
    /// The endpoint, fit to be shown.
    place: String,
    kind: Kind,
}

#[derive(Debug, thiserror::Error)]
pub(super) enum Kind {
    #[error("secrets only go over `https`, or to this machine itself")]
    Untrusted,
    #[error("cannot be reached")]
    Unreachable(#[source] Box<dyn Error + Send + Sync>),
    #[error("did not answer within {} s", .0.as_secs_f32())]
    Timeout(Duration),
    #[error("answered with more than {0} bytes")]
    TooLarge(usize),
    #[error("redirected the request, which no such endpoint should do")]
    Redirected,
    #[error("answered {status} {}", if *.html { "with a web page" } else { "without saying why" })]
    Status { status: StatusCode, html: bool },
    #[error("answered {}", if *.html { "with a web page instead of JSON" } else { "something else than JSON" })]
    NotJson { html: bool },
    #[error("refused: {code}{}", description.as_deref().map(|text| format!(" ({text})")).unwrap_or_default())]
    Refused { status: StatusCode, code: String, description: Option<String> },
    #[error("has no `{0}`")]
    NoEndpoint(&'static str),
    #[error("its metadata names `{found}` as the issuer (RFC 8414 section 3.3 forbids that)")]
    WrongIssuer { found: String },
    #[error("its metadata is not usable: {0}")]
    Metadata(&'static str),
    #[error("its answer is not what RFC 8628 section 3.2 says: {0}")]
    Device(&'static str),
    #[error("the user refused")]
    Denied,
    #[error("the user did not answer in time")]
    DeviceExpired,
    #[error("its ID token is not for us: {0}")]
    IdToken(&'static str),
    #[error(transparent)]
    Response(#[from] InvalidTokenResponse),
}

impl Kind {
    pub(super) fn at(self, place: impl fmt::Display) -> OAuthError {
        OAuthError { place: place.to_string(), kind: self }
    }
}

impl OAuthError {
    /// The server's error code (`invalid_grant`), if it gave one.
    pub fn code(&self) -> Option<&str> {
        match &self.kind {
            Kind::Refused { code, .. } => Some(code),
            Kind::Denied => Some("access_denied"),
            Kind::DeviceExpired => Some("expired_token"),
            _ => None,
        }
    }

    /// Whether the refresh token, device code or subject token is void (RFC 6749 section 5.2): only a new login
    /// helps.
    pub fn is_invalid_grant(&self) -> bool {
        self.code() == Some("invalid_grant")
    }

    /// Whether the same request may work later: no connection, no answer in time, 429, or the server's own fault.
    pub fn is_transient(&self) -> bool {
        match &self.kind {
            Kind::Unreachable(_) | Kind::Timeout(_) => true,
            Kind::Status { status, .. } => {
                status.is_server_error() || *status == StatusCode::TOO_MANY_REQUESTS
            }
            Kind::Refused { status, code, .. } => {
                status.is_server_error()
                    || *status == StatusCode::TOO_MANY_REQUESTS
                    || matches!(code.as_str(), "temporarily_unavailable" | "slow_down")
            }
            _ => false,
        }
    }

    /// Whether a time limit passed.
    pub fn is_timeout(&self) -> bool {
        matches!(self.kind, Kind::Timeout(_) | Kind::DeviceExpired)
    }

    /// Whether no connection came about.
    pub fn is_unreachable(&self) -> bool {
        matches!(self.kind, Kind::Unreachable(_))
    }

    /// What the user can do about it.
    pub fn hint(&self) -> Option<&'static str> {
        Some(match &self.kind {
            Kind::Refused { code, .. } => match code.as_str() {
                "invalid_grant" => "log in again (`scitoken login`): what was stored is void",
                "invalid_client" | "unauthorized_client" => {
                    "check the client's id and secret, and what the server allows it"
                }
                "invalid_scope" => "ask for scopes that the server knows and the client may have",
                "invalid_target" => "ask for an audience that the server knows",
                _ => return None,
            },
            Kind::Untrusted => "write the address with `https://`",
            Kind::Status { html: true, .. } | Kind::NotJson { html: true } => {
                "is this the issuer's address? A login page or a proxy answered"
            }
            Kind::NoEndpoint(_) => {
                "this server does not offer it; ask its operators, or log in in another way"
            }
            Kind::DeviceExpired => "log in again and confirm sooner",
            _ => return None,
        })
    }

    /// Whether polling a device code should go on more slowly.
    pub(super) fn slows_polling(&self) -> bool {
        self.code() == Some("slow_down") || (self.is_transient() && self.code().is_none())
    }
}

impl fmt::Display for OAuthError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.kind)
    }
}

impl Error for OAuthError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.kind.source()
    }
}
