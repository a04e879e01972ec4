//! Errors of the client.

use std::error::Error;
use std::fmt;

use http::StatusCode;
use url::Url;

use crate::api_error::{ApiError, SuggestedAction};
use crate::models::create::InvalidTokenRequest;
use crate::pydantic::validation::ValidationError;
use scitoken_types::SafeUrl;
use scitoken_types::redact;

/// The error of a call of [`GafaelfawrClient`](crate::GafaelfawrClient).
#[derive(Debug)]
pub struct GafaelfawrError(Box<Kind>);

#[derive(Debug)]
enum Kind {
    /// The base URL of the client has no path.
    InvalidBaseUrl { url: String },
    /// The session's token belongs to a pseudo-user such as `<bootstrap>`.
    NotAUser { username: String },
    /// The request was not sent, because the server rejects such requests.
    Request(InvalidTokenRequest),
    /// No response was received.
    Transport(reqwest_middleware::Error),
    /// The response is an error.
    Refused { url: String, api_error: ApiError },
    /// The response is not JSON.
    NotJson { url: String, content_type: Option<String> },
    /// The response is JSON of another form.
    Unexpected { url: String, expected: &'static str },
    /// The response is JSON, but not a valid model.
    Invalid { url: String, error: ValidationError },
    /// The response exceeds the limit.
    TooLong { url: String, limit: usize },
}

fn shown(url: &Url) -> String {
    SafeUrl::new(url).to_string()
}

impl GafaelfawrError {
    pub(crate) fn invalid_base_url(url: &Url) -> Self {
        Self::from(Kind::InvalidBaseUrl { url: shown(url) })
    }

    pub(crate) fn not_a_user(username: &str) -> Self {
        Self::from(Kind::NotAUser { username: redact::text(username) })
    }

    pub(crate) fn transport(error: reqwest_middleware::Error) -> Self {
        Self::from(Kind::Transport(error))
    }

    pub(crate) fn refused(url: &Url, api_error: ApiError) -> Self {
        Self::from(Kind::Refused { url: shown(url), api_error })
    }

    pub(crate) fn not_json(url: &Url, content_type: Option<&str>) -> Self {
        Self::from(Kind::NotJson { url: shown(url), content_type: content_type.map(redact::text) })
    }

    pub(crate) fn unexpected(url: &Url, expected: &'static str) -> Self {
        Self::from(Kind::Unexpected { url: shown(url), expected })
    }

    pub(crate) fn invalid(url: &Url, error: ValidationError) -> Self {
        Self::from(Kind::Invalid { url: shown(url), error })
    }

    pub(crate) fn too_long(url: &Url, limit: usize) -> Self {
        Self::from(Kind::TooLong { url: shown(url), limit })
    }

    /// Returns the server's error response.
    pub fn api_error(&self) -> Option<&ApiError> {
        match &*self.0 {
            Kind::Refused { api_error, .. } => Some(api_error),
            _ => None,
        }
    }

    /// Returns the intended status of the server's error response.
    pub fn status(&self) -> Option<StatusCode> {
        self.api_error().map(ApiError::status)
    }

    /// Returns why the request was not sent.
    pub fn invalid_request(&self) -> Option<&InvalidTokenRequest> {
        match &*self.0 {
            Kind::Request(problem) => Some(problem),
            _ => None,
        }
    }

    /// Returns the failure of the session or the network.
    pub fn transport_error(&self) -> Option<&reqwest_middleware::Error> {
        match &*self.0 {
            Kind::Transport(error) => Some(error),
            _ => None,
        }
    }

    /// Returns what the client can do about the error.
    pub fn suggested_action(&self) -> SuggestedAction {
        match &*self.0 {
            Kind::Refused { api_error, .. } => api_error.suggested_action(),
            Kind::NotJson { .. } | Kind::Unexpected { .. } => SuggestedAction::CheckUrl,
            _ => SuggestedAction::None,
        }
    }
}

impl From<Kind> for GafaelfawrError {
    fn from(kind: Kind) -> Self {
        Self(Box::new(kind))
    }
}

impl From<InvalidTokenRequest> for GafaelfawrError {
    fn from(problem: InvalidTokenRequest) -> Self {
        Self::from(Kind::Request(problem))
    }
}

impl fmt::Display for GafaelfawrError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.0 {
            Kind::InvalidBaseUrl { url } => write!(f, "`{url}` is not the URL of a server"),
            Kind::NotAUser { username } => {
                write!(f, "the token belongs to `{username}`, which is not a user")
            }
            Kind::Request(problem) => write!(f, "the request was not sent: {problem}"),
            Kind::Transport(_) => f.write_str("failed to reach Gafaelfawr"),
            Kind::Refused { url, api_error } => write!(f, "`{url}` returned {api_error}"),
            Kind::NotJson { url, content_type: Some(found) } => {
                write!(f, "`{url}` returned `{found}` instead of JSON")
            }
            Kind::NotJson { url, content_type: None } => write!(f, "`{url}` returned no JSON"),
            Kind::Unexpected { url, expected } => write!(f, "`{url}` did not return {expected}"),
            Kind::Invalid { url, .. } => write!(f, "`{url}` returned an invalid document"),
            Kind::TooLong { url, limit } => write!(f, "`{url}` returned more than {limit} bytes"),
        }
    }
}

impl Error for GafaelfawrError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &*self.0 {
            // Their texts are part of this one's.
            Kind::Request(problem) => problem.source(),
            Kind::Transport(error) => Some(error),
            Kind::Invalid { error, .. } => Some(error),
            _ => None,
        }
    }
}
