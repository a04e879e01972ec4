//! A token before it is signed.

use std::time::Duration;

use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::super::grants::Grants;
use super::super::{ClaimValue, Claims, Issuer, Profile, Refusal, VerifiedToken};
use super::TokenSigner;
use crate::keys::KeyError;
use crate::redact;
use crate::sys::{SharedClock, epoch_seconds};
use crate::token::{AccessToken, Audience, Capability};

/// A token that is being made, or changed: claims, a profile, and how long it shall live.
///
/// What the profile demands and does not depend on the user is filled in when the token is signed: the profile's marker,
/// `exp`, `iat` and `nbf` from the clock and the lifetime, a fresh `jti`, and the audience that means every server where
/// there is none. No token is made that our own verifier would refuse.
///
/// ```
/// use std::time::Duration;
///
/// use reqwest_scitokens::keys::{KeyKind, SigningKey};
/// use reqwest_scitokens::scitokens::{Issuer, Profile, SciToken, TokenSigner};
///
/// let issuer: Issuer = "https://issuer.example".parse()?;
/// let mut token = SciToken::new(Profile::WLCG, &issuer)
///     .subject("alice")
///     .audience("https://data.example")
///     .scope("storage.read:/vo".parse()?)
///     .lifetime(Duration::from_secs(3_600));
/// token.set("wlcg.groups", vec!["/vo"]);
///
/// let signer = TokenSigner::new(SigningKey::generate(KeyKind::P256)?)?.with_key_id("k1");
/// let token = token.sign(&signer)?;
/// assert_eq!(token.claims().unwrap().groups(), ["/vo"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct SciToken {
    profile: Profile,
    claims: Map<String, Value>,
    lifetime: Duration,
    clock: SharedClock,
}

/// Why a token cannot be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CreateError {
    /// The profile asks for a claim that nobody but the caller can know.
    #[error("a token of profile {profile} needs the claim `{claim}`")]
    MissingClaim {
        /// The profile.
        profile: Profile,
        /// The claim.
        claim: &'static str,
    },
    /// The WLCG profile asks for a key with a name.
    #[error("a token of the WLCG profile names its key; give the key a name (`kid`)")]
    MissingKeyId,
    /// The token would not live for as much as a second, or for longer than times can be told.
    #[error("a token cannot live for {} s", .0.as_secs())]
    Lifetime(Duration),
    /// The claims make a token that would be refused.
    #[error("these claims make no good token")]
    Refused(#[source] Refusal),
    /// The claims say that the token is of another profile.
    #[error("the claims say that the token is of profile {0}")]
    OtherProfile(Profile),
    /// The token would be longer than [`MAX_TOKEN_LENGTH`](crate::MAX_TOKEN_LENGTH).
    #[error("the token would be longer than {limit} bytes", limit = crate::MAX_TOKEN_LENGTH)]
    TooLong,
    /// The key cannot sign.
    #[error("the token cannot be signed")]
    Key(#[source] KeyError),
}

impl SciToken {
    /// How long a token lives unless one says so: 10 minutes, as with the peers.
    pub const DEFAULT_LIFETIME: Duration = Duration::from_secs(600);

    /// Starts a token.
    pub fn new(profile: Profile, issuer: &Issuer) -> Self {
        let mut claims = Map::new();
        claims.insert("iss".to_owned(), issuer.as_str().into());
        Self { profile, claims, lifetime: Self::DEFAULT_LIFETIME, clock: SharedClock::default() }
    }

    /// Starts a token with the claims of another one; its times and its `jti` are left behind.
    pub fn from_verified(token: &VerifiedToken) -> Self {
        let left_behind = |name: &str| matches!(name, "exp" | "iat" | "nbf" | "jti");
        let kept = token.claims().iter().filter(|(name, _)| !left_behind(name));
        let claims = kept.map(|(name, value)| (name.to_owned(), value.json().clone())).collect();
        Self {
            profile: token.profile(),
            claims,
            lifetime: Self::DEFAULT_LIFETIME,
            clock: SharedClock::default(),
        }
    }

    /// Says whom the token is about (`sub`).
    pub fn subject(self, subject: impl Into<String>) -> Self {
        self.claim("sub", subject.into())
    }

    /// Adds a server that the token is for (`aud`).
    pub fn audience(mut self, audience: impl Into<Audience>) -> Self {
        let audience = Value::from(audience.into().as_str());
        let audiences = match self.claims.remove("aud") {
            None => audience,
            Some(Value::Array(mut all)) => {
                all.push(audience);
                Value::Array(all)
            }
            Some(first) => Value::Array(vec![first, audience]),
        };
        self.claims.insert("aud".to_owned(), audiences);
        self
    }

    /// Adds what the token allows (`scope`).
    #[expect(clippy::needless_pass_by_value, reason = "so that `\"read:/data\".parse()?` can stand here")]
    pub fn scope(mut self, scope: Capability) -> Self {
        let scopes = match self.claims.get("scope").and_then(Value::as_str) {
            Some(scopes) => format!("{scopes} {scope}"),
            None => scope.to_string(),
        };
        self.claims.insert("scope".to_owned(), scopes.into());
        self
    }

    /// Adds a claim. One that is set by hand is not filled in any more, the times and `jti` among them.
    pub fn claim(mut self, name: impl Into<String>, value: impl Into<ClaimValue>) -> Self {
        self.set(name, value);
        self
    }

    /// Says how long the token lives from the moment it is signed.
    pub fn lifetime(mut self, lifetime: Duration) -> Self {
        self.lifetime = lifetime;
        self
    }

    /// Reads another clock than the machine's.
    pub fn clock(mut self, clock: impl Into<SharedClock>) -> Self {
        self.clock = clock.into();
        self
    }

    /// Sets a claim, and gives what it was before.
    pub fn set(&mut self, name: impl Into<String>, value: impl Into<ClaimValue>) -> Option<ClaimValue> {
        self.claims.insert(name.into(), value.into().json().clone()).map(ClaimValue::from)
    }

    /// Takes a claim away, and gives what it was.
    pub fn remove(&mut self, name: &str) -> Option<ClaimValue> {
        self.claims.remove(name).map(ClaimValue::from)
    }

    /// A claim that has been set; what will be filled in is not there yet.
    pub fn get(&self, name: &str) -> Option<ClaimValue> {
        self.claims.get(name).cloned().map(ClaimValue::from)
    }

    /// The names of the claims that have been set.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.claims.keys().map(String::as_str)
    }

    /// Signs the token. Each call makes a new one, with its own `jti`.
    ///
    /// # Errors
    /// [`CreateError`] when the profile asks for more, when the token would be refused by who gets it, or when the key
    /// does not do.
    pub fn sign(&self, signer: &TokenSigner) -> Result<AccessToken, CreateError> {
        if self.profile.is_same_kind(Profile::WLCG) && signer.key_id().is_none() {
            return Err(CreateError::MissingKeyId);
        }
        let mut header = Map::new();
        header.insert("alg".to_owned(), signer.algorithm().name().into());
        header.insert("typ".to_owned(), self.typ().into());
        if let Some(key_id) = signer.key_id() {
            header.insert("kid".to_owned(), key_id.into());
        }
        let mut token = self.unsigned(&header)?;
        let signature = signer.sign(token.as_bytes()).map_err(CreateError::Key)?;
        token.push('.');
        base64_simd::URL_SAFE_NO_PAD.encode_append(signature, &mut token);
        AccessToken::new(token).map_err(|_| CreateError::TooLong)
    }

    /// The token without a signature (`"alg":"none"`): what the Python library once called an unprotected serialization.
    ///
    /// Anybody can make or change such a token, so no verifier of this crate accepts it. It is of use to look at, and in
    /// tests of programs that must refuse it.
    pub fn dangerously_unprotected(&self) -> Result<String, CreateError> {
        let mut header = Map::new();
        header.insert("alg".to_owned(), "none".into());
        header.insert("typ".to_owned(), self.typ().into());
        self.unsigned(&header).map(|token| token + ".")
    }

    fn typ(&self) -> &'static str {
        if self.profile == Profile::AccessToken { "at+jwt" } else { "JWT" }
    }

    /// Header and payload, encoded.
    fn unsigned(&self, header: &Map<String, Value>) -> Result<String, CreateError> {
        let payload = Value::Object(self.filled_in()?).to_string();
        let claims = Claims::parse(payload.clone(), Some(self.typ())).map_err(CreateError::Refused)?;
        self.check(&claims)?;
        let mut token =
            base64_simd::URL_SAFE_NO_PAD.encode_to_string(Value::Object(header.clone()).to_string());
        token.push('.');
        base64_simd::URL_SAFE_NO_PAD.encode_append(payload, &mut token);
        Ok(token)
    }

    fn filled_in(&self) -> Result<Map<String, Value>, CreateError> {
        let now = epoch_seconds(self.clock.now());
        let end = now.checked_add(self.lifetime.as_secs()).filter(|end| *end > now);
        let end = end.ok_or(CreateError::Lifetime(self.lifetime))?;
        let mut claims = self.claims.clone();
        let mut fill_in = |name: &str, value: Value| {
            claims.entry(name.to_owned()).or_insert(value);
        };
        match self.profile {
            Profile::SciTokens2 => fill_in("ver", "scitoken:2.0".into()),
            Profile::Wlcg { minor } => fill_in("wlcg.ver", format!("1.{minor}").into()),
            Profile::SciTokens1 | Profile::AccessToken => {}
        }
        if let Some(any) = self.profile.any_audience() {
            fill_in("aud", any.into());
        }
        fill_in("exp", json!(end));
        fill_in("iat", json!(now));
        fill_in("nbf", json!(now));
        fill_in("jti", Uuid::new_v4().to_string().into());
        Ok(claims)
    }

    /// Everything that the profile's text asks for is there, and means what it should.
    fn check(&self, claims: &Claims) -> Result<(), CreateError> {
        if claims.profile() != self.profile {
            return Err(CreateError::OtherProfile(claims.profile()));
        }
        let is_missing = |claim: &&&str| match **claim {
            "scope" => claims.scope_text().is_none(),
            claim => claims.get(claim).is_none(),
        };
        if let Some(claim) = self.profile.specified_claims().iter().find(is_missing) {
            return Err(CreateError::MissingClaim { profile: self.profile, claim });
        }
        // A token for nobody at all, which is how some verifiers take a token for everybody.
        if claims.audiences().is_some_and(<[Audience]>::is_empty) {
            return Err(CreateError::MissingClaim { profile: self.profile, claim: "aud" });
        }
        let mut unknown = claims.unknown().filter(|_| self.profile.refuses_unknown_claims());
        if let Some(claim) = unknown.next() {
            return Err(CreateError::Refused(Refusal::UnknownClaim { claim: redact::text(claim) }));
        }
        if let (Some(end), Some(start)) = (claims.expires_at(), claims.issued_at())
            && end <= start
        {
            return Err(CreateError::Refused(Refusal::Expired { since: end }));
        }
        if claims.scope_text().is_some() {
            Grants::of(claims).map_err(CreateError::Refused)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::{KeyKind, SigningKey};
    use crate::sys::ManualClock;

    #[test]
    fn a_token_for_an_empty_list_of_servers_is_not_made() {
        for profile in [Profile::SciTokens1, Profile::SciTokens2, Profile::WLCG] {
            let mut token = start(profile);
            token.set("aud", ClaimValue::from(json!([])));
            let made = token.sign(&signer());
            assert!(
                matches!(made, Err(CreateError::MissingClaim { claim: "aud", .. })),
                "{profile}: {made:?}"
            );
        }
    }

    fn issuer() -> Issuer {
        "https://iss.example".parse().unwrap()
    }

    fn signer() -> TokenSigner {
        TokenSigner::new(SigningKey::generate(KeyKind::P256).unwrap()).unwrap().with_key_id("k1")
    }

    fn start(profile: Profile) -> SciToken {
        SciToken::new(profile, &issuer())
            .subject("alice")
            .scope("read:/data".parse().unwrap())
            .clock(ManualClock::at_epoch_seconds(1_000))
    }

    fn parts(token: &AccessToken) -> (Value, Value) {
        let part = |n: usize| {
            let part = token.expose_secret().split('.').nth(n).unwrap();
            serde_json::from_slice(&base64_simd::URL_SAFE_NO_PAD.decode_to_vec(part).unwrap()).unwrap()
        };
        (part(0), part(1))
    }

    #[test]
    fn what_the_profile_demands_is_filled_in() {
        let (header, claims) = parts(&start(Profile::SciTokens2).sign(&signer()).unwrap());
        assert_eq!(header, json!({"alg":"ES256","typ":"JWT","kid":"k1"}));
        assert_eq!(claims["ver"], "scitoken:2.0");
        assert_eq!(claims["aud"], "ANY");
        assert_eq!(
            (&claims["iat"], &claims["nbf"], &claims["exp"]),
            (&json!(1_000), &json!(1_000), &json!(1_600))
        );
        assert!(claims["jti"].is_string());
        let (_, claims) = parts(&start(Profile::Wlcg { minor: 3 }).sign(&signer()).unwrap());
        assert_eq!(claims["wlcg.ver"], "1.3");
        assert_eq!(claims["aud"], Audience::WLCG_ANY);
        let access_token = start(Profile::AccessToken).audience("https://h").claim("client_id", "c");
        let (header, claims) = parts(&access_token.sign(&signer()).unwrap());
        assert_eq!(header["typ"], "at+jwt");
        assert_eq!(claims.get("ver"), None);
        let (_, claims) = parts(&start(Profile::SciTokens1).sign(&signer()).unwrap());
        assert_eq!((claims.get("ver"), claims.get("aud")), (None, None));
    }

    #[test]
    fn every_signature_is_another_token() {
        let token = start(Profile::SciTokens2);
        let signer = signer();
        let jti = |token: &AccessToken| parts(token).1["jti"].clone();
        assert_ne!(jti(&token.sign(&signer).unwrap()), jti(&token.sign(&signer).unwrap()));
        let fixed = token.claim("jti", "mine");
        assert_eq!(jti(&fixed.sign(&signer).unwrap()), "mine");
    }

    #[test]
    fn what_only_the_caller_knows_is_asked_for() {
        let missing = |token: SciToken| match token.sign(&signer()) {
            Err(CreateError::MissingClaim { claim, .. }) => claim,
            other => panic!("{other:?}"),
        };
        let mut token = start(Profile::SciTokens2);
        token.remove("sub");
        assert_eq!(missing(token), "sub");
        assert_eq!(missing(SciToken::new(Profile::SciTokens1, &issuer())), "scope");
        assert_eq!(missing(start(Profile::AccessToken).audience("https://h")), "client_id");
        let nameless = TokenSigner::new(SigningKey::generate(KeyKind::P256).unwrap()).unwrap();
        assert!(matches!(start(Profile::WLCG).sign(&nameless), Err(CreateError::MissingKeyId)));
    }

    #[test]
    fn no_token_is_made_that_would_be_refused() {
        let refused = |token: SciToken| match token.sign(&signer()) {
            Err(CreateError::Refused(refusal)) => refusal,
            other => panic!("{other:?}"),
        };
        assert!(matches!(
            refused(start(Profile::SciTokens2).claim("scope", "read")),
            Refusal::ScopeWithoutPath { .. }
        ));
        assert!(matches!(
            refused(start(Profile::SciTokens2).claim("scope", "read:/a/../b")),
            Refusal::MalformedScope { .. }
        ));
        assert!(matches!(
            refused(start(Profile::SciTokens2).claim("exp", "soon")),
            Refusal::WrongType { .. }
        ));
        assert!(matches!(refused(start(Profile::SciTokens2).claim("exp", 5_i64)), Refusal::Expired { .. }));
        assert!(matches!(
            refused(start(Profile::SciTokens1).claim("foo", 5_i64)),
            Refusal::UnknownClaim { .. }
        ));
        let other = start(Profile::SciTokens1).claim("ver", "scitoken:2.0").audience("x");
        assert!(matches!(other.sign(&signer()), Err(CreateError::OtherProfile(Profile::SciTokens2))));
    }

    #[test]
    fn lifetimes_are_checked() {
        for lifetime in [Duration::ZERO, Duration::from_millis(900), Duration::MAX] {
            let error = start(Profile::SciTokens2).lifetime(lifetime).sign(&signer()).unwrap_err();
            assert!(matches!(error, CreateError::Lifetime(_)), "{lifetime:?}");
        }
        let endless = start(Profile::SciTokens2).lifetime(Duration::from_secs(1 << 40)).sign(&signer());
        assert!(matches!(endless, Err(CreateError::Refused(Refusal::WrongType { name: "exp", .. }))));
        let huge = start(Profile::SciTokens2).claim("sub", "x".repeat(60_000)).sign(&signer());
        assert!(matches!(huge, Err(CreateError::TooLong)));
    }

    #[test]
    fn claims_are_set_read_and_taken_away() {
        let mut token =
            start(Profile::SciTokens2).audience("a").audience("b").scope("write:/x".parse().unwrap());
        assert_eq!(token.get("aud").unwrap().texts(), ["a", "b"]);
        assert_eq!(token.get("scope").unwrap().as_text(), Some("read:/data write:/x"));
        assert_eq!(token.set("opt", "1"), None);
        assert_eq!(token.set("opt", 2_i64), Some("1".into()));
        assert_eq!(token.remove("opt"), Some(2_i64.into()));
        assert_eq!(token.remove("opt"), None);
        assert_eq!(token.names().collect::<Vec<_>>(), ["iss", "sub", "scope", "aud"]);
    }

    #[test]
    fn an_unprotected_token_says_so_and_has_no_signature() {
        let token = start(Profile::SciTokens2).dangerously_unprotected().unwrap();
        assert!(token.ends_with('.'));
        let (header, _) = parts(&AccessToken::new(token).unwrap());
        assert_eq!(header["alg"], "none");
    }
}
