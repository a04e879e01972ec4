//! JSON objects with a token in them, as token files, agents and commands write them.

use std::fmt;
use std::time::{Duration, SystemTime};

use secrecy::zeroize::Zeroizing;

use crate::{LenientObject, Seconds};

/// A JSON object in the form of a token endpoint's answer (RFC 6749 section 5.1), read leniently.
///
/// Only what has a meaning for safety is required: it is an object, and a token is a string. Members that are unknown
/// are ignored; members that cannot be read, or occur twice, are noted and cost nothing else. See [`LenientObject`] for
/// what is taken for a number or a time.
///
/// ```
/// use std::time::{Duration, SystemTime};
/// use scitoken_types::TokenJson;
///
/// let json = TokenJson::parse(r#"{"access_token": "abc", "expires_in": "3600"}"#).unwrap();
/// assert_eq!(json.access_token().unwrap().as_str(), "abc");
/// let hour = SystemTime::UNIX_EPOCH + Duration::from_secs(3_600);
/// assert_eq!(json.expires_at(Some(SystemTime::UNIX_EPOCH)), Some(hour));
/// ```
#[derive(Clone)]
pub struct TokenJson(LenientObject);

/// A part of a token's JSON that was ignored.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TokenJsonNote {
    /// A member occurs more than once; the last one counts.
    #[error("`{0}` occurs more than once; the last one counts")]
    Repeated(String),
    /// A member cannot be read as what it should be.
    #[error("{0} and is ignored")]
    Unreadable(crate::UnreadableMember),
    /// What follows the members that were read is not valid JSON.
    #[error("the object is cut off or not valid JSON; what could be read counts")]
    Incomplete,
}

impl TokenJson {
    /// Reads a JSON object; `None` if the text does not begin with one.
    pub fn parse(text: &str) -> Option<Self> {
        LenientObject::parse(text.as_bytes()).map(Self)
    }

    /// Returns all members.
    pub fn object(&self) -> &LenientObject {
        &self.0
    }

    /// Returns `access_token`, if it is a string and not empty.
    pub fn access_token(&self) -> Option<Zeroizing<String>> {
        let is_string = self.0.get("access_token").is_some_and(|json| json.starts_with('"'));
        self.text("access_token").filter(|_| is_string).map(Zeroizing::new)
    }

    /// Returns `error` (RFC 6749 section 5.2): the object is a refusal.
    pub fn error(&self) -> Option<String> {
        self.text("error")
    }

    /// Returns a member as text, if it is not empty.
    pub fn text(&self, member: &str) -> Option<String> {
        self.0.text(member).ok().flatten()
    }

    /// Returns when the token expires: `expires_at` or one of its other names (`expires_at_seconds`, `expiry`,
    /// `expires`), else `expires_in` after the object was received, if that is known. Zero and negative numbers are
    /// ignored.
    pub fn expires_at(&self, received_at: Option<SystemTime>) -> Option<SystemTime> {
        let read = |member| self.0.time(member).ok().flatten().filter(|time| *time > SystemTime::UNIX_EPOCH);
        EXPIRY_MEMBERS.into_iter().find_map(read).or_else(|| received_at?.checked_add(self.lifetime()?))
    }

    /// Returns what was ignored.
    pub fn notes(&self) -> Vec<TokenJsonNote> {
        let times = EXPIRY_MEMBERS.into_iter().filter_map(|member| self.0.time(member).err());
        let lifetime = self.0.seconds("expires_in").err();
        let texts = ["access_token", "token_type"].into_iter().filter_map(|member| self.0.text(member).err());
        let repeated = self.0.repeated().iter().cloned().map(TokenJsonNote::Repeated);
        repeated
            .chain(times.chain(lifetime).chain(texts).map(TokenJsonNote::Unreadable))
            .chain((!self.0.is_complete()).then_some(TokenJsonNote::Incomplete))
            .collect()
    }

    fn lifetime(&self) -> Option<Duration> {
        // Some writers state zero or -1 where they do not know the lifetime.
        let seconds = self.0.seconds("expires_in").ok().flatten().filter(|seconds| *seconds > 0.0)?;
        Seconds::saturating(seconds).ok().map(Seconds::duration)
    }
}

const EXPIRY_MEMBERS: [&str; 4] = ["expires_at", "expires_at_seconds", "expiry", "expires"];

/// Shows names only: values may be secrets.
impl fmt::Debug for TokenJson {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(text: &str) -> TokenJson {
        TokenJson::parse(text).unwrap()
    }

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
    }

    #[test]
    fn an_expiry_may_be_a_number_a_text_or_a_time() {
        for (members, expected) in [
            (r#""expires_in": 60"#, Some(1_060)),
            (r#""expires_in": 60.0"#, Some(1_060)),
            (r#""expires_in": "60""#, Some(1_060)),
            (r#""expires_in": " 6e1 ""#, Some(1_060)),
            (r#""expires_in": -5"#, None),
            (r#""expires_in": 0"#, None),
            (r#""expires_in": "0""#, None),
            (r#""expires_in": 0.0, "expires_at": 5000"#, Some(5_000)),
            (r#""expires_at": 5000"#, Some(5_000)),
            (r#""expires_at": "5000""#, Some(5_000)),
            (r#""expires_at": "2001-09-09T01:46:40Z""#, Some(1_000_000_000)),
            (r#""expires_at": "2001-09-09 03:46:40+02:00""#, Some(1_000_000_000)),
            (r#""expires_at": "2001-09-09T01:46:40""#, Some(1_000_000_000)),
            (r#""expiry": "2001-09-09T01:46:40.000Z""#, Some(1_000_000_000)),
            (r#""expires_at_seconds": 5000, "expires_in": 60"#, Some(5_000)),
            (r#""expires_at": "soon", "expires_in": 60"#, Some(1_060)),
            (r#""expires_at": 0, "expires_in": null"#, None),
            (r#""expires_in": "soon""#, None),
            (r#""expires_in": 1e300"#, None),
            (r#""expires_in": "NaN""#, None),
            (r#""expires_in": [60]"#, None),
            (r#""expires_at": {}"#, None),
        ] {
            let json = json(&format!(r#"{{"access_token": "abc", {members}}}"#));
            assert_eq!(json.expires_at(Some(at(1_000))), expected.map(at), "{members}");
            assert_eq!(json.access_token().unwrap().as_str(), "abc", "{members}");
        }
        assert_eq!(json(r#"{"expires_in": 60}"#).expires_at(None), None);
    }

    #[test]
    fn what_cannot_be_read_is_noted_and_costs_nothing_else() {
        let json = json(
            r#"{"access_token": "a", "access_token": "b", "expires_in": "soon", "token_type": [],
                "unknown": {"deep": [1, {}]}, "cut"#,
        );
        assert_eq!(json.access_token().unwrap().as_str(), "b");
        let notes: Vec<_> = json.notes().iter().map(ToString::to_string).collect();
        let expected = [
            "`access_token` occurs more than once; the last one counts",
            "`expires_in` is not a number of seconds and is ignored",
            "`token_type` is not a string and is ignored",
            "the object is cut off or not valid JSON; what could be read counts",
        ];
        assert_eq!(notes, expected);
    }

    #[test]
    fn a_number_that_is_cut_off_is_no_expiry() {
        for (text, expected) in [
            (r#"{"access_token": "abc", "expires_at": 50"#, None),
            (r#"{"access_token": "abc", "expires_at": 5"#, None),
            (r#"{"access_token": "abc", "expires_at": -"#, None),
            (r#"{"access_token": "abc", "expires_in": 6"#, None),
            (r#"{"access_token": "abc", "expires_at": "50"#, None),
            // The writer went on after the number.
            (r#"{"access_token": "abc", "expires_at": 5000,"#, Some(5_000)),
            ("{\"access_token\": \"abc\", \"expires_at\": 5000\n", Some(5_000)),
            (r#"{"expires_at": 5000, "access_token": "abc"#, Some(5_000)),
            (r#"{"expires_at": 5000, "access_token": "abc", "x": 1"#, Some(5_000)),
        ] {
            let json = json(text);
            assert_eq!(json.expires_at(Some(at(1_000))), expected.map(at), "{text}");
            assert!(json.notes().contains(&TokenJsonNote::Incomplete), "{text}");
        }
    }

    #[test]
    fn a_number_is_not_a_token_and_debug_shows_no_value() {
        assert_eq!(json(r#"{"access_token": 5}"#).access_token(), None);
        assert_eq!(format!("{:?}", json(r#"{"access_token": "hush"}"#)), r#"{"access_token"}"#);
        assert!(TokenJson::parse("[1]").is_none());
    }
}
