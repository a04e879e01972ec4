//! The fields that all forms of a token have.

use std::time::SystemTime;

use serde::Serialize;

use crate::pydantic::reader::{ErrorList, Invalid, Model, ObjectReader, ValueError, json_model};
use crate::pydantic::rules::{self, LengthLimits};
use crate::pydantic::timestamp::Timestamp;
use crate::pydantic::validation::ValidationError;
use crate::scopes::Scopes;
use crate::token_type::TokenType;

/// The fields of a token that Redis and the database both store.
///
/// # Examples
/// ```
/// use scitoken_gafaelfawr::{TokenBase, TokenType};
///
/// let base = TokenBase::from_json(
///     r#"{"username": "u", "token_type": "user", "scopes": "user:token,read:all", "created": "2021-03-05T23:15:30Z"}"#,
/// )?;
/// assert_eq!(base.token_type(), TokenType::User);
/// assert_eq!(
///     base.to_json_without_nulls(),
///     r#"{"username":"u","token_type":"user","scopes":["read:all","user:token"],"created":1614986130}"#,
/// );
/// # Ok::<(), scitoken_gafaelfawr::ValidationError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TokenBase {
    username: String,
    token_type: TokenType,
    service: Option<String>,
    scopes: Scopes,
    created: Timestamp,
    expires: Option<Timestamp>,
}

impl TokenBase {
    /// Returns a token without expiry and without a service.
    ///
    /// # Errors
    /// [`ValidationError`] unless the username has 1 to 64 characters. Other characters than those of a
    /// [`Username`](crate::Username) are allowed: the server's own tokens belong to `<bootstrap>` and `<internal>`.
    pub fn new(
        username: &str,
        token_type: TokenType,
        scopes: Scopes,
        created: SystemTime,
    ) -> Result<Self, ValidationError> {
        let username = rules::check_text(Self::NAME, "username", username, LengthLimits::NAME)?;
        Ok(Self { username, token_type, service: None, scopes, created: created.into(), expires: None })
    }

    /// Sets the service that the token is delegated to.
    ///
    /// # Errors
    /// [`ValidationError`] unless the name has 1 to 64 characters.
    pub fn with_service(mut self, service: &str) -> Result<Self, ValidationError> {
        self.service = Some(rules::check_text(Self::NAME, "service", service, LengthLimits::NAME)?);
        Ok(self)
    }

    /// Sets the expiry; times after the year 9999 become the end of that year.
    pub fn with_expires(mut self, expires: SystemTime) -> Self {
        self.expires = Some(expires.into());
        self
    }

    /// Returns the user of the token.
    pub fn username(&self) -> &str {
        &self.username
    }

    /// Returns the type of the token.
    pub fn token_type(&self) -> TokenType {
        self.token_type
    }

    /// Returns the service that an internal token is delegated to.
    pub fn service(&self) -> Option<&str> {
        self.service.as_deref()
    }

    /// Returns the scopes of the token.
    pub fn scopes(&self) -> &Scopes {
        &self.scopes
    }

    /// Returns the creation time.
    pub fn created(&self) -> SystemTime {
        self.created.to_system()
    }

    /// Returns the expiry; `None` for a token that does not expire.
    pub fn expires(&self) -> Option<SystemTime> {
        self.expires.map(Timestamp::to_system)
    }

    /// Reads the fields after the username, which other models have in another place.
    pub(crate) fn read_after_username(
        fields: &mut ObjectReader<'_, '_>,
        username: Result<String, Invalid>,
    ) -> Result<Self, Invalid> {
        let token_type = fields.required("token_type", token_type);
        let service = fields.optional("service", rules::text(LengthLimits::NAME));
        let scopes = fields.required("scopes", rules::scopes);
        let now = |errors: &ErrorList| Timestamp::from(errors.now()).whole_seconds();
        let created = fields.defaulted("created", now, rules::timestamp);
        let expires = fields.optional("expires", rules::timestamp);
        Ok(Self {
            username: username?,
            token_type: token_type?,
            service: service?,
            scopes: scopes?,
            created: created?,
            expires: expires?,
        })
    }
}

impl Model for TokenBase {
    const NAME: &'static str = "TokenBase";

    fn read(fields: &mut ObjectReader<'_, '_>) -> Result<Self, Invalid> {
        let username = fields.required("username", rules::text(LengthLimits::NAME));
        Self::read_after_username(fields, username)
    }
}

json_model!(TokenBase);

/// Reads the name of a [`TokenType`].
pub(crate) fn token_type(value: &serde_json::Value, errors: &mut ErrorList) -> Result<TokenType, Invalid> {
    value.as_str().and_then(|name| name.parse().ok()).ok_or_else(|| {
        let message = "Input should be 'session', 'user', 'notebook', 'internal', 'service' or 'oidc'";
        errors.refuse(ValueError::new("enum", message))
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::pydantic::reader;
    use crate::pydantic::reader::UnknownFields;

    #[test]
    fn a_missing_creation_time_is_now_without_its_fraction() {
        let value = json!({"username": "u", "token_type": "user", "scopes": []});
        let now = SystemTime::UNIX_EPOCH + std::time::Duration::from_millis(5_999);
        let base: TokenBase = reader::read(&value, now, UnknownFields::Forbid).unwrap();
        assert!(base.to_json().contains(r#""created":5,"#));
        assert_eq!(base.created(), SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(5));
    }

    #[test]
    fn all_invalid_fields_are_reported() {
        let value = json!({"username": "", "token_type": "admin", "scopes": [1, "a", null], "created": null});
        let error = TokenBase::from_json(&value.to_string()).unwrap_err();
        let told: Vec<String> = error.errors().iter().map(ToString::to_string).collect();
        assert_eq!(told.len(), 5);
        assert_eq!(told[0], "`username`: string should have at least 1 character");
        assert_eq!(told[2], "`scopes.0`: input should be a valid string");
        assert_eq!(told[4], "`created`: input should be a valid datetime");
    }

    #[test]
    fn a_token_can_be_built_without_json() {
        let at = |seconds| SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(seconds);
        let scopes = Scopes::from_comma_separated("read:all");
        let base = TokenBase::new("u", TokenType::Internal, scopes, at(1)).unwrap();
        let base = base.with_service("svc").unwrap().with_expires(at(2));
        assert_eq!(TokenBase::from_json(&base.to_json()).unwrap(), base);
        assert!(TokenBase::new("", TokenType::User, Scopes::default(), at(1)).is_err());
        assert!(base.with_service(&"s".repeat(65)).is_err());
    }
}
