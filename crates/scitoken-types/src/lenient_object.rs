//! JSON objects of other programs, read member by member.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::time::{Duration, SystemTime};

use serde::de::{DeserializeSeed, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::decoded_json;

mod damaged;

/// The longest time in seconds that is accepted, a thousand years.
const MAX_SECONDS: f64 = 1e3 * 366.0 * 86_400.0;
/// A time that is a larger number counts milliseconds, as in JavaScript; in seconds it would be in the year 2603.
const FIRST_MILLISECONDS: f64 = 2e10;

/// A JSON object of which each member is read on its own: token files, and the answers of agents and OAuth servers.
///
/// A member that is not of the expected type is an error of this member, and not of the object. Unknown members are
/// ignored; of several members with one name the last one that can be read counts. A byte order mark is skipped, UTF-16 is
/// decoded, and of an object that is cut off, followed by other text or not valid JSON each member that can be read is
/// kept, whatever its place.
///
/// ```
/// use scitoken_types::LenientObject;
///
/// let answer = LenientObject::parse(br#"{"access_token": "abc", "expires_in": "3600", "scope": ["a"]}"#).unwrap();
/// assert_eq!(answer.text("access_token").unwrap().as_deref(), Some("abc"));
/// assert_eq!(answer.seconds("expires_in").unwrap(), Some(3600.0));
/// assert_eq!(answer.words("scope").unwrap().as_deref(), Some("a"));
/// assert_eq!(answer.text("refresh_token").unwrap(), None);
/// ```
///
/// `Debug` shows names only: a value may be a token.
#[derive(Clone, Default)]
pub struct LenientObject {
    /// The values of each name in their order, without `null`.
    members: BTreeMap<String, Vec<Box<RawValue>>>,
    repeated: Vec<String>,
    is_complete: bool,
}

/// A member that is not of the expected type. Does not show the value, which may be a token.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{name}` is not {expected}")]
pub struct UnreadableMember {
    name: String,
    expected: &'static str,
}

impl UnreadableMember {
    /// Returns the member's name.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl LenientObject {
    /// Parses an object; `None` if the text does not begin with one.
    pub fn parse(text: &[u8]) -> Option<Self> {
        let text = utf_8(text);
        if !text.trim_start().starts_with('{') {
            return None;
        }
        let mut object = Self::default();
        let mut deserializer = serde_json::Deserializer::from_str(&text);
        let parsed = Collector(&mut object).deserialize(&mut deserializer);
        object.is_complete = parsed.and_then(|()| deserializer.end()).is_ok();
        if !object.is_complete {
            object = Self::default();
            for (name, value) in damaged::members(&text) {
                object.insert(name, value);
            }
        }
        Some(object)
    }

    /// Creates an object of members that are texts, such as those of a form. `is_complete` says whether these are all of them.
    ///
    /// ```
    /// use scitoken_types::LenientObject;
    ///
    /// let form = LenientObject::from_texts([("access_token".to_owned(), "abc".to_owned())], true);
    /// assert_eq!(form.text("access_token").unwrap().as_deref(), Some("abc"));
    /// ```
    pub fn from_texts(members: impl IntoIterator<Item = (String, String)>, is_complete: bool) -> Self {
        let mut object = Self { is_complete, ..Self::default() };
        for (name, text) in members {
            if let Ok(value) = serde_json::value::to_raw_value(&text) {
                object.insert(name, value);
            }
        }
        object
    }

    fn insert(&mut self, name: String, value: Box<RawValue>) {
        if value.get() == "null" {
            return;
        }
        let values = self.members.entry(name.clone()).or_default();
        values.push(value);
        if values.len() > 1 && !self.repeated.contains(&name) {
            self.repeated.push(name);
        }
    }

    /// Reads the last value of a name that can be read; else the result of the last one.
    fn last_readable<T>(
        &self,
        name: &str,
        read: impl Fn(&str) -> Result<Option<T>, UnreadableMember>,
    ) -> Result<Option<T>, UnreadableMember> {
        let values = self.members.get(name).map(Vec::as_slice).unwrap_or_default();
        let results = values.iter().rev().map(|value| read(value.get()));
        let mut last = None;
        for result in results {
            if matches!(result, Ok(Some(_))) {
                return result;
            }
            last.get_or_insert(result);
        }
        last.unwrap_or(Ok(None))
    }

    /// Returns whether the whole text is one JSON object.
    pub fn is_complete(&self) -> bool {
        self.is_complete
    }

    /// Returns the names that occur more than once.
    pub fn repeated(&self) -> &[String] {
        &self.repeated
    }

    /// Returns whether there is a member that is not `null`.
    pub fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// Returns the JSON text of a member; `None` if it is absent or `null`.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.members.get(name)?.last().map(|value| value.get())
    }

    /// Returns the JSON texts of all members.
    pub fn values(&self) -> impl Iterator<Item = &str> {
        self.members.values().flatten().map(|value| value.get())
    }

    /// Reads a string; a number is read as its text, and an empty or blank string as absent.
    ///
    /// # Errors
    /// [`UnreadableMember`] for another type.
    pub fn text(&self, name: &str) -> Result<Option<String>, UnreadableMember> {
        self.last_readable(name, |json| text_of(name, json))
    }

    /// Reads words: a string, or a list of strings, which are joined by blanks.
    ///
    /// # Errors
    /// [`UnreadableMember`] for another type.
    pub fn words(&self, name: &str) -> Result<Option<String>, UnreadableMember> {
        self.last_readable(name, |json| {
            let unreadable = || unreadable(name, "a string or a list of strings");
            if !json.starts_with('[') {
                return text_of(name, json).map_err(|_| unreadable());
            }
            let words: Vec<String> = serde_json::from_str(json).map_err(|_| unreadable())?;
            let words: Vec<_> = words.iter().flat_map(|word| word.split_whitespace()).collect();
            Ok((!words.is_empty()).then(|| words.join(" ")))
        })
    }

    /// Reads a duration in seconds: a number, or a number as text.
    ///
    /// # Errors
    /// [`UnreadableMember`] for another type, and for more than a thousand years.
    pub fn seconds(&self, name: &str) -> Result<Option<f64>, UnreadableMember> {
        let unreadable = || unreadable(name, "a number of seconds");
        let Some(text) = self.text(name).map_err(|_| unreadable())? else { return Ok(None) };
        let seconds: f64 = text.parse().map_err(|_| unreadable())?;
        if (-MAX_SECONDS..MAX_SECONDS).contains(&seconds) { Ok(Some(seconds)) } else { Err(unreadable()) }
    }

    /// Reads a time: seconds or milliseconds since the Unix epoch as [`seconds`](Self::seconds), or a date and time of ISO
    /// 8601 or HTTP (RFC 9110 section 5.6.7).
    ///
    /// # Errors
    /// [`UnreadableMember`] for another type, and for times before 1970 or out of range.
    pub fn time(&self, name: &str) -> Result<Option<SystemTime>, UnreadableMember> {
        let unreadable = || unreadable(name, "a time");
        let Some(text) = self.text(name).map_err(|_| unreadable())? else { return Ok(None) };
        if let Ok(number) = text.parse::<f64>() {
            let seconds = if number >= FIRST_MILLISECONDS { number / 1e3 } else { number };
            let since_epoch = Duration::try_from_secs_f64(seconds).map_err(|_| unreadable())?;
            return SystemTime::UNIX_EPOCH.checked_add(since_epoch).map(Some).ok_or_else(unreadable);
        }
        let time = text.parse::<jiff::Timestamp>().ok().or_else(|| {
            // Without an offset, as Python's `isoformat` writes UTC times.
            let local: jiff::civil::DateTime = text.parse().ok()?;
            jiff::tz::Offset::UTC.to_timestamp(local).ok()
        });
        let time = time.or_else(|| jiff::fmt::rfc2822::parse(&text).ok().map(|zoned| zoned.timestamp()));
        let since_epoch =
            time.and_then(|time| u64::try_from(time.as_second()).ok()).ok_or_else(unreadable)?;
        Ok(Some(SystemTime::UNIX_EPOCH + Duration::from_secs(since_epoch)))
    }
}

/// Reads a string or a number as text; `None` for one that is empty or blank.
fn text_of(name: &str, json: &str) -> Result<Option<String>, UnreadableMember> {
    let text = match serde_json::from_str::<String>(json) {
        Ok(text) => text,
        Err(_) if json.starts_with(|c: char| c.is_ascii_digit() || c == '-') => json.to_owned(),
        Err(_) => return Err(unreadable(name, "a string")),
    };
    let text = text.trim();
    Ok((!text.is_empty()).then(|| text.to_owned()))
}

/// Returns the text without a byte order mark, decoded if it is UTF-16.
fn utf_8(text: &[u8]) -> Cow<'_, str> {
    match decoded_json(text) {
        Cow::Borrowed(text) => String::from_utf8_lossy(text),
        Cow::Owned(text) => Cow::Owned(String::from_utf8_lossy(&text).into_owned()),
    }
}

fn unreadable(name: &str, expected: &'static str) -> UnreadableMember {
    UnreadableMember { name: name.to_owned(), expected }
}

/// Keeps the members that were read before an error.
struct Collector<'m>(&'m mut LenientObject);

impl<'de> DeserializeSeed<'de> for Collector<'_> {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Collector<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some((name, value)) = map.next_entry::<String, Box<RawValue>>()? {
            self.0.insert(name, value);
        }
        Ok(())
    }
}

impl fmt::Debug for LenientObject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.members.keys()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(text: &str) -> LenientObject {
        LenientObject::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn numbers_may_be_text_and_text_may_be_numbers() {
        let read = object(r#"{"a": "3600", "b": 3600, "c": 36.5, "d": " 7 ", "e": "", "f": null}"#);
        for (name, expected) in [
            ("a", Some(3600.0)),
            ("b", Some(3600.0)),
            ("c", Some(36.5)),
            ("d", Some(7.0)),
            ("e", None),
            ("f", None),
            ("g", None),
        ] {
            assert_eq!(read.seconds(name).unwrap(), expected, "{name}");
        }
        assert_eq!(read.text("b").unwrap().as_deref(), Some("3600"));
        assert!(!read.has("f") && !read.has("g"));
    }

    #[test]
    fn a_member_of_another_type_is_an_error_of_this_member_only() {
        let read =
            object(r#"{"a": [1], "b": {"x": 1}, "c": true, "d": "soon", "e": 1e300, "f": "inf", "g": "ok"}"#);
        for name in ["a", "b", "c"] {
            let error = read.text(name).unwrap_err();
            assert_eq!((error.name(), error.to_string()), (name, format!("`{name}` is not a string")));
        }
        for name in ["a", "b", "c", "d", "e", "f"] {
            assert!(read.seconds(name).is_err(), "{name}");
        }
        assert_eq!(read.text("g").unwrap().as_deref(), Some("ok"));
    }

    #[test]
    fn times_are_seconds_or_iso_8601() {
        let read = object(
            r#"{"a": 1000, "b": "1000", "c": "1970-01-01T00:16:40Z", "d": "1970-01-01T01:16:40+01:00",
                "e": "1970-01-01T00:16:40", "f": "1970-01-01 00:16:40.0", "g": "tomorrow", "h": -5, "i": 1e300,
                "j": "Thu, 01 Jan 1970 00:16:40 GMT", "k": "1970-01-01T00:16:40+0000"}"#,
        );
        for name in ["a", "b", "c", "d", "e", "f", "j", "k"] {
            assert_eq!(
                read.time(name).unwrap(),
                Some(SystemTime::UNIX_EPOCH + Duration::from_secs(1_000)),
                "{name}"
            );
        }
        for name in ["g", "h", "i"] {
            assert!(read.time(name).is_err(), "{name}");
        }
    }

    #[test]
    fn a_time_beyond_the_year_2603_counts_milliseconds() {
        let read = object(r#"{"a": 1700000000000, "b": "1700000000000", "c": 1700000000}"#);
        for name in ["a", "b", "c"] {
            let expected = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
            assert_eq!(read.time(name).unwrap(), Some(expected), "{name}");
        }
    }

    #[test]
    fn words_are_text_or_a_list() {
        let read = object(r#"{"a": "x y", "b": ["x", "y"], "c": [], "d": [1], "e": {}}"#);
        assert_eq!(read.words("a").unwrap().as_deref(), Some("x y"));
        assert_eq!(read.words("b").unwrap().as_deref(), Some("x y"));
        assert_eq!(read.words("c").unwrap(), None);
        assert!(read.words("d").is_err() && read.words("e").is_err());
    }

    #[test]
    fn members_before_a_fault_are_kept() {
        for text in [
            r#"{"a": "x", "b": "#,
            r#"{"a": "x", "b": NaN}"#,
            r#"{"a": "x"} trailing"#,
            r#"{"a": "x", }"#,
            r#"{"a": "old", "a": "x""#,
            "\u{feff}{\"a\": \"x\", \"a\": null",
        ] {
            let read = object(text);
            assert_eq!(read.text("a").unwrap().as_deref(), Some("x"), "{text}");
            assert!(!read.is_complete(), "{text}");
        }
        assert!(object(" {\"a\": 1}\r\n ").is_complete());
        assert!(LenientObject::parse(b"{\"a\": \"\xff\", \"b\": \"x\"}").unwrap().has("b"));
    }

    #[test]
    fn a_member_that_is_not_valid_json_costs_no_other_one_wherever_it_stands() {
        for damage in [
            r#""x": NaN"#,
            r#""x": -Infinity"#,
            r#""x": undefined"#,
            r#""x": True"#,
            r#""x": 0x10"#,
            r#""x": 'single, "quotes"'"#,
            r#""x": "bad \q escape, and a comma""#,
            r#""x": [1, 2,, {"a": NaN}]"#,
            r#""x": {"refresh_token": "inner", 'y'}"#,
            r#""x""#,
            r#""x": "#,
            "x: 5",
            ",",
            "\"x\": \"two\nlines\ttab\"",
        ] {
            for text in [
                format!(r#"{{{damage}, "access_token": "AT", "refresh_token": "rt"}}"#),
                format!(r#"{{"access_token": "AT", {damage}, "refresh_token": "rt"}} trailing"#),
                format!("{{\r\n \"access_token\" : \"AT\",\"refresh_token\":\"rt\" ,{damage}"),
            ] {
                let read = object(&text);
                assert_eq!(read.text("access_token").unwrap().as_deref(), Some("AT"), "{text}");
                assert_eq!(read.text("refresh_token").unwrap().as_deref(), Some("rt"), "{text}");
                assert!(!read.is_complete() && read.repeated().is_empty(), "{text}");
            }
        }
        let python = object(r#"{'access_token': 'A\'T\n', 'expires_in': 3600, 'x': None, 'y': 'say "so"'}"#);
        assert_eq!(python.text("access_token").unwrap().as_deref(), Some("A'T"));
        assert_eq!(python.text("y").unwrap().as_deref(), Some("say \"so\""));
        assert_eq!(python.seconds("expires_in").unwrap(), Some(3600.0));
        for hostile in
            ["{", "{\"", "{'", "{\"a", "{\"a\":", "{\"a\":\"\\", "{]]]", "{::::", "{\u{e9}", "{{{{"]
        {
            assert!(!object(hostile).is_complete(), "{hostile}");
        }
    }

    #[test]
    fn utf_16_is_decoded() {
        let text = "{\"access_token\": \"A\u{e9}\"}";
        let little: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let big: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
        for encoded in [
            little.clone(),
            big.clone(),
            [&[0xff, 0xfe][..], &little].concat(),
            [&[0xfe, 0xff][..], &big].concat(),
        ] {
            let read = LenientObject::parse(&encoded).unwrap();
            assert_eq!(read.text("access_token").unwrap().as_deref(), Some("A\u{e9}"));
            assert!(read.is_complete());
        }
    }

    #[test]
    fn of_repeated_members_the_last_one_that_can_be_read_counts() {
        for useless in [r#""""#, r#"" ""#, "false", "{}", "[]", "null"] {
            let read = object(&format!(r#"{{"a": "x", "a": {useless}}}"#));
            assert_eq!(read.text("a").unwrap().as_deref(), Some("x"), "{useless}");
            assert_eq!(read.words("a").unwrap().as_deref(), Some("x"), "{useless}");
        }
        assert!(object(r#"{"a": {}, "a": false}"#).text("a").is_err());
        assert_eq!(object(r#"{"a": "", "a": ""}"#).text("a").unwrap(), None);
    }

    #[test]
    fn texts_make_an_object() {
        let pairs = [("a", "x"), ("b", ""), ("a", "")].map(|(name, text)| (name.to_owned(), text.to_owned()));
        let form = LenientObject::from_texts(pairs, false);
        assert_eq!(form.text("a").unwrap().as_deref(), Some("x"));
        assert_eq!((form.text("b").unwrap(), form.is_complete()), (None, false));
    }

    #[test]
    fn repeated_names_are_known_and_the_last_one_counts() {
        let read = object(r#"{"a": 1, "b": 2, "a": 3, "a": 4, "b": null}"#);
        assert_eq!(
            (read.get("a"), read.get("b"), read.repeated()),
            (Some("4"), Some("2"), &["a".to_owned()][..])
        );
    }

    #[test]
    fn other_texts_are_no_objects_and_debug_shows_no_value() {
        for text in ["", "[]", "null", "<html>", "a=b"] {
            assert!(LenientObject::parse(text.as_bytes()).is_none(), "{text}");
        }
        assert_eq!(format!("{:?}", object(r#"{"access_token": "hush"}"#)), r#"{"access_token"}"#);
    }
}
