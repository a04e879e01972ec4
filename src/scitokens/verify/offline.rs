//! Verification with keys that are given: no network, no disk, nothing to wait for.

use std::time::Duration;

use super::super::{Issuer, Profile, Refusal, VerifiedToken};
use super::KeyNames;
use super::rules::{Lookup, Rules};
use crate::keys::{Algorithm, JwkSet, VerifyingKey};
use crate::redact;
use crate::sys::SharedClock;

/// Verifies tokens with the keys of issuers that are given to it.
///
/// ```
/// use reqwest_scitokens::keys::{JwkSet, KeyKind, SigningKey};
/// use reqwest_scitokens::scitokens::{Issuer, OfflineVerifier, Profile, SciToken, TokenSigner};
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
    issuers: Vec<(Issuer, Keys)>,
    rules: Rules,
    clock: SharedClock,
}

#[derive(Clone, Debug)]
enum Keys {
    /// As an issuer publishes them, found by name.
    Published(JwkSet),
    /// One that was handed over without a name, so it is the one whatever name a token gives it.
    Only(JwkSet),
}

impl Keys {
    fn only(key: &VerifyingKey) -> Self {
        Self::Only([key.to_jwk()].into_iter().collect())
    }
}

impl OfflineVerifier {
    /// Trusts one issuer, at least, with these keys.
    pub fn new(issuer: Issuer, keys: JwkSet) -> Self {
        Self::with_keys(issuer, Keys::Published(keys))
    }

    /// Trusts one issuer with this one key, whatever tokens call it.
    pub fn with_key(issuer: Issuer, key: &VerifyingKey) -> Self {
        Self::with_keys(issuer, Keys::only(key))
    }

    fn with_keys(issuer: Issuer, keys: Keys) -> Self {
        Self { issuers: vec![(issuer, keys)], rules: Rules::default(), clock: SharedClock::default() }
    }

    /// Trusts this issuer as well.
    pub fn issuer(mut self, issuer: Issuer, keys: JwkSet) -> Self {
        self.issuers.push((issuer, Keys::Published(keys)));
        self
    }

    /// Trusts this issuer as well, with this one key, whatever its tokens call it.
    pub fn issuer_with_key(mut self, issuer: Issuer, key: &VerifyingKey) -> Self {
        self.issuers.push((issuer, Keys::only(key)));
        self
    }

    /// Accepts signatures of these algorithms; without it, `RS256` and `ES256`. HMAC is never accepted.
    pub fn algorithms(mut self, algorithms: impl IntoIterator<Item = Algorithm>) -> Self {
        self.rules.set_algorithms(algorithms);
        self
    }

    /// Accepts only tokens of these profiles; a WLCG profile stands for all its minor versions.
    pub fn profiles(mut self, profiles: impl IntoIterator<Item = Profile>) -> Self {
        self.rules.profiles = profiles.into_iter().collect();
        self
    }

    /// Says what becomes of tokens without `kid`.
    pub fn key_names(mut self, names: KeyNames) -> Self {
        self.rules.key_names = names;
        self
    }

    /// Forgives a clock that is behind the issuer's so much for `nbf` and `iat`; never more than a minute, and never
    /// for `exp`.
    pub fn clock_skew(mut self, skew: Duration) -> Self {
        self.rules.skew = skew.min(Duration::from_secs(60));
        self
    }

    /// Reads another clock than the machine's.
    pub fn clock(mut self, clock: impl Into<SharedClock>) -> Self {
        self.clock = clock.into();
        self
    }

    /// Verifies a token.
    ///
    /// # Errors
    /// The first rule that the token breaks.
    pub fn verify(&self, token: &str) -> Result<VerifiedToken, Refusal> {
        let parsed = self.rules.parse(token)?;
        let issuer = parsed.issuer()?;
        let keys = self.issuers.iter().find(|(trusted, _)| trusted.as_str() == issuer);
        let (_, keys) = keys.ok_or_else(|| Refusal::UntrustedIssuer { issuer: redact::text(issuer) })?;
        let (keys, lookup) = match keys {
            Keys::Published(keys) => (keys, Lookup::ByName),
            Keys::Only(keys) => (keys, Lookup::Only),
        };
        self.rules.verify(parsed, keys, lookup, self.clock.now()).map(|verified| verified.token)
    }
}
