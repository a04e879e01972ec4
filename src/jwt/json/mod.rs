//! JSON as Python reads and writes it: whole integers of any size, `NaN`, half surrogates, several encodings.
//!
//! PyJWT's verdict on a token depends on these, so this room has a reader of its own. It builds a small tree, which
//! is then judged; nothing in it is ever trusted for being well-formed Unicode.

mod bytes;
mod reader;
mod text;
mod writer;

pub(super) use reader::read;
pub(super) use text::Text;
pub(super) use writer::{object_to_bytes, to_bytes, write};

/// A value. Objects keep the order of their members; of several with one name, the last counts.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Json {
    Null,
    Bool(bool),
    /// The digits of a whole number, with a minus sign where there is one; never `-0`, never a leading zero.
    Int(Box<str>),
    /// Any other number, infinite ones and `NaN` included.
    Float(f64),
    Text(Text),
    Array(Vec<Self>),
    Object(Vec<(Text, Self)>),
}

impl Json {
    /// Whether Python takes the value for `False`.
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

    /// Sorts the members of every object in it by name, as `json.dumps(sort_keys=True)` does.
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
