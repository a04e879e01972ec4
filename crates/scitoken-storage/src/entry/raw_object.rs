//! A JSON object whose members keep their order and their bytes.
//!
//! Entries of other programs are preserved without being parsed: lone surrogates, huge numbers and unknown keys survive
//! a rewrite.

use std::fmt;

use indexmap::IndexMap;
use scitoken_types::{decoded_json, non_json_kind};
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde::ser::{Serialize, Serializer};
use serde_json::value::RawValue;

/// The members of an object. Of two members with one name the last one counts, as in Python.
///
/// There is no `Debug`: the bytes hold tokens.
#[derive(Clone, Default)]
pub(crate) struct RawObject(IndexMap<String, Box<RawValue>>);

/// Where a text is not JSON, and what it is instead if that can be told. The text is not shown, because it may hold tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NotJson {
    line: usize,
    column: usize,
    instead: Option<&'static str>,
}

impl fmt::Display for NotJson {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.instead {
            Some(instead) => write!(f, "not JSON: it is {instead}"),
            None => write!(f, "not JSON: invalid at line {} column {}", self.line, self.column),
        }
    }
}

/// Why a text is not an object.
pub(crate) enum ObjectError {
    /// The text is not JSON.
    NotJson(NotJson),
    /// The text is JSON of another type.
    NotAnObject,
}

impl RawObject {
    /// Parses an object, in UTF-8 or UTF-16, with or without a byte order mark.
    pub(crate) fn read(text: &[u8]) -> Result<Self, ObjectError> {
        let text = &*decoded_json(text);
        let not_json = |error: &serde_json::Error| {
            let instead = match std::str::from_utf8(text) {
                Err(_) if non_json_kind(text).is_none() => Some("not UTF-8"),
                _ => non_json_kind(text),
            };
            ObjectError::NotJson(NotJson { line: error.line(), column: error.column(), instead })
        };
        let raw: &RawValue = serde_json::from_slice(text).map_err(|error| not_json(&error))?;
        if !raw.get().starts_with('{') {
            return Err(ObjectError::NotAnObject);
        }
        serde_json::from_str(raw.get()).map_err(|error| not_json(&error))
    }

    /// Returns the JSON text of a member.
    pub(crate) fn get(&self, name: &str) -> Option<&RawValue> {
        self.0.get(name).map(AsRef::as_ref)
    }

    /// Replaces a member at its position, or appends it.
    pub(crate) fn set(&mut self, name: &str, value: Box<RawValue>) {
        match self.0.get_mut(name) {
            Some(place) => *place = value,
            None => drop(self.0.insert(name.to_owned(), value)),
        }
    }

    /// Removes a member and keeps the order of the others.
    pub(crate) fn remove(&mut self, name: &str) -> bool {
        self.0.shift_remove(name).is_some()
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &RawValue)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_ref()))
    }
}

/// Returns the raw value of a text that is known to be JSON.
pub(crate) fn raw(text: &str) -> Box<RawValue> {
    RawValue::from_string(text.to_owned()).expect("our own serializer writes JSON")
}

impl<'de> Deserialize<'de> for RawObject {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;

        impl<'de> Visitor<'de> for InOrder {
            type Value = RawObject;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<RawObject, A::Error> {
                let mut members = RawObject::default();
                while let Some((name, value)) = map.next_entry::<String, Box<RawValue>>()? {
                    members.set(&name, value);
                }
                Ok(members)
            }
        }

        deserializer.deserialize_map(InOrder)
    }
}

impl Serialize for RawObject {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_survive_byte_for_byte() {
        let text = r#"{"z": "\ud800", "a": 123456789012345678901234567890, "b": {"x":1e16}}"#;
        let members = RawObject::read(text.as_bytes()).ok().unwrap();
        assert_eq!(*super::super::python_json::to_text(&members), text);
    }

    #[test]
    fn byte_order_marks_utf_16_and_zeros_at_the_end_are_no_obstacle() {
        let utf_16: Vec<u8> = "\u{feff}{\"a\": 1}".encode_utf16().flat_map(u16::to_le_bytes).collect();
        for text in [&b"\xef\xbb\xbf{\"a\": 1}"[..], &utf_16, &utf_16[2..], b"{\"a\": 1}\n\0\0"] {
            let members = RawObject::read(text).ok().unwrap();
            assert_eq!(members.get("a").unwrap().get(), "1");
        }
    }

    #[test]
    fn what_is_not_json_is_named() {
        for (text, expected) in [
            (&b"<html>"[..], "not JSON: it is HTML or XML"),
            (b"{\"a\": \"\xff\"}", "not JSON: it is not UTF-8"),
            (b"{\"a\": 1", "not JSON: invalid at line 1 column 7"),
        ] {
            let Err(ObjectError::NotJson(problem)) = RawObject::read(text) else { panic!("{expected}") };
            assert_eq!(problem.to_string(), expected);
        }
    }

    #[test]
    fn of_two_members_with_one_name_the_last_counts() {
        let members = RawObject::read(br#"{"a": 1, "b": 2, "a": 3}"#).ok().unwrap();
        assert_eq!(*super::super::python_json::to_text(&members), r#"{"a": 3, "b": 2}"#);
    }

    #[test]
    fn other_types_are_distinguished_from_invalid_text() {
        for text in ["[]", "null", "\"{\"", " 5 "] {
            assert!(matches!(RawObject::read(text.as_bytes()), Err(ObjectError::NotAnObject)), "{text}");
        }
        for text in ["", "{", "{}{}", "{\"a\":NaN}", "\u{0}"] {
            assert!(matches!(RawObject::read(text.as_bytes()), Err(ObjectError::NotJson { .. })), "{text}");
        }
    }
}
