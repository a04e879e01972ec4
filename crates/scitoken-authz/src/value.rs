//! The value of one claim.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use scitoken_types::redact::clean_char;

/// The value of a claim: any JSON value.
///
/// ```
/// use scitoken_authz::ClaimValue;
///
/// assert_eq!(ClaimValue::from("alice").as_str(), Some("alice"));
/// let value = ClaimValue::from_json(r#"["/cms", "/cms/uk"]"#)?;
/// assert_eq!(value.strings(), ["/cms", "/cms/uk"]);
/// # Ok::<(), scitoken_authz::InvalidJson>(())
/// ```
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ClaimValue(Value);

/// A string that is not JSON.
#[derive(Debug, thiserror::Error)]
#[error("the claim's value is not JSON")]
pub struct InvalidJson(#[source] serde_json::Error);

impl ClaimValue {
    /// Reads a value from JSON.
    pub fn from_json(text: &str) -> Result<Self, InvalidJson> {
        serde_json::from_str(text).map(Self).map_err(InvalidJson)
    }

    /// Returns the value if it is a string.
    pub fn as_str(&self) -> Option<&str> {
        self.0.as_str()
    }

    /// Returns the value if it is a number.
    pub fn as_f64(&self) -> Option<f64> {
        self.0.as_f64()
    }

    /// Returns the value if it is an integer of this size.
    pub fn as_i64(&self) -> Option<i64> {
        self.0.as_i64()
    }

    /// Returns the value if it is a boolean.
    pub fn as_bool(&self) -> Option<bool> {
        self.0.as_bool()
    }

    /// Returns the string, or the strings of a list; other items are left out.
    pub fn strings(&self) -> Vec<&str> {
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

/// Writes the value as JSON. Control and bidirectional characters are escaped, so that a terminal shows them as text.
impl fmt::Display for ClaimValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use fmt::Write as _;
        for c in self.0.to_string().chars() {
            if clean_char(c) == c {
                f.write_char(c)?;
            } else {
                write!(f, "\\u{:04x}", u32::from(c))?;
            }
        }
        Ok(())
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
        assert_eq!(ClaimValue::from(5_i64).as_i64(), Some(5));
        assert_eq!(ClaimValue::from(5_i64).as_str(), None);
        assert_eq!(ClaimValue::from(vec!["a", "b"]).to_string(), r#"["a","b"]"#);
        assert_eq!(ClaimValue::from_json("[1,\"x\",null]").unwrap().strings(), ["x"]);
        assert_eq!(ClaimValue::from_json("true").unwrap().as_bool(), Some(true));
        assert!(ClaimValue::from_json("{").is_err());
    }

    #[test]
    fn characters_that_a_terminal_obeys_are_escaped_and_the_json_stays_the_same_value() {
        for text in ["a\u{1b}[2Jb", "a\u{9b}31m", "a\u{202e}b", "\u{7f}", "a\nb", "plain é"] {
            let value = ClaimValue::from(text);
            let shown = value.to_string();
            assert!(!shown.chars().any(|c| c.is_control() || c == '\u{202e}'), "{shown:?}");
            assert_eq!(ClaimValue::from_json(&shown).unwrap(), value, "{shown}");
        }
    }
}
