//! Rules of fields: strings, times, lists and maps.

use std::collections::BTreeMap;
use std::str::FromStr;

use serde_json::Value;

use crate::pydantic::reader::{ErrorList, Invalid, ValueError};
use crate::pydantic::timestamp::Timestamp;
use crate::pydantic::validation::{LocationSegment, ValidationError};
use crate::scopes::Scopes;
use crate::token::TokenKey;

/// The allowed length of a string, in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LengthLimits {
    pub(crate) min: usize,
    pub(crate) max: Option<usize>,
}

impl LengthLimits {
    /// Names of users, services and tokens.
    pub(crate) const NAME: Self = Self { min: 1, max: Some(64) };
    /// Full names and mail addresses.
    pub(crate) const NOT_EMPTY: Self = Self { min: 1, max: None };
    /// Keys of tokens.
    pub(crate) const KEY: Self = Self { min: 22, max: Some(22) };

    fn check(self, text: &str) -> Result<(), ValueError> {
        let characters = |n| if n == 1 { "character" } else { "characters" };
        let length = text.chars().count();
        if length < self.min {
            let message = format!("String should have at least {} {}", self.min, characters(self.min));
            return Err(ValueError::new("string_too_short", message));
        }
        if let Some(max) = self.max
            && length > max
        {
            let message = format!("String should have at most {max} {}", characters(max));
            return Err(ValueError::new("string_too_long", message));
        }
        Ok(())
    }
}

/// Reads a string; white space is not stripped.
pub(crate) fn text(limits: LengthLimits) -> impl Fn(&Value, &mut ErrorList) -> Result<String, Invalid> {
    move |value, errors| {
        let Some(text) = value.as_str() else {
            return Err(errors.refuse(ValueError::new("string_type", "Input should be a valid string")));
        };
        errors.take(limits.check(text).map(|()| text.to_owned()))
    }
}

/// Reads a string that parses as `T`; the error quotes the pattern.
pub(crate) fn matching<T: FromStr>(
    limits: LengthLimits,
    pattern: &'static str,
) -> impl FnOnce(&Value, &mut ErrorList) -> Result<T, Invalid> {
    move |value, errors| {
        let text = text(limits)(value, errors)?;
        text.parse().map_err(|_| {
            let message = format!("String should match pattern '{pattern}'");
            errors.refuse(ValueError::new("string_pattern_mismatch", message))
        })
    }
}

/// The key of a token.
pub(crate) fn key(value: &Value, errors: &mut ErrorList) -> Result<TokenKey, Invalid> {
    let text = text(LengthLimits::KEY)(value, errors)?;
    Ok(text.parse().expect("the limits are those of a key"))
}

/// Reads a point in time.
pub(crate) fn timestamp(value: &Value, errors: &mut ErrorList) -> Result<Timestamp, Invalid> {
    errors.take(Timestamp::read(value))
}

/// Scopes: a list, a text with commas or, as in Python, the keys of a map.
pub(crate) fn scopes(value: &Value, errors: &mut ErrorList) -> Result<Scopes, Invalid> {
    match value {
        Value::String(text) => Ok(Scopes::from_comma_separated(text)),
        Value::Object(map) => Ok(map.keys().cloned().collect()),
        Value::Array(_) => {
            Ok(list(value, errors, text(LengthLimits { min: 0, max: None }))?.into_iter().collect())
        }
        _ => Err(errors.refuse(ValueError::new("set_type", "Input should be a valid set"))),
    }
}

/// Reads a list; all items are read, so that all errors are found.
pub(crate) fn list<T>(
    value: &Value,
    errors: &mut ErrorList,
    rule: impl Fn(&Value, &mut ErrorList) -> Result<T, Invalid>,
) -> Result<Vec<T>, Invalid> {
    let Some(items) = value.as_array() else {
        return Err(errors.refuse(ValueError::new("list_type", "Input should be a valid list")));
    };
    let read: Vec<_> = items
        .iter()
        .enumerate()
        .map(|(n, item)| errors.within(LocationSegment::Index(n), |errors| rule(item, errors)))
        .collect();
    read.into_iter().collect()
}

/// Reads a map; all values are read, so that all errors are found.
pub(crate) fn map<T>(
    value: &Value,
    errors: &mut ErrorList,
    rule: impl Fn(&Value, &mut ErrorList) -> Result<T, Invalid>,
) -> Result<BTreeMap<String, T>, Invalid> {
    let Some(entries) = value.as_object() else {
        return Err(errors.refuse(ValueError::new("dict_type", "Input should be a valid dictionary")));
    };
    let read: Vec<_> = entries
        .iter()
        .map(|(name, value)| {
            let entry = errors.within(LocationSegment::Field(name.clone()), |errors| rule(value, errors))?;
            Ok((name.clone(), entry))
        })
        .collect();
    read.into_iter().collect()
}

/// Checks a string from the caller by the rule for the wire.
pub(crate) fn check_text(
    model: &'static str,
    field: &'static str,
    text: &str,
    limits: LengthLimits,
) -> Result<String, ValidationError> {
    limits.check(text).map(|()| text.to_owned()).map_err(|error| {
        ValidationError::new(model, vec![error.at(vec![LocationSegment::Field(field.to_owned())])])
    })
}
