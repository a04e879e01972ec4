//! Verification with given keys, without network, disk or waiting.

use std::time::Duration;

use super::KidPolicy;
use super::rules::{KeyLookup, VerificationRules};
use crate::claims::MAX_LEEWAY;
use crate::error::untrusted_issuer;
use crate::{AuthorizationError, Issuer, Profile, VerifiedToken};
use scitoken_jwt::keys::{Algorithm, JwkSet, VerifyingKey};
use scitoken_types::sys::SharedClock;

/// Verifies tokens with keys that the caller provides.
///
/// ```
/// use scitoken_jwt::keys::{JwkSet, KeyKind, SigningKey};
/// use scitoken_authz::{Issuer, OfflineVerifier, Profile, SciToken, TokenSigner};
///
/// let key = SigningKey::generate(KeyKind::P256)?;
/// let jwks: JwkSet = [key.verifying_key().to_jwk().with_key_id("k1")].into_iter().collect();
/// let issuer: Issuer = "https://issuer.example".parse()?;
///
/// let token = SciToken::new(Profile::SciTokens2, &issuer)
///     .subject("alice")
///     .scope("read:/data".parse()?)
///     .sign(&TokenSigner::new(key)?.with_key_id("k1"))?;
///
/// let verifier = OfflineVerifier::new(issuer, jwks);
/// let verified = verifier.verify(token.expose_secret())?;
/// assert_eq!(verified.claims().subject(), Some("alice"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct OfflineVerifier {
    issuers: Vec<(Issuer, TrustedKeys)>,
    rules: VerificationRules,
    clock: SharedClock,
}

#[derive(Clone, Debug)]
enum TrustedKeys {
    /// Keys as an issuer publishes them, found by `kid`.
    Published(JwkSet),
    /// One key without a name, used whatever `kid` a token has.
    Only(JwkSet),
}

impl TrustedKeys {
    fn only(key: &VerifyingKey) -> Self {
        Self::Only([key.to_jwk()].into_iter().collect())
    }
}

impl OfflineVerifier {
    /// Trusts one issuer with these keys.
    pub fn new(issuer: Issuer, keys: JwkSet) -> Self {
        Self::with_keys(issuer, TrustedKeys::Published(keys))
    }

    /// Trusts one issuer with this one key, whatever `kid` its tokens have.
    pub fn with_key(issuer: Issuer, key: &VerifyingKey) -> Self {
        Self::with_keys(issuer, TrustedKeys::only(key))
    }

    fn with_keys(issuer: Issuer, keys: TrustedKeys) -> Self {
        Self {
            issuers: vec![(issuer, keys)],
            rules: VerificationRules::default(),
            clock: SharedClock::default(),
        }
    }

    /// Trusts this issuer as well.
    pub fn issuer(mut self, issuer: Issuer, keys: JwkSet) -> Self {
        self.issuers.push((issuer, TrustedKeys::Published(keys)));
        self
    }

    /// Trusts this issuer as well, with this one key, whatever `kid` its tokens have.
    pub fn issuer_with_key(mut self, issuer: Issuer, key: &VerifyingKey) -> Self {
        self.issuers.push((issuer, TrustedKeys::only(key)));
        self
    }

    /// Accepts signatures of these algorithms; `RS256` and `ES256` by default. HMAC is never accepted.
    pub fn algorithms(mut self, algorithms: impl IntoIterator<Item = Algorithm>) -> Self {
        self.rules.set_algorithms(algorithms);
        self
    }

    /// Accepts only tokens of these profiles; a WLCG profile stands for all its minor versions.
    pub fn profiles(mut self, profiles: impl IntoIterator<Item = Profile>) -> Self {
        self.rules.profiles = profiles.into_iter().collect();
        self
    }

    /// Sets what to do with tokens without `kid`.
    pub fn kid_policy(mut self, names: KidPolicy) -> Self {
        self.rules.kid_policy = names;
        self
    }

    /// Tolerates clocks that differ by this much: `exp` may have passed, `nbf` and `iat` may be ahead. Zero by default, as
    /// the WLCG profile requires for `exp`; at most 5 minutes.
    pub fn leeway(mut self, leeway: Duration) -> Self {
        self.rules.leeway = leeway.min(MAX_LEEWAY);
        self
    }

    /// Reads the time from this clock instead of the system's.
    pub fn clock(mut self, clock: impl Into<SharedClock>) -> Self {
        self.clock = clock.into();
        self
    }

    #[cfg(feature = "tower")]
    pub(crate) fn allowed_leeway(&self) -> Duration {
        self.rules.leeway
    }

    /// Verifies a token.
    ///
    /// # Errors
    /// The first rule that the token breaks.
    pub fn verify(&self, token: &str) -> Result<VerifiedToken, AuthorizationError> {
        let parsed = self.rules.parse(token)?;
        let issuer = parsed.issuer()?;
        let keys = self.issuers.iter().find(|(trusted, _)| trusted.as_str() == issuer);
        let trusted = || self.issuers.iter().map(|(trusted, _)| trusted.as_str());
        let (_, keys) = keys.ok_or_else(|| untrusted_issuer(issuer, trusted()))?;
        let (keys, lookup) = match keys {
            TrustedKeys::Published(keys) => (keys, KeyLookup::ByName),
            TrustedKeys::Only(keys) => (keys, KeyLookup::Only),
        };
        self.rules.verify(parsed, keys, lookup, self.clock.now()).map(|verified| verified.token)
    }
}
