//! The payload of a JWT, read without a key: good for choosing and explaining, never for granting.

use std::time::{Duration, SystemTime};

use serde_json::{Map, Value};

use super::{Audience, Capability, Scope};

/// What a JWT says about itself. Nobody has checked its signature.
///
/// Claims of a wrong type are treated as absent: the reader of an unverified token has no business judging it.
/// Its texts come from a stranger: mind control characters when you show them.
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
    /// Reads the middle of `header.payload.signature`; `None` when the text is no JWT with an object in it.
    pub(super) fn read(token: &str) -> Option<Self> {
        let mut parts = token.split('.');
        let (_header, payload, _signature) = (parts.next()?, parts.next()?, parts.next()?);
        if parts.next().is_some() {
            return None;
        }
        let payload = base64_simd::URL_SAFE_NO_PAD.decode_to_vec(payload.trim_end_matches('=')).ok()?;
        let claims: Map<String, Value> = serde_json::from_slice(&payload).ok()?;
        Some(Self::from_map(&claims))
    }

    fn from_map(claims: &Map<String, Value>) -> Self {
        let text = |name: &str| claims.get(name).and_then(Value::as_str).map(str::to_owned);
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

    /// `iss`: who says so.
    pub fn issuer(&self) -> Option<&str> {
        self.issuer.as_deref()
    }

    /// `sub`: about whom.
    pub fn subject(&self) -> Option<&str> {
        self.subject.as_deref()
    }

    /// `aud`: for which servers; empty when the token does not say.
    pub fn audiences(&self) -> &[Audience] {
        &self.audiences
    }

    /// `scope`, or `scp` of SciTokens 1.0, as one text; `None` when the token has neither.
    pub fn scope_text(&self) -> Option<&str> {
        self.scopes.as_deref()
    }

    /// The scopes one by one.
    pub fn scopes(&self) -> impl Iterator<Item = Scope> + '_ {
        self.scopes.as_deref().unwrap_or_default().split(' ').filter_map(|scope| scope.parse().ok())
    }

    /// The scopes that are capabilities; whatever is not is left out.
    pub fn capabilities(&self) -> impl Iterator<Item = Capability> + '_ {
        self.scopes.as_deref().unwrap_or_default().split(' ').filter_map(|scope| scope.parse().ok())
    }

    /// Whether the token says that it allows `wanted`: the very scope, or a capability that includes it.
    pub fn allows(&self, wanted: &Scope) -> bool {
        match wanted.capability() {
            Some(wanted) => self.capabilities().any(|granted| granted.includes(&wanted)),
            None => self.scopes().any(|granted| granted == *wanted),
        }
    }

    /// `exp`: the token is void from this moment on.
    pub fn expires_at(&self) -> Option<SystemTime> {
        self.expires_at
    }

    /// `nbf`: the token is void before this moment.
    pub fn not_before(&self) -> Option<SystemTime> {
        self.not_before
    }

    /// `iat`: when the token was made.
    pub fn issued_at(&self) -> Option<SystemTime> {
        self.issued_at
    }

    /// `ver` as it stands (`scitoken:2.0`), or `wlcg:` and `wlcg.ver` (`wlcg:1.0`).
    pub fn profile(&self) -> Option<&str> {
        self.profile.as_deref()
    }

    /// `wlcg.groups`.
    pub fn groups(&self) -> &[String] {
        &self.groups
    }
}

/// A string, or the strings of an array.
fn texts(value: Option<&Value>) -> Vec<String> {
    match value {
        Some(Value::String(text)) => vec![text.clone()],
        Some(Value::Array(items)) => items.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        _ => Vec::new(),
    }
}

/// RFC 7519 `NumericDate`: seconds since the epoch, whole or not. Absurd numbers are no time.
pub(crate) fn numeric_date(seconds: f64) -> Option<SystemTime> {
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
        let payload = base64_simd::URL_SAFE_NO_PAD.encode_to_string(payload);
        UnverifiedClaims::read(&format!("e30.{payload}.sig"))
    }

    #[expect(clippy::unnecessary_wraps, reason = "compared with claims that may be absent")]
    fn epoch(seconds: f64) -> Option<SystemTime> {
        Some(SystemTime::UNIX_EPOCH + Duration::from_secs_f64(seconds))
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
