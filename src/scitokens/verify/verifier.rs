//! Verification with keys that are fetched from the issuers.

use std::sync::Arc;
use std::time::Duration;

use reqwest_middleware::ClientWithMiddleware;

use super::super::{CacheTimes, Issuer, KeyCache, Profile, Refusal, VerifiedToken};
use super::issuer_keys::IssuerKeys;
use super::rules::{Lookup, Parsed, Rules, Verified};
use super::seen::{Digest, Seen, SeenTokens};
use super::{KeyNames, VerifyError};
use crate::keys::Algorithm;
use crate::keys::fetch::Fetcher;
use crate::redact;
use crate::sys::SharedClock;

/// Verifies tokens of issuers that are trusted, with the keys that they publish.
///
/// Keys are fetched when the first token asks for them, and kept; a token that was verified before is accepted again
/// without the work, until it ends or its key is withdrawn. Clones share everything. For keys that are at hand there is
/// [`OfflineVerifier`](super::OfflineVerifier), which is not async.
///
/// ```no_run
/// # async fn serve(client: reqwest_middleware::ClientWithMiddleware) -> Result<(), Box<dyn std::error::Error>> {
/// use reqwest_scitokens::scitokens::Verifier;
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
    rules: Rules,
    seen: SeenTokens,
    clock: SharedClock,
}

/// Builds a [`Verifier`].
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until `build`"]
pub struct VerifierBuilder {
    issuers: Vec<Issuer>,
    fetcher: Fetcher,
    rules: Rules,
    cache: KeyCache,
    times: CacheTimes,
    remembered: usize,
    clock: SharedClock,
}

impl Verifier {
    /// Starts a verifier that trusts one issuer, at least, and fetches keys through this client.
    ///
    /// The client must attach no tokens of its own and follow no redirects of its own (`redirect::Policy::none()`): up to
    /// five are followed here, each to https only. The client of a [`Session`](crate::Session) is such a one.
    pub fn builder(issuer: Issuer, client: ClientWithMiddleware) -> VerifierBuilder {
        VerifierBuilder {
            issuers: vec![issuer],
            fetcher: Fetcher::new(client).with_timeout(Duration::from_secs(5)),
            rules: Rules::default(),
            cache: KeyCache::default(),
            times: CacheTimes::default(),
            remembered: 4_096,
            clock: SharedClock::default(),
        }
    }

    /// Verifies a token, fetching its issuer's keys where they are not at hand.
    ///
    /// # Errors
    /// [`VerifyError::Refused`] with the rule that the token breaks, or [`VerifyError::Keys`] when the keys of its issuer
    /// are not to be had.
    pub async fn verify(&self, token: &str) -> Result<VerifiedToken, VerifyError> {
        let name = self.0.seen.name(token);
        if let Some(outcome) = self.at_hand(token, name) {
            return outcome.map_err(VerifyError::Refused);
        }
        let parsed = self.0.rules.parse(token)?;
        let (place, issuer) = self.issuer_of(&parsed)?;
        let mut keys = issuer.for_token(|keys| parsed.has_key_in(keys)).await?;
        let mut verified = self.0.rules.verify(parsed, &keys.set, Lookup::ByName, self.0.clock.now());
        if matches!(verified, Err(Refusal::Signature)) && issuer.may_ask() {
            // The issuer may have another key of the same name by now.
            keys = issuer.for_token(|_| false).await?;
            let parsed = self.0.rules.parse(token)?;
            verified = self.0.rules.verify(parsed, &keys.set, Lookup::ByName, self.0.clock.now());
        }
        Ok(self.remember(name, verified?, place, keys.generation))
    }

    /// Verifies a token if that needs no waiting: it was verified before, or it breaks a rule that needs no keys, or the
    /// keys of its issuer are at hand. `None` says to call [`Verifier::verify`].
    pub fn verify_at_hand(&self, token: &str) -> Option<Result<VerifiedToken, Refusal>> {
        self.at_hand(token, self.0.seen.name(token))
    }

    fn at_hand(&self, token: &str, name: Option<Digest>) -> Option<Result<VerifiedToken, Refusal>> {
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
        let keys = issuer.at_hand(now).filter(|keys| parsed.has_key_in(&keys.set))?;
        match self.0.rules.verify(parsed, &keys.set, Lookup::ByName, now) {
            Ok(verified) => Some(Ok(self.remember(name, verified, place, keys.generation))),
            Err(Refusal::Signature) if issuer.may_ask() => None,
            Err(refusal) => Some(Err(refusal)),
        }
    }

    /// Fetches the keys of every issuer now, so that the first tokens need not wait; tells for each how many there are.
    pub async fn refresh(&self) -> Vec<(Issuer, Result<usize, VerifyError>)> {
        let mut outcomes = Vec::new();
        for issuer in &self.0.issuers {
            outcomes.push((issuer.issuer.clone(), issuer.refresh().await));
        }
        outcomes
    }

    /// The issuers that are trusted.
    pub fn issuers(&self) -> impl Iterator<Item = &Issuer> {
        self.0.issuers.iter().map(|keys| &keys.issuer)
    }

    /// A token that was verified before, if nothing has changed since but the time.
    fn seen_before(&self, name: &Digest) -> Option<Result<VerifiedToken, Refusal>> {
        let seen = self.0.seen.get(name)?;
        let now = self.0.clock.now();
        if let Err(refusal) = seen.token.claims().check_times(now, self.0.rules.skew) {
            self.0.seen.remove(name);
            return Some(Err(refusal));
        }
        let keys = self.0.issuers[seen.issuer].at_hand(now)?;
        if seen.generation != keys.generation {
            if !seen.key_is_in(&keys.set) {
                self.0.seen.remove(name);
                return None;
            }
            self.0.seen.renew(name, keys.generation);
        }
        Some(Ok(seen.token))
    }

    fn remember(&self, name: Option<Digest>, verified: Verified, issuer: usize, keys: u64) -> VerifiedToken {
        let token = verified.token.clone();
        if let Some(name) = name {
            self.0.seen.put(name, Seen::new(verified, issuer, keys));
        }
        token
    }

    fn issuer_of(&self, parsed: &Parsed<'_>) -> Result<(usize, &Arc<IssuerKeys>), Refusal> {
        let issuer = parsed.issuer()?;
        let mut trusted = self.0.issuers.iter().enumerate();
        trusted
            .find(|(_, keys)| keys.issuer.as_str() == issuer)
            .ok_or_else(|| Refusal::UntrustedIssuer { issuer: redact::text(issuer) })
    }
}

impl VerifierBuilder {
    /// Trusts this issuer as well.
    pub fn issuer(mut self, issuer: Issuer) -> Self {
        self.issuers.push(issuer);
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

    /// Keeps keys here; without it, in memory.
    pub fn key_cache(mut self, cache: KeyCache) -> Self {
        self.cache = cache;
        self
    }

    /// Says how long keys are kept.
    pub fn cache_times(mut self, times: CacheTimes) -> Self {
        self.times = times;
        self
    }

    /// How long one document of an issuer may take; without it, 5 seconds.
    pub fn fetch_timeout(mut self, timeout: Duration) -> Self {
        self.fetcher = self.fetcher.with_timeout(timeout);
        self
    }

    /// How many verified tokens are remembered; without it, about 4,000. Zero remembers none.
    pub fn remember_tokens(mut self, count: usize) -> Self {
        self.remembered = count;
        self
    }

    /// Reads another clock than the machine's.
    pub fn clock(mut self, clock: impl Into<SharedClock>) -> Self {
        self.clock = clock.into();
        self
    }

    /// The verifier.
    pub fn build(self) -> Verifier {
        let Self { issuers, fetcher, rules, cache, times, remembered, clock } = self;
        let keys =
            |issuer| Arc::new(IssuerKeys::new(issuer, fetcher.clone(), cache.clone(), times, clock.clone()));
        let issuers = issuers.into_iter().map(keys).collect();
        Verifier(Arc::new(Inner { issuers, rules, seen: SeenTokens::new(remembered), clock: clock.clone() }))
    }
}
