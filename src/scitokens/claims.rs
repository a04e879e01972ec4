//! The claims of a token whose signature has been checked, or is about to be.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::sync::OnceLock;
use std::time::{Duration, SystemTime};

use super::wire::{self, Fields, Wire};
use super::{ClaimValue, Profile, Refusal};
use crate::redact;
use crate::token::{Audience, numeric_date};

/// What a token says, typed: each registered claim has its type, or the token is refused.
#[derive(Clone)]
pub struct Claims {
    profile: Profile,
    issuer: Option<Text>,
    subject: Option<Text>,
    audiences: Option<Vec<Audience>>,
    scope: Option<Text>,
    token_id: Option<Text>,
    expires_at: Option<SystemTime>,
    not_before: Option<SystemTime>,
    issued_at: Option<SystemTime>,
    groups: Vec<String>,
    has_client_id: bool,
    /// Those that the profile refuses; empty for one that ignores them.
    unknown: Vec<String>,
    payload: Box<str>,
    all: OnceLock<Option<BTreeMap<String, ClaimValue>>>,
}

/// A text in the payload, or one that had to be put together.
#[derive(Clone)]
enum Text {
    There(Range<usize>),
    Owned(Box<str>),
}

/// What every profile knows; a claim of these is never unknown.
pub(super) const NAMES: [&str; 14] = [
    "iss",
    "sub",
    "aud",
    "scope",
    "exp",
    "nbf",
    "iat",
    "jti",
    "ver",
    "wlcg.ver",
    "scp",
    "wlcg.groups",
    "client_id",
    "opt",
];

impl Claims {
    /// Reads the payload of a token whose header has this `typ`.
    pub(super) fn parse(payload: String, typ: Option<&str>) -> Result<Self, Refusal> {
        let mut fields = Fields::named(NAMES);
        fields.read(&payload, "payload")?;
        let others = fields.others;
        let [iss, sub, aud, scope, exp, nbf, iat, jti, ver, wlcg_ver, scp, groups, client_id, _opt] =
            fields.found;
        let (ver, wlcg_ver) = (wire::text("ver", ver)?, wire::text("wlcg.ver", wlcg_ver)?);
        let profile = Profile::of(typ, ver.as_deref(), wlcg_ver.as_deref())?;
        let has_client_id = wire::text("client_id", client_id)?.is_some();
        let unknown = if profile.refuses_unknown_claims() {
            // What other profiles know, SciTokens 1.0 does not.
            let foreign = [
                ("wlcg.ver", wlcg_ver.is_some()),
                ("wlcg.groups", groups.is_some()),
                ("client_id", has_client_id),
            ];
            let foreign = foreign.iter().filter(|(_, there)| *there).map(|(name, _)| (*name).to_owned());
            others.into_iter().map(Cow::into_owned).chain(foreign).collect()
        } else {
            Vec::new()
        };
        let kept = |text| Text::of(text, &payload);
        let claims = Self {
            profile,
            issuer: wire::text("iss", iss)?.map(kept),
            subject: wire::text("sub", sub)?.map(kept),
            audiences: audiences(aud)?,
            scope: scopes(profile, scope, scp)?.map(kept),
            token_id: wire::text("jti", jti)?.map(kept),
            expires_at: time("exp", exp.as_ref())?,
            not_before: time("nbf", nbf.as_ref())?,
            issued_at: time("iat", iat.as_ref())?,
            groups: wlcg_groups(profile, groups)?,
            has_client_id,
            unknown,
            payload: Box::default(),
            all: OnceLock::new(),
        };
        Ok(Self { payload: payload.into_boxed_str(), ..claims })
    }

    /// Checks that what the profile demands is there (vector 31).
    pub(super) fn check_demanded(&self) -> Result<(), Refusal> {
        let is_there = |claim: &str| match claim {
            "iss" => self.issuer.is_some(),
            "exp" => self.expires_at.is_some(),
            "iat" => self.issued_at.is_some(),
            "aud" => self.audiences.is_some(),
            "sub" => self.subject.is_some(),
            "client_id" => self.has_client_id,
            _ => false,
        };
        match self.profile.demanded_claims().iter().find(|claim| !is_there(claim)) {
            Some(claim) => Err(Refusal::missing(claim)),
            None => Ok(()),
        }
    }

    /// Checks the times at `now`. `exp` has no leeway (RFC 7519 section 4.1.4; the WLCG profile allows none); a
    /// clock that is behind the issuer's is forgiven `skew` for `nbf` and `iat`.
    pub(super) fn check_times(&self, now: SystemTime, skew: Duration) -> Result<(), Refusal> {
        if let Some(since) = self.expires_at.filter(|end| *end <= now) {
            return Err(Refusal::Expired { since });
        }
        let latest = now.checked_add(skew).unwrap_or(now);
        if let Some(from) = self.not_before.filter(|start| *start > latest) {
            return Err(Refusal::NotYetValid { from });
        }
        match self.issued_at.filter(|made| *made > latest) {
            Some(at) => Err(Refusal::IssuedInFuture { at }),
            None => Ok(()),
        }
    }

    /// The rule book that the token follows.
    pub fn profile(&self) -> Profile {
        self.profile
    }

    /// `iss`: who made the token.
    pub fn issuer(&self) -> Option<&str> {
        self.text(self.issuer.as_ref())
    }

    /// `sub`: about whom it is.
    pub fn subject(&self) -> Option<&str> {
        self.text(self.subject.as_ref())
    }

    /// `aud`: for which servers; `None` when the token does not say, empty when it says nobody.
    pub fn audiences(&self) -> Option<&[Audience]> {
        self.audiences.as_deref()
    }

    /// `scope`, or `scp` of SciTokens 1.0, as one text.
    pub fn scope_text(&self) -> Option<&str> {
        self.text(self.scope.as_ref())
    }

    /// `jti`: the token's own name.
    pub fn token_id(&self) -> Option<&str> {
        self.text(self.token_id.as_ref())
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

    /// `wlcg.groups`; empty in other profiles. Membership of a group says nothing about its parent or children.
    pub fn groups(&self) -> &[String] {
        &self.groups
    }

    fn text<'a>(&'a self, text: Option<&'a Text>) -> Option<&'a str> {
        match text? {
            Text::There(range) => self.payload.get(range.clone()),
            Text::Owned(text) => Some(text),
        }
    }

    /// Claims that the token's profile does not know, if that is SciTokens 1.0, which wants to know each.
    pub(super) fn unknown(&self) -> impl Iterator<Item = &str> {
        self.unknown.iter().map(String::as_str)
    }

    /// Any claim by its name.
    pub fn get(&self, name: &str) -> Option<&ClaimValue> {
        self.all().ok()?.get(name)
    }

    /// Every claim, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &ClaimValue)> {
        self.all().into_iter().flatten().map(|(name, value)| (name.as_str(), value))
    }

    /// Every claim, for those who have to know when there is none to be had: a claim that nests too deep.
    pub(super) fn all(&self) -> Result<&BTreeMap<String, ClaimValue>, Refusal> {
        self.all
            .get_or_init(|| serde_json::from_str(&self.payload).ok())
            .as_ref()
            .ok_or(Refusal::NotJson { part: "payload" })
    }
}

impl fmt::Debug for Claims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map()
            .entries(self.iter().map(|(name, value)| (name, redact::text(&value.to_string()))))
            .finish()
    }
}

impl Text {
    /// Keeps a text of this payload: where it stands, if it stands there as it is.
    fn of(text: Cow<'_, str>, payload: &str) -> Self {
        match text {
            Cow::Borrowed(text) => {
                let start = text.as_ptr().addr().wrapping_sub(payload.as_ptr().addr());
                let range = start..start.saturating_add(text.len());
                if payload.get(range.clone()) == Some(text) {
                    Self::There(range)
                } else {
                    Self::Owned(text.into())
                }
            }
            Cow::Owned(text) => Self::Owned(text.into_boxed_str()),
        }
    }
}

fn time(name: &'static str, value: Option<&Wire<'_>>) -> Result<Option<SystemTime>, Refusal> {
    let expected = "a number of seconds since 1970, before the year 10000";
    match value {
        None => Ok(None),
        Some(Wire::Number(seconds)) => {
            numeric_date(*seconds).map(Some).ok_or_else(|| Refusal::WrongType { name, expected })
        }
        Some(_) => Err(Refusal::WrongType { name, expected }),
    }
}

fn texts(items: Vec<Wire<'_>>) -> Option<Vec<String>> {
    items
        .into_iter()
        .map(|item| match item {
            Wire::Text(text) => Some(text.into_owned()),
            _ => None,
        })
        .collect()
}

fn audiences(value: Option<Wire<'_>>) -> Result<Option<Vec<Audience>>, Refusal> {
    let wrong = || Refusal::WrongType { name: "aud", expected: "a text or a list of texts" };
    match value {
        None => Ok(None),
        Some(Wire::Text(text)) => Ok(Some(vec![Audience::from(text.into_owned())])),
        Some(Wire::List(items)) => {
            let items = texts(items).ok_or_else(wrong)?;
            Ok(Some(items.into_iter().map(Audience::from).collect()))
        }
        Some(_) => Err(wrong()),
    }
}

/// `scope` is one text. SciTokens 1.0 also knows `scp`, a text or a list.
fn scopes<'a>(
    profile: Profile,
    scope: Option<Wire<'a>>,
    scp: Option<Wire<'a>>,
) -> Result<Option<Cow<'a, str>>, Refusal> {
    if scope.is_some() || profile != Profile::SciTokens1 {
        return wire::text("scope", scope);
    }
    let wrong = || Refusal::WrongType { name: "scp", expected: "a text or a list of texts" };
    match scp {
        None => Ok(None),
        Some(Wire::Text(text)) => Ok(Some(text)),
        Some(Wire::List(items)) => Ok(Some(texts(items).ok_or_else(wrong)?.join(" ").into())),
        Some(_) => Err(wrong()),
    }
}

fn wlcg_groups(profile: Profile, groups: Option<Wire<'_>>) -> Result<Vec<String>, Refusal> {
    if !profile.is_same_kind(Profile::WLCG) {
        return Ok(Vec::new());
    }
    let wrong = || Refusal::WrongType { name: "wlcg.groups", expected: "a list of texts" };
    match groups {
        None => Ok(Vec::new()),
        Some(Wire::List(items)) => texts(items).ok_or_else(wrong),
        Some(_) => Err(wrong()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claims(json: &str) -> Result<Claims, Refusal> {
        Claims::parse(json.to_owned(), None)
    }

    fn at(seconds: f64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs_f64(seconds)
    }

    fn wrong(json: &str) -> &'static str {
        match claims(json) {
            Err(Refusal::WrongType { name, .. }) => name,
            other => panic!("{json}: {other:?}"),
        }
    }

    #[test]
    fn a_token_is_read() {
        let claims = claims(
            r#"{"iss":"https://iss","sub":"alice","aud":["a","b"],"scope":"read:/","exp":10,"nbf":1,"iat":2.5,
                "jti":"x","wlcg.ver":"1.2","wlcg.groups":["/cms"],"extra":{"a":[1]}}"#,
        )
        .unwrap();
        assert_eq!(claims.profile(), Profile::Wlcg { minor: 2 });
        assert_eq!(claims.issuer(), Some("https://iss"));
        assert_eq!(claims.audiences().map(<[_]>::len), Some(2));
        assert_eq!(claims.groups(), ["/cms"]);
        assert_eq!(claims.issued_at(), Some(at(2.5)));
        assert_eq!(claims.get("extra").unwrap().to_string(), r#"{"a":[1]}"#);
        assert_eq!(claims.get("nothing"), None);
    }

    #[test]
    fn vector_33_times_are_numbers_that_are_times() {
        assert_eq!(claims(r#"{"exp":1600.7}"#).unwrap().expires_at(), Some(at(1600.7)));
        for json in [
            r#"{"exp":"1700000000"}"#,
            r#"{"exp":null}"#,
            r#"{"exp":4611686018427387904}"#,
            r#"{"exp":1e300}"#,
            r#"{"exp":99999999999999999999999999}"#,
            r#"{"exp":-1}"#,
            r#"{"exp":true}"#,
            r#"{"exp":[5]}"#,
        ] {
            assert_eq!(wrong(json), "exp");
        }
    }

    #[test]
    fn claims_of_another_type_are_refused_in_every_profile() {
        assert_eq!(wrong(r#"{"sub":5}"#), "sub");
        assert_eq!(wrong(r#"{"jti":["x"]}"#), "jti");
        assert_eq!(wrong(r#"{"iss":["https://iss"]}"#), "iss");
        assert_eq!(wrong(r#"{"ver":1}"#), "ver");
        assert_eq!(wrong(r#"{"wlcg.ver":1.0}"#), "wlcg.ver");
        assert_eq!(wrong(r#"{"scope":["read:/"]}"#), "scope");
        assert_eq!(wrong(r#"{"aud":5}"#), "aud");
        assert_eq!(wrong(r#"{"aud":[5]}"#), "aud");
        assert_eq!(wrong(r#"{"aud":null}"#), "aud");
        assert_eq!(wrong(r#"{"wlcg.ver":"1.0","wlcg.groups":"/cms"}"#), "wlcg.groups");
    }

    /// Mistake 38: the crate `scitokens` 0.1 does not know the text form of `scp`.
    #[test]
    fn scp_is_read_in_scitokens_1_only_and_after_scope() {
        let scope = |json: &str| claims(json).unwrap().scope_text().map(str::to_owned);
        assert_eq!(scope(r#"{"scp":"read:/ write:/a"}"#).as_deref(), Some("read:/ write:/a"));
        assert_eq!(scope(r#"{"scp":["read:/","write:/a"]}"#).as_deref(), Some("read:/ write:/a"));
        assert_eq!(scope(r#"{"scp":"read:/","scope":"write:/"}"#).as_deref(), Some("write:/"));
        assert_eq!(scope(r#"{"scp":"read:/","ver":"scitoken:2.0"}"#), None);
        assert_eq!(wrong(r#"{"scp":[1]}"#), "scp");
    }

    #[test]
    fn vector_31_mistake_22_what_the_profile_demands_must_be_there() {
        let missing = |json: &str| match claims(json).unwrap().check_demanded() {
            Err(Refusal::MissingClaim { claim }) => claim.into_owned(),
            other => panic!("{json}: {other:?}"),
        };
        assert_eq!(missing(r#"{"ver":"scitoken:2.0","iss":"i","iat":1,"aud":"ANY"}"#), "exp");
        assert_eq!(missing(r#"{"ver":"scitoken:2.0","iss":"i","exp":1,"aud":"ANY"}"#), "iat");
        assert_eq!(missing(r#"{"ver":"scitoken:2.0","exp":1,"iat":1,"aud":"ANY"}"#), "iss");
        assert_eq!(missing(r#"{"ver":"scitoken:2.0","exp":1,"iat":1,"iss":"i"}"#), "aud");
        assert_eq!(missing(r#"{"wlcg.ver":"1.0","exp":1,"iat":1,"iss":"i"}"#), "aud");
        assert_eq!(missing("{}"), "iss");
        assert!(claims(r#"{"exp":1,"iat":1,"iss":"i"}"#).unwrap().check_demanded().is_ok());
    }

    /// Mistake 38: the crate `scitokens` 0.1 accepts a token for a minute after its end.
    #[test]
    fn vector_32_times_are_exact_and_only_the_start_has_leeway() {
        let token = claims(r#"{"iat":100,"nbf":100,"exp":200}"#).unwrap();
        let check = |now, skew| token.check_times(at(now), Duration::from_secs(skew));
        assert_eq!(check(100.0, 0), Ok(()));
        assert_eq!(check(199.9, 0), Ok(()));
        assert_eq!(check(200.0, 60), Err(Refusal::Expired { since: at(200.0) }));
        assert_eq!(check(70.0, 0), Err(Refusal::NotYetValid { from: at(100.0) }));
        assert_eq!(check(70.0, 60), Ok(()));
        assert_eq!(check(30.0, 60), Err(Refusal::NotYetValid { from: at(100.0) }));
        let early = claims(r#"{"iat":130,"exp":200}"#).unwrap();
        assert_eq!(
            early.check_times(at(100.0), Duration::ZERO),
            Err(Refusal::IssuedInFuture { at: at(130.0) })
        );
    }

    #[test]
    fn a_claim_that_nests_too_deep_is_never_taken_for_absent() {
        let json = format!(r#"{{"x":{}{}}}"#, "[".repeat(9_000), "]".repeat(9_000));
        let claims = claims(&json).unwrap();
        assert_eq!(claims.all(), Err(Refusal::NotJson { part: "payload" }));
    }
}
