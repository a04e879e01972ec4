//! The payload of a JWT, read without a key: to choose and to explain, never to grant access.

use base64::prelude::*;
use std::time::{Duration, SystemTime};

use serde::ser::{Serialize, SerializeMap as _, Serializer};
use serde_json::{Map, Value};

use crate::sys::epoch_seconds;
use crate::terminal::clean_char;
use crate::{Audience, Capability, Scope};

/// The claims of a JWT whose signature is not verified.
///
/// Claims of a wrong type are treated as absent. Texts come from an unverified source: characters that drive a
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
}

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
        let time = |name: &str| claims.get(name).and_then(Value::as_f64).and_then(numeric_date);
        Self {
            issuer: text("iss"),
            subject: text("sub"),
            audiences: texts(claims.get("aud")).into_iter().map(Audience::from).collect(),
            scopes: text("scope").or_else(|| {
                let scp = texts(claims.get("scp"));
                (!scp.is_empty()).then(|| scp.join(" "))
            }),
            expires_at: time("exp"),
            not_before: time("nbf"),
            issued_at: time("iat"),
            profile: text("ver").or_else(|| text("wlcg.ver").map(|version| format!("wlcg:{version}"))),
            groups: texts(claims.get("wlcg.groups")),
        }
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

    /// Returns the scopes that are capabilities; others are left out.
    pub fn capabilities(&self) -> impl Iterator<Item = Capability> + '_ {
        self.scopes.as_deref().unwrap_or_default().split(' ').filter_map(|scope| scope.parse().ok())
    }

    /// Returns whether the claims permit `wanted`: the same scope, or a capability that includes it.
    pub fn allows(&self, wanted: &Scope) -> bool {
        match wanted.capability() {
            Some(wanted) => self.capabilities().any(|granted| granted.includes(&wanted)),
            None => self.scopes().any(|granted| granted == *wanted),
        }
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
    fn wrong_types_and_absurd_times_are_absent() {
        let claims =
            read(r#"{"iss":5,"aud":{"a":1},"exp":"1700000000","nbf":-1,"iat":1e300,"scope":[]}"#).unwrap();
        assert_eq!(claims.issuer(), None);
        assert!(claims.audiences().is_empty());
        assert_eq!((claims.expires_at(), claims.not_before(), claims.issued_at()), (None, None, None));
        assert_eq!(claims.scope_text(), None);
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
