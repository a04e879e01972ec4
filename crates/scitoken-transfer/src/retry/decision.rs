//! Decides whether to try again, and when.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use crate::error::RetryAction;

/// How a transfer is retried.
///
/// ```
/// let mut retry = scitoken_transfer::RetryPolicy::default();
/// retry.retries = 3;
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RetryPolicy {
    /// How many attempts in a row may fail without progress; five by default. All mirrors of a file count together.
    pub retries: u32,
    /// How long after its start a transfer may still be retried; unlimited by default.
    pub max_elapsed: Option<Duration>,
    /// The longest first wait; one second by default. It doubles with each failure.
    pub first_delay: Duration,
    /// The longest wait; one minute by default. A server that asks for a longer one is given up.
    pub longest_delay: Duration,
    /// How long to wait for a fresh token after a refusal, for batch jobs whose token is about to be replaced; zero by
    /// default.
    pub token_wait: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            retries: 5,
            max_elapsed: None,
            first_delay: Duration::from_secs(1),
            longest_delay: Duration::from_secs(60),
            token_wait: Duration::ZERO,
        }
    }
}

/// The number of retries that all transfers of a run share. Clones share it as well.
///
/// ```
/// let budget = scitoken_transfer::RetryBudget::new(100);
/// assert_eq!(budget.clone().left(), 100);
/// ```
#[derive(Clone, Debug)]
pub struct RetryBudget(Arc<AtomicU32>);

impl RetryBudget {
    /// Creates a budget.
    pub fn new(retries: u32) -> Self {
        Self(Arc::new(AtomicU32::new(retries)))
    }

    /// Returns the number of retries left.
    pub fn left(&self) -> u32 {
        self.0.load(Ordering::Relaxed)
    }

    /// Takes one, if one is left.
    pub(crate) fn take(&self) -> bool {
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok()
    }
}

impl Default for RetryBudget {
    /// 10,000 retries.
    fn default() -> Self {
        Self::new(10_000)
    }
}

/// What is known when an attempt failed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RetryFacts {
    pub(crate) retry_action: RetryAction,
    /// Failures in a row without progress, this one included.
    pub(crate) failures: u32,
    /// Refusals of the token in a row, this one included.
    pub(crate) refusals: u32,
    /// How long ago the transfer began.
    pub(crate) elapsed: Duration,
    /// What the server asks for.
    pub(crate) retry_after: Option<Duration>,
    /// How long the token has been refused.
    pub(crate) refused_for: Duration,
    /// Whether the token worked before in this transfer, so that a refusal means that it expired.
    pub(crate) token_worked: bool,
    /// How many URLs the file has.
    pub(crate) sources: u32,
    /// How many of them have not refused for good.
    pub(crate) open_sources: u32,
    /// A number in `0.0..1.0`.
    pub(crate) chance: f64,
}

/// What to do after a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RetryDecision {
    Retry {
        after: Duration,
        /// Whether to switch to the file's next URL.
        next_source: bool,
    },
    GiveUp,
}

/// The shortest and longest time between two attempts while waiting for a fresh token.
const TOKEN_POLL: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

pub(crate) fn decide(policy: &RetryPolicy, facts: &RetryFacts) -> RetryDecision {
    let has_mirrors = facts.sources > 1 && facts.open_sources > 0;
    // Each mirror is asked once before a refusal of all of them is final.
    let untried_mirror = has_mirrors && facts.failures < facts.sources;
    // A mirror that failed for another reason may do better.
    let has_other = has_mirrors && facts.failures <= policy.retries;
    let retry = |after: Duration, next_source| {
        let in_time = policy.max_elapsed.is_none_or(|max| facts.elapsed.saturating_add(after) <= max);
        if in_time { RetryDecision::Retry { after, next_source } } else { RetryDecision::GiveUp }
    };
    match facts.retry_action {
        RetryAction::OtherSource if untried_mirror => retry(Duration::ZERO, true),
        RetryAction::OtherSource if has_other => retry(full_jitter(policy, facts), true),
        RetryAction::GiveUp | RetryAction::OtherSource => RetryDecision::GiveUp,
        RetryAction::OtherToken => {
            if facts.token_worked && facts.refusals == 1 {
                // The token expired during the transfer; the next request reads a fresh one.
                retry(Duration::ZERO, false)
            } else if facts.refused_for < policy.token_wait {
                let poll = (policy.token_wait / 10).clamp(TOKEN_POLL.0, TOKEN_POLL.1);
                retry(poll.min(policy.token_wait.saturating_sub(facts.refused_for)), false)
            } else if untried_mirror {
                retry(Duration::ZERO, true)
            } else if has_other {
                retry(full_jitter(policy, facts), true)
            } else {
                RetryDecision::GiveUp
            }
        }
        // No retry of a failure: the request asked for more than this server does, which may be two things.
        RetryAction::WithoutDigest | RetryAction::WithoutRanges if facts.failures <= 2 => {
            retry(Duration::ZERO, false)
        }
        // Nor is it one to fetch a file from its start whose rest belongs to other content, where no other server has it.
        RetryAction::Changed if facts.sources == 1 && facts.failures == 1 => retry(Duration::ZERO, false),
        // The server that answers is the one to fetch all of it from; the one before failed.
        RetryAction::WholeFile if facts.failures <= policy.retries.max(facts.sources) => {
            retry(full_jitter(policy, facts), false)
        }
        RetryAction::Retry
        | RetryAction::Reconnect
        | RetryAction::Restart
        | RetryAction::WholeFile
        | RetryAction::Changed
        | RetryAction::WithoutDigest
        | RetryAction::WithoutRanges => {
            if facts.failures > policy.retries && !untried_mirror {
                return RetryDecision::GiveUp;
            }
            if untried_mirror {
                return retry(Duration::ZERO, true);
            }
            let backoff = full_jitter(policy, facts);
            match facts.retry_after {
                Some(wait) if wait > policy.longest_delay => RetryDecision::GiveUp,
                // Jitter on top: all clients were told the same.
                Some(wait) => retry(wait.saturating_add(backoff.min(policy.first_delay)), has_mirrors),
                None => retry(backoff, has_mirrors),
            }
        }
    }
}

/// Returns a random delay up to a limit that doubles with each failure.
fn full_jitter(policy: &RetryPolicy, facts: &RetryFacts) -> Duration {
    let doubled = policy.first_delay.saturating_mul(1_u32 << facts.failures.saturating_sub(1).min(20));
    doubled.min(policy.longest_delay).mul_f64(facts.chance.clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(retry_action: RetryAction, failures: u32) -> RetryFacts {
        RetryFacts {
            retry_action,
            failures,
            refusals: failures,
            elapsed: Duration::ZERO,
            retry_after: None,
            refused_for: Duration::ZERO,
            token_worked: false,
            sources: 1,
            open_sources: u32::from(!matches!(
                retry_action,
                RetryAction::OtherSource | RetryAction::OtherToken
            )),
            chance: 0.5,
        }
    }

    fn wait(policy: &RetryPolicy, facts: RetryFacts) -> Option<u64> {
        match decide(policy, &facts) {
            RetryDecision::Retry { after, .. } => u64::try_from(after.as_millis()).ok(),
            RetryDecision::GiveUp => None,
        }
    }

    #[test]
    fn waits_double_up_to_the_longest_and_end_after_the_last_retry() {
        let policy = RetryPolicy { retries: 9, ..RetryPolicy::default() };
        let waits: Vec<_> = (1..=10).map(|n| wait(&policy, facts(RetryAction::Retry, n))).collect();
        let expected = [500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000].map(Some);
        assert_eq!(waits[..9], expected);
        assert_eq!(waits[9], None);
    }

    #[test]
    fn no_retries_means_one_attempt() {
        let policy = RetryPolicy { retries: 0, ..RetryPolicy::default() };
        assert_eq!(wait(&policy, facts(RetryAction::Retry, 1)), None);
    }

    #[test]
    fn the_server_s_own_wait_is_kept_and_an_endless_one_is_not_waited_for() {
        let policy = RetryPolicy::default();
        let asked = |seconds| RetryFacts {
            retry_after: Some(Duration::from_secs(seconds)),
            ..facts(RetryAction::Retry, 1)
        };
        assert_eq!(wait(&policy, asked(7)), Some(7_500));
        assert_eq!(wait(&policy, asked(61)), None);
    }

    #[test]
    fn what_ends_too_late_is_not_tried() {
        let policy = RetryPolicy { max_elapsed: Some(Duration::from_secs(10)), ..RetryPolicy::default() };
        let late = RetryFacts { elapsed: Duration::from_secs(9), ..facts(RetryAction::Retry, 1) };
        assert_eq!(wait(&policy, late), Some(500));
        let too_late = RetryFacts { failures: 4, ..late };
        assert_eq!(wait(&policy, too_late), None);
    }

    #[test]
    fn a_refused_token_is_tried_again_only_when_it_worked_before_or_a_new_one_is_due() {
        let policy = RetryPolicy::default();
        assert_eq!(wait(&policy, facts(RetryAction::OtherToken, 1)), None);
        let worked = RetryFacts { token_worked: true, ..facts(RetryAction::OtherToken, 1) };
        assert_eq!(wait(&policy, worked), Some(0));
        assert_eq!(wait(&policy, RetryFacts { refusals: 2, ..worked }), None);
        let patient = RetryPolicy { token_wait: Duration::from_secs(30), ..policy };
        assert_eq!(wait(&patient, facts(RetryAction::OtherToken, 1)), Some(3_000));
        let waiting = |seconds| RetryFacts {
            refused_for: Duration::from_secs(seconds),
            ..facts(RetryAction::OtherToken, 5)
        };
        assert_eq!(wait(&patient, waiting(29)), Some(1_000));
        assert_eq!(wait(&patient, waiting(30)), None);
    }

    #[test]
    fn mirrors_are_asked_at_once_and_each_of_them() {
        let policy = RetryPolicy { retries: 1, ..RetryPolicy::default() };
        let mirrored = |retry_action, failures: u32| RetryFacts {
            sources: 3,
            open_sources: 3_u32.saturating_sub(failures),
            ..facts(retry_action, failures)
        };
        let next = RetryDecision::Retry { after: Duration::ZERO, next_source: true };
        for retry_action in [RetryAction::OtherSource, RetryAction::OtherToken, RetryAction::Retry] {
            assert_eq!(decide(&policy, &mirrored(retry_action, 1)), next, "{retry_action:?}");
            assert_eq!(decide(&policy, &mirrored(retry_action, 2)), next, "{retry_action:?}");
            assert_eq!(
                decide(&policy, &mirrored(retry_action, 3)),
                RetryDecision::GiveUp,
                "{retry_action:?}"
            );
        }
    }

    #[test]
    fn a_mirror_that_only_timed_out_is_asked_again_after_the_others_refused() {
        let policy = RetryPolicy { retries: 3, ..RetryPolicy::default() };
        let refused = |failures, open_sources| RetryFacts {
            sources: 2,
            open_sources,
            ..facts(RetryAction::OtherSource, failures)
        };
        for (facts, expected) in [
            (refused(2, 1), Some(1_000)),
            (refused(3, 1), Some(2_000)),
            (refused(4, 1), None),
            (refused(2, 0), None),
        ] {
            assert_eq!(wait(&policy, facts), expected, "{facts:?}");
        }
    }

    #[test]
    fn a_budget_ends() {
        let budget = RetryBudget::new(2);
        let shared = budget.clone();
        assert_eq!([budget.take(), shared.take(), budget.take(), budget.take()], [true, true, false, false]);
        assert_eq!(budget.left(), 0);
    }
}
