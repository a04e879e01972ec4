//! What a field may hold: texts, keys, times, scopes, lists and maps.

use std::collections::BTreeMap;
use std::str::FromStr;

use serde_json::Value;

use super::moment::Moment;
use super::reader::{Problem, Report, Reported};
use super::scopes::Scopes;
use super::token::TokenKey;
use super::validation::{Step, ValidationError};

/// How long a text may be, in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Limits {
    pub(super) min: usize,
    pub(super) max: Option<usize>,
}

impl Limits {
    /// Names of users, services and tokens.
    pub(super) const NAME: Self = Self { min: 1, max: Some(64) };
    /// Full names and mail addresses.
    pub(super) const NOT_EMPTY: Self = Self { min: 1, max: None };
    /// Keys of tokens.
    pub(super) const KEY: Self = Self { min: 22, max: Some(22) };

    fn check(self, text: &str) -> Result<(), Problem> {
        let characters = |n| if n == 1 { "character" } else { "characters" };
        let length = text.chars().count();
        if length < self.min {
            let message = format!("String should have at least {} {}", self.min, characters(self.min));
            return Err(Problem::new("string_too_short", message));
        }
        if let Some(max) = self.max
            && length > max
        {
            let message = format!("String should have at most {max} {}", characters(max));
            return Err(Problem::new("string_too_long", message));
        }
        Ok(())
    }
}

/// A text, without white space stripped.
pub(super) fn text(limits: Limits) -> impl Fn(&Value, &mut Report) -> Result<String, Reported> {
    move |value, report| {
        let Some(text) = value.as_str() else {
            return Err(report.refuse(Problem::new("string_type", "Input should be a valid string")));
        };
        report.take(limits.check(text).map(|()| text.to_owned()))
    }
}

/// A text that parses as `T`, or else does not match the pattern.
pub(super) fn matching<T: FromStr>(
    limits: Limits,
    pattern: &'static str,
) -> impl FnOnce(&Value, &mut Report) -> Result<T, Reported> {
    move |value, report| {
        let text = text(limits)(value, report)?;
        text.parse().map_err(|_| {
            let message = format!("String should match pattern '{pattern}'");
            report.refuse(Problem::new("string_pattern_mismatch", message))
        })
    }
}

/// The key of a token.
pub(super) fn key(value: &Value, report: &mut Report) -> Result<TokenKey, Reported> {
    let text = text(Limits::KEY)(value, report)?;
    Ok(text.parse().expect("the limits are those of a key"))
}

/// A point in time.
pub(super) fn moment(value: &Value, report: &mut Report) -> Result<Moment, Reported> {
    report.take(Moment::read(value))
}

/// Scopes: a list, a text with commas or, as in Python, the keys of a map.
pub(super) fn scopes(value: &Value, report: &mut Report) -> Result<Scopes, Reported> {
    match value {
        Value::String(text) => Ok(Scopes::from_comma_separated(text)),
        Value::Object(map) => Ok(map.keys().cloned().collect()),
        Value::Array(_) => Ok(list(value, report, text(Limits { min: 0, max: None }))?.into_iter().collect()),
        _ => Err(report.refuse(Problem::new("set_type", "Input should be a valid set"))),
    }
}

/// A list; every item is read, so that every mistake is found.
pub(super) fn list<T>(
    value: &Value,
    report: &mut Report,
    rule: impl Fn(&Value, &mut Report) -> Result<T, Reported>,
) -> Result<Vec<T>, Reported> {
    let Some(items) = value.as_array() else {
        return Err(report.refuse(Problem::new("list_type", "Input should be a valid list")));
    };
    let read: Vec<_> = items
        .iter()
        .enumerate()
        .map(|(n, item)| report.within(Step::Item(n), |report| rule(item, report)))
        .collect();
    read.into_iter().collect()
}

/// A map; every value is read.
pub(super) fn map<T>(
    value: &Value,
    report: &mut Report,
    rule: impl Fn(&Value, &mut Report) -> Result<T, Reported>,
) -> Result<BTreeMap<String, T>, Reported> {
    let Some(entries) = value.as_object() else {
        return Err(report.refuse(Problem::new("dict_type", "Input should be a valid dictionary")));
    };
    let read: Vec<_> = entries
        .iter()
        .map(|(name, value)| {
            let entry = report.within(Step::Field(name.clone()), |report| rule(value, report))?;
            Ok((name.clone(), entry))
        })
        .collect();
    read.into_iter().collect()
}

/// Reads one text that a program gives, by the rule that the wire is read with.
pub(super) fn check_text(
    model: &'static str,
    field: &'static str,
    text: &str,
    limits: Limits,
) -> Result<String, ValidationError> {
    limits
        .check(text)
        .map(|()| text.to_owned())
        .map_err(|problem| ValidationError::new(model, vec![problem.at(vec![Step::Field(field.to_owned())])]))
}
