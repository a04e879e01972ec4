//! The header `Retry-After`.

use std::time::{Duration, SystemTime};

use http::HeaderMap;
use http::header::RETRY_AFTER;

/// When a server accepts the request again (RFC 9110 section 10.2.3).
///
/// ```
/// use std::time::{Duration, SystemTime};
///
/// use scitoken_types::RetryAfter;
///
/// let retry_after = RetryAfter::parse("120").expect("a number of seconds");
/// assert_eq!(retry_after.delay(SystemTime::UNIX_EPOCH), Duration::from_secs(120));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetryAfter {
    /// After this time.
    Delay(Duration),
    /// At this date, by the server's clock.
    Date(SystemTime),
}

impl RetryAfter {
    /// Reads the header of a response; `None` where it is missing or has neither form.
    pub fn from_headers(headers: &HeaderMap) -> Option<Self> {
        Self::parse(headers.get(RETRY_AFTER)?.to_str().ok()?)
    }

    /// Reads the value of the header: a number of seconds, or a date in one of the forms of HTTP.
    ///
    /// A number that is too large for 64 bits is the longest delay.
    pub fn parse(value: &str) -> Option<Self> {
        let value = value.trim();
        if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
            return Some(Self::Delay(Duration::from_secs(value.parse().unwrap_or(u64::MAX))));
        }
        httpdate::parse_http_date(value).ok().map(Self::Date)
    }

    /// Returns how long to wait as of `now`; a date in the past means no wait.
    pub fn delay(self, now: SystemTime) -> Duration {
        match self {
            Self::Delay(delay) => delay,
            Self::Date(date) => date.duration_since(now).unwrap_or_default(),
        }
    }

    /// Returns the time of the next attempt for a response received at `now`; `None` beyond the range of
    /// [`SystemTime`].
    pub fn time(self, now: SystemTime) -> Option<SystemTime> {
        match self {
            Self::Delay(delay) => now.checked_add(delay),
            Self::Date(date) => Some(date),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_and_dates_are_read() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_614_986_130);
        let delay = |value| RetryAfter::parse(value).map(|retry_after| retry_after.delay(now));
        assert_eq!(delay(" 7 "), Some(Duration::from_secs(7)));
        assert_eq!(delay("Fri, 05 Mar 2021 23:15:40 GMT"), Some(Duration::from_secs(10)));
        assert_eq!(delay("Fri, 05 Mar 2021 23:15:00 GMT"), Some(Duration::ZERO));
        for value in ["", "soon", "-1", "1.5", "+3"] {
            assert_eq!(delay(value), None, "{value:?}");
        }
    }

    #[test]
    fn a_delay_without_end_has_no_time() {
        let forever = RetryAfter::parse("99999999999999999999").unwrap();
        assert_eq!(forever, RetryAfter::Delay(Duration::from_secs(u64::MAX)));
        assert_eq!(forever.time(SystemTime::UNIX_EPOCH), None);
    }
}
