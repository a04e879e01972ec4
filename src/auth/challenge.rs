//! What a server says when it wants a token: the `Bearer` challenge of a `WWW-Authenticate` header.

use http::HeaderMap;
use http::header::WWW_AUTHENTICATE;

use crate::redact;
use crate::token::{AccessToken, Scope};

/// A Bearer challenge (RFC 6750 section 3), as the server wrote it.
///
/// It is there to choose a token by and to explain a refusal. Whatever looks like an address in it is never
/// followed: a server must not be able to say where credentials go. Texts come from a stranger and may be
/// anything; [`Display`](std::fmt::Display) makes them fit for a terminal.
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

/// No more of a header value than this is looked at, in bytes.
const LONGEST_VALUE: usize = 16 * 1024;
/// No more parameters of a challenge than this are kept.
const MOST_PARAMETERS: usize = 32;

impl Challenge {
    /// The first Bearer challenge among all `WWW-Authenticate` values of a response.
    ///
    /// The scheme's case does not matter, nor whether other challenges stand before or after it, in the same
    /// value or in others (RFC 9110 section 11.6.1). A value that is not well-formed, but in which `Bearer` stands
    /// where a scheme stands, is a challenge without parameters.
    pub fn from_headers(headers: &HeaderMap) -> Option<Self> {
        headers.get_all(WWW_AUTHENTICATE).iter().find_map(|value| Self::from_value(value.as_bytes()))
    }

    /// The challenge without this token: some servers repeat what they were sent.
    pub(crate) fn without(mut self, token: Option<&AccessToken>) -> Self {
        if let Some(token) = token {
            for (_, value) in &mut self.parameters {
                if value.contains(token.expose_secret()) {
                    *value = value.replace(token.expose_secret(), "…");
                }
            }
        }
        self
    }

    fn from_value(value: &[u8]) -> Option<Self> {
        let value = String::from_utf8_lossy(&value[..value.len().min(LONGEST_VALUE)]);
        let value = value.trim_matches([' ', '\t', ',']);
        match parse(value) {
            Ok(challenge) => challenge,
            // `Negotiate abc==, Bearer realm="x"`: the parser knows no token68, so try from each `Bearer` on.
            Err(()) => bearer_starts(value).next().map(|start| longest_parse(&value[start..])),
        }
    }

    /// `realm`: the protected space, in words for people.
    pub fn realm(&self) -> Option<&str> {
        self.parameter("realm")
    }

    /// `scope`: the scopes that the request needs, separated by blanks.
    pub fn scope(&self) -> Option<&str> {
        self.parameter("scope")
    }

    /// The scopes that the request needs, one by one.
    pub fn scopes(&self) -> impl Iterator<Item = Scope> + '_ {
        self.scope().unwrap_or_default().split_ascii_whitespace().filter_map(|scope| scope.parse().ok())
    }

    /// `error`: why the request was refused.
    pub fn error(&self) -> Option<ChallengeError> {
        Some(match self.parameter("error")? {
            "invalid_request" => ChallengeError::InvalidRequest,
            "invalid_token" => ChallengeError::InvalidToken,
            "insufficient_scope" => ChallengeError::InsufficientScope,
            _ => ChallengeError::Other,
        })
    }

    /// `error_description`: the same in words.
    pub fn error_description(&self) -> Option<&str> {
        self.parameter("error_description")
    }

    /// The audience that the server wants, by the names that servers use for it: `audience`, `aud`, or `resource`
    /// (RFC 8707).
    pub fn audience(&self) -> Option<&str> {
        ["audience", "aud", "resource"].iter().find_map(|name| self.parameter(name))
    }

    /// Any parameter; names are compared without case, the first of equal ones counts.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }
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

/// The first Bearer challenge of a well-formed value.
fn parse(value: &str) -> Result<Option<Challenge>, ()> {
    if value.is_empty() {
        return Ok(None);
    }
    let challenges = http_auth::parse_challenges(value).map_err(|_| ())?;
    Ok(challenges.into_iter().find(|c| c.scheme.eq_ignore_ascii_case("bearer")).map(|found| Challenge {
        parameters: found
            .params
            .iter()
            .take(MOST_PARAMETERS)
            .map(|(name, value)| ((*name).to_owned(), value.to_unescaped()))
            .collect(),
    }))
}

/// Parses as much of a text that starts with `Bearer` as can be parsed, cutting at commas from the end.
fn longest_parse(text: &str) -> Challenge {
    let mut end = text.len();
    // Each round is a parse of the whole; a hostile value must not make that quadratic.
    for _ in 0..MOST_PARAMETERS {
        if let Ok(Some(challenge)) = parse(text[..end].trim_end_matches([' ', '\t', ','])) {
            return challenge;
        }
        match commas(&text[..end]).last() {
            Some(comma) => end = comma,
            None => break,
        }
    }
    Challenge::default()
}

/// Where `Bearer` stands in the place of a scheme: at the start of a list item, as a whole word.
fn bearer_starts(value: &str) -> impl Iterator<Item = usize> + '_ {
    const SCHEME: &str = "bearer";
    let items = std::iter::once(0).chain(commas(value).map(|comma| comma + 1));
    items.filter_map(|start| {
        let item = value[start..].trim_start_matches([' ', '\t', ',']);
        let named = item.get(..SCHEME.len())?.eq_ignore_ascii_case(SCHEME);
        let ends = item[SCHEME.len()..].chars().next().is_none_or(|c| matches!(c, ' ' | '\t' | ','));
        (named && ends).then(|| value.len() - item.len())
    })
}

/// The commas that stand outside quoted strings.
fn commas(value: &str) -> impl DoubleEndedIterator<Item = usize> {
    let (mut quoted, mut escaped, mut found) = (false, false, Vec::new());
    for (at, byte) in value.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b',' if !quoted => found.push(at),
            _ => {}
        }
    }
    found.into_iter()
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

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

    /// Mistake 35: requests-scitokens drops all parameters of a challenge but the first.
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
    fn parameters_survive_a_neighbour_that_the_parser_does_not_know() {
        let values = ["Negotiate abc==, Bearer realm=\"r\", error=\"invalid_token\", Negotiate xyz=="];
        let found = challenge(&values).unwrap();
        assert_eq!((found.realm(), found.error()), (Some("r"), Some(ChallengeError::InvalidToken)));
    }

    #[test]
    fn a_huge_value_is_bounded() {
        let huge = format!("Bearer realm=\"{}", "x,".repeat(600_000));
        assert_eq!(challenge(&[&huge]), Some(Challenge::default()));
        let many = format!("Bearer {}", "a=b,".repeat(10_000));
        assert!(challenge(&[&many]).unwrap().parameters.len() <= MOST_PARAMETERS);
    }

    #[test]
    fn display_is_fit_for_a_terminal() {
        let found =
            challenge(&["Bearer realm=\"a\tb eyJhbGciOiJIUzI1NiJ9.e30.abcdef\", scope=\"s\""]).unwrap();
        assert_eq!(found.to_string(), "Bearer realm=\"a b …\", scope=\"s\"");
    }
}
