//! An issuer's key set with a cache: `PyJWKClient`.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use reqwest::Client;
use url::Url;

use super::{BoundKey, JwtError, Validation, decode_unverified};
use crate::fetch::{FetchError, Fetcher};
use crate::keys::{Jwk, JwkSet};
use scitoken_types::sys::{SharedClock, elapsed};
use scitoken_types::{FetchStage, SafeUrl, SingleFlight};

/// Fetches and caches the key set of an issuer.
///
/// * The set is fetched when a key is first needed, and again when it is older than its
///   [lifespan](Self::with_lifespan).
/// * An unknown `kid` causes one more fetch, but none within the [cool-down](Self::with_cooldown) after a fetch:
///   tokens with invented names cause no traffic.
/// * If a fetch fails or returns no usable key, the last good set stays in use for the [grace
///   period](Self::with_grace), and the issuer is not asked again before the cool-down ends. Without a good set, the
///   failure is returned until then.
/// * Concurrent callers share one fetch.
///
/// ```no_run
/// use scitoken_jwt::{JwkClient, Validation};
/// use scitoken_jwt::keys::Algorithm;
/// # async fn run(token: &str, http: reqwest::Client) -> Result<(), Box<dyn std::error::Error>> {
/// let client = JwkClient::new("https://issuer.example.org/jwks".parse()?, http);
/// let key = client.signing_key_of_token(token).await?;
/// let claims = scitoken_jwt::decode(token, &key, &Validation::new().allow(Algorithm::Rs256).audience("me"))?;
/// # let _ = claims; Ok(())
/// # }
/// ```
pub struct JwkClient {
    url: Url,
    fetcher: Fetcher,
    lifespan: Duration,
    cooldown: Duration,
    grace: Duration,
    clock: SharedClock,
    cached: SingleFlight<CachedSet>,
}

#[derive(Default)]
struct CachedSet {
    set: Option<(JwkSet, SystemTime)>,
    last_attempt: Option<SystemTime>,
    /// The failure of the last attempt.
    failure: Option<FetchFailure>,
}

#[derive(Clone)]
enum FetchFailure {
    Fetch(Arc<FetchError>),
    NoKeys,
}

impl JwkClient {
    /// Returns a client for the key set at this URL, with a lifespan of 5 minutes, a cool-down of 30 seconds and a
    /// grace period of an hour.
    pub fn new(url: Url, client: Client) -> Self {
        Self::with_fetcher(url, Fetcher::new(client).refuse_redirects())
    }

    /// Returns a client that fetches with the limits of this fetcher.
    pub fn with_fetcher(url: Url, fetcher: Fetcher) -> Self {
        Self {
            url,
            fetcher,
            lifespan: Duration::from_secs(300),
            cooldown: Duration::from_secs(30),
            grace: Duration::from_secs(3_600),
            clock: SharedClock::default(),
            cached: SingleFlight::default(),
        }
    }

    /// Sets how long a set is used before it is fetched again.
    pub fn with_lifespan(mut self, lifespan: Duration) -> Self {
        self.lifespan = lifespan;
        self
    }

    /// Sets how long after a fetch an unknown `kid` does not cause another.
    pub fn with_cooldown(mut self, cooldown: Duration) -> Self {
        self.cooldown = cooldown;
        self
    }

    /// Sets how long beyond its lifespan a set is used while the issuer cannot be reached; zero for not at all, as in
    /// PyJWT.
    pub fn with_grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self
    }

    /// Reads the time from this clock.
    pub fn with_clock(mut self, clock: impl Into<SharedClock>) -> Self {
        self.clock = clock.into();
        self
    }

    /// Returns the key set, from the cache if it is fresh.
    ///
    /// ```no_run
    /// use scitoken_jwt::JwkClient;
    ///
    /// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// let keys = JwkClient::new("https://issuer.example/jwks".parse()?, reqwest::Client::new()).key_set().await?;
    /// println!("{} keys", keys.len());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`JwtError::JwkClientConnection`], and [`JwtError::JwkSet`] if the set has no usable key.
    pub async fn key_set(&self) -> Result<JwkSet, JwtError> {
        self.set_with(|_| true).await
    }

    /// Returns the signature key with this `kid`.
    ///
    /// # Errors
    /// [`JwtError::JwkClient`] if a fresh set does not include it; else as [`key_set`](Self::key_set).
    pub async fn signing_key(&self, key_id: &str) -> Result<BoundKey, JwtError> {
        let set = self.set_with(|set| find(set, key_id).is_some()).await?;
        find(&set, key_id).ok_or_else(|| self.no_key(Some(key_id)))
    }

    /// Returns the key that the unverified header of a token names.
    ///
    /// # Errors
    /// As [`signing_key`](Self::signing_key); [`JwtError::JwkClient`] if the token has no `kid`; and the error of a
    /// malformed token.
    pub async fn signing_key_of_token(&self, token: impl AsRef<[u8]>) -> Result<BoundKey, JwtError> {
        let token = decode_unverified(token, &Validation::new())?;
        match token.header().text("kid") {
            Some(key_id) => self.signing_key(key_id).await,
            None => Err(self.no_key(None)),
        }
    }

    fn no_key(&self, key_id: Option<&str>) -> JwtError {
        JwtError::JwkClient { url: SafeUrl::new(&self.url).to_string(), key_id: key_id.map(str::to_owned) }
    }

    /// Returns a set that includes the key, or the newest one.
    async fn set_with(&self, has_it: impl Fn(&JwkSet) -> bool + Send + Sync) -> Result<JwkSet, JwtError> {
        let ready = |cached: &CachedSet, stage| self.answer(cached, stage, &has_it);
        let fetch = async || self.fetcher.key_set(&self.url).await;
        let store = |cached: &mut CachedSet, fetched| self.store(cached, fetched);
        self.cached.run(ready, fetch, store).await.map_err(|failure| self.error(failure))
    }

    /// Answers without a fetch: with a set that fits, or with the failure of a fetch that need not be repeated.
    fn answer(
        &self,
        cached: &CachedSet,
        stage: FetchStage,
        has_it: impl Fn(&JwkSet) -> bool,
    ) -> Option<Result<JwkSet, FetchFailure>> {
        if let Some(set) = self.usable_set(cached, has_it) {
            return Some(Ok(set));
        }
        let is_recent = match stage {
            FetchStage::First => self.is_cooling(cached),
            FetchStage::WhileOthersFetch => false,
            FetchStage::BeforeFetch { completed_since } => completed_since,
        };
        cached.failure.clone().filter(|_| is_recent).map(|failure| self.fall_back(cached, failure))
    }

    /// Returns the cached set if it is fresh, or if no fetch is allowed.
    fn usable_set(&self, cached: &CachedSet, has_it: impl Fn(&JwkSet) -> bool) -> Option<JwkSet> {
        let is_cooling = self.is_cooling(cached);
        match self.within(cached, self.lifespan) {
            Some(set) if is_cooling || has_it(&set) => Some(set),
            None if is_cooling => self.within(cached, self.lifespan.saturating_add(self.grace)),
            _ => None,
        }
    }

    /// Returns the last good set during its grace period, else the failure.
    fn fall_back(&self, cached: &CachedSet, failure: FetchFailure) -> Result<JwkSet, FetchFailure> {
        let set = self.within(cached, self.lifespan.saturating_add(self.grace)).ok_or(failure)?;
        tracing::warn!(url = %SafeUrl::new(&self.url), "failed to refresh the keys; the last good ones stay in use");
        Ok(set)
    }

    fn store(
        &self,
        cached: &mut CachedSet,
        fetched: Result<JwkSet, FetchError>,
    ) -> Result<JwkSet, FetchFailure> {
        let now = self.clock.now();
        cached.last_attempt = Some(now);
        let fetched = match fetched {
            Ok(set) if set.is_empty() => Err(FetchFailure::NoKeys),
            Ok(set) => Ok(set),
            Err(error) => Err(FetchFailure::Fetch(Arc::new(error))),
        };
        cached.failure = fetched.as_ref().err().cloned();
        match fetched {
            Ok(set) => {
                cached.set = Some((set.clone(), now));
                Ok(set)
            }
            Err(failure) => self.fall_back(cached, failure),
        }
    }

    fn is_cooling(&self, cached: &CachedSet) -> bool {
        cached.last_attempt.is_some_and(|then| elapsed(then, self.clock.now()) < self.cooldown)
    }

    fn within(&self, cached: &CachedSet, age: Duration) -> Option<JwkSet> {
        let (set, since) = cached.set.as_ref()?;
        (elapsed(*since, self.clock.now()) <= age).then(|| set.clone())
    }

    fn error(&self, failure: FetchFailure) -> JwtError {
        match failure {
            FetchFailure::Fetch(error) => JwtError::JwkClientConnection(error),
            FetchFailure::NoKeys => JwtError::JwkSet { url: SafeUrl::new(&self.url).to_string() },
        }
    }
}

fn find(set: &JwkSet, key_id: &str) -> Option<BoundKey> {
    let is_for_signatures = |key: &&Jwk| key.key_use().is_none_or(|key_use| key_use == "sig");
    set.with_key_id(key_id).filter(is_for_signatures).find_map(|key| BoundKey::from_jwk(key).ok())
}

impl fmt::Debug for JwkClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JwkClient")
            .field("url", &SafeUrl::new(&self.url))
            .field("lifespan", &self.lifespan)
            .field("cooldown", &self.cooldown)
            .finish_non_exhaustive()
    }
}
