//! Points in time: read as Pydantic reads them, written as seconds since the epoch or as ISO 8601.

use std::time::{Duration, SystemTime};

use jiff::{SignedDuration, civil};
use serde::{Serialize, Serializer};
use serde_json::Value;

use super::reader::Problem;

/// Pydantic takes larger numbers as milliseconds.
const MOST_SECONDS: i64 = 20_000_000_000;
const FIRST_SECOND: i64 = -62_135_596_800; // 0001-01-01T00:00:00Z
const LAST_SECOND: i64 = 253_402_300_799; // 9999-12-31T23:59:59Z
const START_OF_YEAR_0: i64 = -62_167_219_200;
const EPOCH: civil::DateTime = civil::datetime(1970, 1, 1, 0, 0, 0, 0);

/// A point in time in the years 1 to 9999, to the microsecond, as a Python `datetime` in UTC.
///
/// Microseconds since the epoch: jiff's own timestamp ends some hours before the year 9999 does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Moment(i64);

impl Moment {
    const FIRST: Self = Self(FIRST_SECOND * 1_000_000);
    const LAST: Self = Self(LAST_SECOND * 1_000_000 + 999_999);

    /// Takes a time; one outside the years 1 to 9999 becomes the nearest that is inside.
    pub(super) fn from_system(time: SystemTime) -> Self {
        let micros = |distance: Duration| i64::try_from(distance.as_micros()).unwrap_or(i64::MAX);
        let since_epoch = match time.duration_since(SystemTime::UNIX_EPOCH) {
            Ok(after) => micros(after),
            Err(before) => -micros(before.duration()),
        };
        Self(since_epoch).clamp(Self::FIRST, Self::LAST)
    }

    /// The same without the fraction of a second.
    pub(super) fn whole_seconds(self) -> Self {
        Self(self.0.div_euclid(1_000_000) * 1_000_000)
    }

    pub(super) fn to_system(self) -> SystemTime {
        let distance = Duration::from_micros(self.0.unsigned_abs());
        let time = if self.0 < 0 {
            SystemTime::UNIX_EPOCH.checked_sub(distance)
        } else {
            SystemTime::UNIX_EPOCH.checked_add(distance)
        };
        // Windows has no time before 1601, and no token is as old as that.
        time.unwrap_or(SystemTime::UNIX_EPOCH)
    }

    /// Seconds since the epoch, the fraction cut off towards it, as `int(time.timestamp())` does in Python.
    ///
    /// That goes through a float, which rounds the last microsecond of the year 9999 up.
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        reason = "it is what Python does"
    )]
    pub(super) fn epoch_seconds(self) -> i64 {
        (self.0 as f64 / 1e6) as i64
    }

    /// ISO 8601 in UTC: `2021-03-29T02:48:50Z`, with six digits of a fraction where there is one.
    pub(super) fn to_iso(self) -> String {
        let utc = EPOCH
            .checked_add(SignedDuration::from_micros(self.0))
            .expect("the years 1 to 9999 are within those of a civil time");
        if self == self.whole_seconds() { format!("{utc:.0}Z") } else { format!("{utc:.6}Z") }
    }

    /// Reads a number, a numeric text or ISO 8601 with or without an offset; none means UTC.
    pub(super) fn read(value: &Value) -> Result<Self, Problem> {
        match value {
            Value::Number(number) => {
                let moment = match (number.as_i64(), number.as_f64()) {
                    (Some(seconds), _) => from_integer(seconds),
                    (None, Some(seconds)) => from_float(seconds),
                    (None, None) => return Err(wrong_type()),
                };
                moment.map_err(|why| parsing(why.as_str()))
            }
            Value::String(text) => read_text(text),
            _ => Err(wrong_type()),
        }
    }
}

impl From<SystemTime> for Moment {
    fn from(time: SystemTime) -> Self {
        Self::from_system(time)
    }
}

/// Seconds since the epoch: how tokens are written.
impl Serialize for Moment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_i64(self.epoch_seconds())
    }
}

/// ISO 8601: how requests are written, for `#[serde(serialize_with)]`.
#[expect(clippy::ref_option, reason = "serde hands the field over so")]
pub(super) fn iso_or_null<S: Serializer>(moment: &Option<Moment>, serializer: S) -> Result<S::Ok, S::Error> {
    match moment {
        Some(moment) => serializer.serialize_str(&moment.to_iso()),
        None => serializer.serialize_none(),
    }
}

/// Why a time is none that Python has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum OutOfRange {
    TooLate,
    TooEarly,
    YearZero,
}

impl OutOfRange {
    fn as_str(self) -> &'static str {
        match self {
            Self::TooLate => "dates after 9999 are not supported as unix timestamps",
            Self::TooEarly => "dates before 0000 are not supported as unix timestamps",
            Self::YearZero => "year 0 is out of range",
        }
    }
}

fn wrong_type() -> Problem {
    Problem::new("datetime_type", "Input should be a valid datetime")
}

fn parsing(why: &str) -> Problem {
    Problem::new("datetime_parsing", format!("Input should be a valid datetime, {why}"))
}

fn date_parsing(why: &str) -> Problem {
    Problem::new("datetime_from_date_parsing", format!("Input should be a valid datetime or date, {why}"))
}

fn from_integer(number: i64) -> Result<Moment, OutOfRange> {
    if number.unsigned_abs() > MOST_SECONDS.unsigned_abs() {
        from_parts(number.div_euclid(1_000), number.rem_euclid(1_000) * 1_000)
    } else {
        from_parts(number, 0)
    }
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    reason = "the bounds are exact, and casts of floats saturate, which is out of range as it should be"
)]
fn from_float(number: f64) -> Result<Moment, OutOfRange> {
    let number = if number.abs() > MOST_SECONDS as f64 { number / 1_000.0 } else { number };
    let seconds = number.floor();
    from_parts(seconds as i64, ((number - seconds) * 1e6).round() as i64)
}

/// `micros` is at most a whole second.
fn from_parts(seconds: i64, micros: i64) -> Result<Moment, OutOfRange> {
    if seconds > LAST_SECOND {
        return Err(OutOfRange::TooLate);
    }
    if seconds < START_OF_YEAR_0 {
        return Err(OutOfRange::TooEarly);
    }
    let moment = Moment(seconds * 1_000_000 + micros);
    if moment < Moment::FIRST {
        Err(OutOfRange::YearZero)
    } else if moment > Moment::LAST {
        Err(OutOfRange::TooLate)
    } else {
        Ok(moment)
    }
}

/// ISO 8601 is tried first, then a number; what is neither is told as a date that went wrong.
fn read_text(text: &str) -> Result<Moment, Problem> {
    let date = match read_date(text.as_bytes()) {
        Ok((date, [])) => Ok((date, Clock::default())),
        Ok((date, rest)) => read_clock(rest)
            .map(|clock| (date, clock))
            .ok_or("unexpected extra characters at the end of the input"),
        Err(why) => Err(why),
    };
    match date {
        Ok((date, clock)) => combine(date, clock),
        Err(why) => match read_number(text) {
            Some(Number::Whole(seconds)) => from_integer(seconds).map_err(|out| match out {
                OutOfRange::YearZero => parsing(out.as_str()),
                _ => date_parsing(out.as_str()),
            }),
            Some(Number::Fraction(seconds)) => from_float(seconds).map_err(|out| match out {
                OutOfRange::YearZero => parsing(out.as_str()),
                _ => date_parsing(why),
            }),
            None => Err(date_parsing(why)),
        },
    }
}

fn combine(date: civil::Date, clock: Clock) -> Result<Moment, Problem> {
    if date.year() == 0 {
        return Err(parsing(OutOfRange::YearZero.as_str()));
    }
    let local = date.to_datetime(clock.time).duration_since(EPOCH);
    let utc = local - SignedDuration::from_secs(clock.offset);
    i64::try_from(utc.as_micros())
        .map(Moment)
        .ok()
        .filter(|moment| (Moment::FIRST..=Moment::LAST).contains(moment))
        .ok_or_else(|| parsing("date value out of range"))
}

enum Number {
    Whole(i64),
    Fraction(f64),
}

/// A sign and digits; or a float that has its point before anything but digits.
fn read_number(text: &str) -> Option<Number> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    match unsigned.bytes().position(|b| !b.is_ascii_digit()) {
        None => text.parse().ok().map(Number::Whole),
        Some(n) if unsigned.as_bytes()[n] == b'.' => text.parse().ok().map(Number::Fraction),
        Some(_) => None,
    }
}

/// `YYYY-MM-DD` and what follows.
fn read_date(text: &[u8]) -> Result<(civil::Date, &[u8]), &'static str> {
    const SEPARATOR: &str = "invalid date separator, expected `-`";
    if text.len() < 10 {
        return Err("input is too short");
    }
    let year = digits(&text[0..4]).ok_or("invalid character in year")?;
    if text[4] != b'-' {
        return Err(SEPARATOR);
    }
    let month = digits(&text[5..7]).ok_or("invalid character in month")?;
    if text[7] != b'-' {
        return Err(SEPARATOR);
    }
    let day = digits(&text[8..10]).ok_or("invalid character in day")?;
    if !(1..=12).contains(&month) {
        return Err("month value is outside expected range of 1-12");
    }
    let small = |n: i16| i8::try_from(n).expect("two digits fit");
    civil::Date::new(year, small(month), small(day))
        .map(|date| (date, &text[10..]))
        .map_err(|_| "day value is outside expected range")
}

/// The time of day, and how far it is ahead of UTC.
#[derive(Clone, Copy, Debug, Default)]
struct Clock {
    time: civil::Time,
    offset: i64,
}

/// `THH:MM[:SS[.ffffff]][Z|±HH[:]MM]` to the end of the text; digits beyond microseconds are cut off.
fn read_clock(text: &[u8]) -> Option<Clock> {
    let [b'T' | b't' | b' ' | b'_', rest @ ..] = text else { return None };
    let (hour, rest) = two_digits(rest, 23)?;
    let (minute, mut rest) = two_digits(rest.strip_prefix(b":")?, 59)?;
    let (mut second, mut micros) = (0, 0);
    if let Some(after) = rest.strip_prefix(b":") {
        (second, rest) = two_digits(after, 59)?;
        if let [b'.' | b',', fraction @ ..] = rest {
            let length = fraction.iter().take_while(|b| b.is_ascii_digit()).count();
            if length == 0 {
                return None;
            }
            micros = (0..6).fold(0, |sum, n| {
                sum * 10 + fraction[..length].get(n).map_or(0, |digit| i32::from(digit - b'0'))
            });
            rest = &fraction[length..];
        }
    }
    let time = civil::Time::new(hour, minute, second, micros * 1_000).ok()?;
    Some(Clock { time, offset: read_offset(rest)? })
}

fn read_offset(text: &[u8]) -> Option<i64> {
    let (sign, rest) = match text {
        [] | [b'Z' | b'z'] => return Some(0),
        [b'+', rest @ ..] => (1, rest),
        // The second is U+2212, the minus sign that ISO 8601 prefers.
        [b'-', rest @ ..] | [0xe2, 0x88, 0x92, rest @ ..] => (-1, rest),
        _ => return None,
    };
    let (hours, rest) = two_digits(rest, 23)?;
    let (minutes, rest) = two_digits(rest.strip_prefix(b":").unwrap_or(rest), 59)?;
    rest.is_empty().then(|| sign * (i64::from(hours) * 3_600 + i64::from(minutes) * 60))
}

fn two_digits(text: &[u8], most: i16) -> Option<(i8, &[u8])> {
    let number = digits(text.get(..2)?)?;
    (number <= most).then(|| (i8::try_from(number).expect("two digits fit"), &text[2..]))
}

fn digits(text: &[u8]) -> Option<i16> {
    text.iter().try_fold(0, |sum, byte| byte.is_ascii_digit().then(|| sum * 10 + i16::from(byte - b'0')))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn iso(value: impl Into<Value>) -> String {
        Moment::read(&value.into()).map_or_else(|problem| format!("{problem:?}"), Moment::to_iso)
    }

    #[test]
    fn one_moment_has_many_forms() {
        for text in [
            "2021-03-05T23:15:30Z",
            "2021-03-05T23:15:30",
            "2021-03-05 23:15:30z",
            "2021-03-05_23:15:30+00:00",
            "2021-03-06t00:15:30+0100",
            "2021-03-05T22:15:30−01:00",
            "2021-03-05T23:15:30.0000009",
            "2021-03-05T23:15:30,0",
            "1614986130",
            "+1614986130.0",
            "1614986130000",
        ] {
            assert_eq!(iso(text), "2021-03-05T23:15:30Z", "{text}");
        }
        assert_eq!(iso(json!(1_614_986_130)), "2021-03-05T23:15:30Z");
        assert_eq!(iso(json!(1_614_986_130.5)), "2021-03-05T23:15:30.500000Z");
        assert_eq!(iso("2021-03-05"), "2021-03-05T00:00:00Z");
        assert_eq!(iso("2021-03-05T23:15"), "2021-03-05T23:15:00Z");
    }

    #[test]
    fn numbers_beyond_twenty_thousand_million_are_milliseconds() {
        assert_eq!(iso(json!(20_000_000_000_i64)), "2603-10-11T11:33:20Z");
        assert_eq!(iso(json!(20_000_000_001_i64)), "1970-08-20T11:33:20.001000Z");
        assert_eq!(iso(json!(-20_000_000_001_i64)), "1969-05-14T12:26:39.999000Z");
        assert_eq!(iso(json!(20_000_000_000.5)), "1970-08-20T11:33:20.000500Z");
        assert_eq!(iso(json!(253_402_300_799_999_i64)), "9999-12-31T23:59:59.999000Z");
        assert_eq!(iso(json!(-62_135_596_800_000_i64)), "0001-01-01T00:00:00Z");
    }

    #[test]
    fn what_python_has_no_time_for_is_refused_in_its_words() {
        for (value, why) in [
            (json!(253_402_300_800_000_i64), "datetime_parsing"),
            (json!(1e30), "dates after 9999"),
            (json!(-1e30), "dates before 0000"),
            (json!(-62_135_596_801_000_i64), "year 0"),
            (json!("0000-01-01"), "year 0"),
            (json!("0001-01-01T00:00:00+01:00"), "out of range"),
            (json!("9999-12-31T23:59:59-01:00"), "out of range"),
            (json!("253402300800000"), "datetime_from_date_parsing"),
            (json!(true), "datetime_type"),
            (json!(null), "datetime_type"),
            (json!([]), "datetime_type"),
        ] {
            assert!(iso(value.clone()).contains(why), "{value}: {}", iso(value.clone()));
        }
    }

    #[test]
    fn what_is_no_time_is_told_by_its_first_mistake() {
        for (text, why) in [
            ("", "input is too short"),
            ("1e9", "input is too short"),
            ("2021-3-5", "input is too short"),
            ("+2021-01-01", "invalid character in year"),
            (" 1614986130 ", "invalid character in year"),
            ("2021-W01-1", "invalid character in month"),
            ("2021-03-0a", "invalid character in day"),
            ("2021/03/05", "invalid date separator"),
            ("2021-13-01", "month value"),
            ("2021-02-29", "day value"),
            ("2021-01-00", "day value"),
            ("2021-03-05T", "extra characters"),
            ("2021-03-05T23", "extra characters"),
            ("2021-03-05T24:00:00", "extra characters"),
            ("2021-03-05T23:59:60", "extra characters"),
            ("2021-03-05T23:15:30.", "extra characters"),
            ("2021-03-05T23:15.5", "extra characters"),
            ("2021-03-05T23:15:30+01", "extra characters"),
            ("2021-03-05T23:15:30+24:00", "extra characters"),
            ("2021-03-05T23:15:30Z ", "extra characters"),
            ("2021-03-05Z", "extra characters"),
        ] {
            assert!(iso(text).contains(why), "{text:?}: {}", iso(text));
        }
    }

    #[test]
    fn seconds_are_cut_off_towards_the_epoch() {
        let seconds = |value: Value| Moment::read(&value).unwrap().epoch_seconds();
        assert_eq!(seconds(json!(1.9)), 1);
        assert_eq!(seconds(json!(-1.9)), -1);
        assert_eq!(seconds(json!("-0.5")), 0);
        assert_eq!(seconds(json!("9999-12-31T23:59:59.999999")), 253_402_300_800);
    }

    #[test]
    fn system_times_outside_python_become_the_nearest_inside() {
        let far = SystemTime::UNIX_EPOCH + Duration::from_secs(1 << 40);
        assert_eq!(Moment::from_system(far).to_iso(), "9999-12-31T23:59:59.999999Z");
        let near = SystemTime::UNIX_EPOCH + Duration::from_millis(1_500);
        assert_eq!(Moment::from_system(near).to_system(), near);
        assert_eq!(Moment::from_system(near).whole_seconds().to_iso(), "1970-01-01T00:00:01Z");
    }
}
