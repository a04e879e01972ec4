//! The token cache: a source is asked once for all waiting requests, and no token is used beyond its expiry.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use crate::challenge::Challenge;
use crate::source::{Notes, SharedTokenSource, SourceError, TokenRequest};
use scitoken_types::ErrorChain;
use scitoken_types::Origin;
use scitoken_types::sys;
use scitoken_types::sys::SharedClock;
use scitoken_types::{AccessToken, Audience, FetchStage, Scope, SingleFlight};

/// What a token was requested for; requests with equal keys share an answer.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct CacheKey {
    pub(crate) source: SharedTokenSource,
    pub(crate) origin: Origin,
    pub(crate) audience: Option<Audience>,
    pub(crate) scopes: Vec<Scope>,
}

/// A borrowed [`CacheKey`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct CacheKeyRef<'a> {
    pub(crate) source: &'a SharedTokenSource,
    pub(crate) origin: &'a Origin,
    pub(crate) audience: Option<&'a Audience>,
    pub(crate) scopes: &'a [Scope],
}

impl CacheKeyRef<'_> {
    pub(crate) fn to_key(self) -> CacheKey {
        CacheKey {
            source: self.source.clone(),
            origin: self.origin.clone(),
            audience: self.audience.cloned(),
            scopes: self.scopes.to_vec(),
        }
    }

    fn is(self, key: &CacheKey) -> bool {
        *self.source == key.source
            && *self.origin == key.origin
            && self.audience == key.audience.as_ref()
            && *self.scopes == *key.scopes
    }
}

/// The answer of the sources.
#[derive(Clone, Debug)]
pub(crate) enum SourceAnswer {
    Token(AccessToken),
    /// No source has one; the reason of each place.
    Nothing(Arc<[String]>),
    Failed(SourceError),
}

/// Answers of sources, by key.
///
/// A token is used again without a question to the source for the poll interval (a second, or the
/// [`max_age`](AccessToken::max_age) of the token), because batch systems replace tokens while a job runs. One request
/// for a key asks the source at a time, and the others wait for its answer. When that request is cancelled, the next
/// one asks.
#[derive(Debug)]
pub(crate) struct TokenCache {
    entries: Mutex<HashMap<CacheKey, Arc<CacheEntry>>>,
    /// The entry that was used last: most clients talk to one server for a while.
    latest: Mutex<Option<(CacheKey, Arc<CacheEntry>)>>,
    clock: SharedClock,
    poll_interval: Duration,
}

/// The requests for one key, of which one asks the source at a time.
type CacheEntry = SingleFlight<State>;

#[derive(Debug, Default)]
struct State {
    answer: Option<SourceAnswer>,
    asked_at: Option<SystemTime>,
    /// The refused token in the last question.
    rejected: Option<AccessToken>,
    /// The challenge in the last question.
    challenge: Option<Challenge>,
}

impl TokenCache {
    /// More questions than this are not remembered.
    const MAX_ENTRIES: usize = 1_024;
    /// Within this time the source is not asked again about a failure, an absence, or a token that is about to expire.
    const BACKOFF: Duration = Duration::from_secs(1);

    pub(crate) fn new(clock: SharedClock, poll_interval: Duration) -> Self {
        Self { entries: Mutex::default(), latest: Mutex::default(), clock, poll_interval }
    }

    /// Returns the answer for this key, if it was used last and the source need not be asked.
    pub(crate) fn cached(&self, asked: &CacheKeyRef<'_>, request: &TokenRequest<'_>) -> Option<SourceAnswer> {
        let latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        let (_, entry) = latest.as_ref().filter(|(key, _)| asked.is(key))?;
        entry.state().known(asked.source, request, self.poll_interval)
    }

    /// Returns the answer for this key; asks the source where no cached answer is current.
    ///
    /// With a [rejected](TokenRequest::rejected) token the answer is another token, if there is one. Only that token is
    /// given up: where another request has obtained a new one meanwhile, that is the answer.
    pub(crate) async fn get(&self, key: CacheKey, request: TokenRequest<'_>) -> SourceAnswer {
        let source = key.source.clone();
        let entry = self.entry(key.clone());
        *self.latest.lock().unwrap_or_else(PoisonError::into_inner) = Some((key, Arc::clone(&entry)));
        let ready = |state: &State, stage: FetchStage| match stage {
            FetchStage::First => state.known(&source, &request, self.poll_interval),
            FetchStage::WhileOthersFetch => state.still_good(&request).map(SourceAnswer::Token),
            FetchStage::BeforeFetch { completed_since } => {
                let request = request.clone().at(self.clock.now());
                let answered_meanwhile = if completed_since { state.current(&request) } else { None };
                answered_meanwhile.or_else(|| state.known(&source, &request, self.poll_interval))
            }
        };
        let ask = async || {
            let (request, notes) = (request.clone().at(self.clock.now()), Notes::default());
            let answer = source.token(&request.clone().with_notes(&notes)).await;
            (answer, notes, request)
        };
        entry.run(ready, ask, |state, (answer, notes, request)| state.store(answer, notes, &request)).await
    }

    fn entry(&self, key: CacheKey) -> Arc<CacheEntry> {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(entry) = entries.get(&key) {
            return Arc::clone(entry);
        }
        if entries.len() >= Self::MAX_ENTRIES {
            forget_older_half(&mut entries);
        }
        Arc::clone(entries.entry(key).or_default())
    }
}

/// Requests that wait at a forgotten entry still get their answer.
#[expect(clippy::mutable_key_type, reason = "sources are compared by address, which does not change")]
fn forget_older_half(entries: &mut HashMap<CacheKey, Arc<CacheEntry>>) {
    let mut times: Vec<_> = entries.values().map(|entry| entry.state().asked_at).collect();
    times.sort_unstable();
    let middle = times[times.len() / 2];
    let mut surplus = times.len() / 2;
    entries.retain(|_, entry| {
        let old = surplus > 0 && entry.state().asked_at <= middle;
        surplus -= usize::from(old);
        !old
    });
}

impl State {
    /// Returns the answer, if the source need not be asked.
    fn known(
        &self,
        source: &SharedTokenSource,
        request: &TokenRequest<'_>,
        poll_interval: Duration,
    ) -> Option<SourceAnswer> {
        let answer = self.answer.as_ref()?;
        let asked_within = |time: Duration| {
            let age = self.asked_at.and_then(|then| request.now().duration_since(then).ok());
            age.is_some_and(|age| age < time)
        };
        let asked_about_this_refusal =
            request.rejected().is_none() || request.rejected() == self.rejected.as_ref();
        let fresh = match answer {
            SourceAnswer::Token(token) if is_for_one_request(token) => false,
            SourceAnswer::Token(token) if request.rejected() == Some(token) && source.is_cheap(request) => {
                false
            }
            SourceAnswer::Token(token) if request.rejected() == Some(token) => {
                // An expensive source is not asked by each of a thousand refused requests.
                let pause = token.max_age().map_or(TokenCache::BACKOFF, |r| TokenCache::BACKOFF.max(r / 10));
                // Nor is one that issues a new token each time: the last one answered a refusal already.
                (asked_about_this_refusal || self.rejected.is_some()) && asked_within(pause)
            }
            SourceAnswer::Token(token) if token.is_expired_at(request.now()) => false,
            SourceAnswer::Token(token) if !token.is_valid_for(request.min_validity(), request.now()) => {
                asked_within(TokenCache::BACKOFF)
            }
            SourceAnswer::Token(token) => asked_within(token.max_age().unwrap_or(poll_interval)),
            SourceAnswer::Nothing(_) | SourceAnswer::Failed(_) => {
                self.asked_about(request) && asked_within(poll_interval.min(TokenCache::BACKOFF))
            }
        };
        fresh.then(|| answer.clone())
    }

    /// Returns the answer that arrived while a request waited, however short its validity.
    fn current(&self, request: &TokenRequest<'_>) -> Option<SourceAnswer> {
        match self.answer.as_ref()? {
            SourceAnswer::Token(token) if is_for_one_request(token) => None,
            SourceAnswer::Token(token) if request.rejected() == Some(token) => {
                (request.rejected() == self.rejected.as_ref()).then(|| SourceAnswer::Token(token.clone()))
            }
            SourceAnswer::Token(token) if token.is_expired_at(request.now()) => None,
            SourceAnswer::Nothing(_) | SourceAnswer::Failed(_) if !self.asked_about(request) => None,
            answer => Some(answer.clone()),
        }
    }

    /// Returns whether the last question had the same rejected token and challenge: a source may answer by them.
    fn asked_about(&self, request: &TokenRequest<'_>) -> bool {
        let stated = |now: bool, same: bool| !now || same;
        stated(request.rejected().is_some(), request.rejected() == self.rejected.as_ref())
            && stated(request.challenge().is_some(), request.challenge() == self.challenge.as_ref())
    }

    /// Returns the token that is used while another request asks for a newer one.
    fn still_good(&self, request: &TokenRequest<'_>) -> Option<AccessToken> {
        match self.answer.as_ref()? {
            SourceAnswer::Token(token)
                if !token.is_expired_at(request.now())
                    && request.rejected() != Some(token)
                    && !is_for_one_request(token) =>
            {
                Some(token.clone())
            }
            _ => None,
        }
    }

    fn holds(&self, token: &AccessToken, now: SystemTime) -> bool {
        matches!(&self.answer, Some(SourceAnswer::Token(held)) if held == token && !held.is_expired_at(now))
    }

    fn store(
        &mut self,
        answer: Result<Option<AccessToken>, SourceError>,
        notes: Notes,
        request: &TokenRequest<'_>,
    ) -> SourceAnswer {
        let answer = match answer {
            Ok(Some(token)) if token.is_expired_at(request.now()) => {
                Err(SourceError::expired(&token, request.now()))
            }
            answer => answer,
        };
        let answer = match answer {
            Ok(Some(token)) => SourceAnswer::Token(token),
            Ok(None) => SourceAnswer::Nothing(notes.take().into()),
            Err(error) => match self.still_good(request) {
                Some(token) => {
                    tracing::warn!(
                        "{}; the token in use is kept, since it has not expired",
                        ErrorChain::new(&error)
                    );
                    SourceAnswer::Token(token)
                }
                None => SourceAnswer::Failed(error),
            },
        };
        // A refusal by one server does not take the token from the others that use this answer.
        let keeps = request.rejected().is_some_and(|rejected| self.holds(rejected, request.now()));
        if !keeps || matches!(answer, SourceAnswer::Token(_)) {
            self.answer = Some(answer.clone());
        }
        self.asked_at = Some(request.now());
        self.rejected = request.rejected().cloned();
        self.challenge = request.challenge().cloned();
        tracing::trace!(
            origin = %request.origin(),
            lives = ?lives(&answer, request.now()),
            "asked for a token"
        );
        answer
    }
}

/// Returns whether the source chose the token for one request, by its method and path.
fn is_for_one_request(token: &AccessToken) -> bool {
    token.max_age() == Some(Duration::ZERO)
}

/// Returns how many seconds the token is still valid, for the log.
fn lives(answer: &SourceAnswer, now: SystemTime) -> Option<u64> {
    match answer {
        SourceAnswer::Token(token) => token.expires_at().map(|end| sys::elapsed(now, end).as_secs()),
        SourceAnswer::Nothing(_) | SourceAnswer::Failed(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use url::Url;

    use super::*;
    use crate::source::TokenSource;
    use scitoken_types::sys::ManualClock;

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

        async fn ask(&self, rejected: Option<&str>) -> SourceAnswer {
            use scitoken_types::sys::Clock;
            let url = Url::parse("https://h").unwrap();
            let rejected = rejected.map(|text| AccessToken::new(text).unwrap());
            let mut request = TokenRequest::new(&url).unwrap().at(self.clock.now());
            if let Some(rejected) = &rejected {
                request = request.with_rejected(rejected);
            }
            let origin = Origin::try_from(&url).unwrap();
            let key = CacheKey { source: self.source.clone(), origin, audience: None, scopes: Vec::new() };
            self.cache.get(key, request).await
        }

        async fn token(&self, rejected: Option<&str>) -> String {
            match self.ask(rejected).await {
                SourceAnswer::Token(token) => token.expose_secret().to_owned(),
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
    async fn requests_that_ask_at_once_share_one_question() {
        let bench = Bench::new(Counting { slow: true, ..Counting::default() });
        let answers = futures_util::future::join_all((0..64).map(|_| bench.token(None))).await;
        assert!(answers.iter().all(|token| token == "token-1"));
        assert_eq!(bench.asked(), 1);
    }

    #[tokio::test]
    async fn requests_that_are_refused_at_once_share_one_question() {
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
    async fn a_source_with_one_token_is_not_asked_again_by_each_refused_request() {
        let bench = Bench::new(Counting { always: Some("same"), slow: true, ..Counting::default() });
        bench.token(None).await;
        let answers = futures_util::future::join_all((0..64).map(|_| bench.token(Some("same")))).await;
        assert!(answers.iter().all(|token| token == "same"));
        assert_eq!(bench.asked(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_cancelled_question_is_asked_by_the_next_request() {
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
        assert!(matches!(bench.ask(None).await, SourceAnswer::Failed(_)));
        assert!(matches!(bench.ask(Some("token-1")).await, SourceAnswer::Failed(_)));
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
            let key = CacheKey { source: bench.source.clone(), origin, audience: None, scopes: Vec::new() };
            bench.cache.get(key, TokenRequest::new(&url).unwrap()).await;
        }
        assert!(bench.cache.entries.lock().unwrap().len() <= TokenCache::MAX_ENTRIES);
    }
}
