//! An issuer's key set, kept: `PyJWKClient`.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};
use std::time::{Duration, SystemTime};

use reqwest_middleware::ClientWithMiddleware;
use tokio::sync::Mutex;
use url::Url;

use super::{BoundKey, JwtError, Validation, decode_unverified};
use crate::SafeUrl;
use crate::keys::fetch::{FetchError, Fetcher};
use crate::keys::{Jwk, JwkSet};
use crate::sys::{SharedClock, elapsed};

/// Gets an issuer's keys, and keeps them.
///
/// * The set is fetched when a key is first asked for, and again when it is older than its
///   [lifespan](Self::with_lifespan).
/// * A name that is not in the set makes it be fetched once more, but not within the
///   [cool-down](Self::with_cooldown) after any fetch: tokens with invented names cause no traffic.
/// * When a fetch fails, or brings no key that can be used, the last good set goes on being used for
///   [a while](Self::with_grace), and the issuer is left in peace for the cool-down; without a good set, the failure is
///   the answer until then.
/// * However many ask at once, one fetch is under way.
///
/// ```no_run
/// use reqwest_scitokens::jwt::{self, JwkClient, Validation};
/// use reqwest_scitokens::keys::Algorithm;
/// # async fn run(token: &str, http: reqwest_middleware::ClientWithMiddleware) -> Result<(), Box<dyn std::error::Error>> {
/// let client = JwkClient::new("https://issuer.example.org/jwks".parse()?, http);
/// let key = client.signing_key_of_token(token).await?;
/// let claims = jwt::decode(token, &key, &Validation::new().allow(Algorithm::Rs256).audience("me"))?;
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
    kept: RwLock<Kept>,
    gate: Mutex<()>,
}

#[derive(Default)]
struct Kept {
    set: Option<(JwkSet, SystemTime)>,
    last_attempt: Option<SystemTime>,
    attempts: u64,
    /// What came of the last attempt, if nothing did.
    failure: Option<Failure>,
}

#[derive(Clone)]
enum Failure {
    Fetch(Arc<FetchError>),
    NoKeys,
}

/// Which failure is meant.
#[derive(Clone, Copy)]
enum FailureOf {
    /// The last one, while its cool-down lasts.
    Cooldown,
    /// Of an attempt that another one has made since there were so many.
    AttemptAfter(u64),
}

impl JwkClient {
    /// A client for the key set at this URL, with five minutes of lifespan, half a minute of cool-down and an hour of
    /// grace.
    pub fn new(url: Url, client: ClientWithMiddleware) -> Self {
        Self::with_fetcher(url, Fetcher::new(client).refuse_redirects())
    }

    /// The same with limits of the caller's.
    pub fn with_fetcher(url: Url, fetcher: Fetcher) -> Self {
        Self {
            url,
            fetcher,
            lifespan: Duration::from_secs(300),
            cooldown: Duration::from_secs(30),
            grace: Duration::from_secs(3_600),
            clock: SharedClock::default(),
            kept: RwLock::default(),
            gate: Mutex::default(),
        }
    }

    /// How long a set is good for.
    pub fn with_lifespan(mut self, lifespan: Duration) -> Self {
        self.lifespan = lifespan;
        self
    }

    /// How long after a fetch an unknown name does not cause another.
    pub fn with_cooldown(mut self, cooldown: Duration) -> Self {
        self.cooldown = cooldown;
        self
    }

    /// How long beyond its lifespan a set is used while the issuer cannot be reached; zero for not at all, as PyJWT.
    pub fn with_grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self
    }

    /// Reads the time from this clock.
    pub fn with_clock(mut self, clock: impl Into<SharedClock>) -> Self {
        self.clock = clock.into();
        self
    }

    /// The key set, from the cache where it is fresh.
    ///
    /// # Errors
    /// [`JwtError::JwkClientConnection`], and [`JwtError::JwkSet`] when no key in it can be used.
    pub async fn key_set(&self) -> Result<JwkSet, JwtError> {
        self.set_that(|_| true).await
    }

    /// The key for signatures with this name.
    ///
    /// # Errors
    /// [`JwtError::JwkClient`] when there is none, also after another look at the issuer's; else as
    /// [`key_set`](Self::key_set).
    pub async fn signing_key(&self, key_id: &str) -> Result<BoundKey, JwtError> {
        let set = self.set_that(|set| find(set, key_id).is_some()).await?;
        find(&set, key_id).ok_or_else(|| self.no_key(Some(key_id)))
    }

    /// The key that a token names in its header, which nobody has verified yet.
    ///
    /// # Errors
    /// As [`signing_key`](Self::signing_key); [`JwtError::JwkClient`] when the token names no key; and what is wrong
    /// with the form of the token.
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

    /// A set that has what is looked for, or the newest there is.
    async fn set_that(&self, has_it: impl Fn(&JwkSet) -> bool) -> Result<JwkSet, JwtError> {
        if let Some(set) = self.good_enough(&has_it) {
            return Ok(set);
        }
        if let Some(failure) = self.failure(FailureOf::Cooldown) {
            return Err(self.error(failure));
        }
        let attempts = self.kept().attempts;
        let _one_at_a_time = self.gate.lock().await;
        if let Some(set) = self.good_enough(&has_it) {
            return Ok(set);
        }
        // Who has waited for an attempt that failed does not make another.
        let fetched = match self.failure(FailureOf::AttemptAfter(attempts)) {
            Some(failure) => Err(failure),
            None => self.fetch().await,
        };
        match fetched {
            Ok(set) => Ok(set),
            Err(failure) => match self.within(self.lifespan.saturating_add(self.grace)) {
                Some(set) => {
                    tracing::warn!(url = %SafeUrl::new(&self.url), "keys cannot be had, the last good ones are used");
                    Ok(set)
                }
                None => Err(self.error(failure)),
            },
        }
    }

    /// The kept set, if it need not or must not be fetched again.
    fn good_enough(&self, has_it: impl Fn(&JwkSet) -> bool) -> Option<JwkSet> {
        let is_cooling = self.is_cooling();
        match self.within(self.lifespan) {
            Some(set) if is_cooling || has_it(&set) => Some(set),
            None if is_cooling => self.within(self.lifespan.saturating_add(self.grace)),
            _ => None,
        }
    }

    fn kept(&self) -> RwLockReadGuard<'_, Kept> {
        self.kept.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_cooling(&self) -> bool {
        let last_attempt = self.kept().last_attempt;
        last_attempt.is_some_and(|then| elapsed(then, self.clock.now()) < self.cooldown)
    }

    fn failure(&self, of: FailureOf) -> Option<Failure> {
        let is_meant = match of {
            FailureOf::Cooldown => self.is_cooling(),
            FailureOf::AttemptAfter(attempts) => self.kept().attempts != attempts,
        };
        self.kept().failure.clone().filter(|_| is_meant)
    }

    fn error(&self, failure: Failure) -> JwtError {
        match failure {
            Failure::Fetch(error) => JwtError::JwkClientConnection(error),
            Failure::NoKeys => JwtError::JwkSet { url: SafeUrl::new(&self.url).to_string() },
        }
    }

    fn within(&self, age: Duration) -> Option<JwkSet> {
        let kept = self.kept();
        kept.set
            .as_ref()
            .filter(|(_, since)| elapsed(*since, self.clock.now()) <= age)
            .map(|(set, _)| set.clone())
    }

    async fn fetch(&self) -> Result<JwkSet, Failure> {
        let answer = self.fetcher.key_set(&self.url).await;
        let now = self.clock.now();
        let mut kept = self.kept.write().unwrap_or_else(PoisonError::into_inner);
        kept.last_attempt = Some(now);
        kept.attempts += 1;
        let outcome = match answer {
            Ok(set) if set.is_empty() => Err(Failure::NoKeys),
            Ok(set) => Ok(set),
            Err(error) => Err(Failure::Fetch(Arc::new(error))),
        };
        kept.failure = outcome.as_ref().err().cloned();
        if let Ok(set) = &outcome {
            kept.set = Some((set.clone(), now));
        }
        outcome
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
