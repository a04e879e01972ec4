//! The typed claims of a token.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::iter;
use std::ops::Range;
use std::option;
use std::sync::OnceLock;
use std::time::{Duration, SystemTime};

use serde::{Serialize, Serializer};

use super::jws::{self, ClaimFields, RawClaim};
use super::{AuthorizationError, ClaimValue, Profile};
use scitoken_types::redact;
use scitoken_types::sys::elapsed;
use scitoken_types::{Audience, ClaimType, numeric_date};

/// The longest leeway of verifiers and enforcers.
pub(super) const MAX_LEEWAY: Duration = Duration::from_secs(300);

/// The claims of a token, each of the type that its profile gives it.
///
/// They are read from a [`VerifiedToken`](crate::VerifiedToken). Serialized, they are the object in the token.
///
/// ```
/// use scitoken_authz::VerifiedToken;
///
/// fn log(token: &VerifiedToken) -> serde_json::Result<String> {
///     for (name, value) in token.claims() {
///         println!("{name}: {value}");
///     }
///     serde_json::to_string(token.claims())
/// }
/// ```
#[derive(Clone)]
pub struct Claims {
    profile: Profile,
    issuer: Option<ClaimText>,
    subject: Option<ClaimText>,
    audiences: Option<Vec<Audience>>,
    scope: Option<ClaimText>,
    token_id: Option<ClaimText>,
    expires_at: Option<SystemTime>,
    not_before: Option<SystemTime>,
    issued_at: Option<SystemTime>,
    groups: Vec<String>,
    /// Claims that the profile refuses; empty for a profile that ignores unknown claims.
    unknown: Vec<String>,
    payload: Box<str>,
    all: OnceLock<Option<BTreeMap<String, ClaimValue>>>,
}

/// A string inside the payload, or one that was put together.
#[derive(Clone)]
enum ClaimText {
    InPayload(Range<usize>),
    Owned(Box<str>),
}

/// The claims that some profile defines; none of these counts as unknown.
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
    pub(super) fn parse(payload: String, typ: Option<&str>) -> Result<Self, AuthorizationError> {
        let mut fields = ClaimFields::named(NAMES);
        fields.read(&payload, "payload")?;
        let others = fields.others;
        let [iss, sub, aud, scope, exp, nbf, iat, jti, ver, wlcg_ver, scp, groups, client_id, _opt] =
            fields.found;
        let (ver, wlcg_ver) = (jws::text("ver", ver)?, jws::text("wlcg.ver", wlcg_ver)?);
        let profile = Profile::of(typ, ver.as_deref(), wlcg_ver.as_deref())
            .map_err(|marker| AuthorizationError::UnknownProfile { marker })?;
        let has_client_id = jws::text("client_id", client_id)?.is_some();
        let unknown = if profile.refuses_unknown_claims() {
            // SciTokens 1.0 refuses the claims of other profiles.
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
        let kept = |text| ClaimText::of(text, &payload);
        let claims = Self {
            profile,
            issuer: jws::text("iss", iss)?.map(kept),
            subject: jws::text("sub", sub)?.map(kept),
            audiences: audiences(aud)?,
            scope: scopes(profile, scope, scp)?.map(kept),
            token_id: jws::text("jti", jti)?.map(kept),
            expires_at: time("exp", exp.as_ref())?,
            not_before: time("nbf", nbf.as_ref())?,
            issued_at: time("iat", iat.as_ref())?,
            groups: wlcg_groups(profile, groups)?,
            unknown,
            payload: Box::default(),
            all: OnceLock::new(),
        };
        Ok(Self { payload: payload.into_boxed_str(), ..claims })
    }

    /// Checks that the claims that the profile requires are present.
    pub(super) fn check_required(&self) -> Result<(), AuthorizationError> {
        let is_there = |claim: &str| match claim {
            "iss" => self.issuer.is_some(),
            "exp" => self.expires_at.is_some(),
            "iat" => self.issued_at.is_some(),
            "aud" => self.audiences.is_some(),
            "sub" => self.subject.is_some(),
            _ => false,
        };
        match self.profile.required_claims().iter().find(|claim| !is_there(claim)) {
            Some(claim) => Err(AuthorizationError::missing(claim)),
            None => Ok(()),
        }
    }

    /// Checks the times at `now`: each may be wrong by `leeway` (RFC 7519 section 4.1.4).
    pub(super) fn check_times(&self, now: SystemTime, leeway: Duration) -> Result<(), AuthorizationError> {
        let earliest = now.checked_sub(leeway).unwrap_or(now);
        let latest = now.checked_add(leeway).unwrap_or(now);
        if let Some(since) = self.expires_at.filter(|end| *end <= earliest) {
            return Err(AuthorizationError::Expired { since, late: elapsed(since, now) });
        }
        if let Some(from) = self.not_before.filter(|start| *start > latest) {
            return Err(AuthorizationError::NotYetValid { from, ahead: elapsed(now, from) });
        }
        match self.issued_at.filter(|made| *made > latest) {
            Some(at) => Err(AuthorizationError::IssuedInFuture { at, ahead: elapsed(now, at) }),
            None => Ok(()),
        }
    }

    /// Returns the profile that the token follows.
    pub fn profile(&self) -> Profile {
        self.profile
    }

    /// Returns `iss`, the issuer.
    pub fn issuer(&self) -> Option<&str> {
        self.text(self.issuer.as_ref())
    }

    /// Returns `sub`, the subject.
    pub fn subject(&self) -> Option<&str> {
        self.text(self.subject.as_ref())
    }

    /// Returns `aud`, the servers that the token is meant for; `None` without the claim, an empty slice for an empty
    /// list.
    pub fn audiences(&self) -> Option<&[Audience]> {
        self.audiences.as_deref()
    }

    /// Returns `scope`, or `scp` of SciTokens 1.0, as one string.
    pub fn scope_text(&self) -> Option<&str> {
        self.text(self.scope.as_ref())
    }

    /// Returns `jti`, the token's identifier.
    pub fn token_id(&self) -> Option<&str> {
        self.text(self.token_id.as_ref())
    }

    /// Returns `exp`; the token is invalid from this time on.
    pub fn expires_at(&self) -> Option<SystemTime> {
        self.expires_at
    }

    /// Returns `nbf`; the token is invalid before this time.
    pub fn not_before(&self) -> Option<SystemTime> {
        self.not_before
    }

    /// Returns `iat`, the time of issue.
    pub fn issued_at(&self) -> Option<SystemTime> {
        self.issued_at
    }

    /// Returns `wlcg.groups`; empty in other profiles. Membership of a group implies neither its parent nor its
    /// children.
    pub fn groups(&self) -> &[String] {
        &self.groups
    }

    fn text<'a>(&'a self, text: Option<&'a ClaimText>) -> Option<&'a str> {
        match text? {
            ClaimText::InPayload(range) => self.payload.get(range.clone()),
            ClaimText::Owned(text) => Some(text),
        }
    }

    /// Returns the claims that SciTokens 1.0 does not define; that profile refuses unknown claims.
    pub(super) fn unknown(&self) -> impl Iterator<Item = &str> {
        self.unknown.iter().map(String::as_str)
    }

    /// Returns a claim by its name.
    pub fn get(&self, name: &str) -> Option<&ClaimValue> {
        self.all().ok()?.get(name)
    }

    /// Returns all claims by name.
    pub fn iter(&self) -> <&Self as IntoIterator>::IntoIter {
        self.all().ok().into_iter().flatten().map(|(name, value)| (name.as_str(), value))
    }

    /// Returns all claims, or an error for a payload that nests too deep.
    pub(super) fn all(&self) -> Result<&BTreeMap<String, ClaimValue>, AuthorizationError> {
        self.all
            .get_or_init(|| serde_json::from_str(&self.payload).ok())
            .as_ref()
            .ok_or(AuthorizationError::NotJson { part: "payload" })
    }
}

impl<'c> IntoIterator for &'c Claims {
    type Item = (&'c str, &'c ClaimValue);
    type IntoIter = iter::Map<
        iter::Flatten<option::IntoIter<&'c BTreeMap<String, ClaimValue>>>,
        fn((&'c String, &'c ClaimValue)) -> Self::Item,
    >;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl Serialize for Claims {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self)
    }
}

impl fmt::Debug for Claims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map()
            .entries(self.iter().map(|(name, value)| (name, redact::text(&value.to_string()))))
            .finish()
    }
}

impl ClaimText {
    /// Keeps a string of this payload as a range where it has no escapes.
    fn of(text: Cow<'_, str>, payload: &str) -> Self {
        match text {
            Cow::Borrowed(text) => {
                let start = text.as_ptr().addr().wrapping_sub(payload.as_ptr().addr());
                let range = start..start.saturating_add(text.len());
                if payload.get(range.clone()) == Some(text) {
                    Self::InPayload(range)
                } else {
                    Self::Owned(text.into())
                }
            }
            Cow::Owned(text) => Self::Owned(text.into_boxed_str()),
        }
    }
}

fn time(name: &'static str, value: Option<&RawClaim<'_>>) -> Result<Option<SystemTime>, AuthorizationError> {
    let expected = ClaimType::Time.as_str();
    match value {
        None => Ok(None),
        Some(RawClaim::Number(seconds)) => {
            numeric_date(*seconds).map(Some).ok_or(AuthorizationError::WrongType { name, expected })
        }
        Some(_) => Err(AuthorizationError::WrongType { name, expected }),
    }
}

fn texts(items: Vec<RawClaim<'_>>) -> Option<Vec<String>> {
    items
        .into_iter()
        .map(|item| match item {
            RawClaim::Text(text) => Some(text.into_owned()),
            _ => None,
        })
        .collect()
}

fn audiences(value: Option<RawClaim<'_>>) -> Result<Option<Vec<Audience>>, AuthorizationError> {
    let wrong = || AuthorizationError::WrongType { name: "aud", expected: ClaimType::Texts.as_str() };
    match value {
        None => Ok(None),
        Some(RawClaim::Text(text)) => Ok(Some(vec![Audience::from(text.into_owned())])),
        Some(RawClaim::List(items)) => {
            let items = texts(items).ok_or_else(wrong)?;
            Ok(Some(items.into_iter().map(Audience::from).collect()))
        }
        Some(_) => Err(wrong()),
    }
}

/// Reads `scope`, a string; SciTokens 1.0 also has `scp`, a string or a list.
fn scopes<'a>(
    profile: Profile,
    scope: Option<RawClaim<'a>>,
    scp: Option<RawClaim<'a>>,
) -> Result<Option<Cow<'a, str>>, AuthorizationError> {
    if scope.is_some() || profile != Profile::SciTokens1 {
        return jws::text("scope", scope);
    }
    let wrong = || AuthorizationError::WrongType { name: "scp", expected: ClaimType::Texts.as_str() };
    match scp {
        None => Ok(None),
        Some(RawClaim::Text(text)) => Ok(Some(text)),
        Some(RawClaim::List(items)) => Ok(Some(texts(items).ok_or_else(wrong)?.join(" ").into())),
        Some(_) => Err(wrong()),
    }
}

fn wlcg_groups(profile: Profile, groups: Option<RawClaim<'_>>) -> Result<Vec<String>, AuthorizationError> {
    if !profile.is_same_kind(Profile::WLCG) {
        return Ok(Vec::new());
    }
    let wrong = || AuthorizationError::WrongType { name: "wlcg.groups", expected: "a list of strings" };
    match groups {
        None => Ok(Vec::new()),
        Some(RawClaim::List(items)) => texts(items).ok_or_else(wrong),
        Some(_) => Err(wrong()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claims(json: &str) -> Result<Claims, AuthorizationError> {
        Claims::parse(json.to_owned(), None)
    }

    #[test]
    fn serialized_claims_are_the_object_in_the_token() {
        let json = r#"{"aud":["a","b"],"exp":1.5,"foo":{"x":null},"sub":"me"}"#;
        let claims = claims(json).unwrap();
        assert_eq!(serde_json::to_string(&claims).unwrap(), json);
        assert_eq!(
            (&claims).into_iter().map(|(name, _)| name).collect::<Vec<_>>(),
            ["aud", "exp", "foo", "sub"]
        );
    }

    fn at(seconds: f64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs_f64(seconds)
    }

    fn wrong(json: &str) -> &'static str {
        match claims(json) {
            Err(AuthorizationError::WrongType { name, .. }) => name,
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
    fn times_are_numbers_that_are_times() {
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

    /// The crate `scitokens` 0.1 does not know the text form of `scp`.
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
    fn what_the_profile_demands_must_be_there() {
        let missing = |json: &str| match claims(json).unwrap().check_required() {
            Err(AuthorizationError::MissingClaim { claim }) => claim.into_owned(),
            other => panic!("{json}: {other:?}"),
        };
        assert_eq!(missing(r#"{"ver":"scitoken:2.0","iss":"i","iat":1,"aud":"ANY"}"#), "exp");
        assert_eq!(missing(r#"{"ver":"scitoken:2.0","iss":"i","exp":1,"aud":"ANY"}"#), "iat");
        assert_eq!(missing(r#"{"ver":"scitoken:2.0","exp":1,"iat":1,"aud":"ANY"}"#), "iss");
        assert_eq!(missing(r#"{"ver":"scitoken:2.0","exp":1,"iat":1,"iss":"i"}"#), "aud");
        assert_eq!(missing(r#"{"wlcg.ver":"1.0","exp":1,"iat":1,"iss":"i"}"#), "aud");
        assert_eq!(missing("{}"), "iss");
        assert!(claims(r#"{"exp":1,"iat":1,"iss":"i"}"#).unwrap().check_required().is_ok());
    }

    /// The crate `scitokens` 0.1 accepts a token for a minute after its end.
    #[test]
    fn times_are_exact_without_a_leeway_and_errors_have_the_amount() {
        let token = claims(r#"{"iat":100,"nbf":100,"exp":200}"#).unwrap();
        let check = |now| token.check_times(at(now), Duration::ZERO);
        let seconds = Duration::from_secs;
        assert_eq!(check(100.0), Ok(()));
        assert_eq!(check(199.9), Ok(()));
        let expired = check(200.0).unwrap_err();
        assert_eq!(expired, AuthorizationError::Expired { since: at(200.0), late: Duration::ZERO });
        assert_eq!(check(385.0).unwrap_err().to_string(), "the token expired 3 min 5 s ago");
        let early = check(70.0).unwrap_err();
        assert_eq!(early, AuthorizationError::NotYetValid { from: at(100.0), ahead: seconds(30) });
        assert_eq!(early.to_string(), "the token is not valid yet: `nbf` is 30 s ahead; compare the clocks");
        let made = claims(r#"{"iat":102,"exp":200}"#).unwrap();
        let future = made.check_times(at(100.0), Duration::ZERO).unwrap_err();
        assert_eq!(future, AuthorizationError::IssuedInFuture { at: at(102.0), ahead: seconds(2) });
        assert!(future.to_string().contains("`iat` is 2 s ahead"), "{future}");
    }

    #[test]
    fn a_leeway_applies_to_each_time_and_no_further() {
        let token = claims(r#"{"iat":100,"nbf":100,"exp":200}"#).unwrap();
        let check = |now| token.check_times(at(now), Duration::from_secs(60));
        assert_eq!((check(40.0), check(259.9)), (Ok(()), Ok(())));
        assert!(matches!(check(39.0), Err(AuthorizationError::NotYetValid { .. })));
        assert!(matches!(check(260.0), Err(AuthorizationError::Expired { .. })));
        let made = claims(r#"{"iat":160,"exp":200}"#).unwrap();
        assert_eq!(made.check_times(at(100.0), Duration::from_secs(60)), Ok(()));
        assert!(made.check_times(at(99.0), Duration::from_secs(60)).is_err());
    }

    #[test]
    fn a_claim_that_nests_too_deep_is_never_taken_for_absent() {
        let json = format!(r#"{{"x":{}{}}}"#, "[".repeat(9_000), "]".repeat(9_000));
        let claims = claims(&json).unwrap();
        assert_eq!(claims.all(), Err(AuthorizationError::NotJson { part: "payload" }));
    }
}
