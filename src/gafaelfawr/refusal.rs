//! What Gafaelfawr says when it does not do what it was asked.

use std::fmt;
use std::time::SystemTime;

use http::header::{HeaderName, WWW_AUTHENTICATE};
use http::{HeaderMap, StatusCode};
use serde_json::Value;

use super::rate_limit::{RateLimit, RetryAfter};
use super::scopes::Scopes;
use crate::auth::{Challenge, ChallengeError};
use crate::redact;

const ERROR_STATUS: HeaderName = HeaderName::from_static("x-error-status");
const ERROR_BODY: HeaderName = HeaderName::from_static("x-error-body");

/// An error response of Gafaelfawr, from its API or from an ingress that it guards.
///
/// NGINX lets Gafaelfawr answer with 401 and 403 only. What it means stands in `X-Error-Status` and
/// `X-Error-Body`, and this type puts both together again.
///
/// # Examples
/// ```
/// use http::{HeaderMap, HeaderValue, StatusCode};
/// use reqwest_scitokens::gafaelfawr::{Refusal, Remedy};
///
/// let mut headers = HeaderMap::new();
/// headers.insert("www-authenticate", HeaderValue::from_static(
///     r#"Bearer realm="example.com", error="insufficient_scope", scope="exec:admin exec:test""#,
/// ));
/// let body = br#"{"detail": [{"msg": "Token missing required scope", "type": "insufficient_scope"}]}"#;
/// let refusal = Refusal::new(StatusCode::FORBIDDEN, &headers, body);
/// assert_eq!(refusal.kind(), Some("insufficient_scope"));
/// assert_eq!(refusal.remedy(), Remedy::MoreScopes);
/// assert_eq!(refusal.wanted_scopes().to_string(), "exec:admin exec:test");
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Refusal {
    sent: StatusCode,
    meant: StatusCode,
    challenge: Option<Challenge>,
    basic_realm: Option<String>,
    details: Vec<Detail>,
    retry_after: Option<RetryAfter>,
    rate_limit: Option<RateLimit>,
}

/// One item of an error body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Detail {
    kind: Option<String>,
    message: String,
    location: Vec<String>,
}

/// What would make the same request succeed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Remedy {
    /// A token: the request had none. The middleware attaches one and tries once.
    Token,
    /// Another token: this one is over, or none. There is no way to refresh it, so the refusal is final unless the
    /// source of tokens has got another one meanwhile.
    AnotherToken,
    /// A token with [more scopes](Refusal::wanted_scopes). To try again with the same one is no use.
    MoreScopes,
    /// Patience, until [`Refusal::retry_after`].
    Waiting,
    /// Nothing that a client could do by itself.
    Nothing,
}

impl Refusal {
    /// Reads an error response: its status, its headers and its body, in which the details are an object, a list or
    /// a bare text. A body that is something else has no details.
    pub fn new(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Self {
        let mut details = read_details(body);
        if details.is_empty()
            && let Some(body) = headers.get(ERROR_BODY)
        {
            details = read_details(body.as_bytes());
        }
        Self {
            sent: status,
            meant: meant_status(headers).unwrap_or(status),
            challenge: Challenge::from_headers(headers),
            basic_realm: basic_realm(headers),
            details,
            retry_after: RetryAfter::of(headers),
            rate_limit: RateLimit::of(headers),
        }
    }

    /// The status that is meant: `X-Error-Status` where there is one, else that of the response.
    pub fn status(&self) -> StatusCode {
        self.meant
    }

    /// The status that the response had.
    pub fn sent_status(&self) -> StatusCode {
        self.sent
    }

    /// The Bearer challenge, if there is one.
    pub fn challenge(&self) -> Option<&Challenge> {
        self.challenge.as_ref()
    }

    /// The realm of a Basic challenge; an ingress with `auth_type: basic` sends it, and no details in it.
    pub fn basic_realm(&self) -> Option<&str> {
        self.basic_realm.as_deref()
    }

    /// The type of the error, such as `invalid_token` or `duplicate_token_name`.
    pub fn kind(&self) -> Option<&str> {
        self.details.first()?.kind()
    }

    /// The error in the server's words; to be shown, it must be made fit for that.
    pub fn message(&self) -> Option<&str> {
        self.details.first().map(Detail::message)
    }

    /// Every item of the body; more than one when several fields of a request are at fault.
    pub fn details(&self) -> &[Detail] {
        &self.details
    }

    /// The scopes that the request needs, by the challenge. A token needs all of them, or any, as the server
    /// decides for each service: it does not tell which.
    pub fn wanted_scopes(&self) -> Scopes {
        self.challenge.iter().flat_map(Challenge::scopes).map(|scope| scope.as_str().to_owned()).collect()
    }

    /// When the same request may work, as of `now`.
    pub fn retry_after(&self, now: SystemTime) -> Option<SystemTime> {
        self.retry_after?.time(now)
    }

    /// How much the user has used up, if the server says so.
    pub fn rate_limit(&self) -> Option<&RateLimit> {
        self.rate_limit.as_ref()
    }

    /// What would make the same request succeed.
    pub fn remedy(&self) -> Remedy {
        if self.meant == StatusCode::TOO_MANY_REQUESTS || self.retry_after.is_some() {
            return Remedy::Waiting;
        }
        match self.challenge.as_ref().map(Challenge::error) {
            Some(None) => Remedy::Token,
            Some(Some(ChallengeError::InvalidToken)) => Remedy::AnotherToken,
            Some(Some(ChallengeError::InsufficientScope)) => Remedy::MoreScopes,
            // A site whose login is by Basic says so in the challenge, and what is wrong with a token in the body only.
            None if self.basic_realm.is_some() => match self.kind() {
                Some("invalid_token") => Remedy::AnotherToken,
                Some("insufficient_scope") => Remedy::MoreScopes,
                _ => Remedy::Nothing,
            },
            Some(Some(_)) | None => Remedy::Nothing,
        }
    }

    /// What the user can do about it, in words.
    pub fn hint(&self) -> Option<String> {
        match self.remedy() {
            Remedy::Token => {
                Some("make a token on the token page of the science platform, and let it be found".to_owned())
            }
            Remedy::AnotherToken => Some(
                "the token has ended or was revoked, and cannot be renewed: make another one on the token page of \
                 the science platform"
                    .to_owned(),
            ),
            Remedy::MoreScopes => {
                let scopes = self.wanted_scopes();
                (!scopes.is_empty())
                    .then(|| format!("use a token with the scopes `{}`", redact::text(&scopes.to_string())))
            }
            Remedy::Waiting => Some("try again later".to_owned()),
            Remedy::Nothing if self.kind() == Some("invalid_csrf") => {
                Some("the request was authenticated by a cookie; send a token instead".to_owned())
            }
            Remedy::Nothing if self.meant == StatusCode::FORBIDDEN && self.details.is_empty() => Some(
                "a proxy has dropped the reason; see what the token allows with `scitoken gafaelfawr token-info`"
                    .to_owned(),
            ),
            Remedy::Nothing => None,
        }
    }
}

impl Detail {
    /// The type of the error, such as `invalid_token`.
    pub fn kind(&self) -> Option<&str> {
        self.kind.as_deref()
    }

    /// The error in the server's words.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Where in the request the mistake is: `body`, `expires`.
    pub fn location(&self) -> &[String] {
        &self.location
    }
}

impl fmt::Display for Detail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&redact::text(&self.message))?;
        if !self.location.is_empty() {
            write!(f, " (`{}`)", redact::text(&self.location.join(".")))?;
        }
        Ok(())
    }
}

/// `403 insufficient_scope: Token missing required scope`, fit for a terminal.
impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.meant.as_u16())?;
        match (self.kind(), self.meant.canonical_reason()) {
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

fn meant_status(headers: &HeaderMap) -> Option<StatusCode> {
    let status = StatusCode::from_bytes(headers.get(ERROR_STATUS)?.as_bytes()).ok()?;
    (status.is_client_error() || status.is_server_error()).then_some(status)
}

/// `{"detail": …}` with an object, a list of objects, or a text.
fn read_details(body: &[u8]) -> Vec<Detail> {
    let Ok(body) = serde_json::from_slice::<Value>(body) else { return Vec::new() };
    match &body["detail"] {
        Value::Array(items) => items.iter().filter_map(read_detail).collect(),
        item => read_detail(item).into_iter().collect(),
    }
}

fn read_detail(item: &Value) -> Option<Detail> {
    if let Value::String(message) = item {
        return Some(Detail { kind: None, message: message.clone(), location: Vec::new() });
    }
    let step = |step: &Value| step.as_str().map_or_else(|| step.to_string(), str::to_owned);
    Some(Detail {
        kind: item["type"].as_str().map(str::to_owned),
        message: item["msg"].as_str()?.to_owned(),
        location: item["loc"].as_array().into_iter().flatten().map(step).collect(),
    })
}

fn basic_realm(headers: &HeaderMap) -> Option<String> {
    headers.get_all(WWW_AUTHENTICATE).iter().find_map(|value| {
        let challenges = http_auth::parse_challenges(value.to_str().ok()?).ok()?;
        let basic =
            challenges.into_iter().find(|challenge| challenge.scheme.eq_ignore_ascii_case("basic"))?;
        let realm = basic.params.iter().find(|(name, _)| name.eq_ignore_ascii_case("realm"));
        Some(realm.map(|(_, value)| value.to_unescaped()).unwrap_or_default())
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use http::HeaderValue;

    use super::*;

    fn refusal(status: u16, headers: &[(&'static str, &'static str)], body: &str) -> Refusal {
        let headers =
            headers.iter().map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_static(value)));
        Refusal::new(StatusCode::from_u16(status).unwrap(), &headers.collect(), body.as_bytes())
    }

    #[test]
    fn details_are_an_object_a_list_or_a_text() {
        let object = refusal(401, &[], r#"{"detail": {"msg": "m", "type": "t"}}"#);
        let list = refusal(401, &[], r#"{"detail": [{"msg": "m", "type": "t"}]}"#);
        assert_eq!(object, list);
        assert_eq!((object.kind(), object.message()), (Some("t"), Some("m")));
        assert_eq!(refusal(404, &[], r#"{"detail": "Not Found"}"#).to_string(), "404 Not Found: Not Found");
        assert_eq!(refusal(502, &[], "<html>").to_string(), "502 Bad Gateway");
    }

    #[test]
    fn several_fields_at_fault_are_all_told() {
        let body = r#"{"detail": [{"loc": ["body", "expires"], "msg": "too soon", "type": "invalid_expires"},
            {"loc": ["body", "groups", 0], "msg": "no\u001b[2J", "type": "x"}, {"msg": 5}]}"#;
        assert_eq!(
            refusal(422, &[], body).to_string(),
            "422 invalid_expires: too soon (`body.expires`); no [2J (`body.groups.0`)"
        );
    }

    #[test]
    fn the_body_is_in_a_header_where_nginx_has_lost_it() {
        let headers = [
            ("x-error-status", "400"),
            ("x-error-body", r#"{"detail": [{"msg": "Malformed", "type": "invalid_request"}]}"#),
        ];
        let refusal = refusal(403, &headers, "<html>403 Forbidden</html>");
        assert_eq!((refusal.status().as_u16(), refusal.sent_status().as_u16()), (400, 403));
        assert_eq!(refusal.kind(), Some("invalid_request"));
    }

    #[test]
    fn a_status_that_is_no_error_is_not_meant() {
        for status in ["200", "099", "abc", ""] {
            assert_eq!(refusal(403, &[("x-error-status", status)], "").status().as_u16(), 403);
        }
    }

    #[test]
    fn the_time_to_wait_is_a_date_or_seconds() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(100);
        let after = |value| refusal(429, &[("retry-after", value)], "").retry_after(now);
        assert_eq!(after("7"), Some(now + Duration::from_secs(7)));
        let date = SystemTime::UNIX_EPOCH + Duration::from_secs(1_614_986_130);
        assert_eq!(after("Fri, 05 Mar 2021 23:15:30 GMT"), Some(date));
        assert_eq!(after("soon"), None);
        assert_eq!(after("18446744073709551615"), None);
        assert_eq!(refusal(429, &[], "").remedy(), Remedy::Waiting);
    }

    #[test]
    fn a_basic_challenge_asks_for_nothing_that_a_bearer_client_has() {
        let refusal = refusal(401, &[("www-authenticate", r#"Basic realm="example.com""#)], "");
        assert_eq!((refusal.basic_realm(), refusal.challenge()), (Some("example.com"), None));
        assert_eq!(refusal.remedy(), Remedy::Nothing);
    }

    #[test]
    fn beside_a_basic_challenge_the_body_says_what_is_wrong_with_the_token() {
        for (kind, remedy) in [
            ("invalid_token", Remedy::AnotherToken),
            ("insufficient_scope", Remedy::MoreScopes),
            ("permission_denied", Remedy::Nothing),
        ] {
            let body = format!(r#"{{"detail":[{{"msg":"no","type":"{kind}"}}]}}"#);
            let refusal = refusal(401, &[("www-authenticate", r#"Basic realm="example.com""#)], &body);
            assert_eq!(refusal.remedy(), remedy, "{kind}");
        }
    }

    #[test]
    fn the_hint_names_the_scopes() {
        let value = r#"Bearer realm="h", error="insufficient_scope", scope="exec:test exec:admin""#;
        let hint = refusal(403, &[("www-authenticate", value)], "").hint();
        assert_eq!(hint.as_deref(), Some("use a token with the scopes `exec:admin exec:test`"));
    }
}
