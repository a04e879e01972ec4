//! The token cache: one question to a source however many wait, and never a token for longer than is known to be good.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use super::challenge::Challenge;
use crate::error::with_causes;
use crate::origin::Origin;
use crate::source::{Notes, SharedTokenSource, SourceError, TokenRequest};
use crate::sys::{self, SharedClock};
use crate::token::{AccessToken, Audience, Scope};

/// What a token was asked for; equal questions share an answer.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    pub(crate) source: SharedTokenSource,
    pub(crate) origin: Origin,
    pub(crate) audience: Option<Audience>,
    pub(crate) scopes: Vec<Scope>,
}

/// A [`Key`] that is not ours to keep.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked<'a> {
    pub(crate) source: &'a SharedTokenSource,
    pub(crate) origin: &'a Origin,
    pub(crate) audience: Option<&'a Audience>,
    pub(crate) scopes: &'a [Scope],
}

impl Asked<'_> {
    pub(crate) fn to_key(self) -> Key {
        Key {
            source: self.source.clone(),
            origin: self.origin.clone(),
            audience: self.audience.cloned(),
            scopes: self.scopes.to_vec(),
        }
    }

    fn is(self, key: &Key) -> bool {
        *self.source == key.source
            && *self.origin == key.origin
            && self.audience == key.audience.as_ref()
            && *self.scopes == *key.scopes
    }
}

/// What the sources said.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    Token(AccessToken),
    /// Nobody has one; each source's reason.
    Nothing(Arc<[String]>),
    Failed(SourceError),
}

/// Answers by question.
///
/// A token is handed out again without a question for the *recheck* time (a second, or what the token itself
/// [states](AccessToken::reuse)), because batch systems replace tokens under running jobs. Questions for one key
/// are asked one at a time; those who wait get the answer of the one who asked. Whoever asks may be cancelled: the
/// next in line asks then.
#[derive(Debug)]
pub(crate) struct TokenCache {
    slots: Mutex<HashMap<Key, Arc<Slot>>>,
    /// The slot that was used last: most clients talk to one server for a while.
    latest: Mutex<Option<(Key, Arc<Slot>)>>,
    clock: SharedClock,
    recheck: Duration,
}

#[derive(Debug, Default)]
struct Slot {
    /// Held by the one who asks.
    gate: tokio::sync::Mutex<()>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    answer: Option<Answer>,
    asked_at: Option<SystemTime>,
    /// The refused token that was stated in the last question.
    rejected: Option<AccessToken>,
    /// The challenge that was stated in the last question.
    challenge: Option<Challenge>,
    /// Counts the questions that were answered.
    generation: u64,
}

impl TokenCache {
    /// More questions than this are not remembered.
    const MOST_SLOTS: usize = 1_024;
    /// A failure, an absence, and a token about to end are not asked about again within this time.
    const BACKOFF: Duration = Duration::from_secs(1);

    pub(crate) fn new(clock: SharedClock, recheck: Duration) -> Self {
        Self { slots: Mutex::default(), latest: Mutex::default(), clock, recheck }
    }

    /// The answer for the key that was asked for last, if it is this one and the source need not be asked.
    pub(crate) fn at_hand(&self, asked: &Asked<'_>, request: &TokenRequest<'_>) -> Option<Answer> {
        let latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        let (_, slot) = latest.as_ref().filter(|(key, _)| asked.is(key))?;
        slot.state().known(request, self.recheck)
    }

    /// The answer for this key; the source is asked as `request` says where the cache does not know.
    ///
    /// With a [rejected](TokenRequest::rejected) token the answer is another token if one can be had. Only that
    /// very token is given up: when somebody else has brought a new one meanwhile, that is the answer.
    pub(crate) async fn get(&self, key: Key, request: TokenRequest<'_>) -> Answer {
        let source = key.source.clone();
        let slot = self.slot(key.clone());
        *self.latest.lock().unwrap_or_else(PoisonError::into_inner) = Some((key, Arc::clone(&slot)));
        let seen = {
            let state = slot.state();
            if let Some(answer) = state.known(&request, self.recheck) {
                return answer;
            }
            state.generation
        };
        let _gate = if let Ok(gate) = slot.gate.try_lock() {
            gate
        } else {
            if let Some(token) = slot.state().still_good(&request) {
                return Answer::Token(token);
            }
            slot.gate.lock().await
        };
        let request = request.at(self.clock.now());
        {
            let state = slot.state();
            let answered_meanwhile = if state.generation == seen { None } else { state.current(&request) };
            if let Some(answer) = answered_meanwhile.or_else(|| state.known(&request, self.recheck)) {
                return answer;
            }
        }
        let notes = Notes::default();
        let answer = source.token(&request.clone().with_notes(&notes)).await;
        slot.state().store(answer, notes, &request)
    }

    fn slot(&self, key: Key) -> Arc<Slot> {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(slot) = slots.get(&key) {
            return Arc::clone(slot);
        }
        if slots.len() >= Self::MOST_SLOTS {
            forget_older_half(&mut slots);
        }
        Arc::clone(slots.entry(key).or_default())
    }
}

/// Those who wait at a forgotten gate still get their answer.
#[expect(clippy::mutable_key_type, reason = "sources are compared by address, which does not change")]
fn forget_older_half(slots: &mut HashMap<Key, Arc<Slot>>) {
    let mut times: Vec<_> = slots.values().map(|slot| slot.state().asked_at).collect();
    times.sort_unstable();
    let middle = times[times.len() / 2];
    let mut surplus = times.len() / 2;
    slots.retain(|_, slot| {
        let old = surplus > 0 && slot.state().asked_at <= middle;
        surplus -= usize::from(old);
        !old
    });
}

impl Slot {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// The answer, if the source need not be asked.
    fn known(&self, request: &TokenRequest<'_>, recheck: Duration) -> Option<Answer> {
        let answer = self.answer.as_ref()?;
        let asked_within = |time: Duration| {
            let age = self.asked_at.and_then(|then| request.now().duration_since(then).ok());
            age.is_some_and(|age| age < time)
        };
        let asked_about_this_refusal =
            request.rejected().is_none() || request.rejected() == self.rejected.as_ref();
        let fresh = match answer {
            Answer::Token(token) if request.rejected() == Some(token) => {
                // A source that is dear to ask is not asked by each of a thousand refused requests.
                let pause = token.reuse().map_or(TokenCache::BACKOFF, |r| TokenCache::BACKOFF.max(r / 10));
                // Nor one that gives a new token each time: the last one was an answer to a refusal already.
                (asked_about_this_refusal || self.rejected.is_some()) && asked_within(pause)
            }
            Answer::Token(token) if token.is_expired_at(request.now()) => false,
            Answer::Token(token) if !token.is_valid_for(request.min_validity(), request.now()) => {
                asked_within(TokenCache::BACKOFF)
            }
            Answer::Token(token) => asked_within(token.reuse().unwrap_or(recheck)),
            Answer::Nothing(_) | Answer::Failed(_) => {
                self.asked_about(request) && asked_within(recheck.min(TokenCache::BACKOFF))
            }
        };
        fresh.then(|| answer.clone())
    }

    /// The answer that came while one waited; however short it is meant to last, it is for those who waited too.
    fn current(&self, request: &TokenRequest<'_>) -> Option<Answer> {
        match self.answer.as_ref()? {
            Answer::Token(token) if request.rejected() == Some(token) => {
                (request.rejected() == self.rejected.as_ref()).then(|| Answer::Token(token.clone()))
            }
            Answer::Token(token) if token.is_expired_at(request.now()) => None,
            Answer::Nothing(_) | Answer::Failed(_) if !self.asked_about(request) => None,
            answer => Some(answer.clone()),
        }
    }

    /// Whether the last question stated all that this one states: a source may know better with a challenge.
    fn asked_about(&self, request: &TokenRequest<'_>) -> bool {
        let stated = |now: bool, same: bool| !now || same;
        stated(request.rejected().is_some(), request.rejected() == self.rejected.as_ref())
            && stated(request.challenge().is_some(), request.challenge() == self.challenge.as_ref())
    }

    /// The token that can be used while somebody else asks for a newer one.
    fn still_good(&self, request: &TokenRequest<'_>) -> Option<AccessToken> {
        match self.answer.as_ref()? {
            Answer::Token(token)
                if !token.is_expired_at(request.now()) && request.rejected() != Some(token) =>
            {
                Some(token.clone())
            }
            _ => None,
        }
    }

    fn holds(&self, token: &AccessToken, now: SystemTime) -> bool {
        matches!(&self.answer, Some(Answer::Token(held)) if held == token && !held.is_expired_at(now))
    }

    fn store(
        &mut self,
        answer: Result<Option<AccessToken>, SourceError>,
        notes: Notes,
        request: &TokenRequest<'_>,
    ) -> Answer {
        let answer = match answer {
            Ok(Some(token)) if token.is_expired_at(request.now()) => {
                Err(SourceError::expired(&token, request.now()))
            }
            answer => answer,
        };
        let answer = match answer {
            Ok(Some(token)) => Answer::Token(token),
            Ok(None) => Answer::Nothing(notes.take().into()),
            Err(error) => match self.still_good(request) {
                Some(token) => {
                    tracing::warn!("{}; the token in use is kept, it has not ended", with_causes(&error));
                    Answer::Token(token)
                }
                None => Answer::Failed(error),
            },
        };
        // That one server refused a token is no reason to take it from all others who wait for this answer.
        let keeps = request.rejected().is_some_and(|rejected| self.holds(rejected, request.now()));
        if !keeps || matches!(answer, Answer::Token(_)) {
            self.answer = Some(answer.clone());
        }
        self.asked_at = Some(request.now());
        self.rejected = request.rejected().cloned();
        self.challenge = request.challenge().cloned();
        self.generation += 1;
        tracing::trace!(
            origin = %request.origin(),
            generation = self.generation,
            lives = ?lives(&answer, request.now()),
            "asked for a token"
        );
        answer
    }
}

/// How many seconds the token has, for the log.
fn lives(answer: &Answer, now: SystemTime) -> Option<u64> {
    match answer {
        Answer::Token(token) => token.expires_at().map(|end| sys::elapsed(now, end).as_secs()),
        Answer::Nothing(_) | Answer::Failed(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use url::Url;

    use super::*;
    use crate::source::TokenSource;
    use crate::sys::ManualClock;

    /// Gives `token-<n>` for the n-th question, after as many yields as it is told.
    #[derive(Debug, Clone, Default)]
    struct Counting {
        asked: Arc<AtomicUsize>,
        slow: bool,
        lives: Option<u64>,
        fails_after: Option<usize>,
        always: Option<&'static str>,
    }

    impl TokenSource for Counting {
        async fn token(&self, request: &TokenRequest<'_>) -> Result<Option<AccessToken>, SourceError> {
            let n = self.asked.fetch_add(1, Ordering::SeqCst) + 1;
            if self.slow {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            if self.fails_after.is_some_and(|after| n > after) {
                return Err(SourceError::new("broken"));
            }
            let token = AccessToken::new(self.always.map_or(format!("token-{n}"), str::to_owned))?;
            Ok(Some(match self.lives {
                Some(lives) => token.with_expiry(request.now() + Duration::from_secs(lives)),
                None => token,
            }))
        }
    }

    struct Bench {
        clock: ManualClock,
        cache: TokenCache,
        source: SharedTokenSource,
        asked: Arc<AtomicUsize>,
    }

    impl Bench {
        fn new(source: Counting) -> Self {
            let clock = ManualClock::at_epoch_seconds(1_000_000);
            let asked = Arc::clone(&source.asked);
            let cache = TokenCache::new(clock.clone().into(), Duration::from_secs(1));
            Self { clock, cache, source: source.into(), asked }
        }

        async fn ask(&self, rejected: Option<&str>) -> Answer {
            use crate::sys::Clock;
            let url = Url::parse("https://h").unwrap();
            let rejected = rejected.map(|text| AccessToken::new(text).unwrap());
            let mut request = TokenRequest::new(&url).unwrap().at(self.clock.now());
            if let Some(rejected) = &rejected {
                request = request.with_rejected(rejected);
            }
            let origin = Origin::try_from(&url).unwrap();
            let key = Key { source: self.source.clone(), origin, audience: None, scopes: Vec::new() };
            self.cache.get(key, request).await
        }

        async fn token(&self, rejected: Option<&str>) -> String {
            match self.ask(rejected).await {
                Answer::Token(token) => token.expose_secret().to_owned(),
                other => panic!("{other:?}"),
            }
        }

        fn asked(&self) -> usize {
            self.asked.load(Ordering::SeqCst)
        }

        fn later(&self, milliseconds: u64) {
            self.clock.advance(Duration::from_millis(milliseconds));
        }
    }

    #[tokio::test]
    async fn a_source_is_asked_at_most_once_a_second() {
        let bench = Bench::new(Counting::default());
        for _ in 0..10 {
            assert_eq!(bench.token(None).await, "token-1");
            bench.later(90);
        }
        bench.later(200);
        assert_eq!(bench.token(None).await, "token-2");
        assert_eq!(bench.asked(), 2);
    }

    #[tokio::test]
    async fn a_clock_that_jumps_back_leads_to_a_question() {
        let bench = Bench::new(Counting::default());
        assert_eq!(bench.token(None).await, "token-1");
        bench.clock.set(SystemTime::UNIX_EPOCH);
        assert_eq!(bench.token(None).await, "token-2");
    }

    #[tokio::test]
    async fn many_who_ask_at_once_share_one_question() {
        let bench = Bench::new(Counting { slow: true, ..Counting::default() });
        let answers = futures_util::future::join_all((0..64).map(|_| bench.token(None))).await;
        assert!(answers.iter().all(|token| token == "token-1"));
        assert_eq!(bench.asked(), 1);
    }

    #[tokio::test]
    async fn many_who_were_refused_at_once_share_one_question() {
        let bench = Bench::new(Counting { slow: true, ..Counting::default() });
        assert_eq!(bench.token(None).await, "token-1");
        let answers = futures_util::future::join_all((0..64).map(|_| bench.token(Some("token-1")))).await;
        assert!(answers.iter().all(|token| token == "token-2"));
        assert_eq!(bench.asked(), 2);
    }

    #[tokio::test]
    async fn a_late_refusal_of_an_old_token_does_not_drop_the_new_one() {
        let bench = Bench::new(Counting::default());
        bench.token(None).await;
        assert_eq!(bench.token(Some("token-1")).await, "token-2");
        assert_eq!(bench.token(Some("token-1")).await, "token-2");
        assert_eq!(bench.token(None).await, "token-2");
        assert_eq!(bench.asked(), 2);
    }

    #[tokio::test]
    async fn a_source_with_one_token_is_not_asked_again_by_each_who_was_refused() {
        let bench = Bench::new(Counting { always: Some("same"), slow: true, ..Counting::default() });
        bench.token(None).await;
        let answers = futures_util::future::join_all((0..64).map(|_| bench.token(Some("same")))).await;
        assert!(answers.iter().all(|token| token == "same"));
        assert_eq!(bench.asked(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_cancelled_leader_strands_nobody() {
        let bench = Bench::new(Counting { slow: true, ..Counting::default() });
        let leader = tokio::time::timeout(Duration::from_millis(5), bench.token(None));
        let (led, followed) = tokio::join!(leader, async {
            tokio::task::yield_now().await;
            bench.token(None).await
        });
        assert!(led.is_err());
        assert_eq!(followed, "token-2");
    }

    #[tokio::test]
    async fn a_token_that_has_not_ended_survives_a_broken_source() {
        let bench = Bench::new(Counting { lives: Some(100), fails_after: Some(1), ..Counting::default() });
        assert_eq!(bench.token(None).await, "token-1");
        bench.later(50_000);
        assert_eq!(bench.token(None).await, "token-1");
        assert_eq!(bench.asked(), 2);
        bench.later(50_000);
        assert!(matches!(bench.ask(None).await, Answer::Failed(_)));
        assert!(matches!(bench.ask(Some("token-1")).await, Answer::Failed(_)));
    }

    #[tokio::test]
    async fn within_the_margin_a_newer_token_is_asked_for_once_a_second() {
        let bench = Bench::new(Counting { lives: Some(30), ..Counting::default() });
        assert_eq!(bench.token(None).await, "token-1");
        assert_eq!(bench.token(None).await, "token-1");
        bench.later(1_000);
        assert_eq!(bench.token(None).await, "token-2");
    }

    #[tokio::test]
    async fn the_number_of_remembered_questions_is_bounded() {
        let bench = Bench::new(Counting::default());
        for n in 0..3_000 {
            let url = Url::parse(&format!("https://h{n}")).unwrap();
            let origin = Origin::try_from(&url).unwrap();
            let key = Key { source: bench.source.clone(), origin, audience: None, scopes: Vec::new() };
            bench.cache.get(key, TokenRequest::new(&url).unwrap()).await;
        }
        assert!(bench.cache.slots.lock().unwrap().len() <= TokenCache::MOST_SLOTS);
    }
}
