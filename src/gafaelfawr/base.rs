//! What every stored form of a token has.

use std::time::SystemTime;

use serde::Serialize;

use super::moment::Moment;
use super::reader::{Fields, Model, Problem, Report, Reported, json_model};
use super::rules::{self, Limits};
use super::scopes::Scopes;
use super::token_type::TokenType;
use super::validation::ValidationError;

/// What Redis and the database both hold about a token.
///
/// # Examples
/// ```
/// use reqwest_scitokens::gafaelfawr::{TokenBase, TokenType};
///
/// let base = TokenBase::from_json(
///     r#"{"username": "u", "token_type": "user", "scopes": "user:token,read:all", "created": "2021-03-05T23:15:30Z"}"#,
/// )?;
/// assert_eq!(base.token_type(), TokenType::User);
/// assert_eq!(
///     base.to_json_without_nulls(),
///     r#"{"username":"u","token_type":"user","scopes":["read:all","user:token"],"created":1614986130}"#,
/// );
/// # Ok::<(), reqwest_scitokens::gafaelfawr::ValidationError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TokenBase {
    username: String,
    token_type: TokenType,
    service: Option<String>,
    scopes: Scopes,
    created: Moment,
    expires: Option<Moment>,
}

impl TokenBase {
    /// A token that never ends and belongs to no service.
    ///
    /// # Errors
    /// [`ValidationError`] when the username has not 1 to 64 characters. No pattern is asked of it here: the
    /// server's own tokens belong to `<bootstrap>` and `<internal>`.
    pub fn new(
        username: &str,
        token_type: TokenType,
        scopes: Scopes,
        created: SystemTime,
    ) -> Result<Self, ValidationError> {
        let username = rules::check_text(Self::NAME, "username", username, Limits::NAME)?;
        Ok(Self { username, token_type, service: None, scopes, created: created.into(), expires: None })
    }

    /// States the service that the token was handed to.
    ///
    /// # Errors
    /// [`ValidationError`] when its name has not 1 to 64 characters.
    pub fn with_service(mut self, service: &str) -> Result<Self, ValidationError> {
        self.service = Some(rules::check_text(Self::NAME, "service", service, Limits::NAME)?);
        Ok(self)
    }

    /// States when the token ends; times after the year 9999 become its end.
    pub fn with_expires(mut self, expires: SystemTime) -> Self {
        self.expires = Some(expires.into());
        self
    }

    /// The user whom the token was issued to.
    pub fn username(&self) -> &str {
        &self.username
    }

    /// What the token was issued for.
    pub fn token_type(&self) -> TokenType {
        self.token_type
    }

    /// The service that an internal token was handed to.
    pub fn service(&self) -> Option<&str> {
        self.service.as_deref()
    }

    /// What the token allows.
    pub fn scopes(&self) -> &Scopes {
        &self.scopes
    }

    /// When the token was made.
    pub fn created(&self) -> SystemTime {
        self.created.to_system()
    }

    /// When the token ends; `None` means never.
    pub fn expires(&self) -> Option<SystemTime> {
        self.expires.map(Moment::to_system)
    }

    /// Reads the fields after the username, which other models have elsewhere.
    pub(super) fn read_after_username(
        fields: &mut Fields<'_, '_>,
        username: Result<String, Reported>,
    ) -> Result<Self, Reported> {
        let token_type = fields.required("token_type", token_type);
        let service = fields.optional("service", rules::text(Limits::NAME));
        let scopes = fields.required("scopes", rules::scopes);
        let now = |report: &Report| Moment::from(report.now()).whole_seconds();
        let created = fields.defaulted("created", now, rules::moment);
        let expires = fields.optional("expires", rules::moment);
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

    fn read(fields: &mut Fields<'_, '_>) -> Result<Self, Reported> {
        let username = fields.required("username", rules::text(Limits::NAME));
        Self::read_after_username(fields, username)
    }
}

json_model!(TokenBase);

/// One of the names of [`TokenType`].
pub(super) fn token_type(value: &serde_json::Value, report: &mut Report) -> Result<TokenType, Reported> {
    value.as_str().and_then(|name| name.parse().ok()).ok_or_else(|| {
        let message = "Input should be 'session', 'user', 'notebook', 'internal', 'service' or 'oidc'";
        report.refuse(Problem::new("enum", message))
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::gafaelfawr::reader::{self, Unknown};

    #[test]
    fn a_missing_creation_time_is_now_without_its_fraction() {
        let value = json!({"username": "u", "token_type": "user", "scopes": []});
        let now = SystemTime::UNIX_EPOCH + std::time::Duration::from_millis(5_999);
        let base: TokenBase = reader::read(&value, now, Unknown::Refused).unwrap();
        assert!(base.to_json().contains(r#""created":5,"#));
        assert_eq!(base.created(), SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(5));
    }

    #[test]
    fn every_field_at_fault_is_told() {
        let value = json!({"username": "", "token_type": "admin", "scopes": [1, "a", null], "created": null});
        let error = TokenBase::from_json(&value.to_string()).unwrap_err();
        let told: Vec<String> = error.problems().iter().map(ToString::to_string).collect();
        assert_eq!(told.len(), 5);
        assert_eq!(told[0], "`username`: string should have at least 1 character");
        assert_eq!(told[2], "`scopes.0`: input should be a valid string");
        assert_eq!(told[4], "`created`: input should be a valid datetime");
    }

    #[test]
    fn a_token_can_be_described_without_json() {
        let at = |seconds| SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(seconds);
        let scopes = Scopes::from_comma_separated("read:all");
        let base = TokenBase::new("u", TokenType::Internal, scopes, at(1)).unwrap();
        let base = base.with_service("svc").unwrap().with_expires(at(2));
        assert_eq!(TokenBase::from_json(&base.to_json()).unwrap(), base);
        assert!(TokenBase::new("", TokenType::User, Scopes::default(), at(1)).is_err());
        assert!(base.with_service(&"s".repeat(65)).is_err());
    }
}
