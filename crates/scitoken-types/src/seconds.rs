//! Durations that clocks can hold.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// A duration of at most [`Seconds::MAX`], about 31 years: no clock overflows when it is added.
///
/// Every duration in an argument, a setting or an answer is read as one.
///
/// ```
/// use std::time::Duration;
/// use scitoken_types::Seconds;
///
/// assert_eq!("1.5".parse::<Seconds>()?.duration(), Duration::from_millis(1_500));
/// assert_eq!("10s".parse::<Seconds>()?, Seconds::try_from(10.0)?);
/// assert!("1e19".parse::<Seconds>().is_err());
/// # Ok::<(), scitoken_types::InvalidSeconds>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Seconds(Duration);

/// Why a text or a number is no duration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidSeconds {
    /// It is no number.
    #[error("not a number of seconds")]
    NotANumber,
    /// It is negative.
    #[error("not a duration: it is negative")]
    Negative,
    /// It is longer than [`Seconds::MAX`].
    #[error("too long: the limit is 1000000000 seconds")]
    TooLong,
}

impl Seconds {
    /// The longest one.
    pub const MAX: Self = Self(Duration::from_secs(1_000_000_000));

    /// Returns the duration.
    pub const fn duration(self) -> Duration {
        self.0
    }

    /// Returns the duration, or the longest one in place of one that is too long.
    pub fn saturating(seconds: f64) -> Result<Self, InvalidSeconds> {
        match Self::try_from(seconds) {
            Err(InvalidSeconds::TooLong) => Ok(Self::MAX),
            result => result,
        }
    }
}

impl TryFrom<f64> for Seconds {
    type Error = InvalidSeconds;

    fn try_from(seconds: f64) -> Result<Self, InvalidSeconds> {
        match Duration::try_from_secs_f64(seconds) {
            Ok(duration) if duration <= Self::MAX.0 => Ok(Self(duration)),
            Err(_) if seconds.is_nan() => Err(InvalidSeconds::NotANumber),
            Err(_) if seconds < 0.0 => Err(InvalidSeconds::Negative),
            _ => Err(InvalidSeconds::TooLong),
        }
    }
}

/// A number with or without a fraction; an `s` may follow.
impl FromStr for Seconds {
    type Err = InvalidSeconds;

    fn from_str(text: &str) -> Result<Self, InvalidSeconds> {
        let number = text.strip_suffix('s').unwrap_or(text);
        number.parse::<f64>().map_err(|_| InvalidSeconds::NotANumber)?.try_into()
    }
}

impl From<Seconds> for Duration {
    fn from(seconds: Seconds) -> Self {
        seconds.0
    }
}

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.as_secs_f64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_bounded() {
        assert_eq!("1.5".parse(), Ok(Seconds(Duration::from_millis(1500))));
        assert_eq!("10s".parse(), Ok(Seconds(Duration::from_secs(10))));
        assert_eq!("1e9".parse(), Ok(Seconds::MAX));
        for text in ["1e19", "1e300", "inf", "1000000001", "18446744073709551616", "infinity"] {
            assert_eq!(text.parse::<Seconds>(), Err(InvalidSeconds::TooLong), "{text}");
        }
        for text in ["NaN", "", "soon", "1 s", "0x10", "s"] {
            assert_eq!(text.parse::<Seconds>(), Err(InvalidSeconds::NotANumber), "{text}");
        }
        for text in ["-1", "-0.5", "-1e300", "-inf"] {
            assert_eq!(text.parse::<Seconds>(), Err(InvalidSeconds::Negative), "{text}");
        }
    }

    #[test]
    fn what_is_too_long_is_cut_where_that_is_asked_for() {
        assert_eq!(Seconds::saturating(1e300), Ok(Seconds::MAX));
        assert_eq!(Seconds::saturating(f64::INFINITY), Ok(Seconds::MAX));
        assert_eq!(Seconds::saturating(2.0), Seconds::try_from(2.0));
        assert!(Seconds::saturating(-1.0).is_err() && Seconds::saturating(f64::NAN).is_err());
    }

    #[test]
    fn every_clock_holds_it() {
        let longest = Seconds::MAX.duration();
        assert!(std::time::SystemTime::UNIX_EPOCH.checked_add(3 * longest).is_some());
        let written = Seconds::MAX.to_string();
        assert_eq!(written.parse(), Ok(Seconds::MAX), "{written}");
    }
}
