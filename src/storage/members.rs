//! A JSON object whose members keep their order and, until somebody asks, their very bytes.
//!
//! Entries of others are carried along without being understood: lone surrogates, huge numbers and unknown keys
//! survive a rewrite.

use std::fmt;

use indexmap::IndexMap;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde::ser::{Serialize, Serializer};
use serde_json::value::RawValue;

/// The members of an object. Of two with one name the last counts, as in Python.
///
/// There is no `Debug`: the bytes hold tokens.
#[derive(Clone, Default)]
pub(super) struct Members(IndexMap<String, Box<RawValue>>);

/// Why a text holds no object.
pub(super) enum NoObject {
    /// It is not JSON: where reading ended. The text itself is not shown, it may hold tokens.
    NotJson { line: usize, column: usize },
    /// It is JSON of another kind.
    OtherKind,
}

impl Members {
    /// Reads an object.
    pub(super) fn read(text: &[u8]) -> Result<Self, NoObject> {
        let raw: &RawValue = serde_json::from_slice(text)
            .map_err(|error| NoObject::NotJson { line: error.line(), column: error.column() })?;
        if !raw.get().starts_with('{') {
            return Err(NoObject::OtherKind);
        }
        serde_json::from_str(raw.get())
            .map_err(|error| NoObject::NotJson { line: error.line(), column: error.column() })
    }

    /// The bytes of a member.
    pub(super) fn get(&self, name: &str) -> Option<&RawValue> {
        self.0.get(name).map(AsRef::as_ref)
    }

    /// Sets a member where it stands, or at the end.
    pub(super) fn set(&mut self, name: &str, value: Box<RawValue>) {
        match self.0.get_mut(name) {
            Some(place) => *place = value,
            None => drop(self.0.insert(name.to_owned(), value)),
        }
    }

    /// Removes a member, leaving the order of the others.
    pub(super) fn remove(&mut self, name: &str) -> bool {
        self.0.shift_remove(name).is_some()
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &RawValue)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_ref()))
    }
}

/// Makes a raw value of a JSON text that is known to be one.
pub(super) fn raw(text: &str) -> Box<RawValue> {
    RawValue::from_string(text.to_owned()).expect("our own serializer writes JSON")
}

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;

        impl<'de> Visitor<'de> for InOrder {
            type Value = Members;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members = Members::default();
                while let Some((name, value)) = map.next_entry::<String, Box<RawValue>>()? {
                    members.set(&name, value);
                }
                Ok(members)
            }
        }

        deserializer.deserialize_map(InOrder)
    }
}

impl Serialize for Members {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_understood_survives() {
        let text = r#"{"z": "\ud800", "a": 123456789012345678901234567890, "b": {"x":1e16}}"#;
        let members = Members::read(text.as_bytes()).ok().unwrap();
        assert_eq!(*super::super::python_json::to_text(&members), text);
    }

    #[test]
    fn of_two_members_with_one_name_the_last_counts() {
        let members = Members::read(br#"{"a": 1, "b": 2, "a": 3}"#).ok().unwrap();
        assert_eq!(*super::super::python_json::to_text(&members), r#"{"a": 3, "b": 2}"#);
    }

    #[test]
    fn other_kinds_are_told_from_broken_text() {
        for text in ["[]", "null", "\"{\"", " 5 "] {
            assert!(matches!(Members::read(text.as_bytes()), Err(NoObject::OtherKind)), "{text}");
        }
        for text in ["", "{", "\u{feff}{}", "{}{}", "{\"a\":NaN}", "\u{0}"] {
            assert!(matches!(Members::read(text.as_bytes()), Err(NoObject::NotJson { .. })), "{text}");
        }
    }
}
