//! JSON as Python reads and writes it: integers of any size, `NaN`, unpaired surrogates, several encodings.
//!
//! PyJWT accepts tokens that `serde_json` refuses, and the reverse: an `exp` of 400 digits, `NaN`, `"\ud800"`,
//! UTF-16, repeated members. Verdicts and output that equal PyJWT's byte for byte therefore need this reader and
//! writer; `serde_json` has no settings for it. Tokens of issuers are not parsed with it: `scitoken-authz` uses
//! `serde_json`.

mod bytes;
mod reader;
mod text;
mod writer;

pub(super) use reader::read;
pub(super) use text::Text;
pub(super) use writer::{object_to_bytes, to_bytes, write};

/// A value. Objects keep the order of their members; of several with one name, the last value counts.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Json {
    Null,
    Bool(bool),
    /// The digits of an integer, with a sign if it is negative; never `-0`, never a leading zero.
    Int(Box<str>),
    /// Any other number, including infinite ones and `NaN`.
    Float(f64),
    Text(Text),
    Array(Vec<Self>),
    Object(Vec<(Text, Self)>),
}

impl Json {
    /// Returns whether Python treats the value as false.
    pub(super) fn is_falsy(&self) -> bool {
        match self {
            Self::Null => true,
            Self::Bool(value) => !value,
            Self::Int(digits) => &**digits == "0",
            Self::Float(value) => *value == 0.0,
            Self::Text(text) => text.is_empty(),
            Self::Array(items) => items.is_empty(),
            Self::Object(members) => members.is_empty(),
        }
    }

    /// Sorts the members of every object by name, as `json.dumps(sort_keys=True)` does.
    pub(super) fn sort(&mut self) {
        match self {
            Self::Array(items) => items.iter_mut().for_each(Self::sort),
            Self::Object(members) => {
                members.sort_by(|(a, _), (b, _)| a.cmp(b));
                for (_, value) in members {
                    value.sort();
                }
            }
            _ => {}
        }
    }
}

impl From<&str> for Json {
    fn from(text: &str) -> Self {
        Self::Text(Text::from(text))
    }
}
