//! One claim's value, of whatever type.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The value of a claim: a text, a number, a list, anything that JSON has.
///
/// ```
/// use reqwest_scitokens::scitokens::ClaimValue;
///
/// assert_eq!(ClaimValue::from("alice").as_text(), Some("alice"));
/// let value = ClaimValue::from_json(r#"["/cms", "/cms/uk"]"#)?;
/// assert_eq!(value.texts(), ["/cms", "/cms/uk"]);
/// # Ok::<(), reqwest_scitokens::scitokens::InvalidJson>(())
/// ```
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ClaimValue(Value);

/// A text that is no JSON.
#[derive(Debug, thiserror::Error)]
#[error("the claim's value is no JSON")]
pub struct InvalidJson(#[source] serde_json::Error);

impl ClaimValue {
    /// Reads a value from JSON.
    pub fn from_json(text: &str) -> Result<Self, InvalidJson> {
        serde_json::from_str(text).map(Self).map_err(InvalidJson)
    }

    /// The text, if it is one.
    pub fn as_text(&self) -> Option<&str> {
        self.0.as_str()
    }

    /// The number, if it is one.
    pub fn as_number(&self) -> Option<f64> {
        self.0.as_f64()
    }

    /// The whole number, if it is one that fits.
    pub fn as_integer(&self) -> Option<i64> {
        self.0.as_i64()
    }

    /// The truth value, if it is one.
    pub fn as_truth(&self) -> Option<bool> {
        self.0.as_bool()
    }

    /// The text, or the texts of a list; whatever is none is left out.
    pub fn texts(&self) -> Vec<&str> {
        match &self.0 {
            Value::String(text) => vec![text],
            Value::Array(items) => items.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        }
    }

    pub(super) fn json(&self) -> &Value {
        &self.0
    }
}

impl From<&str> for ClaimValue {
    fn from(text: &str) -> Self {
        Self(text.into())
    }
}

impl From<String> for ClaimValue {
    fn from(text: String) -> Self {
        Self(text.into())
    }
}

impl From<i64> for ClaimValue {
    fn from(number: i64) -> Self {
        Self(number.into())
    }
}

impl From<u64> for ClaimValue {
    fn from(number: u64) -> Self {
        Self(number.into())
    }
}

impl<T: Into<Self>> From<Vec<T>> for ClaimValue {
    fn from(items: Vec<T>) -> Self {
        Self(Value::Array(items.into_iter().map(|item| item.into().0).collect()))
    }
}

impl From<Value> for ClaimValue {
    fn from(value: Value) -> Self {
        Self(value)
    }
}

/// The value as JSON.
impl fmt::Display for ClaimValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for ClaimValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_read_as_what_it_is() {
        assert_eq!(ClaimValue::from(5_i64).as_integer(), Some(5));
        assert_eq!(ClaimValue::from(5_i64).as_text(), None);
        assert_eq!(ClaimValue::from(vec!["a", "b"]).to_string(), r#"["a","b"]"#);
        assert_eq!(ClaimValue::from_json("[1,\"x\",null]").unwrap().texts(), ["x"]);
        assert_eq!(ClaimValue::from_json("true").unwrap().as_truth(), Some(true));
        assert!(ClaimValue::from_json("{").is_err());
    }
}
