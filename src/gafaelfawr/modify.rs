//! What an administrator asks for when a token is to be changed.

use std::time::SystemTime;

use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};
use serde_json::Value;

use super::moment::Moment;
use super::reader::{self, Fields, Model, Reported};
use super::request::{RequestProblem, check_expires};
use super::rules::{self, Limits};
use super::scopes::Scopes;
use super::validation::ValidationError;

/// Asks, as an administrator, for changes of a user token (`PATCH users/{username}/tokens/{key}`).
///
/// What is not stated stays. `Serialize` writes what is sent: only what was stated, `"expires": null` for a token
/// that is never to end.
///
/// ```
/// use reqwest_scitokens::gafaelfawr::UserTokenModifyRequest;
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
    expires: Expires,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Expires {
    #[default]
    Unchanged,
    Never,
    At(Moment),
}

impl UserTokenModifyRequest {
    /// Changes nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Gives the token another name.
    ///
    /// # Errors
    /// [`ValidationError`] when it has not 1 to 64 characters.
    pub fn with_token_name(mut self, name: &str) -> Result<Self, ValidationError> {
        self.token_name = Some(rules::check_text(Self::NAME, "token_name", name, Limits::NAME)?);
        Ok(self)
    }

    /// Gives the token these scopes instead of those that it has.
    pub fn with_scopes(mut self, scopes: Scopes) -> Self {
        self.scopes = Some(scopes);
        self
    }

    /// Lets the token end at this time.
    pub fn with_expires(mut self, expires: SystemTime) -> Self {
        self.expires = Expires::At(expires.into());
        self
    }

    /// Lets the token never end.
    pub fn never_expiring(mut self) -> Self {
        self.expires = Expires::Never;
        self
    }

    /// Checks what the server checks after the fields: tokens live five minutes.
    ///
    /// # Errors
    /// [`RequestProblem::ExpiresTooSoon`].
    pub fn check(&self, now: SystemTime) -> Result<(), RequestProblem> {
        match self.expires {
            Expires::At(moment) => check_expires(Some(moment), now),
            Expires::Unchanged | Expires::Never => Ok(()),
        }
    }

    /// Reads the request from JSON, by the rules of Gafaelfawr's own model.
    ///
    /// # Errors
    /// [`ValidationError`] with every field that is at fault.
    pub fn from_json(json: &str) -> Result<Self, ValidationError> {
        reader::read_json(json)
    }

    /// The request as JSON with every field, as Gafaelfawr's own model shows it; not what is sent.
    pub fn to_json(&self) -> String {
        self.every_field().to_string()
    }

    /// The same without the fields that have no value.
    pub fn to_json_without_nulls(&self) -> String {
        reader::without_nulls(&self.every_field()).to_string()
    }

    fn every_field(&self) -> Value {
        let expires = match self.expires {
            Expires::At(moment) => Value::String(moment.to_iso()),
            Expires::Unchanged | Expires::Never => Value::Null,
        };
        serde_json::json!({"token_name": self.token_name, "scopes": self.scopes, "expires": expires})
    }
}

impl Model for UserTokenModifyRequest {
    const NAME: &'static str = "UserTokenModifyRequest";

    fn read(fields: &mut Fields<'_, '_>) -> Result<Self, Reported> {
        let token_name = fields.optional("token_name", rules::text(Limits::NAME));
        let scopes = fields.optional("scopes", rules::scopes);
        let expires = fields.optional("expires", rules::moment);
        let expires = match expires? {
            Some(moment) => Expires::At(moment),
            None if fields.has("expires") => Expires::Never,
            None => Expires::Unchanged,
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
            Expires::Unchanged => {}
            Expires::Never => map.serialize_entry("expires", &())?,
            Expires::At(moment) => map.serialize_entry("expires", &moment.to_iso())?,
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
    fn only_an_end_that_is_stated_can_be_too_soon() {
        let at = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        let change = UserTokenModifyRequest::new();
        assert_eq!(change.clone().never_expiring().check(at(1_000)), Ok(()));
        assert_eq!(change.check(at(1_000)), Ok(()));
        assert_eq!(change.with_expires(at(5)).check(at(1_000)), Err(RequestProblem::ExpiresTooSoon));
    }

    #[test]
    fn an_absent_end_and_a_null_end_are_two_things_in_a_change() {
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
