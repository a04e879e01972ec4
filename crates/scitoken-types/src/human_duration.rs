//! Durations as people write them.

use std::fmt;
use std::time::Duration;

/// A duration in the unit that fits: `47 s`, `12 min`, `3 h`, `9 days`; with `{:#}` in two units: `12 min 5 s`.
///
/// ```
/// use std::time::Duration;
/// use scitoken_types::HumanDuration;
///
/// let left = HumanDuration::new(Duration::from_secs(7_500));
/// assert_eq!(format!("{left} left, to be exact {left:#}"), "2 h left, to be exact 2 h 5 min");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct HumanDuration(Duration);

impl HumanDuration {
    /// Wraps a duration for display. Parts of a second are left out.
    pub fn new(duration: Duration) -> Self {
        Self(duration)
    }

    /// Wraps a duration for display, rounded up to whole seconds: what is wrong by less than one is not shown as zero.
    pub fn rounded_up(duration: Duration) -> Self {
        let more = u64::from(duration.subsec_nanos() > 0);
        Self::from_secs(duration.as_secs().saturating_add(more))
    }

    /// Wraps a number of seconds for display.
    pub fn from_secs(seconds: u64) -> Self {
        Self(Duration::from_secs(seconds))
    }
}

impl From<Duration> for HumanDuration {
    fn from(duration: Duration) -> Self {
        Self(duration)
    }
}

impl fmt::Display for HumanDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const UNITS: [(u64, &str); 4] = [(86_400, "days"), (3_600, "h"), (60, "min"), (1, "s")];
        let seconds = self.0.as_secs();
        if f.alternate() {
            let first = UNITS.iter().position(|(unit, _)| seconds >= *unit).unwrap_or(UNITS.len() - 1);
            let (unit, name) = UNITS[first];
            let count = seconds / unit;
            write!(f, "{count} {}", if (count, name) == (1, "days") { "day" } else { name })?;
            return match UNITS.get(first + 1) {
                Some((next, name)) if seconds % unit >= *next => {
                    write!(f, " {} {name}", seconds % unit / next)
                }
                _ => Ok(()),
            };
        }
        // Below two of the larger unit the smaller one says more.
        let (unit, name) = UNITS.into_iter().find(|(unit, _)| seconds >= 2 * unit).unwrap_or((1, "s"));
        write!(f, "{} {name}", seconds / unit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn less_than_a_second_can_be_shown_as_one() {
        for (millis, shown) in [(0, "0 s"), (1, "1 s"), (1_000, "1 s"), (1_400, "2 s")] {
            assert_eq!(HumanDuration::rounded_up(Duration::from_millis(millis)).to_string(), shown);
        }
    }

    #[test]
    fn a_duration_is_shown_in_the_unit_that_fits() {
        for (seconds, one, two) in [
            (0, "0 s", "0 s"),
            (1, "1 s", "1 s"),
            (60, "60 s", "1 min"),
            (119, "119 s", "1 min 59 s"),
            (120, "2 min", "2 min"),
            (3_600, "60 min", "1 h"),
            (7_199, "119 min", "1 h 59 min"),
            (7_200, "2 h", "2 h"),
            (86_400, "24 h", "1 day"),
            (93_600, "26 h", "1 day 2 h"),
            (172_800, "2 days", "2 days"),
            (u64::MAX, "213503982334601 days", "213503982334601 days 7 h"),
        ] {
            let duration = HumanDuration::from_secs(seconds);
            assert_eq!((format!("{duration}"), format!("{duration:#}")), (one.to_owned(), two.to_owned()));
        }
    }
}
