//! A token before it is signed.

use base64::prelude::*;
use std::time::Duration;

use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::TokenSigner;
use crate::grants::Grants;
use crate::{AuthorizationError, ClaimValue, Claims, Issuer, Profile, VerifiedToken};
use scitoken_jwt::keys::KeyError;
use scitoken_types::redact;
use scitoken_types::sys::{SharedClock, elapsed, epoch_seconds};
use scitoken_types::{AccessToken, Audience, Capability};

/// Claims, a profile and a lifetime, from which tokens are signed.
///
/// Signing adds what the profile requires and does not depend on the user: the profile's marker, `exp`, `iat` and
/// `nbf` from the clock and the lifetime, a fresh `jti`, and the profile's any-audience where `aud` is missing. A
/// token that [`Verifier`](crate::Verifier) would refuse is not issued.
///
/// ```
/// use std::time::Duration;
///
/// use scitoken_jwt::keys::{KeyKind, SigningKey};
/// use scitoken_authz::{Issuer, Profile, SciToken, TokenSigner};
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

/// Why a token cannot be issued.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CreateError {
    /// The profile requires a claim that only the caller can know.
    #[error("a token of profile {profile} requires the claim `{claim}`")]
    MissingClaim {
        /// The profile.
        profile: Profile,
        /// The claim.
        claim: &'static str,
    },
    /// The WLCG profile requires a `kid`.
    #[error("a token of the WLCG profile requires a `kid`")]
    MissingKeyId,
    /// The lifetime is less than a second, or ends after the last time that can be expressed.
    #[error("a lifetime of {} s is not possible", .0.as_secs())]
    Lifetime(Duration),
    /// The claims make a token that would be refused.
    #[error("the claims are invalid")]
    InvalidClaims(#[source] AuthorizationError),
    /// The claims contradict the profile.
    #[error("the claims are those of profile {0}")]
    OtherProfile(Profile),
    /// The token would be longer than [`MAX_TOKEN_LENGTH`](scitoken_types::MAX_TOKEN_LENGTH).
    #[error("the token would be longer than {limit} bytes", limit = scitoken_types::MAX_TOKEN_LENGTH)]
    TooLong,
    /// The key cannot sign.
    #[error("the token cannot be signed")]
    Key(#[source] KeyError),
}

impl SciToken {
    /// The lifetime of a token unless one is set: 10 minutes, as in the reference libraries.
    pub const DEFAULT_LIFETIME: Duration = Duration::from_secs(600);

    /// Starts a token.
    pub fn new(profile: Profile, issuer: &Issuer) -> Self {
        let mut claims = Map::new();
        claims.insert("iss".to_owned(), issuer.as_str().into());
        Self { profile, claims, lifetime: Self::DEFAULT_LIFETIME, clock: SharedClock::default() }
    }

    /// Starts a token with the claims of another one, without its times and its `jti`.
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

    /// Sets the subject (`sub`).
    pub fn subject(self, subject: impl Into<String>) -> Self {
        self.claim("sub", subject.into())
    }

    /// Adds a server that the token is meant for (`aud`).
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

    /// Adds a scope (`scope`).
    #[expect(clippy::needless_pass_by_value, reason = "so that `\"read:/data\".parse()?` can stand here")]
    pub fn scope(mut self, scope: Capability) -> Self {
        let scopes = match self.claims.get("scope").and_then(Value::as_str) {
            Some(scopes) => format!("{scopes} {scope}"),
            None => scope.to_string(),
        };
        self.claims.insert("scope".to_owned(), scopes.into());
        self
    }

    /// Adds a claim. A claim that is set here is not filled in, also a time or `jti`.
    pub fn claim(mut self, name: impl Into<String>, value: impl Into<ClaimValue>) -> Self {
        self.set(name, value);
        self
    }

    /// Sets the lifetime, counted from the moment of signing.
    pub fn lifetime(mut self, lifetime: Duration) -> Self {
        self.lifetime = lifetime;
        self
    }

    /// Reads the time from this clock instead of the system's.
    pub fn clock(mut self, clock: impl Into<SharedClock>) -> Self {
        self.clock = clock.into();
        self
    }

    /// Sets a claim and returns its previous value.
    pub fn set(&mut self, name: impl Into<String>, value: impl Into<ClaimValue>) -> Option<ClaimValue> {
        self.claims.insert(name.into(), value.into().json().clone()).map(ClaimValue::from)
    }

    /// Removes a claim and returns its value.
    pub fn remove(&mut self, name: &str) -> Option<ClaimValue> {
        self.claims.remove(name).map(ClaimValue::from)
    }

    /// Returns a claim that has been set; what signing fills in is not included.
    pub fn get(&self, name: &str) -> Option<ClaimValue> {
        self.claims.get(name).cloned().map(ClaimValue::from)
    }

    /// Returns the names of the claims that have been set.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.claims.keys().map(String::as_str)
    }

    /// Signs the token. Each call issues a new one with its own `jti`.
    ///
    /// # Errors
    /// [`CreateError`] if the profile requires more, if verifiers would refuse the token, or if the key cannot sign
    /// it.
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
        BASE64_URL_SAFE_NO_PAD.encode_string(signature, &mut token);
        AccessToken::new(token).map_err(|_| CreateError::TooLong)
    }

    /// Returns the token without a signature (`"alg":"none"`): `serialization_type="unprotected"` of early versions
    /// of the Python library.
    ///
    /// Anyone can forge such a token, so no verifier of this crate accepts it. Use it to look at the claims, and in
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

    /// Returns header and payload, encoded.
    fn unsigned(&self, header: &Map<String, Value>) -> Result<String, CreateError> {
        let payload = Value::Object(self.filled_in()?).to_string();
        let claims = Claims::parse(payload.clone(), Some(self.typ())).map_err(CreateError::InvalidClaims)?;
        self.check(&claims)?;
        let mut token = BASE64_URL_SAFE_NO_PAD.encode(Value::Object(header.clone()).to_string());
        token.push('.');
        BASE64_URL_SAFE_NO_PAD.encode_string(payload, &mut token);
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

    /// Checks that everything that the profile asks an issuer for is present and valid.
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
        // Some verifiers take an empty list for every server.
        if claims.audiences().is_some_and(<[Audience]>::is_empty) {
            return Err(CreateError::MissingClaim { profile: self.profile, claim: "aud" });
        }
        let mut unknown = claims.unknown().filter(|_| self.profile.refuses_unknown_claims());
        if let Some(claim) = unknown.next() {
            return Err(CreateError::InvalidClaims(AuthorizationError::UnknownClaim {
                claim: redact::text(claim),
            }));
        }
        if let (Some(end), Some(start)) = (claims.expires_at(), claims.issued_at())
            && end <= start
        {
            return Err(CreateError::InvalidClaims(AuthorizationError::Expired {
                since: end,
                late: elapsed(end, start),
            }));
        }
        if claims.scope_text().is_some() {
            Grants::of(claims).map_err(CreateError::InvalidClaims)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use scitoken_jwt::keys::{KeyKind, SigningKey};
    use scitoken_types::sys::ManualClock;

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
            serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
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
            Err(CreateError::InvalidClaims(refusal)) => refusal,
            other => panic!("{other:?}"),
        };
        assert!(matches!(
            refused(start(Profile::SciTokens2).claim("scope", "read")),
            AuthorizationError::ScopeWithoutPath { .. }
        ));
        assert!(matches!(
            refused(start(Profile::SciTokens2).claim("scope", "read:/a/../b")),
            AuthorizationError::MalformedScope { .. }
        ));
        assert!(matches!(
            refused(start(Profile::SciTokens2).claim("exp", "soon")),
            AuthorizationError::WrongType { .. }
        ));
        assert!(matches!(
            refused(start(Profile::SciTokens2).claim("exp", 5_i64)),
            AuthorizationError::Expired { .. }
        ));
        assert!(matches!(
            refused(start(Profile::SciTokens1).claim("foo", 5_i64)),
            AuthorizationError::UnknownClaim { .. }
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
        assert!(matches!(
            endless,
            Err(CreateError::InvalidClaims(AuthorizationError::WrongType { name: "exp", .. }))
        ));
        let huge = start(Profile::SciTokens2).claim("sub", "x".repeat(60_000)).sign(&signer());
        assert!(matches!(huge, Err(CreateError::TooLong)));
    }

    #[test]
    fn claims_are_set_read_and_taken_away() {
        let mut token =
            start(Profile::SciTokens2).audience("a").audience("b").scope("write:/x".parse().unwrap());
        assert_eq!(token.get("aud").unwrap().strings(), ["a", "b"]);
        assert_eq!(token.get("scope").unwrap().as_str(), Some("read:/data write:/x"));
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
