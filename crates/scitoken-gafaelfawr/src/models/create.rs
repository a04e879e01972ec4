//! The requests that create tokens.

use std::time::{Duration, SystemTime};

use serde::Serialize;

use crate::models::token_base::token_type;
use crate::models::user::{UserDetails, UserGroup};
use crate::names::{USERNAME_PATTERN, Username};
use crate::pydantic::reader::{self, Invalid, Model, ObjectReader, ValueError, json_model};
use crate::pydantic::rules::{self, LengthLimits};
use crate::pydantic::timestamp::{Timestamp, iso_or_null};
use crate::pydantic::validation::ValidationError;
use crate::scopes::Scopes;
use crate::token_type::TokenType;

/// The minimum lifetime of a new token.
const MINIMUM_LIFETIME: Duration = Duration::from_secs(300);

/// A request whose fields are valid each, but which the server rejects.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidTokenRequest {
    /// The expiry is less than five minutes away; the server's error is `invalid_expires`.
    #[error("the expiry is less than five minutes away")]
    ExpiresTooSoon,
    /// The username of a service token does not start with `bot-`; the server's error is `permission_denied`.
    #[error("the username `{0}` of a service token does not start with `bot-`")]
    NotABot(Username),
    /// The caller's token lacks these scopes; the server's error is `invalid_scopes`.
    #[error("the caller's token lacks the scopes `{0}`")]
    ScopesTooBroad(Scopes),
}

/// A request of an administrator for a token of a user or a service (`POST tokens`).
///
/// # Examples
/// ```
/// use scitoken_gafaelfawr::{AdminTokenRequest, Scopes};
///
/// let request = AdminTokenRequest::for_service("bot-nightly".parse()?)
///     .with_scopes(Scopes::from_comma_separated("read:all"));
/// assert_eq!(
///     request.to_json_without_nulls(),
///     r#"{"username":"bot-nightly","token_type":"service","scopes":["read:all"]}"#,
/// );
/// # Ok::<(), scitoken_gafaelfawr::InvalidUsername>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AdminTokenRequest {
    username: Username,
    token_type: TokenType,
    token_name: Option<String>,
    scopes: Scopes,
    #[serde(serialize_with = "iso_or_null")]
    expires: Option<Timestamp>,
    #[serde(flatten)]
    details: UserDetails,
    groups: Option<Vec<UserGroup>>,
}

impl AdminTokenRequest {
    /// Returns a request for a service token, which has no name.
    pub fn for_service(username: Username) -> Self {
        Self::build(username, TokenType::Service, None)
    }

    /// Returns a request for a user token with a name.
    ///
    /// # Errors
    /// [`ValidationError`] unless the name has 1 to 64 characters.
    pub fn for_user(username: Username, token_name: &str) -> Result<Self, ValidationError> {
        let name = rules::check_text(Self::NAME, "token_name", token_name, LengthLimits::NAME)?;
        Ok(Self::build(username, TokenType::User, Some(name)))
    }

    /// Sets the scopes; without them the token permits nothing.
    pub fn with_scopes(mut self, scopes: Scopes) -> Self {
        self.scopes = scopes;
        self
    }

    /// Sets the expiry; without it the token does not expire.
    pub fn with_expires(mut self, expires: SystemTime) -> Self {
        self.expires = Some(expires.into());
        self
    }

    /// Overrides the full name from the server's user directory.
    ///
    /// # Errors
    /// [`ValidationError`] when the text is empty.
    pub fn with_name(mut self, name: &str) -> Result<Self, ValidationError> {
        self.details.name = Some(rules::check_text(Self::NAME, "name", name, LengthLimits::NOT_EMPTY)?);
        Ok(self)
    }

    /// Overrides the mail address from the server's user directory.
    ///
    /// # Errors
    /// [`ValidationError`] when the text is empty.
    pub fn with_email(mut self, email: &str) -> Result<Self, ValidationError> {
        self.details.email = Some(rules::check_text(Self::NAME, "email", email, LengthLimits::NOT_EMPTY)?);
        Ok(self)
    }

    /// Overrides the numeric user id from the server's user directory.
    pub fn with_uid(mut self, uid: std::num::NonZeroU32) -> Self {
        self.details.uid = Some(u64::from(uid.get()));
        self
    }

    /// Overrides the id of the primary group from the server's user directory.
    pub fn with_gid(mut self, gid: std::num::NonZeroU32) -> Self {
        self.details.gid = Some(u64::from(gid.get()));
        self
    }

    /// Overrides the groups from the server's user directory.
    pub fn with_groups(mut self, groups: Vec<UserGroup>) -> Self {
        self.groups = Some(groups);
        self
    }

    /// Applies the server's rules for the whole request: a service token has a `bot-` username, a token is valid for
    /// at least five minutes.
    ///
    /// # Errors
    /// [`InvalidTokenRequest`] with the first rule that is broken.
    pub fn check(&self, now: SystemTime) -> Result<(), InvalidTokenRequest> {
        check_expires(self.expires, now)?;
        if self.token_type == TokenType::Service && !self.username.is_bot() {
            return Err(InvalidTokenRequest::NotABot(self.username.clone()));
        }
        Ok(())
    }

    fn build(username: Username, token_type: TokenType, token_name: Option<String>) -> Self {
        let (scopes, details) = (Scopes::default(), UserDetails::default());
        Self { username, token_type, token_name, scopes, expires: None, details, groups: None }
    }
}

impl Model for AdminTokenRequest {
    const NAME: &'static str = "AdminTokenRequest";

    fn read(fields: &mut ObjectReader<'_, '_>) -> Result<Self, Invalid> {
        let username = fields.required("username", rules::matching(LengthLimits::NAME, USERNAME_PATTERN));
        let token_type = fields.required("token_type", |value, errors| match token_type(value, errors)? {
            kind @ (TokenType::User | TokenType::Service) => Ok(kind),
            _ => Err(errors
                .refuse(ValueError::new("value_error", "Value error, token_type must be service or user"))),
        });
        let token_name = fields.optional("token_name", rules::text(LengthLimits::NAME)).and_then(|name| {
            let message = match (&name, &token_type) {
                (Some(_), Ok(TokenType::Service)) => "Value error, Tokens of type service cannot have a name",
                (None, Ok(TokenType::User)) => "Value error, Tokens of type user must have a name",
                _ => return Ok(name),
            };
            Err(fields.refuse("token_name", ValueError::new("value_error", message)))
        });
        let scopes = fields.defaulted("scopes", |_| Scopes::default(), rules::scopes);
        let expires = fields.optional("expires", rules::timestamp);
        let details = UserDetails::read(fields);
        let groups = fields.optional("groups", |value, errors| rules::list(value, errors, reader::model));
        Ok(Self {
            username: username?,
            token_type: token_type?,
            token_name: token_name?,
            scopes: scopes?,
            expires: expires?,
            details: details?,
            groups: groups?,
        })
    }
}

json_model!(AdminTokenRequest);

/// A request for a token of the calling user (`POST users/{username}/tokens`).
///
/// # Examples
/// ```
/// use scitoken_gafaelfawr::{Scopes, UserTokenRequest};
///
/// let request = UserTokenRequest::new("laptop")?.with_scopes(Scopes::from_comma_separated("read:all"));
/// assert!(request.check_scopes(&Scopes::from_comma_separated("read:all,exec:notebook")).is_ok());
/// # Ok::<(), scitoken_gafaelfawr::ValidationError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct UserTokenRequest {
    token_name: String,
    scopes: Scopes,
    #[serde(serialize_with = "iso_or_null")]
    expires: Option<Timestamp>,
}

impl UserTokenRequest {
    /// Returns a request for a token with this name, which must be unique among the user's tokens.
    ///
    /// # Errors
    /// [`ValidationError`] unless the name has 1 to 64 characters.
    pub fn new(token_name: &str) -> Result<Self, ValidationError> {
        let token_name = rules::check_text(Self::NAME, "token_name", token_name, LengthLimits::NAME)?;
        Ok(Self { token_name, scopes: Scopes::default(), expires: None })
    }

    /// Sets the scopes; without them the token permits nothing.
    pub fn with_scopes(mut self, scopes: Scopes) -> Self {
        self.scopes = scopes;
        self
    }

    /// Sets the expiry; without it the token does not expire.
    pub fn with_expires(mut self, expires: SystemTime) -> Self {
        self.expires = Some(expires.into());
        self
    }

    /// Applies the server's rule for the whole request: a token is valid for at least five minutes.
    ///
    /// # Errors
    /// [`InvalidTokenRequest::ExpiresTooSoon`].
    pub fn check(&self, now: SystemTime) -> Result<(), InvalidTokenRequest> {
        check_expires(self.expires, now)
    }

    /// Checks that the caller's token has all requested scopes; a token with `admin:token` may grant any.
    ///
    /// # Errors
    /// [`InvalidTokenRequest::ScopesTooBroad`] with the scopes that the caller's token lacks.
    pub fn check_scopes(&self, held: &Scopes) -> Result<(), InvalidTokenRequest> {
        if held.contains("admin:token") || self.scopes.is_subset(held) {
            return Ok(());
        }
        Err(InvalidTokenRequest::ScopesTooBroad(self.scopes.without(held)))
    }
}

impl Model for UserTokenRequest {
    const NAME: &'static str = "UserTokenRequest";

    fn read(fields: &mut ObjectReader<'_, '_>) -> Result<Self, Invalid> {
        let token_name = fields.required("token_name", rules::text(LengthLimits::NAME));
        let scopes = fields.defaulted("scopes", |_| Scopes::default(), rules::scopes);
        let expires = fields.optional("expires", rules::timestamp);
        Ok(Self { token_name: token_name?, scopes: scopes?, expires: expires? })
    }
}

json_model!(UserTokenRequest);

pub(crate) fn check_expires(expires: Option<Timestamp>, now: SystemTime) -> Result<(), InvalidTokenRequest> {
    let earliest = now.checked_add(MINIMUM_LIFETIME).map(|time| Timestamp::from(time).whole_seconds());
    match (expires, earliest) {
        (Some(expires), Some(earliest)) if expires < earliest => Err(InvalidTokenRequest::ExpiresTooSoon),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
    }

    #[test]
    fn an_expiry_less_than_five_minutes_away_is_rejected() {
        let request = UserTokenRequest::new("n").unwrap();
        assert_eq!(request.check(at(1_000)), Ok(()));
        assert_eq!(request.clone().with_expires(at(1_300)).check(at(1_000)), Ok(()));
        let soon = request.with_expires(at(1_299));
        assert_eq!(soon.check(at(1_000)), Err(InvalidTokenRequest::ExpiresTooSoon));
    }

    #[test]
    fn a_service_token_needs_a_bot_username() {
        let request = |name: &str| AdminTokenRequest::for_service(name.parse().unwrap());
        assert_eq!(request("bot-x").check(at(0)), Ok(()));
        let error = request("robot").check(at(0)).unwrap_err();
        assert_eq!(error.to_string(), "the username `robot` of a service token does not start with `bot-`");
    }

    #[test]
    fn only_an_administrator_grants_scopes_beyond_its_own() {
        let request = UserTokenRequest::new("n").unwrap().with_scopes(Scopes::from_comma_separated("a,b"));
        assert_eq!(request.check_scopes(&Scopes::from_comma_separated("a,b,c")), Ok(()));
        assert_eq!(request.check_scopes(&Scopes::from_comma_separated("admin:token")), Ok(()));
        let error = request.check_scopes(&Scopes::from_comma_separated("a")).unwrap_err();
        assert_eq!(error.to_string(), "the caller's token lacks the scopes `b`");
    }

    #[test]
    fn a_name_that_does_not_fit_the_token_type_is_rejected() {
        for value in [
            json!({"username": "ab", "token_type": "user", "token_name": null}),
            json!({"username": "bot-x", "token_type": "service", "token_name": "n"}),
        ] {
            let error = AdminTokenRequest::from_json(&value.to_string()).unwrap_err();
            assert_eq!(error.errors()[0].kind(), "value_error", "{value}");
        }
        let value = json!({"username": "ab", "token_type": "oidc"});
        assert_eq!(AdminTokenRequest::from_json(&value.to_string()).unwrap_err().errors().len(), 1);
    }
}
