//! Points in time: read as Pydantic reads them, written as seconds since the epoch or as ISO 8601.
//!
//! The grammar is that of `speedate`, the crate that Pydantic itself uses, so that verdicts and messages agree.
//! Range checks of Python's `datetime` come on top.

use std::time::{Duration, SystemTime};

use serde::{Serialize, Serializer};
use serde_json::Value;
use speedate::{
    Date, DateTime, DateTimeConfig, MicrosecondsPrecisionOverflowBehavior, ParseError, Time, TimeConfig,
    TimestampUnit,
};
use strum::EnumMessage as _;

use crate::pydantic::reader::ValueError;

const FIRST_SECOND: i64 = -62_135_596_800; // 0001-01-01T00:00:00Z
const LAST_SECOND: i64 = 253_402_300_799; // 9999-12-31T23:59:59Z

/// A point in time in the years 1 to 9999, as microseconds since the epoch: the range of Python's `datetime`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Timestamp(i64);

impl Timestamp {
    const FIRST: Self = Self(FIRST_SECOND * 1_000_000);
    const LAST: Self = Self(LAST_SECOND * 1_000_000 + 999_999);

    /// Converts a system time; a time outside the years 1 to 9999 becomes the nearest inside.
    pub(crate) fn from_system(time: SystemTime) -> Self {
        let micros = |distance: Duration| i64::try_from(distance.as_micros()).unwrap_or(i64::MAX);
        let since_epoch = match time.duration_since(SystemTime::UNIX_EPOCH) {
            Ok(after) => micros(after),
            Err(before) => -micros(before.duration()),
        };
        Self(since_epoch).clamp(Self::FIRST, Self::LAST)
    }

    /// Returns the time without its fraction of a second.
    pub(crate) fn whole_seconds(self) -> Self {
        Self(self.0.div_euclid(1_000_000) * 1_000_000)
    }

    /// Returns the system time; the epoch where the platform cannot express the time (Windows before 1601).
    pub(crate) fn to_system(self) -> SystemTime {
        let distance = Duration::from_micros(self.0.unsigned_abs());
        let time = if self.0 < 0 {
            SystemTime::UNIX_EPOCH.checked_sub(distance)
        } else {
            SystemTime::UNIX_EPOCH.checked_add(distance)
        };
        time.unwrap_or(SystemTime::UNIX_EPOCH)
    }

    /// Returns seconds since the epoch as Python's `int(time.timestamp())`: truncated towards the epoch, by way of
    /// a float, which rounds the last microsecond of the year 9999 up.
    #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "Python does the same")]
    pub(crate) fn epoch_seconds(self) -> i64 {
        (self.0 as f64 / 1e6) as i64
    }

    /// Returns ISO 8601 in UTC: `2021-03-29T02:48:50Z`, with six digits for a fraction of a second.
    pub(crate) fn to_iso(self) -> String {
        let config = DateTimeConfig {
            timestamp_unit: TimestampUnit::Second,
            time_config: TimeConfig { unix_timestamp_offset: Some(0), ..TimeConfig::default() },
        };
        let micros = u32::try_from(self.0.rem_euclid(1_000_000)).expect("less than a million");
        DateTime::from_timestamp_with_config(self.0.div_euclid(1_000_000), micros, &config)
            .expect("the years 1 to 9999 are in the range of speedate")
            .to_string()
    }

    /// Reads a number, a numeric string, or ISO 8601 with or without an offset; without one it is UTC.
    pub(crate) fn read(value: &Value) -> Result<Self, ValueError> {
        let config = DateTimeConfig {
            time_config: TimeConfig {
                microseconds_precision_overflow_behavior: MicrosecondsPrecisionOverflowBehavior::Truncate,
                ..TimeConfig::default()
            },
            ..DateTimeConfig::default()
        };
        let parsed = match value {
            Value::Number(number) => match (number.as_i64(), number.as_f64()) {
                (Some(integer), _) => DateTime::from_timestamp_with_config(integer, 0, &config),
                (None, Some(float)) => DateTime::from_float_with_config(float, &config),
                (None, None) => return Err(wrong_type()),
            }
            .map_err(|error| parsing(message(&error)))?,
            Value::String(text) => read_text(text.as_bytes(), &config)?,
            _ => return Err(wrong_type()),
        };
        Self::from_parsed(&parsed)
    }

    fn from_parsed(parsed: &DateTime) -> Result<Self, ValueError> {
        if parsed.date.year == 0 {
            return Err(parsing("year 0 is out of range"));
        }
        let time = Self(parsed.timestamp_tz() * 1_000_000 + i64::from(parsed.time.microsecond));
        if !(Self::FIRST..=Self::LAST).contains(&time) {
            return Err(parsing("date value out of range"));
        }
        Ok(time)
    }
}

impl From<SystemTime> for Timestamp {
    fn from(time: SystemTime) -> Self {
        Self::from_system(time)
    }
}

/// Writes seconds since the epoch, as tokens have them.
impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_i64(self.epoch_seconds())
    }
}

/// Writes ISO 8601, as requests have it, for `#[serde(serialize_with)]`.
#[expect(clippy::ref_option, reason = "serde passes a reference to the field")]
pub(crate) fn iso_or_null<S: Serializer>(
    timestamp: &Option<Timestamp>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match timestamp {
        Some(timestamp) => serializer.serialize_str(&timestamp.to_iso()),
        None => serializer.serialize_none(),
    }
}

/// Reads a date and time or, as Pydantic does where that fails, a date, whose error is the one reported.
fn read_text(text: &[u8], config: &DateTimeConfig) -> Result<DateTime, ValueError> {
    DateTime::parse_bytes_with_config(text, config).or_else(|_| {
        let date = Date::parse_bytes(text).map_err(|error| date_parsing(message(&error)))?;
        Ok(DateTime { date, time: MIDNIGHT })
    })
}

const MIDNIGHT: Time = Time { hour: 0, minute: 0, second: 0, microsecond: 0, tz_offset: None };

/// Pydantic's words for the error.
fn message(error: &ParseError) -> &'static str {
    error.get_documentation().unwrap_or_default()
}

fn wrong_type() -> ValueError {
    ValueError::new("datetime_type", "Input should be a valid datetime")
}

fn parsing(why: &str) -> ValueError {
    ValueError::new("datetime_parsing", format!("Input should be a valid datetime, {why}"))
}

fn date_parsing(why: &str) -> ValueError {
    ValueError::new("datetime_from_date_parsing", format!("Input should be a valid datetime or date, {why}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn iso(value: impl Into<Value>) -> String {
        Timestamp::read(&value.into()).map_or_else(|error| format!("{error:?}"), Timestamp::to_iso)
    }

    #[test]
    fn a_time_is_read_in_all_forms_of_pydantic() {
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
    fn times_outside_the_range_of_python_are_rejected_with_its_messages() {
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
    fn invalid_times_are_reported_by_their_first_error() {
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
    fn seconds_are_truncated_towards_the_epoch() {
        let seconds = |value: Value| Timestamp::read(&value).unwrap().epoch_seconds();
        assert_eq!(seconds(json!(1.9)), 1);
        assert_eq!(seconds(json!(-1.9)), -1);
        assert_eq!(seconds(json!("-0.5")), 0);
        assert_eq!(seconds(json!("9999-12-31T23:59:59.999999")), 253_402_300_800);
    }

    #[test]
    fn system_times_outside_python_become_the_nearest_inside() {
        let far = SystemTime::UNIX_EPOCH + Duration::from_secs(1 << 40);
        assert_eq!(Timestamp::from_system(far).to_iso(), "9999-12-31T23:59:59.999999Z");
        let near = SystemTime::UNIX_EPOCH + Duration::from_millis(1_500);
        assert_eq!(Timestamp::from_system(near).to_system(), near);
        assert_eq!(Timestamp::from_system(near).whole_seconds().to_iso(), "1970-01-01T00:00:01Z");
    }
}
