//! The `Bearer` challenge of a `WWW-Authenticate` header.

use std::borrow::Cow;

use http::header::WWW_AUTHENTICATE;
use http::{HeaderMap, HeaderValue};

use crate::www_authenticate::{self, RawChallenge};
use scitoken_types::Scope;
use scitoken_types::redact::{self, Redactor};

/// A Bearer challenge (RFC 6750 section 3), as the server wrote it.
///
/// It serves to choose a token and to explain a refusal. No address in it is ever used: a server must not decide where
/// credentials go. [`Display`](std::fmt::Display) cleans the server's text for a terminal.
///
/// ```
/// use http::HeaderMap;
/// use reqwest_scitokens::auth::{Challenge, ChallengeError};
///
/// let mut headers = HeaderMap::new();
/// headers.insert("www-authenticate", "Bearer error=\"insufficient_scope\", scope=\"read:/a\"".parse()?);
/// let challenge = Challenge::from_headers(&headers).unwrap();
/// assert_eq!(challenge.error(), Some(ChallengeError::InsufficientScope));
/// assert_eq!(challenge.scope(), Some("read:/a"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Challenge {
    parameters: Vec<(String, String)>,
}

/// The `error` code of a challenge (RFC 6750 section 3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ChallengeError {
    /// `invalid_request`. Apache sends it, against the RFC, when the request had no token at all.
    InvalidRequest,
    /// `invalid_token`: expired, revoked, malformed or otherwise not accepted.
    InvalidToken,
    /// `insufficient_scope`: a good token that does not allow this.
    InsufficientScope,
    /// Any other code.
    Other,
}

/// More parameters of a challenge than this are not kept.
const MAX_PARAMETERS: usize = 32;

impl Challenge {
    /// Reads the Bearer challenge of all `WWW-Authenticate` values of a response.
    ///
    /// It reads what RFC 9110 section 11.6.1 defines, and of values that break the rules each parameter that can be read:
    /// extra blanks, missing commas, UTF-8 and unquoted values do no harm. The parameters of several Bearer challenges
    /// are taken together; the first of equal names counts.
    pub fn from_headers(headers: &HeaderMap) -> Option<Self> {
        let mut bearer = all(headers).filter(|challenge| is(challenge, "bearer")).peekable();
        bearer.peek()?;
        Some(Self { parameters: bearer.flat_map(|c| c.parameters).take(MAX_PARAMETERS).collect() })
    }

    /// Masks the secrets of the exchange: some servers repeat what they were sent.
    pub(crate) fn redacted(mut self, redactor: &Redactor) -> Self {
        for text in self.parameters.iter_mut().flat_map(|(name, value)| [name, value]) {
            if let Cow::Owned(masked) = redactor.redact(text) {
                *text = masked;
            }
        }
        self
    }

    /// Returns `realm`: a name of the protected space.
    pub fn realm(&self) -> Option<&str> {
        self.parameter("realm")
    }

    /// Returns `scope`: the scopes that the request needs, separated by blanks.
    pub fn scope(&self) -> Option<&str> {
        self.parameter("scope")
    }

    /// Returns the scopes that the request needs, one by one. Some servers put commas between them, which a path may have
    /// too: a comma counts where another capability follows.
    pub fn scopes(&self) -> impl Iterator<Item = Scope> + '_ {
        // A control character belongs to no scope.
        let is_between = |c: char| c.is_whitespace() || c.is_control() || c == char::REPLACEMENT_CHARACTER;
        let words = self.scope().unwrap_or_default().split(is_between).filter(|word| !word.is_empty());
        words.flat_map(capabilities).filter_map(|scope| scope.parse().ok())
    }

    /// Returns `error`: why the request was refused.
    pub fn error(&self) -> Option<ChallengeError> {
        Some(match self.parameter("error")? {
            "invalid_request" => ChallengeError::InvalidRequest,
            "invalid_token" => ChallengeError::InvalidToken,
            "insufficient_scope" => ChallengeError::InsufficientScope,
            _ => ChallengeError::Other,
        })
    }

    /// Returns `error_description`: the reason in words.
    pub fn error_description(&self) -> Option<&str> {
        self.parameter("error_description")
    }

    /// Returns the audience that the server requires, from `audience`, `aud`, or `resource` (RFC 8707).
    pub fn audience(&self) -> Option<&str> {
        ["audience", "aud", "resource"].iter().find_map(|name| self.parameter(name))
    }

    /// Returns a parameter; names are compared without case, the first of equal ones counts.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }
}

/// Splits `read:/a,write:/b`.
fn capabilities(word: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(word);
    std::iter::from_fn(move || {
        let text = rest?;
        let next = text.match_indices(',').find(|(at, _)| {
            let (name, path) = text[at + 1..].split_once(':').unwrap_or_default();
            path.starts_with('/') && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '.')
        });
        let (scope, after) = next.map_or((text, None), |(at, _)| (&text[..at], Some(&text[at + 1..])));
        rest = after;
        Some(scope.trim_end_matches(','))
    })
}

/// Returns the realm of the first `Basic` challenge of a response (RFC 7617 section 2), empty where it names none.
pub fn basic_realm(headers: &HeaderMap) -> Option<String> {
    let basic = all(headers).find(|challenge| is(challenge, "basic"))?;
    let realm = basic.parameters.into_iter().find(|(name, _)| name.eq_ignore_ascii_case("realm"));
    Some(realm.map(|(_, value)| value).unwrap_or_default())
}

/// Returns the names of the authentication schemes that a response offers, in their order.
pub fn challenge_schemes(headers: &HeaderMap) -> Vec<String> {
    all(headers).map(|challenge| redact::text(&challenge.scheme)).collect()
}

fn all(headers: &HeaderMap) -> impl Iterator<Item = RawChallenge> + '_ {
    www_authenticate::challenges(headers.get_all(WWW_AUTHENTICATE).iter().map(HeaderValue::as_bytes))
        .into_iter()
}

fn is(challenge: &RawChallenge, scheme: &str) -> bool {
    challenge.scheme.eq_ignore_ascii_case(scheme)
}

/// As [`Display`](std::fmt::Display): a server may echo a token.
impl std::fmt::Debug for Challenge {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{self}")
    }
}

impl std::fmt::Display for Challenge {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Bearer")?;
        for (n, (name, value)) in self.parameters.iter().enumerate() {
            let comma = if n == 0 { "" } else { "," };
            write!(f, "{comma} {}=\"{}\"", redact::text(name), redact::text(value))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn challenge(values: &[&str]) -> Option<Challenge> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(WWW_AUTHENTICATE, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        Challenge::from_headers(&headers)
    }

    #[test]
    fn a_bearer_challenge_is_found_wherever_it_stands() {
        for values in [
            &["Bearer"][..],
            &["bearer"],
            &["BEARER realm=x"],
            &["Basic realm=\"x\", Bearer"],
            &["Basic realm=\"a, Bearer b\"", "Bearer realm=\"x\""],
            &["Negotiate", "Bearer"],
            &["Negotiate abc==, Bearer realm=\"two, headers\""],
            &["Negotiate abc==,bearer"],
            &[", ,Bearer ,"],
            &["Bearer realm=\"x\", Negotiate abc=="],
            &["Bearer realm=un quoted=1,,="],
            &["Bearer \u{fc}"],
        ] {
            assert!(challenge(values).is_some(), "{values:?}");
        }
    }

    #[test]
    fn what_is_no_bearer_challenge_is_none() {
        for values in [
            &[][..],
            &[""],
            &["Basic realm=\"Bearer x\""],
            &["Basic realm=\"a\\\", Bearer b\""],
            &["Negotiate Bearer=="],
            &["Bearerish realm=\"x\""],
            &["DPoP realm=\"x\", error=\"Bearer\""],
        ] {
            assert_eq!(challenge(values), None, "{values:?}");
        }
    }

    #[test]
    fn its_parameters_are_read() {
        let found = challenge(&[
            r#"Bearer realm="lab \"realm\"", error="insufficient_scope", scope="read:/a  write:/b", audience=https"#,
        ])
        .unwrap();
        assert_eq!(found.realm(), Some("lab \"realm\""));
        assert_eq!(found.error(), Some(ChallengeError::InsufficientScope));
        assert_eq!(found.scopes().map(|s| s.to_string()).collect::<Vec<_>>(), ["read:/a", "write:/b"]);
        assert_eq!(found.audience(), Some("https"));
        assert_eq!(found.parameter("REALM"), found.realm());
    }

    #[test]
    fn scopes_with_commas_between_them_are_several() {
        for (value, expected) in [
            ("scope=\"read:/a, write:/b\"", &["read:/a", "write:/b"][..]),
            ("scope=\"read:/a,write:/b,storage.read:/c\"", &["read:/a", "write:/b", "storage.read:/c"]),
            ("scope=\"read:/a,b write:/c,\"", &["read:/a,b", "write:/c"]),
            ("scope=\"openid, profile\"", &["openid", "profile"]),
            ("scope=\"\"", &[]),
            ("scope=\"read:/a\u{85}write:/b\u{9b} read:/c", &["read:/a", "write:/b", "read:/c"]),
        ] {
            let found = challenge(&[&format!("Bearer {value}")]).unwrap();
            assert_eq!(found.scopes().map(|s| s.to_string()).collect::<Vec<_>>(), expected, "{value}");
        }
    }

    #[test]
    fn parameters_in_a_header_line_of_their_own_belong_to_the_challenge_before() {
        let found =
            challenge(&["Basic realm=\"x\"", "Bearer realm=\"r\",", "error=\"invalid_token\", scope=\"s\""]);
        let found = found.unwrap();
        assert_eq!((found.error(), found.scope()), (Some(ChallengeError::InvalidToken), Some("s")));
        let found = challenge(&["Bearer realm=\"no end", "Bearer scope=\"s\""]).unwrap();
        assert_eq!(found.scope(), Some("s"), "a text without an end ends with its line");
    }

    #[test]
    fn parameters_survive_a_challenge_of_another_scheme() {
        let values = ["Negotiate abc==, Bearer realm=\"r\", error=\"invalid_token\", Negotiate xyz=="];
        let found = challenge(&values).unwrap();
        assert_eq!((found.realm(), found.error()), (Some("r"), Some(ChallengeError::InvalidToken)));
    }

    #[test]
    fn several_bearer_challenges_are_taken_together() {
        let found =
            challenge(&["Bearer dG9r==, Bearer error=\"invalid_token\"", "Bearer scope=\"s\", error=\"x\""]);
        let found = found.unwrap();
        assert_eq!((found.error(), found.scope()), (Some(ChallengeError::InvalidToken), Some("s")));
    }

    #[test]
    fn an_echoed_token_is_masked_in_names_and_values() {
        let redactor = Redactor::new();
        redactor.add("opaque.secret.token");
        let found =
            challenge(&["Bearer error_description=\"bad opaque.secret.token\", opaque.secret.token=x"]);
        let shown = format!("{:?}", found.unwrap().redacted(&redactor));
        assert!(!shown.contains("secret") && shown.contains("bad …"), "{shown}");
    }

    #[test]
    fn the_realm_of_a_basic_challenge_is_read_by_the_same_parser() {
        let realm = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(WWW_AUTHENTICATE, value.parse().unwrap());
            basic_realm(&headers)
        };
        assert_eq!(realm("Negotiate abc==, Basic  realm=\"r\"").as_deref(), Some("r"));
        assert_eq!(realm("Basic").as_deref(), Some(""));
        assert_eq!(realm("Bearer realm=\"r\""), None);
    }

    #[test]
    fn a_huge_value_is_bounded() {
        let huge = format!("Bearer realm=\"{}", "x,".repeat(600_000));
        assert!(challenge(&[&huge]).unwrap().realm().unwrap().len() <= 16 * 1024);
        let many = format!("Bearer {}", "a=b,".repeat(10_000));
        assert!(challenge(&[&many]).unwrap().parameters.len() <= MAX_PARAMETERS);
    }

    #[test]
    fn display_is_fit_for_a_terminal() {
        let found =
            challenge(&["Bearer realm=\"a\tb eyJhbGciOiJIUzI1NiJ9.e30.abcdef\", scope=\"s\""]).unwrap();
        assert_eq!(found.to_string(), "Bearer realm=\"a b …\", scope=\"s\"");
    }
}
