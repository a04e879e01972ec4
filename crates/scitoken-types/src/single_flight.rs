//! One fetch at a time, whose result all waiting tasks share.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// A state that is fetched by one task at a time, however many need it.
///
/// * The first task that needs a fetch makes it; other tasks wait, and read the state again when the fetch has
///   ended. They fetch themselves only if the state still does not answer them.
/// * A task that is cancelled while it fetches lets the next one in line fetch.
/// * The state itself is behind a lock that is never held across an await.
///
/// For many keys, keep one of these per key.
///
/// ```
/// use scitoken_types::SingleFlight;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let keys: SingleFlight<Option<String>> = SingleFlight::default();
/// let get = || keys.run(
///     |state, _| state.clone(),
///     async || "fetched".to_owned(),
///     |state, fetched| { *state = Some(fetched.clone()); fetched },
/// );
/// let (first, second) = tokio::join!(get(), get());
/// assert_eq!((first.as_str(), second.as_str()), ("fetched", "fetched"));
/// assert_eq!(keys.completed(), 1);
/// # }
/// ```
#[derive(Debug, Default)]
pub struct SingleFlight<S> {
    state: Mutex<S>,
    gate: tokio::sync::Mutex<()>,
    completed: AtomicU64,
}

/// The stage at which [`SingleFlight::run`] reads the state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FetchStage {
    /// Before anything else.
    First,
    /// Another task is fetching; an answer now saves the wait for it.
    WhileOthersFetch,
    /// It is this task's turn to fetch. Other tasks have completed fetches since the first stage, or not.
    BeforeFetch {
        /// Whether another task has completed a fetch since the first stage.
        completed_since: bool,
    },
}

/// The right to fetch, which one task has at a time.
#[derive(Debug)]
pub struct FetchTurn<'f, S> {
    flight: &'f SingleFlight<S>,
    _gate: tokio::sync::MutexGuard<'f, ()>,
}

impl<S> SingleFlight<S> {
    /// Starts with this state.
    pub fn new(state: S) -> Self {
        Self { state: Mutex::new(state), gate: tokio::sync::Mutex::default(), completed: AtomicU64::new(0) }
    }

    /// Locks the state; never hold the guard across an await.
    pub fn state(&self) -> MutexGuard<'_, S> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns how many fetches were completed.
    pub fn completed(&self) -> u64 {
        self.completed.load(Ordering::Acquire)
    }

    /// Answers from the state, or fetches.
    ///
    /// `ready` reads the state up to three times, and `None` means that it does not answer; `fetch` runs when it is
    /// this task's turn and the state still does not answer; `store` takes the result into the state and answers.
    pub async fn run<T, F>(
        &self,
        mut ready: impl FnMut(&S, FetchStage) -> Option<T>,
        fetch: impl AsyncFnOnce() -> F,
        store: impl FnOnce(&mut S, F) -> T,
    ) -> T {
        let before = self.completed();
        if let Some(answer) = ready(&self.state(), FetchStage::First) {
            return answer;
        }
        let turn = if let Some(turn) = self.try_turn() {
            turn
        } else {
            if let Some(answer) = ready(&self.state(), FetchStage::WhileOthersFetch) {
                return answer;
            }
            self.turn().await
        };
        let completed_since = self.completed() != before;
        if let Some(answer) = ready(&self.state(), FetchStage::BeforeFetch { completed_since }) {
            return answer;
        }
        let fetched = fetch().await;
        turn.complete(|state| store(state, fetched))
    }

    /// Waits for the turn to fetch. [`completed`](Self::completed) before and after tells whether it is still needed.
    pub async fn turn(&self) -> FetchTurn<'_, S> {
        FetchTurn { flight: self, _gate: self.gate.lock().await }
    }

    /// Takes the turn to fetch, if no other task has it.
    pub fn try_turn(&self) -> Option<FetchTurn<'_, S>> {
        self.gate.try_lock().ok().map(|gate| FetchTurn { flight: self, _gate: gate })
    }
}

impl<S> FetchTurn<'_, S> {
    /// Changes the state by what was fetched, counts the fetch as completed, and lets the next task in.
    ///
    /// A turn that is dropped instead does not count.
    pub fn complete<T>(self, store: impl FnOnce(&mut S) -> T) -> T {
        let answer = store(&mut self.flight.state());
        self.flight.completed.fetch_add(1, Ordering::AcqRel);
        answer
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::AtomicUsize;

    use super::*;

    struct Bench {
        flight: SingleFlight<Option<usize>>,
        fetches: AtomicUsize,
        release: tokio::sync::Semaphore,
    }

    impl Bench {
        fn new() -> Arc<Self> {
            let release = tokio::sync::Semaphore::new(0);
            Arc::new(Self { flight: SingleFlight::default(), fetches: AtomicUsize::new(0), release })
        }

        async fn get(&self) -> usize {
            self.flight
                .run(
                    |state, _| *state,
                    async || {
                        let number = self.fetches.fetch_add(1, Ordering::SeqCst) + 1;
                        self.release.acquire().await.unwrap().forget();
                        number
                    },
                    |state, fetched| *state.insert(fetched),
                )
                .await
        }

        async fn is_fetching(&self, number: usize) {
            while self.fetches.load(Ordering::SeqCst) < number {
                tokio::task::yield_now().await;
            }
        }
    }

    #[tokio::test]
    async fn many_that_wait_share_one_fetch() {
        let bench = Bench::new();
        let tasks: Vec<_> = (0..50)
            .map(|_| {
                let bench = Arc::clone(&bench);
                tokio::spawn(async move { bench.get().await })
            })
            .collect();
        bench.is_fetching(1).await;
        bench.release.add_permits(50);
        let mut answers = Vec::new();
        for task in tasks {
            answers.push(task.await.unwrap());
        }
        assert_eq!(answers, [1; 50]);
        assert_eq!((bench.fetches.load(Ordering::SeqCst), bench.flight.completed()), (1, 1));
    }

    #[tokio::test]
    async fn a_cancelled_fetch_strands_no_task_that_waits() {
        let bench = Bench::new();
        let start = || {
            let bench = Arc::clone(&bench);
            tokio::spawn(async move { bench.get().await })
        };
        let leader = start();
        bench.is_fetching(1).await;
        let waiting = [start(), start(), start()];
        tokio::task::yield_now().await;
        leader.abort();
        assert!(leader.await.unwrap_err().is_cancelled());
        bench.is_fetching(2).await;
        bench.release.add_permits(1);
        for task in waiting {
            assert_eq!(task.await.unwrap(), 2);
        }
        assert_eq!((bench.fetches.load(Ordering::SeqCst), bench.flight.completed()), (2, 1));
    }

    #[tokio::test]
    async fn a_task_may_answer_while_others_fetch_and_learns_of_completed_fetches() {
        let flight = SingleFlight::new(0);
        let turn = flight.try_turn().unwrap();
        assert!(flight.try_turn().is_none());
        let stale = |state: &i32, stage| (stage == FetchStage::WhileOthersFetch).then_some(*state);
        assert_eq!(flight.run(stale, async || 9, |_, fetched| fetched).await, 0);
        let mut stages = Vec::new();
        let waiting = flight.run(
            |state, stage| {
                stages.push(stage);
                (stage == FetchStage::BeforeFetch { completed_since: true }).then_some(*state)
            },
            async || 9,
            |_, fetched| fetched,
        );
        let (answer, ()) = tokio::join!(waiting, async { turn.complete(|state| *state = 5) });
        assert_eq!(answer, 5);
        let expected = [
            FetchStage::First,
            FetchStage::WhileOthersFetch,
            FetchStage::BeforeFetch { completed_since: true },
        ];
        assert_eq!(stages, expected);
    }
}
