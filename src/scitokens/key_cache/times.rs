//! When keys are fetched: the cache's rules, without a clock, a disk or a network.

use std::time::{Duration, SystemTime};

/// The longest that keys are used without being refreshed.
const LONGEST_REFRESH: Duration = Duration::from_secs(86_400);

/// The longest that keys are used at all.
const LONGEST_EXPIRY: Duration = Duration::from_secs(4 * 86_400);

/// How long keys are used and how often an issuer is asked.
///
/// The defaults are those of the WLCG profile where it has any: keys are refreshed every 6 hours and die after 2 days.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CacheTimes {
    pub(in crate::scitokens) refresh: Duration,
    pub(in crate::scitokens) expiry: Duration,
    pub(in crate::scitokens) retry: Duration,
    pub(in crate::scitokens) unknown_key: Duration,
}

impl Default for CacheTimes {
    fn default() -> Self {
        Self {
            refresh: Duration::from_secs(6 * 3_600),
            expiry: Duration::from_secs(2 * 86_400),
            retry: Duration::from_secs(60),
            unknown_key: Duration::from_secs(60),
        }
    }
}

impl CacheTimes {
    /// After what time keys are refreshed, while the old ones stay in use; between a minute and a day.
    pub fn refresh_after(mut self, refresh: Duration) -> Self {
        self.refresh = refresh.clamp(Duration::from_secs(60), LONGEST_REFRESH);
        self
    }

    /// After what time keys are no longer used when the issuer cannot be reached; an hour to four days.
    pub fn expire_after(mut self, expiry: Duration) -> Self {
        self.expiry = expiry.clamp(Duration::from_secs(3_600), LONGEST_EXPIRY);
        self
    }

    /// How long an issuer that failed is left alone; a second to ten minutes.
    pub fn retry_after(mut self, retry: Duration) -> Self {
        self.retry = retry.clamp(Duration::from_secs(1), Duration::from_secs(600));
        self
    }

    /// How often, at most, a token with an unknown `kid` makes us ask its issuer anew; a second to an hour.
    pub fn unknown_key_interval(mut self, interval: Duration) -> Self {
        self.unknown_key = interval.clamp(Duration::from_secs(1), Duration::from_secs(3_600));
        self
    }
}

/// What is known about an issuer's keys.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::scitokens) struct Known {
    /// When the keys at hand want refreshing and when they die; `None` without any.
    pub(in crate::scitokens) keys: Option<Ends>,
    /// When the issuer was last asked, by this process.
    pub(in crate::scitokens) asked: Option<SystemTime>,
    /// Whether that failed.
    pub(in crate::scitokens) failed: bool,
}

/// Whether the key that is wanted is among those at hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::scitokens) enum Wanted {
    Found,
    NotFound,
}

/// When keys want refreshing, and when they die.
pub(in crate::scitokens) type Ends = (SystemTime, SystemTime);

/// Whether keys with these times may be used at `now`: they live, and neither time is further off than any setting makes
/// it. One that is was written by another clock, set by hand or gone wrong, and would keep a withdrawn key alive for years.
pub(in crate::scitokens) fn is_live((next_update, expires): Ends, now: SystemTime) -> bool {
    let is_near =
        |time: SystemTime, limit| time.duration_since(now).map_or(true, |ahead: Duration| ahead <= limit);
    now < expires && is_near(expires, LONGEST_EXPIRY) && is_near(next_update, LONGEST_REFRESH)
}

/// What to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::scitokens) enum Step {
    /// Use what is at hand.
    Use,
    /// Use what is at hand, and fetch new keys beside it.
    UseAndRefresh,
    /// Fetch keys before anything else.
    Fetch,
    /// There are none, and the issuer has failed a moment ago.
    Fail,
}

/// Decides from what is known; both mistakes of scitokens-cpp end here: an issuer that is down makes no key void
/// before its time (16b), and a new `kid` is asked for at once, though not for each bad token (17).
pub(in crate::scitokens) fn decide(known: Known, wanted: Wanted, times: CacheTimes, now: SystemTime) -> Step {
    let asked_within = |limit: Duration| {
        // A clock that was set back must not silence us for years.
        known.asked.and_then(|asked| now.duration_since(asked).ok()).is_some_and(|since| since < limit)
    };
    let is_resting = known.failed && asked_within(times.retry);
    match known.keys {
        Some(ends) if is_live(ends, now) => match wanted {
            Wanted::Found if now < ends.0 || is_resting => Step::Use,
            Wanted::Found => Step::UseAndRefresh,
            Wanted::NotFound if is_resting || asked_within(times.unknown_key) => Step::Use,
            Wanted::NotFound => Step::Fetch,
        },
        _ if is_resting => Step::Fail,
        _ => Step::Fetch,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
    }

    fn step(keys: Option<(u64, u64)>, asked: Option<u64>, failed: bool, wanted: Wanted, now: u64) -> Step {
        let known = Known { keys: keys.map(|(r, e)| (at(r), at(e))), asked: asked.map(at), failed };
        decide(known, wanted, CacheTimes::default(), at(now))
    }

    const KEYS: Option<(u64, u64)> = Some((10_000, 50_000));

    #[test]
    fn fresh_keys_are_used_and_old_ones_refreshed_beside_the_work() {
        assert_eq!(step(KEYS, Some(5), false, Wanted::Found, 9_999), Step::Use);
        assert_eq!(step(KEYS, Some(5), false, Wanted::Found, 10_000), Step::UseAndRefresh);
        assert_eq!(step(KEYS, None, false, Wanted::Found, 49_999), Step::UseAndRefresh);
    }

    #[test]
    fn dead_keys_are_not_used() {
        assert_eq!(step(KEYS, Some(5), false, Wanted::Found, 50_000), Step::Fetch);
        assert_eq!(step(None, None, false, Wanted::NotFound, 5), Step::Fetch);
    }

    #[test]
    fn vector_41b_mistake_16b_a_dead_issuer_is_left_alone_while_its_keys_live() {
        assert_eq!(step(KEYS, Some(20_000), true, Wanted::Found, 20_059), Step::Use);
        assert_eq!(step(KEYS, Some(20_000), true, Wanted::Found, 20_060), Step::UseAndRefresh);
    }

    #[test]
    fn vector_41_mistake_16_a_failure_is_remembered_for_a_minute_and_no_longer() {
        assert_eq!(step(None, Some(100), true, Wanted::NotFound, 159), Step::Fail);
        assert_eq!(step(None, Some(100), true, Wanted::NotFound, 160), Step::Fetch);
    }

    #[test]
    fn vector_37_mistake_17_an_unknown_key_is_asked_for_at_a_bounded_rate() {
        assert_eq!(step(KEYS, None, false, Wanted::NotFound, 200), Step::Fetch);
        assert_eq!(step(KEYS, Some(100), false, Wanted::NotFound, 159), Step::Use);
        assert_eq!(step(KEYS, Some(100), false, Wanted::NotFound, 160), Step::Fetch);
        assert_eq!(step(KEYS, Some(100), true, Wanted::NotFound, 159), Step::Use);
    }

    #[test]
    fn a_clock_that_was_set_back_silences_nobody() {
        assert_eq!(step(None, Some(9_000), true, Wanted::NotFound, 100), Step::Fetch);
        assert_eq!(step(KEYS, Some(9_000), false, Wanted::NotFound, 100), Step::Fetch);
    }

    #[test]
    fn keys_of_another_clock_are_not_used() {
        let day = 86_400;
        assert!(is_live((at(100 + day), at(100 + 4 * day)), at(100)));
        assert!(!is_live((at(100), at(101 + 4 * day)), at(100)), "they would live for longer than any");
        assert!(
            !is_live((at(101 + day), at(100 + 2 * day)), at(100)),
            "they would not be refreshed for long"
        );
        assert_eq!(step(Some((9_000_000, 9_000_000)), None, false, Wanted::Found, 100), Step::Fetch);
    }

    #[test]
    fn settings_stay_within_bounds() {
        let times = CacheTimes::default()
            .refresh_after(Duration::ZERO)
            .expire_after(Duration::MAX)
            .retry_after(Duration::MAX)
            .unknown_key_interval(Duration::ZERO);
        assert_eq!(times.refresh, Duration::from_secs(60));
        assert_eq!(times.expiry, Duration::from_secs(4 * 86_400));
        assert_eq!(times.retry, Duration::from_secs(600));
        assert_eq!(times.unknown_key, Duration::from_secs(1));
    }
}
