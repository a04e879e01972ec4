//! When keys are fetched: the rules of the cache, without clock, disk or network.

use std::time::{Duration, SystemTime};

/// The longest time between two refreshes.
const LONGEST_REFRESH: Duration = Duration::from_secs(86_400);

/// The longest time that keys are used.
const LONGEST_EXPIRY: Duration = Duration::from_secs(4 * 86_400);

/// How long keys are used and how often an issuer is asked.
///
/// The defaults follow the WLCG profile where it has any: keys are refreshed every 6 hours and expire after 2 days.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CacheTimes {
    pub(crate) refresh: Duration,
    pub(crate) expiry: Duration,
    pub(crate) retry: Duration,
    pub(crate) unknown_key: Duration,
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
    /// Sets the age at which keys are refreshed while the old ones stay in use; one minute to one day.
    pub fn refresh_after(mut self, refresh: Duration) -> Self {
        self.refresh = refresh.clamp(Duration::from_secs(60), LONGEST_REFRESH);
        self
    }

    /// Sets the age at which keys expire when the issuer cannot be reached; one hour to four days.
    pub fn expire_after(mut self, expiry: Duration) -> Self {
        self.expiry = expiry.clamp(Duration::from_secs(3_600), LONGEST_EXPIRY);
        self
    }

    /// Sets the pause after a failed fetch; one second to ten minutes.
    pub fn retry_after(mut self, retry: Duration) -> Self {
        self.retry = retry.clamp(Duration::from_secs(1), Duration::from_secs(600));
        self
    }

    /// Sets the shortest time between two fetches for tokens with an unknown `kid`; one second to one hour.
    pub fn unknown_key_interval(mut self, interval: Duration) -> Self {
        self.unknown_key = interval.clamp(Duration::from_secs(1), Duration::from_secs(3_600));
        self
    }
}

/// What is known about the keys of an issuer.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct KeyFacts {
    /// When the cached keys are due for a refresh and when they expire; `None` without keys.
    pub(crate) keys: Option<KeyTimes>,
    /// When this process last asked the issuer.
    pub(crate) asked: Option<SystemTime>,
    /// Whether that request failed.
    pub(crate) failed: bool,
}

/// Whether the cached keys include the one that the token needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeyMatch {
    Found,
    NotFound,
}

/// When keys are due for a refresh, and when they expire.
pub(crate) type KeyTimes = (SystemTime, SystemTime);

/// Returns whether keys with these times may be used at `now`: they have not expired, and neither time is further ahead
/// than any setting makes it. Otherwise a record of a wrong clock would keep a withdrawn key valid for years.
pub(crate) fn is_live((next_update, expires): KeyTimes, now: SystemTime) -> bool {
    let is_near =
        |time: SystemTime, limit| time.duration_since(now).map_or(true, |ahead: Duration| ahead <= limit);
    now < expires && is_near(expires, LONGEST_EXPIRY) && is_near(next_update, LONGEST_REFRESH)
}

/// What to do for a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeyAction {
    /// Use the cached keys.
    Use,
    /// Use the cached keys and fetch new ones in the background.
    UseAndRefresh,
    /// Fetch keys first.
    Fetch,
    /// Fail: there are no keys, and the issuer failed a moment ago.
    Fail,
}

/// Decides from the facts. A failed fetch never invalidates keys that have not expired, and a new `kid` is fetched at
/// once, but not for every forged token; scitokens-cpp gets both wrong.
pub(crate) fn decide(known: KeyFacts, wanted: KeyMatch, times: CacheTimes, now: SystemTime) -> KeyAction {
    let asked_within = |limit: Duration| {
        // A clock that was set back must not block fetches for years.
        known.asked.and_then(|asked| now.duration_since(asked).ok()).is_some_and(|since| since < limit)
    };
    let is_resting = known.failed && asked_within(times.retry);
    match known.keys {
        Some(ends) if is_live(ends, now) => match wanted {
            KeyMatch::Found if now < ends.0 || is_resting => KeyAction::Use,
            KeyMatch::Found => KeyAction::UseAndRefresh,
            KeyMatch::NotFound if is_resting || asked_within(times.unknown_key) => KeyAction::Use,
            KeyMatch::NotFound => KeyAction::Fetch,
        },
        _ if is_resting => KeyAction::Fail,
        _ => KeyAction::Fetch,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
    }

    fn step(
        keys: Option<(u64, u64)>,
        asked: Option<u64>,
        failed: bool,
        wanted: KeyMatch,
        now: u64,
    ) -> KeyAction {
        let known = KeyFacts { keys: keys.map(|(r, e)| (at(r), at(e))), asked: asked.map(at), failed };
        decide(known, wanted, CacheTimes::default(), at(now))
    }

    const KEYS: Option<(u64, u64)> = Some((10_000, 50_000));

    #[test]
    fn fresh_keys_are_used_and_old_ones_refreshed_beside_the_work() {
        assert_eq!(step(KEYS, Some(5), false, KeyMatch::Found, 9_999), KeyAction::Use);
        assert_eq!(step(KEYS, Some(5), false, KeyMatch::Found, 10_000), KeyAction::UseAndRefresh);
        assert_eq!(step(KEYS, None, false, KeyMatch::Found, 49_999), KeyAction::UseAndRefresh);
    }

    #[test]
    fn dead_keys_are_not_used() {
        assert_eq!(step(KEYS, Some(5), false, KeyMatch::Found, 50_000), KeyAction::Fetch);
        assert_eq!(step(None, None, false, KeyMatch::NotFound, 5), KeyAction::Fetch);
    }

    #[test]
    fn a_dead_issuer_is_left_alone_while_its_keys_live() {
        assert_eq!(step(KEYS, Some(20_000), true, KeyMatch::Found, 20_059), KeyAction::Use);
        assert_eq!(step(KEYS, Some(20_000), true, KeyMatch::Found, 20_060), KeyAction::UseAndRefresh);
    }

    #[test]
    fn a_failure_is_remembered_for_a_minute_and_no_longer() {
        assert_eq!(step(None, Some(100), true, KeyMatch::NotFound, 159), KeyAction::Fail);
        assert_eq!(step(None, Some(100), true, KeyMatch::NotFound, 160), KeyAction::Fetch);
    }

    #[test]
    fn an_unknown_key_is_asked_for_at_a_bounded_rate() {
        assert_eq!(step(KEYS, None, false, KeyMatch::NotFound, 200), KeyAction::Fetch);
        assert_eq!(step(KEYS, Some(100), false, KeyMatch::NotFound, 159), KeyAction::Use);
        assert_eq!(step(KEYS, Some(100), false, KeyMatch::NotFound, 160), KeyAction::Fetch);
        assert_eq!(step(KEYS, Some(100), true, KeyMatch::NotFound, 159), KeyAction::Use);
    }

    #[test]
    fn a_clock_that_was_set_back_blocks_no_fetch() {
        assert_eq!(step(None, Some(9_000), true, KeyMatch::NotFound, 100), KeyAction::Fetch);
        assert_eq!(step(KEYS, Some(9_000), false, KeyMatch::NotFound, 100), KeyAction::Fetch);
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
        assert_eq!(step(Some((9_000_000, 9_000_000)), None, false, KeyMatch::Found, 100), KeyAction::Fetch);
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
