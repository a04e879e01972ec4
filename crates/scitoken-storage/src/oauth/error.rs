//! Errors of requests to an OAuth server.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use reqwest::StatusCode;

use super::invalid_token_response::InvalidTokenResponse;
use super::response::TokenResponse;

/// A request to an OAuth server failed. Shows neither the request nor the answer, which may hold secrets.
pub struct OAuthError {
    /// The endpoint without secrets.
    endpoint: String,
    kind: Kind,
    partial: Option<Box<TokenResponse>>,
}

/// What the user can do about an [`OAuthError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OAuthHint {
    /// The stored refresh token is no longer valid: a new login is needed.
    LogInAgain,
    /// The server does not accept the client's id, secret or grant.
    CheckClient,
    /// The server does not know a scope, or does not allow it to the client.
    CheckScope,
    /// The server does not know the audience or resource.
    CheckAudience,
    /// The address must begin with `https://`.
    UseHttps,
    /// A web page answered: the address may be that of another service or of a proxy.
    CheckAddress,
    /// The server does not offer this request.
    NotOffered,
    /// The device code expired before the user confirmed.
    ConfirmSooner,
}

impl fmt::Display for OAuthHint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::LogInAgain => "log in again: the stored refresh token is no longer valid",
            Self::CheckClient => "check the client's id and secret, and what the server allows it",
            Self::CheckScope => "ask for scopes that the server knows and allows to the client",
            Self::CheckAudience => "ask for an audience that the server knows",
            Self::UseHttps => "write the address with `https://`",
            Self::CheckAddress => "check the issuer's address: a login page or a proxy answered",
            Self::NotOffered => "the server does not offer it: ask its operators, or log in in another way",
            Self::ConfirmSooner => "log in again and confirm sooner",
        })
    }
}

#[derive(Debug, thiserror::Error)]
pub(super) enum Kind {
    #[error("refused to send secrets over plain http to another machine")]
    Untrusted,
    #[error("failed to connect")]
    Unreachable(#[source] Box<dyn Error + Send + Sync>),
    #[error("the answer was cut off after {received} bytes")]
    CutOff {
        received: usize,
        #[source]
        cause: Box<dyn Error + Send + Sync>,
    },
    #[error("did not answer within {} s", .0.as_secs_f32())]
    Timeout(Duration),
    #[error("answer is larger than {0} bytes")]
    TooLarge(usize),
    #[error("answered with a redirect, which is not followed")]
    Redirected,
    #[error("answered {status}{}", match text {
        _ if *.html => " with a web page".to_owned(),
        Some(text) => format!(": {text}"),
        None => " without a reason".to_owned(),
    })]
    Status { status: StatusCode, html: bool, text: Option<String> },
    #[error("answered with {0}")]
    NotJson(NotJson),
    #[error("refused: {code}{}", description.as_deref().map(|text| format!(" ({text})")).unwrap_or_default())]
    Refused { status: StatusCode, code: String, description: Option<String> },
    #[error("has no `{0}`")]
    NoEndpoint(&'static str),
    #[error("metadata names another issuer, `{found}` (RFC 8414 section 3.3)")]
    WrongIssuer { found: String },
    #[error("metadata is invalid: {0}")]
    Metadata(&'static str),
    #[error("device authorization answer is invalid (RFC 8628 section 3.2): {0}")]
    Device(&'static str),
    #[error("client registration is invalid (RFC 7591 section 3.2.1): {0}")]
    Registration(&'static str),
    #[error("the user denied the login")]
    Denied,
    #[error("the device code expired before the user confirmed")]
    DeviceExpired,
    #[error(transparent)]
    Response(#[from] InvalidTokenResponse),
}

/// What an answer is instead of JSON.
#[derive(Debug)]
pub(super) struct NotJson {
    pub(super) is_html: bool,
    pub(super) kind: Option<&'static str>,
    /// A content encoding that was not requested and is not decoded.
    pub(super) encoding: Option<String>,
}

impl fmt::Display for NotJson {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.kind, &self.encoding) {
            _ if self.is_html => f.write_str("a web page instead of JSON"),
            (_, Some(encoding)) => write!(f, "content encoded as `{encoding}`, and `identity` was requested"),
            (Some("empty"), None) => f.write_str("an empty document instead of JSON"),
            (Some(kind), None) => write!(f, "{kind} instead of JSON"),
            (None, None) => f.write_str("something other than JSON"),
        }
    }
}

impl Kind {
    pub(super) fn at(self, endpoint: impl fmt::Display) -> OAuthError {
        OAuthError { endpoint: endpoint.to_string(), kind: self, partial: None }
    }
}

impl OAuthError {
    /// Returns the tokens of an answer that has no usable access token: its refresh token, and Globus' other tokens.
    ///
    /// The server may not issue them again, and may have revoked older ones: store them. The refresh token is in an entry
    /// without an access token that has expired, which a [`StoredSource`](crate::StoredSource) renews.
    pub fn partial_answer(&self) -> Option<&TokenResponse> {
        self.partial.as_deref()
    }

    /// Returns the refresh token of an answer to a refresh that is otherwise not valid.
    ///
    /// The server may have revoked the old one: store it in its place. A [`StoredSource`](crate::StoredSource) does that.
    pub fn expose_rotated_refresh_token(&self) -> Option<&str> {
        self.partial.as_ref()?.lone_refresh_token()
    }

    pub(super) fn with_partial_answer(mut self, partial: Option<TokenResponse>) -> Self {
        self.partial = partial.map(Box::new);
        self
    }

    /// Returns the server's error code (`invalid_grant`), if the answer has one.
    pub fn code(&self) -> Option<&str> {
        match &self.kind {
            Kind::Refused { code, .. } => Some(code),
            Kind::Denied => Some("access_denied"),
            Kind::DeviceExpired => Some("expired_token"),
            _ => None,
        }
    }

    /// Returns whether the refresh token, device code or subject token is no longer valid (RFC 6749 section 5.2): a new
    /// login is needed.
    pub fn is_invalid_grant(&self) -> bool {
        self.code() == Some("invalid_grant")
    }

    /// Returns whether the server does not know the client, or does not allow it this grant: a client that was
    /// registered on demand has to be registered again.
    pub fn is_client_rejected(&self) -> bool {
        matches!(self.code(), Some("invalid_client" | "unauthorized_client"))
    }

    /// Returns whether the same request may succeed later: connection failure, timeout, 429, or a server error. Where the answer
    /// has tokens, it may not: they may have replaced what was sent.
    pub fn is_transient(&self) -> bool {
        match &self.kind {
            _ if self.partial.is_some() => false,
            Kind::Unreachable(_) | Kind::CutOff { .. } | Kind::Timeout(_) => true,
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

    /// Returns whether a time limit was reached.
    pub fn is_timeout(&self) -> bool {
        matches!(self.kind, Kind::Timeout(_) | Kind::DeviceExpired)
    }

    /// Returns whether the server could not be reached.
    pub fn is_unreachable(&self) -> bool {
        matches!(self.kind, Kind::Unreachable(_))
    }

    /// Returns whether a policy of this library stopped the request: it would have sent secrets over plain `http`, or the
    /// answer was a redirect, which could carry them elsewhere.
    pub fn is_refused_by_policy(&self) -> bool {
        matches!(self.kind, Kind::Untrusted | Kind::Redirected)
    }

    /// Returns what the user can do about it.
    pub fn hint(&self) -> Option<OAuthHint> {
        Some(match &self.kind {
            Kind::Refused { code, .. } => match code.as_str() {
                "invalid_grant" => OAuthHint::LogInAgain,
                "invalid_client" | "unauthorized_client" => OAuthHint::CheckClient,
                "invalid_scope" => OAuthHint::CheckScope,
                "invalid_target" => OAuthHint::CheckAudience,
                _ => return None,
            },
            Kind::Untrusted => OAuthHint::UseHttps,
            Kind::Status { html: true, .. } | Kind::NotJson(NotJson { is_html: true, .. }) => {
                OAuthHint::CheckAddress
            }
            Kind::NoEndpoint(_) => OAuthHint::NotOffered,
            Kind::DeviceExpired => OAuthHint::ConfirmSooner,
            _ => return None,
        })
    }
}

impl fmt::Display for OAuthError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.endpoint, self.kind)
    }
}

impl fmt::Debug for OAuthError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OAuthError")
            .field("endpoint", &self.endpoint)
            .field("kind", &self.kind)
            .finish_non_exhaustive()
    }
}

impl Error for OAuthError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.kind.source()
    }
}
