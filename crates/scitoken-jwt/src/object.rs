//! Headers and claims: JSON objects in the order of the token.

use std::fmt;

use serde::de::DeserializeOwned;
use serde::ser::Error as _;
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

use super::JwtError;
use super::json::{self, Json, Text};

/// The header or the claims of a token: a JSON object with its members in the order of the token.
///
/// No value of the token is lost: integers may have any size, and `Display` writes the object as Python's
/// `json.dumps` does, in ASCII. `Debug` shows only the names of the members.
///
/// ```
/// use scitoken_jwt::Object;
///
/// let claims = Object::parse(r#"{"sub": "é", "exp": 4102444800, "n": 1000000000000000000000000000000}"#)?;
/// assert_eq!(claims.text("sub"), Some("é"));
/// assert_eq!(claims.value::<u64>("exp"), Some(4_102_444_800));
/// assert_eq!(claims.to_string(), r#"{"sub":"\u00e9","exp":4102444800,"n":1000000000000000000000000000000}"#);
/// # Ok::<(), scitoken_jwt::JwtError>(())
/// ```
#[derive(Clone, Default, PartialEq)]
pub struct Object(Vec<(Text, Json)>);

impl Object {
    pub(super) fn new(members: Vec<(Text, Json)>) -> Self {
        Self(members)
    }

    /// Parses an object from JSON.
    ///
    /// # Errors
    /// [`JwtError::InvalidClaims`] if the input is not a JSON object.
    pub fn parse(json: impl AsRef<[u8]>) -> Result<Self, JwtError> {
        match json::read(json.as_ref()) {
            Ok(Json::Object(members)) => Ok(Self(members)),
            Ok(_) => Err(JwtError::InvalidClaims { reason: "they are not a JSON object".into() }),
            Err(problem) => {
                Err(JwtError::InvalidClaims { reason: format!("they are not JSON: {problem}").into() })
            }
        }
    }

    /// Returns the names of the members; a name that is not valid Unicode is left out.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|(name, _)| name.as_str())
    }

    /// Returns the number of members.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns whether the object has no members.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns whether the object has this member, `null` included.
    pub fn contains(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// Returns a member that is a string.
    pub fn text(&self, name: &str) -> Option<&str> {
        match self.get(name)? {
            Json::Text(text) => text.as_str(),
            _ => None,
        }
    }

    /// Returns a member as this type; `None` if it is missing or has another type.
    pub fn value<T: DeserializeOwned>(&self, name: &str) -> Option<T> {
        serde_json::from_slice(&json::to_bytes(self.get(name)?)).ok()
    }

    /// Returns the whole object as this type.
    ///
    /// # Errors
    /// [`JwtError::InvalidClaims`] names the member that does not fit.
    pub fn to_type<T: DeserializeOwned>(&self) -> Result<T, JwtError> {
        serde_json::from_slice(&self.to_json())
            .map_err(|error| JwtError::InvalidClaims { reason: error.to_string().into() })
    }

    pub(super) fn get(&self, name: &str) -> Option<&Json> {
        self.0.iter().find(|(member, _)| member == name).map(|(_, value)| value)
    }

    pub(super) fn members(&self) -> impl Iterator<Item = (&Text, &Json)> {
        self.0.iter().map(|(name, value)| (name, value))
    }

    pub(super) fn set(&mut self, name: &str, value: Json) {
        self.set_text(&Text::from(name), value);
    }

    pub(super) fn set_text(&mut self, name: &Text, value: Json) {
        match self.0.iter_mut().find(|(member, _)| member == name) {
            Some((_, old)) => *old = value,
            None => self.0.push((name.clone(), value)),
        }
    }

    pub(super) fn remove(&mut self, name: &str) {
        self.0.retain(|(member, _)| member != name);
    }

    /// Sorts the members by name, as PyJWT sorts headers.
    pub(super) fn to_sorted_json(&self) -> Vec<u8> {
        let mut json = Json::Object(self.0.clone());
        json.sort();
        json::to_bytes(&json)
    }

    pub(super) fn to_json(&self) -> Vec<u8> {
        json::object_to_bytes(&self.0)
    }
}

impl fmt::Display for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(std::str::from_utf8(&self.to_json()).unwrap_or_default())
    }
}

impl fmt::Debug for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}

/// Serializes the members exactly as `Display` writes them. JSON has no `NaN` and no infinite numbers; an object that
/// has one cannot be serialized.
impl Serialize for Object {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        RawValue::from_string(self.to_string()).map_err(S::Error::custom)?.serialize(serializer)
    }
}
