//! Error responses of Gafaelfawr.

use std::fmt;
use std::time::SystemTime;

use http::header::HeaderName;
use http::{HeaderMap, StatusCode};
use serde_json::Value;

use crate::rate_limit::RateLimit;
use crate::scopes::Scopes;
use reqwest_scitokens::auth::{Challenge, ChallengeError, basic_realm};
use scitoken_types::{RetryAfter, redact};

const ERROR_STATUS: HeaderName = HeaderName::from_static("x-error-status");
const ERROR_BODY: HeaderName = HeaderName::from_static("x-error-body");

/// An error response of Gafaelfawr, from its API or from an ingress that it guards.
///
/// NGINX passes on only 401 and 403 from Gafaelfawr. The real status and body are in `X-Error-Status` and
/// `X-Error-Body`, which this type reads too.
///
/// # Examples
/// ```
/// use http::{HeaderMap, HeaderValue, StatusCode};
/// use scitoken_gafaelfawr::{ApiError, SuggestedAction};
///
/// let mut headers = HeaderMap::new();
/// headers.insert("www-authenticate", HeaderValue::from_static(
///     r#"Bearer realm="example.com", error="insufficient_scope", scope="exec:admin exec:test""#,
/// ));
/// let body = br#"{"detail": [{"msg": "Token missing required scope", "type": "insufficient_scope"}]}"#;
/// let error = ApiError::new(StatusCode::FORBIDDEN, &headers, body);
/// assert_eq!(error.kind(), Some("insufficient_scope"));
/// assert_eq!(error.suggested_action(), SuggestedAction::RequestScopes);
/// assert_eq!(error.required_scopes().to_string(), "exec:admin exec:test");
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct ApiError {
    response_status: StatusCode,
    status: StatusCode,
    challenge: Option<Challenge>,
    basic_realm: Option<String>,
    details: Vec<ErrorDetail>,
    retry_after: Option<RetryAfter>,
    rate_limit: Option<RateLimit>,
}

/// One item of an error body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErrorDetail {
    kind: Option<String>,
    message: String,
    location: Vec<String>,
}

/// What the client can do so that the same request succeeds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SuggestedAction {
    /// Attach a token: the request had none. The middleware does this once by itself.
    AttachToken,
    /// Use another token: this one has expired, was revoked or is invalid. It cannot be refreshed, so the error is
    /// final unless the token source returns a different one.
    ReplaceToken,
    /// Use a token with the [required scopes](ApiError::required_scopes); the same token is refused again.
    RequestScopes,
    /// Wait until [`ApiError::retry_after`].
    Wait,
    /// Send the token as Bearer credentials: the request was authenticated by a cookie.
    SendTokenInsteadOfCookie,
    /// Ask [`token_info`](crate::GafaelfawrClient::token_info) what the token permits: a proxy replaced the body of a
    /// `403`, so the reason is lost.
    InspectToken,
    /// Check the URL: the response is not one of Gafaelfawr. A login page means that the request had no token.
    CheckUrl,
    /// The client can do nothing.
    None,
}

impl ApiError {
    /// Reads an error response from its status, headers and body.
    ///
    /// The details in the body are an object, a list or a string; any other body has no details.
    pub fn new(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Self {
        let mut details = read_details(body);
        if details.is_empty()
            && let Some(body) = headers.get(ERROR_BODY)
        {
            details = read_details(body.as_bytes());
        }
        Self {
            response_status: status,
            status: error_status(headers).unwrap_or(status),
            challenge: Challenge::from_headers(headers),
            basic_realm: basic_realm(headers),
            details,
            retry_after: RetryAfter::from_headers(headers),
            rate_limit: RateLimit::from_headers(headers),
        }
    }

    /// Returns the intended status: `X-Error-Status` where the header exists, else the status of the response.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// Returns the status of the HTTP response.
    pub fn sent_status(&self) -> StatusCode {
        self.response_status
    }

    /// Returns the Bearer challenge of the response.
    pub fn challenge(&self) -> Option<&Challenge> {
        self.challenge.as_ref()
    }

    /// Returns the realm of a Basic challenge, which an ingress with `auth_type: basic` sends without further
    /// attributes.
    pub fn basic_realm(&self) -> Option<&str> {
        self.basic_realm.as_deref()
    }

    /// Returns the type of the error, such as `invalid_token` or `duplicate_token_name`.
    pub fn kind(&self) -> Option<&str> {
        self.details.first()?.kind()
    }

    /// Returns the server's message as received; clean it before printing ([`redact::text`]), or print the error
    /// itself.
    pub fn message(&self) -> Option<&str> {
        self.details.first().map(ErrorDetail::message)
    }

    /// Returns all items of the body: several when several fields of a request are invalid.
    pub fn details(&self) -> &[ErrorDetail] {
        &self.details
    }

    /// Returns the scopes that the challenge lists.
    ///
    /// Whether a token needs all of them or any is a setting of the service that the response does not state.
    pub fn required_scopes(&self) -> Scopes {
        self.challenge.iter().flat_map(Challenge::scopes).map(|scope| scope.as_str().to_owned()).collect()
    }

    /// Returns when the request can be repeated, for a response received at `now`.
    pub fn retry_after(&self, now: SystemTime) -> Option<SystemTime> {
        self.retry_after?.time(now)
    }

    /// Returns the state of the user's rate limit, if the response has it.
    pub fn rate_limit(&self) -> Option<&RateLimit> {
        self.rate_limit.as_ref()
    }

    /// Returns what the client can do so that the same request succeeds.
    pub fn suggested_action(&self) -> SuggestedAction {
        if self.status == StatusCode::TOO_MANY_REQUESTS || self.retry_after.is_some() {
            return SuggestedAction::Wait;
        }
        match self.challenge.as_ref().map(Challenge::error) {
            Some(None) => SuggestedAction::AttachToken,
            Some(Some(ChallengeError::InvalidToken)) => SuggestedAction::ReplaceToken,
            Some(Some(ChallengeError::InsufficientScope)) => SuggestedAction::RequestScopes,
            // Behind a Basic challenge only the body says what is wrong with the token.
            None if self.basic_realm.is_some() => match self.kind() {
                Some("invalid_token") => SuggestedAction::ReplaceToken,
                Some("insufficient_scope") => SuggestedAction::RequestScopes,
                _ => self.action_without_challenge(),
            },
            Some(Some(_)) | None => self.action_without_challenge(),
        }
    }

    fn action_without_challenge(&self) -> SuggestedAction {
        if self.kind() == Some("invalid_csrf") {
            SuggestedAction::SendTokenInsteadOfCookie
        } else if self.status == StatusCode::FORBIDDEN && self.details.is_empty() {
            SuggestedAction::InspectToken
        } else {
            SuggestedAction::None
        }
    }
}

impl ErrorDetail {
    /// Returns the type of the error, such as `invalid_token`.
    pub fn kind(&self) -> Option<&str> {
        self.kind.as_deref()
    }

    /// Returns the server's message as received.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Returns the path of the invalid part of the request: `body`, `expires`.
    pub fn location(&self) -> &[String] {
        &self.location
    }
}

impl fmt::Display for ErrorDetail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&redact::text(&self.message))?;
        if !self.location.is_empty() {
            write!(f, " (`{}`)", redact::text(&self.location.join(".")))?;
        }
        Ok(())
    }
}

/// Writes `403 insufficient_scope: Token missing required scope`, with control characters replaced.
impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.status.as_u16())?;
        match (self.kind(), self.status.canonical_reason()) {
            (Some(kind), _) => write!(f, " {}", redact::text(kind))?,
            (None, Some(reason)) => write!(f, " {reason}")?,
            (None, None) => {}
        }
        for (n, detail) in self.details.iter().enumerate() {
            f.write_str(if n == 0 { ": " } else { "; " })?;
            detail.fmt(f)?;
        }
        Ok(())
    }
}

fn error_status(headers: &HeaderMap) -> Option<StatusCode> {
    let status = StatusCode::from_bytes(headers.get(ERROR_STATUS)?.as_bytes()).ok()?;
    (status.is_client_error() || status.is_server_error()).then_some(status)
}

/// Reads `{"detail": …}` with an object, a list of objects, or a string.
fn read_details(body: &[u8]) -> Vec<ErrorDetail> {
    let Ok(body) = serde_json::from_slice::<Value>(body) else { return Vec::new() };
    match &body["detail"] {
        Value::Array(items) => items.iter().filter_map(read_detail).collect(),
        item => read_detail(item).into_iter().collect(),
    }
}

fn read_detail(item: &Value) -> Option<ErrorDetail> {
    if let Value::String(message) = item {
        return Some(ErrorDetail { kind: None, message: message.clone(), location: Vec::new() });
    }
    let step = |step: &Value| step.as_str().map_or_else(|| step.to_string(), str::to_owned);
    Some(ErrorDetail {
        kind: item["type"].as_str().map(str::to_owned),
        message: item["msg"].as_str()?.to_owned(),
        location: item["loc"].as_array().into_iter().flatten().map(step).collect(),
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use http::HeaderValue;

    use super::*;

    fn error(status: u16, headers: &[(&'static str, &'static str)], body: &str) -> ApiError {
        let headers =
            headers.iter().map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_static(value)));
        ApiError::new(StatusCode::from_u16(status).unwrap(), &headers.collect(), body.as_bytes())
    }

    #[test]
    fn details_are_an_object_a_list_or_a_string() {
        let object = error(401, &[], r#"{"detail": {"msg": "m", "type": "t"}}"#);
        let list = error(401, &[], r#"{"detail": [{"msg": "m", "type": "t"}]}"#);
        assert_eq!(object, list);
        assert_eq!((object.kind(), object.message()), (Some("t"), Some("m")));
        assert_eq!(error(404, &[], r#"{"detail": "Not Found"}"#).to_string(), "404 Not Found: Not Found");
        assert_eq!(error(502, &[], "<html>").to_string(), "502 Bad Gateway");
    }

    #[test]
    fn all_invalid_fields_are_reported() {
        let body = r#"{"detail": [{"loc": ["body", "expires"], "msg": "too soon", "type": "invalid_expires"},
            {"loc": ["body", "groups", 0], "msg": "no\u001b[2J", "type": "x"}, {"msg": 5}]}"#;
        assert_eq!(
            error(422, &[], body).to_string(),
            "422 invalid_expires: too soon (`body.expires`); no [2J (`body.groups.0`)"
        );
    }

    #[test]
    fn the_body_is_read_from_the_header_where_nginx_replaced_it() {
        let headers = [
            ("x-error-status", "400"),
            ("x-error-body", r#"{"detail": [{"msg": "Malformed", "type": "invalid_request"}]}"#),
        ];
        let error = error(403, &headers, "<html>403 Forbidden</html>");
        assert_eq!((error.status().as_u16(), error.sent_status().as_u16()), (400, 403));
        assert_eq!(error.kind(), Some("invalid_request"));
    }

    #[test]
    fn an_error_status_below_400_is_ignored() {
        for status in ["200", "099", "abc", ""] {
            assert_eq!(error(403, &[("x-error-status", status)], "").status().as_u16(), 403);
        }
    }

    #[test]
    fn retry_after_is_a_date_or_seconds() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(100);
        let after = |value| error(429, &[("retry-after", value)], "").retry_after(now);
        assert_eq!(after("7"), Some(now + Duration::from_secs(7)));
        let date = SystemTime::UNIX_EPOCH + Duration::from_secs(1_614_986_130);
        assert_eq!(after("Fri, 05 Mar 2021 23:15:30 GMT"), Some(date));
        assert_eq!(after("soon"), None);
        assert_eq!(after("18446744073709551615"), None);
        assert_eq!(error(429, &[], "").suggested_action(), SuggestedAction::Wait);
    }

    #[test]
    fn a_basic_challenge_suggests_no_action_to_a_bearer_client() {
        let error = error(401, &[("www-authenticate", r#"Basic realm="example.com""#)], "");
        assert_eq!((error.basic_realm(), error.challenge()), (Some("example.com"), None));
        assert_eq!(error.suggested_action(), SuggestedAction::None);
    }

    #[test]
    fn with_a_basic_challenge_the_body_decides_the_action() {
        for (kind, action) in [
            ("invalid_token", SuggestedAction::ReplaceToken),
            ("insufficient_scope", SuggestedAction::RequestScopes),
            ("permission_denied", SuggestedAction::None),
        ] {
            let body = format!(r#"{{"detail":[{{"msg":"no","type":"{kind}"}}]}}"#);
            let error = error(401, &[("www-authenticate", r#"Basic realm="example.com""#)], &body);
            assert_eq!(error.suggested_action(), action, "{kind}");
        }
    }

    #[test]
    fn a_403_whose_body_a_proxy_replaced_suggests_to_inspect_the_token() {
        let lost = error(403, &[], "<html>");
        assert_eq!(lost.suggested_action(), SuggestedAction::InspectToken);
        let csrf = error(403, &[], r#"{"detail": [{"msg": "m", "type": "invalid_csrf"}]}"#);
        assert_eq!(csrf.suggested_action(), SuggestedAction::SendTokenInsteadOfCookie);
        let value = r#"Bearer realm="h", error="insufficient_scope", scope="exec:test exec:admin""#;
        let scopes = error(403, &[("www-authenticate", value)], "");
        assert_eq!(scopes.suggested_action(), SuggestedAction::RequestScopes);
        assert_eq!(scopes.required_scopes().to_string(), "exec:admin exec:test");
    }
}
