//! The answers of RFC 6750 section 3 to requests that are refused.

use std::borrow::Cow;
use std::fmt::Write as _;

use http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, Response, StatusCode};

use crate::{AuthorizationError, VerifyError};

/// A refused request.
#[derive(Debug)]
pub(super) struct Rejection {
    reason: Reason,
    /// The scope that would suffice.
    scope: Option<String>,
}

/// Why a request is refused.
#[derive(Debug)]
pub(super) enum Reason {
    /// The request has no token.
    NoToken,
    /// The header is not a bearer token or occurs twice, or the path is malformed.
    BadRequest(Cow<'static, str>),
    /// The token is refused.
    BadToken {
        error: AuthorizationError,
        /// The scopes of a token whose signature was verified.
        granted: Option<String>,
    },
    /// The token cannot be verified now.
    Unavailable,
}

impl From<VerifyError> for Reason {
    fn from(error: VerifyError) -> Self {
        match error {
            VerifyError::Token(error) => Self::BadToken { error, granted: None },
            VerifyError::Keys { .. } => Self::Unavailable,
        }
    }
}

impl Reason {
    pub(super) fn with_scope(self, scope: Option<String>) -> Rejection {
        Rejection { reason: self, scope }
    }

    pub(super) fn without_scope(self) -> Rejection {
        self.with_scope(None)
    }

    fn status(&self) -> StatusCode {
        match self {
            Self::BadRequest(_) => StatusCode::BAD_REQUEST,
            Self::BadToken { error, .. } if error.is_scope() => StatusCode::FORBIDDEN,
            Self::NoToken | Self::BadToken { .. } => StatusCode::UNAUTHORIZED,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// The error code (RFC 6750 section 3.1); a request without a token gets none.
    fn code(&self) -> Option<&'static str> {
        match self {
            Self::NoToken | Self::Unavailable => None,
            Self::BadRequest(_) => Some("invalid_request"),
            Self::BadToken { error, .. } if error.is_scope() => Some("insufficient_scope"),
            Self::BadToken { .. } => Some("invalid_token"),
        }
    }

    fn description(&self) -> Cow<'_, str> {
        match self {
            Self::NoToken => "this resource requires a bearer token".into(),
            Self::BadRequest(problem) => problem.as_ref().into(),
            Self::BadToken { error, .. } => error.to_string().into(),
            Self::Unavailable => "the keys of the token's issuer are not available now".into(),
        }
    }
}

impl Rejection {
    pub(super) fn into_response<B: From<String>>(self, realm: &str) -> Response<B> {
        let mut response = Response::new(B::from(self.body()));
        *response.status_mut() = self.reason.status();
        let headers = response.headers_mut();
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if matches!(self.reason, Reason::Unavailable) {
            headers.insert(RETRY_AFTER, HeaderValue::from_static("60"));
            return response;
        }
        if let Ok(value) = HeaderValue::from_str(&self.challenge(realm)) {
            headers.insert(WWW_AUTHENTICATE, value);
        }
        response
    }

    /// The scope that would suffice, where the scope is the cause or nothing is known yet.
    fn relevant_scope(&self) -> Option<&str> {
        let is_relevant = match &self.reason {
            Reason::NoToken => true,
            Reason::BadToken { error, .. } => error.is_scope(),
            Reason::BadRequest(_) | Reason::Unavailable => false,
        };
        self.scope.as_deref().filter(|_| is_relevant)
    }

    fn challenge(&self, realm: &str) -> String {
        let mut challenge = format!("Bearer realm=\"{}\"", quotable(realm));
        if let Some(error) = self.reason.code() {
            let description = self.reason.description();
            let _ =
                write!(challenge, ", error=\"{error}\", error_description=\"{}\"", quotable(&description));
        }
        if let Some(scope) = self.relevant_scope() {
            let _ = write!(challenge, ", scope=\"{}\"", quotable(scope));
        }
        challenge
    }

    fn body(&self) -> String {
        let mut members = serde_json::Map::new();
        let mut add = |name: &str, value: Option<&str>| {
            if let Some(value) = value {
                members.insert(name.to_owned(), value.into());
            }
        };
        add("error", self.reason.code());
        add("error_description", Some(&self.reason.description()));
        add("scope", self.relevant_scope());
        if let Reason::BadToken { error, granted } = &self.reason
            && error.is_scope()
        {
            add("token_scope", Some(granted.as_deref().unwrap_or_default()));
        }
        format!("{}\n", serde_json::Value::Object(members))
    }
}

/// Replaces the characters that RFC 6750 section 3 does not allow between quotes.
fn quotable(text: &str) -> String {
    let allowed = |c: char| matches!(c, ' '..='~') && !matches!(c, '"' | '\\');
    text.chars().map(|c| if allowed(c) { c } else { '?' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(reason: Reason) -> (u16, String, String) {
        let response: Response<String> =
            reason.with_scope(Some("read:/a".to_owned())).into_response("data \"of\" ü");
        let value = response.headers().get(WWW_AUTHENTICATE);
        let challenge = value.map_or(String::new(), |v| v.to_str().unwrap().to_owned());
        (response.status().as_u16(), challenge, response.into_body())
    }

    fn bad_token(error: AuthorizationError) -> Reason {
        Reason::BadToken { error, granted: Some("write:/a".to_owned()) }
    }

    #[test]
    fn each_rejection_has_its_answer() {
        let (status, challenge, body) = answer(Reason::NoToken);
        assert_eq!((status, challenge.as_str()), (401, "Bearer realm=\"data ?of? ?\", scope=\"read:/a\""));
        assert_eq!(
            body,
            "{\"error_description\":\"this resource requires a bearer token\",\"scope\":\"read:/a\"}\n"
        );
        assert_eq!(
            answer(Reason::BadRequest("two tokens".into())),
            (
                400,
                "Bearer realm=\"data ?of? ?\", error=\"invalid_request\", error_description=\"two tokens\""
                    .to_owned(),
                "{\"error\":\"invalid_request\",\"error_description\":\"two tokens\"}\n".to_owned()
            )
        );
        let (status, challenge, body) = answer(bad_token(AuthorizationError::Signature));
        assert_eq!(status, 401);
        assert!(challenge.contains("error=\"invalid_token\"") && !challenge.contains("scope"), "{challenge}");
        assert!(body.contains("signed with another key") && !body.contains("scope"), "{body}");
        let (status, challenge, body) = answer(bad_token(AuthorizationError::NotGranted));
        assert_eq!(status, 403);
        assert!(
            challenge.contains("error=\"insufficient_scope\"") && challenge.ends_with("scope=\"read:/a\""),
            "{challenge}"
        );
        assert!(body.ends_with("\"scope\":\"read:/a\",\"token_scope\":\"write:/a\"}\n"), "{body}");
        let (status, challenge, body) = answer(Reason::Unavailable);
        assert_eq!((status, challenge.as_str()), (503, ""));
        assert!(body.contains("not available now"), "{body}");
    }
}
