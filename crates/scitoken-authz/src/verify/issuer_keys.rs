//! The keys of one issuer in a running program: cached, and fetched once for all that wait.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, MutexGuard};
use std::time::SystemTime;

use super::{KeysError, fetch};
use crate::key_cache::{
    CacheTimes, CachedKeys, KeyAction, KeyCache, KeyFacts, KeyMatch, KeyTimes, decide, is_live,
};
use crate::{Issuer, VerifyError};
use scitoken_jwt::fetch::Fetcher;
use scitoken_jwt::keys::JwkSet;
use scitoken_types::SingleFlight;
use scitoken_types::sys::SharedClock;

/// One trusted issuer.
#[derive(Debug)]
pub(super) struct IssuerKeys {
    pub(super) issuer: Issuer,
    pub(super) fetcher: Fetcher,
    pub(super) cache: KeyCache,
    pub(super) times: CacheTimes,
    pub(super) clock: SharedClock,
    flight: SingleFlight<State>,
    /// Whether a background refresh is running.
    refreshing: AtomicBool,
}

#[derive(Clone, Debug, Default)]
struct State {
    keys: Option<LoadedKeys>,
    /// Counts the key sets, including those that were dropped.
    generation: u64,
    asked: Option<SystemTime>,
    /// How often the issuer was asked.
    asked_issuer: u64,
    failure: Option<Arc<KeysError>>,
    /// The cache's change count when it was last read.
    changes: u64,
}

/// Counts the attempts to get keys, so that a waiting task sees that another one has done the work.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct FetchRounds {
    all: u64,
    at_issuer: u64,
}

/// Cached keys.
#[derive(Clone, Debug)]
pub(super) struct LoadedKeys {
    pub(super) set: JwkSet,
    /// The number of the set of this issuer, counted from 1.
    pub(super) generation: u64,
    ends: KeyTimes,
}

/// The permission to refresh in the background, held by one task at a time.
struct RefreshTurn(Arc<IssuerKeys>);

impl RefreshTurn {
    fn take(keys: &Arc<IssuerKeys>) -> Option<Self> {
        (!keys.refreshing.swap(true, Ordering::AcqRel)).then(|| Self(Arc::clone(keys)))
    }
}

impl Drop for RefreshTurn {
    fn drop(&mut self) {
        self.0.refreshing.store(false, Ordering::Release);
    }
}

impl IssuerKeys {
    pub(super) fn new(
        issuer: Issuer,
        fetcher: Fetcher,
        cache: KeyCache,
        times: CacheTimes,
        clock: SharedClock,
    ) -> Self {
        Self {
            issuer,
            fetcher,
            cache,
            times,
            clock,
            flight: SingleFlight::default(),
            refreshing: AtomicBool::default(),
        }
    }

    /// Returns keys that are valid at `now`, without waiting; a refresh that is due starts in the background.
    pub(super) fn cached(self: &Arc<Self>, now: SystemTime) -> Option<LoadedKeys> {
        let state = self.state();
        if state.changes != self.cache.changes() {
            return None;
        }
        let step = decide(state.known(), KeyMatch::Found, self.times, now);
        let keys =
            matches!(step, KeyAction::Use | KeyAction::UseAndRefresh).then(|| state.keys.clone()).flatten();
        let rounds = self.rounds(&state);
        drop(state);
        if step == KeyAction::UseAndRefresh {
            self.refresh_beside(rounds);
        }
        keys
    }

    /// Returns the keys for a token; `has_key` tells whether a set includes the token's key.
    pub(super) async fn for_token(
        self: &Arc<Self>,
        has_key: impl Fn(&JwkSet) -> bool + Send + Sync,
    ) -> Result<LoadedKeys, VerifyError> {
        let mut is_second_look = false;
        loop {
            self.forget_what_others_changed();
            let (state, rounds) = self.snapshot();
            let is_there = state.keys.as_ref().is_some_and(|keys| has_key(&keys.set));
            let wanted = if is_there { KeyMatch::Found } else { KeyMatch::NotFound };
            match (decide(state.known(), wanted, self.times, self.clock.now()), state.keys) {
                (KeyAction::Use, Some(keys)) => return Ok(keys),
                (KeyAction::UseAndRefresh, Some(keys)) => {
                    self.refresh_beside(rounds);
                    return Ok(keys);
                }
                (KeyAction::Fetch, keys) if is_second_look => {
                    // Returns the result of the fetch; another one would not help.
                    let now = self.clock.now();
                    let keys = keys.filter(|keys| is_live(keys.ends, now));
                    return keys.ok_or_else(|| self.unavailable(state.failure));
                }
                (KeyAction::Fetch, _) => {
                    self.look_for_keys(rounds, &has_key).await;
                    is_second_look = true;
                }
                (KeyAction::Fail | KeyAction::Use | KeyAction::UseAndRefresh, _) => {
                    return Err(self.unavailable(state.failure));
                }
            }
        }
    }

    /// Returns whether the issuer may be asked because a token does not fit the cached keys.
    pub(super) fn may_ask(&self) -> bool {
        decide(self.state().known(), KeyMatch::NotFound, self.times, self.clock.now()) == KeyAction::Fetch
    }

    /// Asks the issuer now.
    pub(super) async fn refresh(&self) -> Result<usize, VerifyError> {
        let turn = self.flight.turn().await;
        let asked = self.ask_issuer().await;
        turn.complete(|_| ());
        asked.map_err(|failure| self.unavailable(Some(failure)))
    }

    fn unavailable(&self, failure: Option<Arc<KeysError>>) -> VerifyError {
        let source = failure.unwrap_or_else(|| Arc::new(KeysError::Interrupted));
        VerifyError::Keys { issuer: self.issuer.clone(), source }
    }

    fn refresh_beside(self: &Arc<Self>, rounds: FetchRounds) {
        // Without a runtime, the next asynchronous call refreshes.
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        if let Some(turn) = RefreshTurn::take(self) {
            runtime.spawn(async move {
                turn.0.look_for_keys(rounds, &|_| true).await;
                drop(turn);
            });
        }
    }

    /// Drops the cached keys if another task has changed the cache.
    fn forget_what_others_changed(&self) {
        let changes = self.cache.changes();
        if self.state().changes != changes {
            let mut state = self.state();
            (state.keys, state.asked, state.failure) = (None, None, None);
            state.changes = changes;
        }
    }

    /// Looks for keys, unless another task has done so since `rounds` was read: first in the cache, where another
    /// process may have stored newer ones, then at the issuer.
    async fn look_for_keys(&self, before: FetchRounds, has_key: &(impl Fn(&JwkSet) -> bool + Sync)) {
        let turn = self.flight.turn().await;
        if self.is_done_since(before, has_key) {
            return;
        }
        if !self.take_from_cache(has_key).await {
            let _ = self.ask_issuer().await;
        }
        turn.complete(|_| ());
    }

    /// Returns whether another task has done the work: it asked the issuer, or found the key in the cache.
    fn is_done_since(&self, before: FetchRounds, has_key: impl Fn(&JwkSet) -> bool) -> bool {
        let state = self.state();
        let is_there = || state.keys.as_ref().is_some_and(|keys| has_key(&keys.set));
        let rounds = self.rounds(&state);
        rounds.at_issuer != before.at_issuer || (rounds != before && is_there())
    }

    /// Takes the cache's keys if they are newer; tells whether they suffice.
    async fn take_from_cache(&self, has_key: &(impl Fn(&JwkSet) -> bool + Sync)) -> bool {
        let now = self.clock.now();
        let Some(cached) = self.read_cache().await else { return false };
        if !cached.is_valid_at(now) {
            return false;
        }
        let cached = cached.limited(now, self.times.expiry);
        let ours = self.state().keys.as_ref().map(|keys| keys.ends).filter(|ends| is_live(*ends, now));
        if ours.is_some_and(|(ours, _)| ours >= cached.next_update()) {
            return false;
        }
        let Ok(set) = JwkSet::parse(cached.jwks()) else { return false };
        if set.is_empty() {
            return false;
        }
        let is_enough = has_key(&set) && now < cached.next_update();
        self.install(set, (cached.next_update(), cached.expires()));
        is_enough
    }

    async fn read_cache(&self) -> Option<CachedKeys> {
        if !self.cache.is_on_disk() {
            return self.cache.get(&self.issuer);
        }
        let (cache, issuer) = (self.cache.clone(), self.issuer.clone());
        tokio::task::spawn_blocking(move || cache.get(&issuer)).await.ok().flatten()
    }

    async fn write_cache(&self, keys: CachedKeys) {
        let (cache, issuer) = (self.cache.clone(), self.issuer.clone());
        if self.cache.is_on_disk() {
            let _ = tokio::task::spawn_blocking(move || cache.keep(&issuer, keys)).await;
        } else {
            cache.keep(&issuer, keys);
        }
    }

    /// Fetches the issuer's keys and returns their number. A failure leaves the cached keys unchanged.
    async fn ask_issuer(&self) -> Result<usize, Arc<KeysError>> {
        let changes = self.cache.changes();
        let fetched = fetch::issuer_keys(&self.fetcher, &self.issuer).await;
        let now = self.clock.now();
        match fetched {
            Ok((set, text)) => {
                let later = |by| now.checked_add(by).unwrap_or(now);
                let (next_update, expires) =
                    (later(self.times.refresh.min(self.times.expiry)), later(self.times.expiry));
                let count = set.len();
                self.write_cache(CachedKeys::new(text, next_update, expires)).await;
                self.install(set, (next_update, expires));
                let mut state = self.state();
                state.note_answer(now, None);
                // These keys are newer than any change of the cache before the fetch.
                state.changes = changes;
                Ok(count)
            }
            Err(error) => {
                tracing::warn!(issuer = self.issuer.as_str(), %error, "failed to fetch the issuer's keys");
                let error = Arc::new(error);
                self.state().note_answer(now, Some(Arc::clone(&error)));
                Err(error)
            }
        }
    }

    fn install(&self, set: JwkSet, ends: KeyTimes) {
        let mut state = self.state();
        state.generation += 1;
        state.keys = Some(LoadedKeys { set, generation: state.generation, ends });
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.flight.state()
    }

    fn rounds(&self, state: &State) -> FetchRounds {
        FetchRounds { all: self.flight.completed(), at_issuer: state.asked_issuer }
    }

    fn snapshot(&self) -> (State, FetchRounds) {
        let state = self.state();
        (state.clone(), self.rounds(&state))
    }
}

impl State {
    fn note_answer(&mut self, now: SystemTime, failure: Option<Arc<KeysError>>) {
        (self.asked, self.failure) = (Some(now), failure);
        self.asked_issuer += 1;
    }

    fn known(&self) -> KeyFacts {
        KeyFacts {
            keys: self.keys.as_ref().map(|keys| keys.ends),
            asked: self.asked,
            failed: self.failure.is_some(),
        }
    }
}
