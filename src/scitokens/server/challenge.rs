//! The answers of RFC 6750 section 3 to requests that are not let in.

use std::fmt::Write as _;

use http::header::{CACHE_CONTROL, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, Response, StatusCode};

use super::super::{Refusal, VerifyError};

/// Why a request is not let in.
#[derive(Debug)]
pub(super) enum Denial {
    /// It has no token.
    NoToken,
    /// What it has is no bearer token, or it has two, or its path is none.
    BadRequest(&'static str),
    /// Its token is refused.
    BadToken(Refusal),
    /// Its token may be good, but nobody can tell now.
    Unavailable,
}

impl From<VerifyError> for Denial {
    fn from(error: VerifyError) -> Self {
        match error {
            VerifyError::Refused(refusal) => Self::BadToken(refusal),
            VerifyError::Keys { .. } => Self::Unavailable,
        }
    }
}

impl Denial {
    pub(super) fn into_response<B: Default>(self, realm: &str, scope: Option<&str>) -> Response<B> {
        let mut response = Response::new(B::default());
        *response.status_mut() = self.status();
        let headers = response.headers_mut();
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if matches!(self, Self::Unavailable) {
            headers.insert(RETRY_AFTER, HeaderValue::from_static("60"));
            return response;
        }
        if let Ok(value) = HeaderValue::from_str(&self.challenge(realm, scope)) {
            headers.insert(WWW_AUTHENTICATE, value);
        }
        response
    }

    fn status(&self) -> StatusCode {
        match self {
            Self::BadRequest(_) => StatusCode::BAD_REQUEST,
            Self::BadToken(refusal) if refusal.is_scope() => StatusCode::FORBIDDEN,
            Self::NoToken | Self::BadToken(_) => StatusCode::UNAUTHORIZED,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    fn challenge(&self, realm: &str, scope: Option<&str>) -> String {
        let mut challenge = format!("Bearer realm=\"{}\"", quotable(realm));
        let (error, description) = match self {
            // Who brings no token has made no mistake yet: no error code (section 3.1).
            Self::NoToken | Self::Unavailable => (None, None),
            Self::BadRequest(problem) => (Some("invalid_request"), Some((*problem).to_owned())),
            Self::BadToken(refusal) if refusal.is_scope() => {
                (Some("insufficient_scope"), Some(refusal.to_string()))
            }
            Self::BadToken(refusal) => (Some("invalid_token"), Some(refusal.to_string())),
        };
        if let Some(error) = error {
            let _ = write!(challenge, ", error=\"{error}\"");
        }
        if let Some(description) = description {
            let _ = write!(challenge, ", error_description=\"{}\"", quotable(&description));
        }
        let wants_scope =
            matches!(self, Self::NoToken) || matches!(self, Self::BadToken(refusal) if refusal.is_scope());
        if let Some(scope) = scope.filter(|_| wants_scope) {
            let _ = write!(challenge, ", scope=\"{}\"", quotable(scope));
        }
        challenge
    }
}

/// Leaves only characters that RFC 6750 section 3 allows between quotes.
fn quotable(text: &str) -> String {
    let allowed = |c: char| matches!(c, ' '..='~') && !matches!(c, '"' | '\\');
    text.chars().map(|c| if allowed(c) { c } else { '?' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn challenge(denial: Denial, scope: Option<&str>) -> (u16, String) {
        let response = denial.into_response::<()>("data \"of\" ü", scope);
        let value = response.headers().get(WWW_AUTHENTICATE);
        (response.status().as_u16(), value.map_or(String::new(), |v| v.to_str().unwrap().to_owned()))
    }

    #[test]
    fn each_denial_has_its_answer() {
        let scope = Some("read:/a");
        assert_eq!(
            challenge(Denial::NoToken, scope),
            (401, "Bearer realm=\"data ?of? ?\", scope=\"read:/a\"".to_owned())
        );
        assert_eq!(
            challenge(Denial::BadRequest("two tokens"), scope),
            (
                400,
                "Bearer realm=\"data ?of? ?\", error=\"invalid_request\", error_description=\"two tokens\""
                    .to_owned()
            )
        );
        let (status, value) = challenge(Denial::BadToken(Refusal::Signature), scope);
        assert_eq!(status, 401);
        assert!(value.contains("error=\"invalid_token\"") && !value.contains("scope"), "{value}");
        let (status, value) = challenge(Denial::BadToken(Refusal::NotGranted), scope);
        assert_eq!(status, 403);
        assert!(
            value.contains("error=\"insufficient_scope\"") && value.ends_with("scope=\"read:/a\""),
            "{value}"
        );
        assert_eq!(challenge(Denial::Unavailable, scope), (503, String::new()));
    }
}
