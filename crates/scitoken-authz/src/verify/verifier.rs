//! Verification with keys that are fetched from issuers.

use std::sync::Arc;
use std::time::Duration;

use reqwest::Client;

use super::issuer_keys::IssuerKeys;
use super::rules::{KeyLookup, ParsedToken, VerificationRules, Verified};
use super::verified_tokens::{CachedToken, Fingerprint, VerifiedTokens};
use super::{KidPolicy, VerifyError};
use crate::claims::MAX_LEEWAY;
use crate::error::untrusted_issuer;
use crate::{AuthorizationError, CacheTimes, Issuer, KeyCache, Profile, VerifiedToken};
use scitoken_jwt::fetch::Fetcher;
use scitoken_jwt::keys::Algorithm;
#[cfg(feature = "jsonwebtoken")]
use scitoken_jwt::{bridge::verify_once, keys::VerifyingKey};
use scitoken_types::sys::SharedClock;

/// Verifies tokens of trusted issuers with the keys that they publish.
///
/// Keys are fetched for the first token and cached. A token that was verified before is accepted without verifying
/// its signature again, until it expires or its key is withdrawn. Clones share the caches.
/// [`OfflineVerifier`](super::OfflineVerifier) works with given keys and is not async.
///
/// ```no_run
/// # async fn serve(client: reqwest::Client) -> Result<(), Box<dyn std::error::Error>> {
/// use scitoken_authz::Verifier;
///
/// let verifier = Verifier::builder("https://issuer.example".parse()?, client).build();
/// let token = verifier.verify("eyJ…").await?;
/// println!("{:?} may come in", token.claims().subject());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Verifier(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    issuers: Vec<Arc<IssuerKeys>>,
    rules: VerificationRules,
    seen: VerifiedTokens,
    /// The keys of tokens that `decoding_key` was asked about: their signature is verified once.
    #[cfg(feature = "jsonwebtoken")]
    keys_of: VerifiedTokens<KnownKey>,
    clock: SharedClock,
}

/// The key of a token whose signature was verified with it.
#[cfg(feature = "jsonwebtoken")]
#[derive(Clone)]
struct KnownKey {
    key: VerifyingKey,
    /// The index of the issuer in the verifier's list.
    issuer: usize,
    /// The number of the key set that included the key.
    generation: u64,
}

/// Builds a [`Verifier`].
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until `build`"]
pub struct VerifierBuilder {
    issuers: Vec<Issuer>,
    fetcher: Fetcher,
    rules: VerificationRules,
    cache: KeyCache,
    times: CacheTimes,
    remembered: usize,
    clock: SharedClock,
}

impl Verifier {
    /// Starts a verifier that trusts one issuer and fetches keys with this client.
    ///
    /// The client must attach no tokens and follow no redirects (`redirect::Policy::none()`): up to five are followed
    /// here, each to https only. The client of a `reqwest_scitokens::Session` meets this.
    pub fn builder(issuer: Issuer, client: Client) -> VerifierBuilder {
        VerifierBuilder {
            issuers: vec![issuer],
            fetcher: Fetcher::new(client).with_timeout(Duration::from_secs(5)),
            rules: VerificationRules::default(),
            cache: KeyCache::default(),
            times: CacheTimes::default(),
            remembered: 4_096,
            clock: SharedClock::default(),
        }
    }

    /// Verifies a token; fetches the keys of its issuer if they are not cached.
    ///
    /// ```no_run
    /// # async fn example(verifier: scitoken_authz::Verifier, token: &str) -> Result<(), scitoken_authz::VerifyError> {
    /// let token = verifier.verify(token).await?;
    /// println!("{:?} by {}", token.claims().subject(), token.issuer());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`VerifyError::Token`] with the rule that the token breaks, or [`VerifyError::Keys`] if the keys of its issuer
    /// are not available.
    pub async fn verify(&self, token: &str) -> Result<VerifiedToken, VerifyError> {
        let name = self.0.seen.name(token);
        if let Some(outcome) = self.cached(token, name) {
            return outcome.map_err(VerifyError::Token);
        }
        let parsed = self.0.rules.parse(token)?;
        let (place, issuer) = self.issuer_of(&parsed)?;
        let mut keys = issuer.for_token(|keys| parsed.has_key_in(keys)).await?;
        let mut verified = self.0.rules.verify(parsed, &keys.set, KeyLookup::ByName, self.0.clock.now());
        if matches!(verified, Err(AuthorizationError::Signature)) && issuer.may_ask() {
            // The issuer may have replaced the key under the same `kid`.
            keys = issuer.for_token(|_| false).await?;
            let parsed = self.0.rules.parse(token)?;
            verified = self.0.rules.verify(parsed, &keys.set, KeyLookup::ByName, self.0.clock.now());
        }
        Ok(self.remember(name, verified?, place, keys.generation))
    }

    /// Returns the key of a trusted issuer with this `kid`, fetched and cached as for [`verify`](Self::verify).
    #[cfg(feature = "jsonwebtoken")]
    pub(super) async fn issuer_key(
        &self,
        issuer: &str,
        key_id: Option<&str>,
        algorithm: Algorithm,
    ) -> Result<VerifyingKey, VerifyError> {
        let (_, issuer) = self.trusted(issuer)?;
        let keys = issuer.for_token(|keys| keys.candidates(key_id, algorithm).next().is_some()).await?;
        Ok(self.0.rules.key_by_id(&keys.set, key_id, algorithm)?)
    }

    /// Returns the key that a token of a trusted issuer was signed with.
    #[cfg(feature = "jsonwebtoken")]
    pub(super) async fn key_of(&self, token: &str) -> Result<VerifyingKey, VerifyError> {
        let name = self.0.keys_of.name(token);
        if let Some(known) = name.and_then(|name| self.0.keys_of.get(&name)) {
            let keys = self.0.issuers[known.issuer].cached(self.0.clock.now());
            if keys.is_some_and(|keys| keys.generation == known.generation) {
                return Ok(known.key);
            }
        }
        // `jsonwebtoken::decode` verifies the signature as well; with our provider it is computed once for both.
        let verify = if name.is_some() { verify_once } else { VerifyingKey::verify };
        let parsed = self.0.rules.parse(token)?;
        let (place, issuer) = self.issuer_of(&parsed)?;
        let mut keys = issuer.for_token(|keys| parsed.has_key_in(keys)).await?;
        let mut key = parsed.key_in(&keys.set, verify);
        if matches!(key, Err(AuthorizationError::Signature)) && issuer.may_ask() {
            keys = issuer.for_token(|_| false).await?;
            key = parsed.key_in(&keys.set, verify);
        }
        let key = key?;
        if let Some(name) = name {
            let known = KnownKey { key: key.clone(), issuer: place, generation: keys.generation };
            self.0.keys_of.put(name, known);
        }
        Ok(key)
    }

    /// Verifies a token without waiting: it was verified before, it breaks a rule that needs no keys, or the keys of
    /// its issuer are cached. `None` means that [`Verifier::verify`] must be called.
    pub fn verify_cached(&self, token: &str) -> Option<Result<VerifiedToken, AuthorizationError>> {
        self.cached(token, self.0.seen.name(token))
    }

    fn cached(
        &self,
        token: &str,
        name: Option<Fingerprint>,
    ) -> Option<Result<VerifiedToken, AuthorizationError>> {
        if let Some(token) = name.and_then(|name| self.seen_before(&name)) {
            return Some(token);
        }
        let parsed = match self.0.rules.parse(token) {
            Ok(parsed) => parsed,
            Err(refusal) => return Some(Err(refusal)),
        };
        let (place, issuer) = match self.issuer_of(&parsed) {
            Ok(found) => found,
            Err(refusal) => return Some(Err(refusal)),
        };
        let now = self.0.clock.now();
        let keys = issuer.cached(now).filter(|keys| parsed.has_key_in(&keys.set))?;
        match self.0.rules.verify(parsed, &keys.set, KeyLookup::ByName, now) {
            Ok(verified) => Some(Ok(self.remember(name, verified, place, keys.generation))),
            Err(AuthorizationError::Signature) if issuer.may_ask() => None,
            Err(refusal) => Some(Err(refusal)),
        }
    }

    /// Fetches the keys of every issuer now and returns the number of keys for each.
    pub async fn refresh(&self) -> Vec<(Issuer, Result<usize, VerifyError>)> {
        let mut outcomes = Vec::new();
        for issuer in &self.0.issuers {
            outcomes.push((issuer.issuer.clone(), issuer.refresh().await));
        }
        outcomes
    }

    /// Returns the trusted issuers.
    pub fn issuers(&self) -> impl Iterator<Item = &Issuer> + Clone {
        self.0.issuers.iter().map(|keys| &keys.issuer)
    }

    #[cfg(feature = "tower")]
    pub(crate) fn leeway(&self) -> Duration {
        self.0.rules.leeway
    }

    /// Returns a token that was verified before, if its key is still published and its times are valid.
    fn seen_before(&self, name: &Fingerprint) -> Option<Result<VerifiedToken, AuthorizationError>> {
        let seen = self.0.seen.get(name)?;
        let now = self.0.clock.now();
        if let Err(refusal) = seen.token.claims().check_times(now, self.0.rules.leeway) {
            self.0.seen.remove(name);
            return Some(Err(refusal));
        }
        let keys = self.0.issuers[seen.issuer].cached(now)?;
        if seen.generation != keys.generation {
            if !seen.is_signed_by_key_in(&keys.set) {
                self.0.seen.remove(name);
                return None;
            }
            self.0.seen.renew(name, keys.generation);
        }
        Some(Ok(seen.token))
    }

    fn remember(
        &self,
        name: Option<Fingerprint>,
        verified: Verified,
        issuer: usize,
        keys: u64,
    ) -> VerifiedToken {
        let token = verified.token.clone();
        if let Some(name) = name {
            self.0.seen.put(name, CachedToken::new(verified, issuer, keys));
        }
        token
    }

    fn issuer_of(&self, parsed: &ParsedToken<'_>) -> Result<(usize, &Arc<IssuerKeys>), AuthorizationError> {
        self.trusted(parsed.issuer()?)
    }

    fn trusted(&self, issuer: &str) -> Result<(usize, &Arc<IssuerKeys>), AuthorizationError> {
        let mut trusted = self.0.issuers.iter().enumerate();
        trusted
            .find(|(_, keys)| keys.issuer.as_str() == issuer)
            .ok_or_else(|| untrusted_issuer(issuer, self.issuers().map(Issuer::as_str)))
    }
}

impl VerifierBuilder {
    /// Trusts this issuer as well.
    pub fn issuer(mut self, issuer: Issuer) -> Self {
        self.issuers.push(issuer);
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

    /// Stores keys in this cache; in memory by default.
    pub fn key_cache(mut self, cache: KeyCache) -> Self {
        self.cache = cache;
        self
    }

    /// Sets how long keys are kept.
    pub fn cache_times(mut self, times: CacheTimes) -> Self {
        self.times = times;
        self
    }

    /// Sets the time limit for one document of an issuer; 5 seconds by default.
    pub fn fetch_timeout(mut self, timeout: Duration) -> Self {
        self.fetcher = self.fetcher.with_timeout(timeout);
        self
    }

    /// Sets how many verified tokens are cached; about 4,000 by default. Zero caches none.
    pub fn remember_tokens(mut self, count: usize) -> Self {
        self.remembered = count;
        self
    }

    /// Reads the time from this clock instead of the system's.
    pub fn clock(mut self, clock: impl Into<SharedClock>) -> Self {
        self.clock = clock.into();
        self
    }

    /// Returns the verifier.
    pub fn build(self) -> Verifier {
        let Self { issuers, fetcher, rules, cache, times, remembered, clock } = self;
        let keys =
            |issuer| Arc::new(IssuerKeys::new(issuer, fetcher.clone(), cache.clone(), times, clock.clone()));
        let issuers = issuers.into_iter().map(keys).collect();
        Verifier(Arc::new(Inner {
            issuers,
            rules,
            seen: VerifiedTokens::new(remembered),
            #[cfg(feature = "jsonwebtoken")]
            keys_of: VerifiedTokens::new(remembered),
            clock: clock.clone(),
        }))
    }
}
