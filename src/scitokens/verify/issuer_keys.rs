//! The keys of one issuer while the program runs: at hand at once, fetched by one, waited for by all.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::SystemTime;

use super::super::key_cache::{CacheTimes, CachedKeys, Ends, KeyCache, Known, Step, Wanted, decide, is_live};
use super::super::{Issuer, VerifyError};
use super::{KeysError, fetch};
use crate::keys::JwkSet;
use crate::keys::fetch::Fetcher;
use crate::sys::SharedClock;

/// One issuer that is trusted.
#[derive(Debug)]
pub(super) struct IssuerKeys {
    pub(super) issuer: Issuer,
    pub(super) fetcher: Fetcher,
    pub(super) cache: KeyCache,
    pub(super) times: CacheTimes,
    pub(super) clock: SharedClock,
    state: RwLock<State>,
    /// Held by who fetches.
    gate: tokio::sync::Mutex<()>,
    /// Whether a refresh beside the work is under way.
    refreshing: AtomicBool,
}

#[derive(Clone, Debug, Default)]
struct State {
    keys: Option<Loaded>,
    /// Counts the sets, also those that were dropped since.
    generation: u64,
    asked: Option<SystemTime>,
    rounds: Rounds,
    failure: Option<Arc<KeysError>>,
    /// How often others had changed the cache when it was last looked into.
    changes: u64,
}

/// How often the keys were looked for, with whatever success; whoever waits at the gate sees by it that another one has
/// done the work.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Rounds {
    all: u64,
    /// Those in which the issuer was asked.
    at_issuer: u64,
}

/// Keys at hand.
#[derive(Clone, Debug)]
pub(super) struct Loaded {
    pub(super) set: JwkSet,
    /// Which set of this issuer it is, counted from 1.
    pub(super) generation: u64,
    ends: Ends,
}

/// The right to refresh beside the work, which one at a time has.
struct Turn(Arc<IssuerKeys>);

impl Turn {
    fn take(keys: &Arc<IssuerKeys>) -> Option<Self> {
        (!keys.refreshing.swap(true, Ordering::AcqRel)).then(|| Self(Arc::clone(keys)))
    }
}

impl Drop for Turn {
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
            state: RwLock::default(),
            gate: tokio::sync::Mutex::default(),
            refreshing: AtomicBool::default(),
        }
    }

    /// Keys that are good at `now`, without waiting; a refresh that is due is started beside.
    pub(super) fn at_hand(self: &Arc<Self>, now: SystemTime) -> Option<Loaded> {
        let state = self.read();
        if state.changes != self.cache.changes() {
            return None;
        }
        let step = decide(state.known(), Wanted::Found, self.times, now);
        let keys = matches!(step, Step::Use | Step::UseAndRefresh).then(|| state.keys.clone()).flatten();
        let rounds = state.rounds;
        drop(state);
        if step == Step::UseAndRefresh {
            self.refresh_beside(rounds);
        }
        keys
    }

    /// The keys for a token of which `has_key` tells whether its key is among them.
    pub(super) async fn for_token(
        self: &Arc<Self>,
        has_key: impl Fn(&JwkSet) -> bool + Send + Sync,
    ) -> Result<Loaded, VerifyError> {
        let mut is_second_look = false;
        loop {
            self.forget_what_others_changed();
            let state = self.snapshot();
            let is_there = state.keys.as_ref().is_some_and(|keys| has_key(&keys.set));
            let wanted = if is_there { Wanted::Found } else { Wanted::NotFound };
            match (decide(state.known(), wanted, self.times, self.clock.now()), state.keys) {
                (Step::Use, Some(keys)) => return Ok(keys),
                (Step::UseAndRefresh, Some(keys)) => {
                    self.refresh_beside(state.rounds);
                    return Ok(keys);
                }
                (Step::Fetch, keys) if is_second_look => {
                    // Whatever came of the fetch; another one would be no better.
                    let now = self.clock.now();
                    let keys = keys.filter(|keys| is_live(keys.ends, now));
                    return keys.ok_or_else(|| self.unavailable(state.failure));
                }
                (Step::Fetch, _) => {
                    self.look_for_keys(state.rounds, &has_key).await;
                    is_second_look = true;
                }
                (Step::Fail | Step::Use | Step::UseAndRefresh, _) => {
                    return Err(self.unavailable(state.failure));
                }
            }
        }
    }

    /// Whether the issuer may be asked on the word of a token that the keys at hand do not fit.
    pub(super) fn may_ask(&self) -> bool {
        decide(self.read().known(), Wanted::NotFound, self.times, self.clock.now()) == Step::Fetch
    }

    /// Asks the issuer now, whatever is at hand.
    pub(super) async fn refresh(&self) -> Result<usize, VerifyError> {
        let _gate = self.gate.lock().await;
        self.ask_issuer().await.map_err(|failure| self.unavailable(Some(failure)))
    }

    fn unavailable(&self, failure: Option<Arc<KeysError>>) -> VerifyError {
        let source = failure.unwrap_or_else(|| Arc::new(KeysError::Interrupted));
        VerifyError::Keys { issuer: self.issuer.clone(), source }
    }

    fn refresh_beside(self: &Arc<Self>, rounds: Rounds) {
        // Only inside a runtime; the synchronous path elsewhere leaves it to the next one that waits.
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        if let Some(turn) = Turn::take(self) {
            runtime.spawn(async move {
                turn.0.look_for_keys(rounds, &|_| true).await;
                drop(turn);
            });
        }
    }

    /// Drops the keys at hand when somebody has put others into the cache, or removed them.
    fn forget_what_others_changed(&self) {
        let changes = self.cache.changes();
        if self.read().changes != changes {
            let mut state = self.write();
            (state.keys, state.asked, state.failure) = (None, None, None);
            state.changes = changes;
        }
    }

    /// Looks for keys, unless somebody has since `rounds` was read: first in the cache, where another process may have put
    /// newer ones, then at the issuer's.
    async fn look_for_keys(&self, before: Rounds, has_key: &(impl Fn(&JwkSet) -> bool + Sync)) {
        let _gate = self.gate.lock().await;
        if self.is_done_since(before, has_key) {
            return;
        }
        if self.take_from_cache(has_key).await {
            self.write().rounds.all += 1;
        } else {
            let _ = self.ask_issuer().await;
        }
    }

    /// Whether another one has done the work: it asked the issuer, or found the very key in the cache.
    fn is_done_since(&self, before: Rounds, has_key: impl Fn(&JwkSet) -> bool) -> bool {
        let state = self.read();
        let is_there = || state.keys.as_ref().is_some_and(|keys| has_key(&keys.set));
        state.rounds.at_issuer != before.at_issuer || (state.rounds != before && is_there())
    }

    /// Takes the cache's keys where they are newer than ours; tells whether they are all that is needed.
    async fn take_from_cache(&self, has_key: &(impl Fn(&JwkSet) -> bool + Sync)) -> bool {
        let now = self.clock.now();
        let Some(cached) = self.read_cache().await else { return false };
        if !cached.are_good_at(now) {
            return false;
        }
        let cached = cached.limited(now, self.times.expiry);
        let ours = self.read().keys.as_ref().map(|keys| keys.ends).filter(|ends| is_live(*ends, now));
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

    /// Fetches the issuer's keys; tells how many there are. What failed leaves the keys at hand as they are.
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
                let mut state = self.write();
                state.note_answer(now, None);
                // Newer than what others had put there or removed by then; what they do from now on counts again.
                state.changes = changes;
                Ok(count)
            }
            Err(error) => {
                tracing::warn!(issuer = self.issuer.as_str(), %error, "the issuer's keys cannot be fetched");
                let error = Arc::new(error);
                self.write().note_answer(now, Some(Arc::clone(&error)));
                Err(error)
            }
        }
    }

    fn install(&self, set: JwkSet, ends: Ends) {
        let mut state = self.write();
        state.generation += 1;
        state.keys = Some(Loaded { set, generation: state.generation, ends });
    }

    fn read(&self) -> std::sync::RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> std::sync::RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn snapshot(&self) -> State {
        self.read().clone()
    }
}

impl State {
    fn note_answer(&mut self, now: SystemTime, failure: Option<Arc<KeysError>>) {
        (self.asked, self.failure) = (Some(now), failure);
        self.rounds.all += 1;
        self.rounds.at_issuer += 1;
    }

    fn known(&self) -> Known {
        Known {
            keys: self.keys.as_ref().map(|keys| keys.ends),
            asked: self.asked,
            failed: self.failure.is_some(),
        }
    }
}
