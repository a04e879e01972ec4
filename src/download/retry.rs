//! Whether to try again, and when: a pure decision.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use super::error::Remedy;

/// How a transfer is retried.
///
/// ```
/// let mut retry = reqwest_scitokens::download::RetryPolicy::default();
/// retry.retries = 3;
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RetryPolicy {
    /// How many times in a row a transfer may fail without a byte gained before it is given up: five. Each
    /// of a file's mirrors counts.
    pub retries: u32,
    /// How long after its start a transfer may still be tried again; by default, for ever.
    pub max_elapsed: Option<Duration>,
    /// The longest first wait, one second; each further one may be twice as long.
    pub first_delay: Duration,
    /// The longest wait: one minute. A server that asks for a longer one is given up.
    pub longest_delay: Duration,
    /// How long a token that was refused is waited out, by default not at all; for batch jobs whose token is about to be replaced.
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

/// How many retries all files of a run may use together. Clones share it.
#[derive(Clone, Debug)]
pub struct RetryBudget(Arc<AtomicU32>);

impl RetryBudget {
    /// A budget of so many retries.
    pub fn new(retries: u32) -> Self {
        Self(Arc::new(AtomicU32::new(retries)))
    }

    /// How many are left.
    pub fn left(&self) -> u32 {
        self.0.load(Ordering::Relaxed)
    }

    /// Takes one, if one is left.
    pub(super) fn take(&self) -> bool {
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok()
    }
}

impl Default for RetryBudget {
    /// More than any healthy run needs, and an end to a run that is not.
    fn default() -> Self {
        Self::new(10_000)
    }
}

/// What is known when an attempt has failed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Facts {
    pub(super) remedy: Remedy,
    /// Failures in a row without a byte gained, this one included.
    pub(super) failures: u32,
    /// Refusals of the token in a row, this one included.
    pub(super) refusals: u32,
    /// How long ago the transfer began.
    pub(super) elapsed: Duration,
    /// What the server asks for.
    pub(super) retry_after: Option<Duration>,
    /// How long the token has been refused.
    pub(super) refused_for: Duration,
    /// Whether the token worked before in this transfer, so that a refusal means that it ended.
    pub(super) token_worked: bool,
    /// How many addresses the file has.
    pub(super) sources: u32,
    /// A number in `0.0..1.0`.
    pub(super) chance: f64,
}

/// What to do after a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Decision {
    Retry {
        after: Duration,
        /// Go to the file's next address.
        next_source: bool,
    },
    GiveUp,
}

/// How often the token's file is looked at while a refused token is waited out: at least, at most.
const TOKEN_POLL: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

pub(super) fn decide(policy: &RetryPolicy, facts: &Facts) -> Decision {
    let has_mirrors = facts.sources > 1;
    // Each mirror is asked once before a refusal of all of them is final.
    let untried_mirror = has_mirrors && facts.failures < facts.sources;
    let retry = |after: Duration, next_source| {
        let in_time = policy.max_elapsed.is_none_or(|max| facts.elapsed.saturating_add(after) <= max);
        if in_time { Decision::Retry { after, next_source } } else { Decision::GiveUp }
    };
    match facts.remedy {
        Remedy::OtherSource if untried_mirror => retry(Duration::ZERO, true),
        Remedy::Nothing | Remedy::OtherSource => Decision::GiveUp,
        Remedy::OtherToken => {
            if facts.token_worked && facts.refusals == 1 {
                // The token ended on the way; a fresh one is read with the next request.
                retry(Duration::ZERO, false)
            } else if facts.refused_for < policy.token_wait {
                let poll = (policy.token_wait / 10).clamp(TOKEN_POLL.0, TOKEN_POLL.1);
                retry(poll.min(policy.token_wait.saturating_sub(facts.refused_for)), false)
            } else if untried_mirror {
                retry(Duration::ZERO, true)
            } else {
                Decision::GiveUp
            }
        }
        Remedy::WithoutDigest | Remedy::WithoutRanges if facts.failures == 1 => retry(Duration::ZERO, false),
        Remedy::Again | Remedy::FromStart | Remedy::WithoutDigest | Remedy::WithoutRanges => {
            if facts.failures > policy.retries && !untried_mirror {
                return Decision::GiveUp;
            }
            if untried_mirror {
                return retry(Duration::ZERO, true);
            }
            let backoff = full_jitter(policy, facts);
            match facts.retry_after {
                Some(wait) if wait > policy.longest_delay => Decision::GiveUp,
                // Jitter on top: everybody else was told the same.
                Some(wait) => retry(wait.saturating_add(backoff.min(policy.first_delay)), has_mirrors),
                None => retry(backoff, has_mirrors),
            }
        }
    }
}

/// Anything from nothing to the delay that doubles with each failure.
fn full_jitter(policy: &RetryPolicy, facts: &Facts) -> Duration {
    let doubled = policy.first_delay.saturating_mul(1_u32 << facts.failures.saturating_sub(1).min(20));
    doubled.min(policy.longest_delay).mul_f64(facts.chance.clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(remedy: Remedy, failures: u32) -> Facts {
        Facts {
            remedy,
            failures,
            refusals: failures,
            elapsed: Duration::ZERO,
            retry_after: None,
            refused_for: Duration::ZERO,
            token_worked: false,
            sources: 1,
            chance: 0.5,
        }
    }

    fn wait(policy: &RetryPolicy, facts: Facts) -> Option<u64> {
        match decide(policy, &facts) {
            Decision::Retry { after, .. } => u64::try_from(after.as_millis()).ok(),
            Decision::GiveUp => None,
        }
    }

    #[test]
    fn waits_double_up_to_the_longest_and_end_after_the_last_retry() {
        let policy = RetryPolicy { retries: 9, ..RetryPolicy::default() };
        let waits: Vec<_> = (1..=10).map(|n| wait(&policy, facts(Remedy::Again, n))).collect();
        let expected = [500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000].map(Some);
        assert_eq!(waits[..9], expected);
        assert_eq!(waits[9], None);
    }

    #[test]
    fn no_retries_means_one_attempt() {
        let policy = RetryPolicy { retries: 0, ..RetryPolicy::default() };
        assert_eq!(wait(&policy, facts(Remedy::Again, 1)), None);
    }

    #[test]
    fn the_server_s_own_wait_is_kept_and_an_endless_one_is_not_waited_for() {
        let policy = RetryPolicy::default();
        let asked =
            |seconds| Facts { retry_after: Some(Duration::from_secs(seconds)), ..facts(Remedy::Again, 1) };
        assert_eq!(wait(&policy, asked(7)), Some(7_500));
        assert_eq!(wait(&policy, asked(61)), None);
    }

    #[test]
    fn what_ends_too_late_is_not_tried() {
        let policy = RetryPolicy { max_elapsed: Some(Duration::from_secs(10)), ..RetryPolicy::default() };
        let late = Facts { elapsed: Duration::from_secs(9), ..facts(Remedy::Again, 1) };
        assert_eq!(wait(&policy, late), Some(500));
        let too_late = Facts { failures: 4, ..late };
        assert_eq!(wait(&policy, too_late), None);
    }

    #[test]
    fn a_refused_token_is_tried_again_only_when_it_worked_before_or_a_new_one_is_due() {
        let policy = RetryPolicy::default();
        assert_eq!(wait(&policy, facts(Remedy::OtherToken, 1)), None);
        let worked = Facts { token_worked: true, ..facts(Remedy::OtherToken, 1) };
        assert_eq!(wait(&policy, worked), Some(0));
        assert_eq!(wait(&policy, Facts { refusals: 2, ..worked }), None);
        let patient = RetryPolicy { token_wait: Duration::from_secs(30), ..policy };
        assert_eq!(wait(&patient, facts(Remedy::OtherToken, 1)), Some(3_000));
        let waiting =
            |seconds| Facts { refused_for: Duration::from_secs(seconds), ..facts(Remedy::OtherToken, 5) };
        assert_eq!(wait(&patient, waiting(29)), Some(1_000));
        assert_eq!(wait(&patient, waiting(30)), None);
    }

    #[test]
    fn mirrors_are_asked_at_once_and_each_of_them() {
        let policy = RetryPolicy { retries: 1, ..RetryPolicy::default() };
        let mirrored = |remedy, failures| Facts { sources: 3, ..facts(remedy, failures) };
        let next = Decision::Retry { after: Duration::ZERO, next_source: true };
        for remedy in [Remedy::OtherSource, Remedy::OtherToken, Remedy::Again] {
            assert_eq!(decide(&policy, &mirrored(remedy, 1)), next, "{remedy:?}");
            assert_eq!(decide(&policy, &mirrored(remedy, 2)), next, "{remedy:?}");
            assert_eq!(decide(&policy, &mirrored(remedy, 3)), Decision::GiveUp, "{remedy:?}");
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
