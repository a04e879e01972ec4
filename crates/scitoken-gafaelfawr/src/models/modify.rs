//! The request that changes a token.

use std::time::SystemTime;

use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};
use serde_json::Value;

use crate::models::create::{InvalidTokenRequest, check_expires};
use crate::pydantic::reader::{self, Invalid, Model, ObjectReader};
use crate::pydantic::rules::{self, LengthLimits};
use crate::pydantic::timestamp::Timestamp;
use crate::pydantic::validation::ValidationError;
use crate::scopes::Scopes;

/// A request of an administrator to change a user token (`PATCH users/{username}/tokens/{key}`).
///
/// Fields that are not set stay unchanged. `Serialize` writes the body of the request: the fields that are set, with
/// `"expires": null` for a token without expiry.
///
/// ```
/// use scitoken_gafaelfawr::UserTokenModifyRequest;
/// use serde_json::json;
///
/// let request = UserTokenModifyRequest::new().with_token_name("laptop")?.never_expiring();
/// assert_eq!(serde_json::to_value(&request)?, json!({"token_name": "laptop", "expires": null}));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UserTokenModifyRequest {
    token_name: Option<String>,
    scopes: Option<Scopes>,
    expires: ExpiryChange,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum ExpiryChange {
    #[default]
    Unchanged,
    Never,
    At(Timestamp),
}

impl UserTokenModifyRequest {
    /// Returns a request that changes nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Changes the name.
    ///
    /// # Errors
    /// [`ValidationError`] unless the name has 1 to 64 characters.
    pub fn with_token_name(mut self, name: &str) -> Result<Self, ValidationError> {
        self.token_name = Some(rules::check_text(Self::NAME, "token_name", name, LengthLimits::NAME)?);
        Ok(self)
    }

    /// Replaces the scopes.
    pub fn with_scopes(mut self, scopes: Scopes) -> Self {
        self.scopes = Some(scopes);
        self
    }

    /// Changes the expiry.
    pub fn with_expires(mut self, expires: SystemTime) -> Self {
        self.expires = ExpiryChange::At(expires.into());
        self
    }

    /// Removes the expiry.
    pub fn never_expiring(mut self) -> Self {
        self.expires = ExpiryChange::Never;
        self
    }

    /// Applies the server's rule for the whole request: a token is valid for at least five minutes.
    ///
    /// # Errors
    /// [`InvalidTokenRequest::ExpiresTooSoon`].
    pub fn check(&self, now: SystemTime) -> Result<(), InvalidTokenRequest> {
        match self.expires {
            ExpiryChange::At(timestamp) => check_expires(Some(timestamp), now),
            ExpiryChange::Unchanged | ExpiryChange::Never => Ok(()),
        }
    }

    /// Reads the request from JSON by the rules of Gafaelfawr's model.
    ///
    /// # Errors
    /// [`ValidationError`] with all invalid fields.
    pub fn from_json(json: &str) -> Result<Self, ValidationError> {
        reader::read_json(json)
    }

    /// Returns JSON with all fields, as Gafaelfawr's model dumps it; this is not the body of the request.
    pub fn to_json(&self) -> String {
        self.all_fields().to_string()
    }

    /// Returns the same JSON without null fields.
    pub fn to_json_without_nulls(&self) -> String {
        reader::without_nulls(&self.all_fields()).to_string()
    }

    fn all_fields(&self) -> Value {
        let expires = match self.expires {
            ExpiryChange::At(timestamp) => Value::String(timestamp.to_iso()),
            ExpiryChange::Unchanged | ExpiryChange::Never => Value::Null,
        };
        serde_json::json!({"token_name": self.token_name, "scopes": self.scopes, "expires": expires})
    }
}

impl Model for UserTokenModifyRequest {
    const NAME: &'static str = "UserTokenModifyRequest";

    fn read(fields: &mut ObjectReader<'_, '_>) -> Result<Self, Invalid> {
        let token_name = fields.optional("token_name", rules::text(LengthLimits::NAME));
        let scopes = fields.optional("scopes", rules::scopes);
        let expires = fields.optional("expires", rules::timestamp);
        let expires = match expires? {
            Some(timestamp) => ExpiryChange::At(timestamp),
            None if fields.has("expires") => ExpiryChange::Never,
            None => ExpiryChange::Unchanged,
        };
        Ok(Self { token_name: token_name?, scopes: scopes?, expires })
    }
}

impl Serialize for UserTokenModifyRequest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        if let Some(name) = &self.token_name {
            map.serialize_entry("token_name", name)?;
        }
        if let Some(scopes) = &self.scopes {
            map.serialize_entry("scopes", scopes)?;
        }
        match self.expires {
            ExpiryChange::Unchanged => {}
            ExpiryChange::Never => map.serialize_entry("expires", &())?,
            ExpiryChange::At(timestamp) => map.serialize_entry("expires", &timestamp.to_iso())?,
        }
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;

    use super::*;

    #[test]
    fn only_an_expiry_that_is_set_can_be_too_soon() {
        let at = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        let change = UserTokenModifyRequest::new();
        assert_eq!(change.clone().never_expiring().check(at(1_000)), Ok(()));
        assert_eq!(change.check(at(1_000)), Ok(()));
        assert_eq!(change.with_expires(at(5)).check(at(1_000)), Err(InvalidTokenRequest::ExpiresTooSoon));
    }

    #[test]
    fn an_absent_expiry_and_a_null_expiry_differ() {
        let read = |value: &str| UserTokenModifyRequest::from_json(value).unwrap();
        assert_eq!(serde_json::to_value(read("{}")).unwrap(), json!({}));
        assert_eq!(serde_json::to_value(read(r#"{"expires": null}"#)).unwrap(), json!({"expires": null}));
        let full = read(r#"{"expires": 1616986130, "scopes": "b,a"}"#);
        assert_eq!(
            serde_json::to_value(&full).unwrap(),
            json!({"scopes": ["a", "b"], "expires": "2021-03-29T02:48:50Z"})
        );
        assert!(full.to_json().starts_with(r#"{"token_name":null,"#));
    }
}
