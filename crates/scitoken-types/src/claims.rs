//! The payload of a JWT, read without a key: to choose and to explain, never to grant access.

use base64::prelude::*;
use std::fmt;
use std::time::{Duration, SystemTime};

use serde::ser::{Serialize, SerializeMap as _, Serializer};
use serde_json::{Map, Value};

use crate::sys::epoch_seconds;
use crate::terminal::clean_char;
use crate::{Audience, Capability, InvalidCapability, Scope};

/// The claims of a JWT whose signature is not verified.
///
/// Claims of a wrong type have no value; [`unusable`](Self::unusable) tells them from absent ones. Texts come from an unverified source: characters that drive a
/// terminal are replaced by U+FFFD.
///
/// Serialized, the claims have their names in the token, and times in seconds since the Unix epoch; absent ones are left out.
///
/// ```
/// use scitoken_types::AccessToken;
///
/// let token = AccessToken::new("e30.eyJpc3MiOiJodHRwczovL2kiLCJhdWQiOiJodHRwczovL2gifQ.c2ln")?;
/// let claims = token.claims().unwrap();
/// assert_eq!(claims.issuer(), Some("https://i"));
/// assert_eq!(claims.audiences()[0].as_str(), "https://h");
/// # Ok::<(), scitoken_types::InvalidToken>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct UnverifiedClaims {
    issuer: Option<String>,
    subject: Option<String>,
    audiences: Vec<Audience>,
    scopes: Option<String>,
    expires_at: Option<SystemTime>,
    not_before: Option<SystemTime>,
    issued_at: Option<SystemTime>,
    profile: Option<String>,
    groups: Vec<String>,
    unusable: Vec<UnusableClaim>,
}

/// A claim that is there and that verifiers refuse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct UnusableClaim {
    name: &'static str,
    expected: ClaimType,
}

/// What verifiers expect of a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ClaimType {
    /// A string.
    Text,
    /// A string or a list of strings.
    Texts,
    /// A number of seconds since 1970, before the year 10000.
    Time,
}

impl ClaimType {
    /// Returns its words: `a string`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Text => "a string",
            Self::Texts => "a string or a list of strings",
            Self::Time => "a number of seconds since 1970, before the year 10000",
        }
    }

    fn is_type_of(self, value: &Value) -> bool {
        match (self, value) {
            (Self::Text | Self::Texts, Value::String(_)) => true,
            (Self::Texts, Value::Array(items)) => items.iter().all(Value::is_string),
            (Self::Time, Value::Number(number)) => number.as_f64().and_then(numeric_date).is_some(),
            _ => false,
        }
    }
}

impl UnusableClaim {
    /// Returns the name of the claim.
    pub fn name(self) -> &'static str {
        self.name
    }
}

impl fmt::Display for UnusableClaim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` is not {}", self.name, self.expected.as_str())
    }
}

/// The claims that verifiers read, and what they expect of each.
const EXPECTED: [(&str, ClaimType); 8] = [
    ("iss", ClaimType::Text),
    ("sub", ClaimType::Text),
    ("aud", ClaimType::Texts),
    ("scope", ClaimType::Text),
    ("scp", ClaimType::Texts),
    ("exp", ClaimType::Time),
    ("nbf", ClaimType::Time),
    ("iat", ClaimType::Time),
];

impl UnverifiedClaims {
    /// Reads the middle of `header.payload.signature`; `None` when the text is not a JWT with an object in it.
    pub(crate) fn read(token: &str) -> Option<Self> {
        let mut parts = token.split('.');
        let (_header, payload, _signature) = (parts.next()?, parts.next()?, parts.next()?);
        if parts.next().is_some() {
            return None;
        }
        let payload = BASE64_URL_SAFE_NO_PAD.decode(payload.trim_end_matches('=')).ok()?;
        let claims: Map<String, Value> = serde_json::from_slice(&payload).ok()?;
        Some(Self::from_map(&claims))
    }

    fn from_map(claims: &Map<String, Value>) -> Self {
        let text = |name: &str| claims.get(name).and_then(Value::as_str).map(clean);
        let seconds = |name: &str| claims.get(name).and_then(number);
        let time = |name: &str| seconds(name).and_then(numeric_date);
        let is_unusable = |(name, expected): &(&'static str, ClaimType)| {
            claims.get(*name).is_some_and(|value| !value.is_null() && !expected.is_type_of(value))
        };
        let unusable = EXPECTED.into_iter().filter(is_unusable);
        Self {
            issuer: text("iss"),
            subject: text("sub"),
            audiences: texts(claims.get("aud")).into_iter().map(Audience::from).collect(),
            scopes: text("scope").or_else(|| {
                let scp = texts(claims.get("scp"));
                (!scp.is_empty()).then(|| scp.join(" "))
            }),
            // A token that expired before 1970 has expired.
            expires_at: seconds("exp").and_then(|end| numeric_date(end.max(0.0))),
            not_before: time("nbf"),
            issued_at: time("iat"),
            profile: text("ver").or_else(|| text("wlcg.ver").map(|version| format!("wlcg:{version}"))),
            groups: texts(claims.get("wlcg.groups")),
            unusable: unusable.map(|(name, expected)| UnusableClaim { name, expected }).collect(),
        }
    }

    /// Returns why a claim that is there has no value that verifiers accept; `None` if it is absent or usable.
    ///
    /// A number written as text is such a claim, too; its value is read all the same.
    pub fn unusable(&self, name: &str) -> Option<UnusableClaim> {
        self.unusable.iter().copied().find(|claim| claim.name == name)
    }

    /// Returns the first scope that is malformed, and why: enforcers refuse a token with such a scope.
    pub fn malformed_scope(&self) -> Option<(&str, InvalidCapability)> {
        let scopes = self.scopes.as_deref().unwrap_or_default().split(' ').filter(|scope| !scope.is_empty());
        scopes.into_iter().find_map(|scope| Some((scope, Capability::of_scope(scope).err()?)))
    }

    /// Returns `iss`: the issuer.
    pub fn issuer(&self) -> Option<&str> {
        self.issuer.as_deref()
    }

    /// Returns `sub`: the subject.
    pub fn subject(&self) -> Option<&str> {
        self.subject.as_deref()
    }

    /// Returns `aud`: the servers that the token is for; empty when the claim is missing.
    pub fn audiences(&self) -> &[Audience] {
        &self.audiences
    }

    /// Returns `scope`, or `scp` of SciTokens 1.0, as one text; `None` when the token has neither.
    pub fn scope_text(&self) -> Option<&str> {
        self.scopes.as_deref()
    }

    /// Returns the scopes one by one.
    pub fn scopes(&self) -> impl Iterator<Item = Scope> + '_ {
        self.scopes.as_deref().unwrap_or_default().split(' ').filter_map(|scope| scope.parse().ok())
    }

    /// Returns the scopes that are capabilities; others, and malformed ones, are left out.
    pub fn capabilities(&self) -> impl Iterator<Item = Capability> + '_ {
        let scopes = self.scopes.as_deref().unwrap_or_default().split(' ');
        scopes.filter_map(|scope| Capability::of_scope(scope).ok().flatten())
    }

    /// Returns whether the claims permit `wanted`: the same scope, or a capability that includes it.
    pub fn allows(&self, wanted: &Scope) -> bool {
        let is_granted = |wanted| self.capabilities().any(|granted| granted.includes(&wanted));
        wanted.capability().is_some_and(is_granted) || self.scopes().any(|granted| granted == *wanted)
    }

    /// Returns `exp`: the token is not valid at or after this time.
    pub fn expires_at(&self) -> Option<SystemTime> {
        self.expires_at
    }

    /// Returns `nbf`: the token is not valid before this time.
    pub fn not_before(&self) -> Option<SystemTime> {
        self.not_before
    }

    /// Returns `iat`: when the token was issued.
    pub fn issued_at(&self) -> Option<SystemTime> {
        self.issued_at
    }

    /// Returns `ver` (`scitoken:2.0`), or `wlcg:` and `wlcg.ver` (`wlcg:1.0`).
    pub fn profile(&self) -> Option<&str> {
        self.profile.as_deref()
    }

    /// Returns `wlcg.groups`.
    pub fn groups(&self) -> &[String] {
        &self.groups
    }
}

impl Serialize for UnverifiedClaims {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut claims = serializer.serialize_map(None)?;
        let texts =
            [("iss", &self.issuer), ("sub", &self.subject), ("scope", &self.scopes), ("ver", &self.profile)];
        for (name, text) in texts {
            if let Some(text) = text {
                claims.serialize_entry(name, text)?;
            }
        }
        if !self.audiences.is_empty() {
            let audiences: Vec<&str> = self.audiences.iter().map(Audience::as_str).collect();
            claims.serialize_entry("aud", &audiences)?;
        }
        let times = [("exp", self.expires_at), ("nbf", self.not_before), ("iat", self.issued_at)];
        for (name, time) in times {
            if let Some(time) = time {
                claims.serialize_entry(name, &epoch_seconds(time))?;
            }
        }
        if !self.groups.is_empty() {
            claims.serialize_entry("wlcg.groups", &self.groups)?;
        }
        claims.end()
    }
}

/// The text without characters that drive a terminal. A space in their place would separate scopes.
fn clean(text: &str) -> String {
    text.chars().map(|c| if clean_char(c) == c { c } else { '\u{fffd}' }).collect()
}

/// A number, also one that is written as text.
fn number(value: &Value) -> Option<f64> {
    match value {
        Value::String(text) => text.trim().parse().ok().filter(|number: &f64| !number.is_nan()),
        value => value.as_f64(),
    }
}

/// A string, or the strings of an array.
fn texts(value: Option<&Value>) -> Vec<String> {
    match value {
        Some(Value::String(text)) => vec![clean(text)],
        Some(Value::Array(items)) => items.iter().filter_map(Value::as_str).map(clean).collect(),
        _ => Vec::new(),
    }
}

/// Returns the time of a `NumericDate` (RFC 7519 section 2): seconds since the epoch, whole or not; `None` for times
/// before 1970 or after 9999.
pub fn numeric_date(seconds: f64) -> Option<SystemTime> {
    const YEAR_9999: f64 = 253_402_300_800.0;
    if !(0.0..YEAR_9999).contains(&seconds) {
        return None;
    }
    SystemTime::UNIX_EPOCH.checked_add(Duration::try_from_secs_f64(seconds).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(payload: &str) -> Option<UnverifiedClaims> {
        let payload = BASE64_URL_SAFE_NO_PAD.encode(payload);
        UnverifiedClaims::read(&format!("e30.{payload}.sig"))
    }

    #[expect(clippy::unnecessary_wraps, reason = "compared with claims that may be absent")]
    fn epoch(seconds: f64) -> Option<SystemTime> {
        Some(SystemTime::UNIX_EPOCH + Duration::from_secs_f64(seconds))
    }

    #[test]
    fn texts_cannot_drive_a_terminal_or_separate_scopes() {
        let claims = read(
            r#"{"iss":"https://i\u001b[2J","sub":"a\u202eb","aud":["x\u0007"],"scope":"read:/a\u001bwrite:/","wlcg.groups":["/g\u009b"]}"#,
        )
        .unwrap();
        assert_eq!(claims.issuer(), Some("https://i\u{fffd}[2J"));
        assert_eq!(claims.subject(), Some("a\u{fffd}b"));
        assert_eq!(claims.audiences()[0].as_str(), "x\u{fffd}");
        assert_eq!(claims.scope_text().unwrap().split(' ').count(), 1);
        assert_eq!(claims.groups(), ["/g\u{fffd}"]);
    }

    #[test]
    fn a_wlcg_token_is_read() {
        let claims = read(
            r#"{"iss":"https://iss","sub":"alice","aud":["https://h","x"],"exp":1700000000,"nbf":1.5,
                "scope":"storage.read:/ compute.create","wlcg.ver":"1.0","wlcg.groups":["/cms"]}"#,
        )
        .unwrap();
        assert_eq!(claims.issuer(), Some("https://iss"));
        assert_eq!(claims.audiences().len(), 2);
        assert_eq!(claims.expires_at(), epoch(1_700_000_000.0));
        assert_eq!(claims.not_before(), epoch(1.5));
        assert_eq!(claims.profile(), Some("wlcg:1.0"));
        assert_eq!(claims.scopes().count(), 2);
        assert!(claims.allows(&"storage.read:/vo/f".parse().unwrap()));
        assert!(claims.allows(&"compute.create".parse().unwrap()));
        assert!(!claims.allows(&"storage.modify:/vo/f".parse().unwrap()));
        assert_eq!(claims.groups(), ["/cms"]);
        let json = serde_json::to_string(&claims).unwrap();
        assert_eq!(
            json,
            r#"{"iss":"https://iss","sub":"alice","scope":"storage.read:/ compute.create","ver":"wlcg:1.0","aud":["https://h","x"],"exp":1700000000,"nbf":1,"wlcg.groups":["/cms"]}"#
        );
    }

    #[test]
    fn scp_of_the_first_profile_is_a_text_or_a_list() {
        assert_eq!(read(r#"{"scp":["read:/a","write:/b"]}"#).unwrap().scope_text(), Some("read:/a write:/b"));
        assert_eq!(read(r#"{"scp":"read:/a"}"#).unwrap().scope_text(), Some("read:/a"));
        assert_eq!(read(r#"{"scope":"read:/a","scp":"x"}"#).unwrap().scope_text(), Some("read:/a"));
    }

    #[test]
    fn wrong_types_and_absurd_times_have_no_value_and_are_told_from_absent_ones() {
        let claims =
            read(r#"{"iss":5,"aud":{"a":1},"exp":true,"nbf":-1,"iat":1e300,"scope":[],"sub":null}"#).unwrap();
        assert_eq!(claims.issuer(), None);
        assert!(claims.audiences().is_empty());
        assert_eq!((claims.expires_at(), claims.not_before(), claims.issued_at()), (None, None, None));
        assert_eq!(claims.scope_text(), None);
        for name in ["iss", "aud", "exp", "nbf", "iat", "scope"] {
            let unusable = claims.unusable(name).unwrap().to_string();
            assert!(unusable.starts_with(&format!("`{name}` is not a ")), "{unusable}");
        }
        assert_eq!((claims.unusable("sub"), claims.unusable("scp")), (None, None));
        let usable =
            read(r#"{"iss":"i","aud":["h"],"exp":1700000000.5,"scope":"","scp":["read:/"]}"#).unwrap();
        assert_eq!(usable.unusable, []);
    }

    #[test]
    fn a_time_that_is_text_or_before_1970_has_its_value_and_verifiers_refuse_it() {
        for (payload, end) in [
            (r#"{"exp":"1700000000"}"#, 1_700_000_000.0),
            (r#"{"exp":" 1700000000.5 "}"#, 1_700_000_000.5),
            (r#"{"exp":-1}"#, 0.0),
        ] {
            let claims = read(payload).unwrap();
            assert_eq!(claims.expires_at(), epoch(end), "{payload}");
            assert!(claims.unusable("exp").is_some(), "{payload}");
        }
        for payload in [r#"{"exp":"soon"}"#, r#"{"exp":1796075861000}"#, r#"{"exp":"NaN"}"#, r#"{"exp":[1]}"#]
        {
            let claims = read(payload).unwrap();
            assert!(claims.expires_at().is_none() && claims.unusable("exp").is_some(), "{payload}");
        }
    }

    #[test]
    fn a_malformed_scope_grants_nothing_and_is_named() {
        for (scope, is_malformed) in [
            ("storage.read:/vo/../other", true),
            ("storage.read", true),
            ("read:", true),
            ("storage.read:vo", true),
            ("storage.read:/vo", false),
            ("openid exec:notebook compute.read", false),
        ] {
            let claims = read(&format!(r#"{{"scope":"openid {scope}"}}"#)).unwrap();
            assert_eq!(claims.malformed_scope().map(|(scope, _)| scope), is_malformed.then_some(scope));
            let storage = claims.capabilities().filter(Capability::needs_path).count();
            assert_eq!(storage, usize::from(scope == "storage.read:/vo"), "{scope}");
        }
    }

    #[test]
    fn what_is_no_jwt_has_no_claims() {
        for token in
            ["opaque", "a.b", "a.b.c.d", "e30.!!.x", "gt-MLF5MB3Peg79wEC0BY8U8Q.ChbkqEyp3EIJ2e_1Sqff3w"]
        {
            assert_eq!(UnverifiedClaims::read(token), None, "{token}");
        }
        assert_eq!(read("[1]"), None);
        assert_eq!(read(&format!("{}{}", "[".repeat(100_000), "]".repeat(100_000))), None);
    }
}
