//! The fields of an entry, read and named as the SDK does.

use super::raw_object::{NotJson, RawObject};

/// A JSON text that is not a [`TokenStorageData`](super::TokenStorageData). Does not show the text, which may hold tokens.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(transparent)]
pub struct InvalidTokenData(#[from] Reason);

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Reason {
    #[error("{0}")]
    NotJson(NotJson),
    #[error("not a JSON object")]
    NotAnObject,
    #[error("`{field}` must be {expected}")]
    Field { field: &'static str, expected: &'static str },
}

impl InvalidTokenData {
    /// Returns the invalid field, if one field is the cause.
    pub fn field(&self) -> Option<&'static str> {
        match self.0 {
            Reason::Field { field, .. } => Some(field),
            Reason::NotJson(_) | Reason::NotAnObject => None,
        }
    }
}

pub(super) const FIELDS: [&str; 7] = [
    "resource_server",
    "identity_id",
    "scope",
    "access_token",
    "refresh_token",
    "expires_at_seconds",
    "token_type",
];

pub(super) fn text_field(fields: &RawObject, field: &'static str) -> Result<String, Reason> {
    let wrong = Reason::Field { field, expected: "a string" };
    let value = fields.get(field).ok_or_else(|| wrong.clone())?;
    serde_json::from_str(value.get()).map_err(|_| wrong)
}

pub(super) fn optional_text_field(fields: &RawObject, field: &'static str) -> Result<Option<String>, Reason> {
    let Some(value) = fields.get(field) else { return Ok(None) };
    serde_json::from_str(value.get()).map_err(|_| Reason::Field { field, expected: "a string or null" })
}

pub(super) fn integer_field(fields: &RawObject, field: &'static str) -> Result<i64, Reason> {
    let wrong = Reason::Field { field, expected: "an int" };
    let value = fields.get(field).ok_or_else(|| wrong.clone())?;
    serde_json::from_str(value.get()).map_err(|_| wrong)
}
