//! Times in arguments and reports.

use std::time::{Duration, SystemTime};

/// Parses seconds since 1970, or a time like 2033-05-18T03:33:20Z.
pub(crate) fn parse(text: &str) -> Result<SystemTime, String> {
    let unreadable = || "write seconds since 1970, or a time like 2033-05-18T03:33:20Z".to_owned();
    let since_epoch = if let Ok(seconds) = text.parse() {
        Duration::from_secs(seconds)
    } else {
        let time: jiff::Timestamp = text.parse().map_err(|_| unreadable())?;
        Duration::try_from(time.as_duration()).map_err(|_| unreadable())?
    };
    SystemTime::UNIX_EPOCH.checked_add(since_epoch).ok_or_else(unreadable)
}

/// Formats a time in UTC, to the second.
pub(crate) fn show(time: SystemTime) -> String {
    match jiff::Timestamp::try_from(time).map(|time| time.round(jiff::Unit::Second)) {
        Ok(Ok(time)) => time.to_string(),
        _ => "(out of range)".to_owned(),
    }
}

/// Formats the distance to a time: `in 2 h 5 min`, `3 d ago`.
pub(crate) fn relative(time: SystemTime, now: SystemTime) -> String {
    match time.duration_since(now) {
        Ok(ahead) => format!("in {}", span(ahead)),
        Err(error) => format!("{} ago", span(error.duration())),
    }
}

/// Formats a duration in its two largest units.
pub(crate) fn span(duration: Duration) -> String {
    const UNITS: [(u64, &str); 4] = [(86_400, "d"), (3_600, "h"), (60, "min"), (1, "s")];
    let mut rest = duration.as_secs();
    let mut words = Vec::new();
    for (size, unit) in UNITS {
        if rest >= size && words.len() < 2 {
            words.push(format!("{} {unit}", rest / size));
            rest %= size;
        }
    }
    if words.is_empty() { "0 s".to_owned() } else { words.join(" ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
    }

    #[test]
    fn times_are_seconds_or_dates() {
        assert_eq!(parse("2000000000"), Ok(at(2_000_000_000)));
        assert_eq!(parse("2033-05-18T03:33:20Z"), Ok(at(2_000_000_000)));
        assert_eq!(parse("2033-05-18T05:33:20+02:00"), Ok(at(2_000_000_000)));
        for text in ["", "soon", "-5", "1e9", "1960-01-01T00:00:00Z"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn times_are_shown_in_utc_and_relative_to_now() {
        assert_eq!(show(at(2_000_000_000)), "2033-05-18T03:33:20Z");
        assert_eq!(relative(at(100), at(40)), "in 1 min");
        assert_eq!(relative(at(0), at(90_061)), "1 d 1 h ago");
        assert_eq!(span(Duration::ZERO), "0 s");
        assert_eq!(span(Duration::from_secs(3_601)), "1 h 1 s");
    }
}
