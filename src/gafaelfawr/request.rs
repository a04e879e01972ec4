//! What a client asks for when it wants tokens made or changed.

use std::time::{Duration, SystemTime};

use serde::Serialize;

use super::base::token_type;
use super::moment::{Moment, iso_or_null};
use super::names::{USERNAME_PATTERN, Username};
use super::reader::{self, Fields, Model, Problem, Reported, json_model};
use super::rules::{self, Limits};
use super::scopes::Scopes;
use super::token_type::TokenType;
use super::user::{Details, Group};
use super::validation::ValidationError;

/// How long a new token must live at least.
const SHORTEST_LIFE: Duration = Duration::from_secs(300);

/// A request that the server would refuse, although each of its fields is well.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RequestProblem {
    /// The token would end too soon; the server says `invalid_expires`.
    #[error("a token must be valid for at least five minutes")]
    ExpiresTooSoon,
    /// A service token is for a user who is no robot; the server says `permission_denied`.
    #[error("a service token needs a username that starts with `bot-`, and `{0}` does not")]
    NotABot(Username),
    /// More is asked for than the caller has; the server says `invalid_scopes`.
    #[error("the scopes `{0}` are not among those of your own token")]
    ScopesTooBroad(Scopes),
}

/// Asks, as an administrator, for a token of a user or a service (`POST tokens`).
///
/// # Examples
/// ```
/// use reqwest_scitokens::gafaelfawr::{AdminTokenRequest, Scopes};
///
/// let request = AdminTokenRequest::for_service("bot-nightly".parse()?)
///     .with_scopes(Scopes::from_comma_separated("read:all"));
/// assert_eq!(
///     request.to_json_without_nulls(),
///     r#"{"username":"bot-nightly","token_type":"service","scopes":["read:all"]}"#,
/// );
/// # Ok::<(), reqwest_scitokens::gafaelfawr::InvalidUsername>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AdminTokenRequest {
    username: Username,
    token_type: TokenType,
    token_name: Option<String>,
    scopes: Scopes,
    #[serde(serialize_with = "iso_or_null")]
    expires: Option<Moment>,
    #[serde(flatten)]
    details: Details,
    groups: Option<Vec<Group>>,
}

impl AdminTokenRequest {
    /// A service token: it has no name, and its user is a robot.
    pub fn for_service(username: Username) -> Self {
        Self::build(username, TokenType::Service, None)
    }

    /// A user token with a name.
    ///
    /// # Errors
    /// [`ValidationError`] when the name has not 1 to 64 characters.
    pub fn for_user(username: Username, token_name: &str) -> Result<Self, ValidationError> {
        let name = rules::check_text(Self::NAME, "token_name", token_name, Limits::NAME)?;
        Ok(Self::build(username, TokenType::User, Some(name)))
    }

    /// States what the token is to allow; without it, nothing.
    pub fn with_scopes(mut self, scopes: Scopes) -> Self {
        self.scopes = scopes;
        self
    }

    /// States when the token is to end; without it, never.
    pub fn with_expires(mut self, expires: SystemTime) -> Self {
        self.expires = Some(expires.into());
        self
    }

    /// Overrides the full name that the server knows.
    ///
    /// # Errors
    /// [`ValidationError`] when it is empty.
    pub fn with_name(mut self, name: &str) -> Result<Self, ValidationError> {
        self.details.name = Some(rules::check_text(Self::NAME, "name", name, Limits::NOT_EMPTY)?);
        Ok(self)
    }

    /// Overrides the mail address that the server knows.
    ///
    /// # Errors
    /// [`ValidationError`] when it is empty.
    pub fn with_email(mut self, email: &str) -> Result<Self, ValidationError> {
        self.details.email = Some(rules::check_text(Self::NAME, "email", email, Limits::NOT_EMPTY)?);
        Ok(self)
    }

    /// Overrides the numeric user id that the server knows.
    pub fn with_uid(mut self, uid: std::num::NonZeroU32) -> Self {
        self.details.uid = Some(u64::from(uid.get()));
        self
    }

    /// Overrides the id of the primary group that the server knows.
    pub fn with_gid(mut self, gid: std::num::NonZeroU32) -> Self {
        self.details.gid = Some(u64::from(gid.get()));
        self
    }

    /// Overrides the groups that the server knows.
    pub fn with_groups(mut self, groups: Vec<Group>) -> Self {
        self.groups = Some(groups);
        self
    }

    /// Checks what the server checks after the fields: robots have `bot-` names, tokens live five minutes.
    ///
    /// # Errors
    /// [`RequestProblem`] with the first that fails.
    pub fn check(&self, now: SystemTime) -> Result<(), RequestProblem> {
        check_expires(self.expires, now)?;
        if self.token_type == TokenType::Service && !self.username.is_bot() {
            return Err(RequestProblem::NotABot(self.username.clone()));
        }
        Ok(())
    }

    fn build(username: Username, token_type: TokenType, token_name: Option<String>) -> Self {
        let (scopes, details) = (Scopes::default(), Details::default());
        Self { username, token_type, token_name, scopes, expires: None, details, groups: None }
    }
}

impl Model for AdminTokenRequest {
    const NAME: &'static str = "AdminTokenRequest";

    fn read(fields: &mut Fields<'_, '_>) -> Result<Self, Reported> {
        let username = fields.required("username", rules::matching(Limits::NAME, USERNAME_PATTERN));
        let token_type =
            fields.required("token_type", |value, report| match token_type(value, report)? {
                kind @ (TokenType::User | TokenType::Service) => Ok(kind),
                _ => Err(report
                    .refuse(Problem::new("value_error", "Value error, token_type must be service or user"))),
            });
        let token_name = fields.optional("token_name", rules::text(Limits::NAME)).and_then(|name| {
            let message = match (&name, &token_type) {
                (Some(_), Ok(TokenType::Service)) => "Value error, Tokens of type service cannot have a name",
                (None, Ok(TokenType::User)) => "Value error, Tokens of type user must have a name",
                _ => return Ok(name),
            };
            Err(fields.refuse("token_name", Problem::new("value_error", message)))
        });
        let scopes = fields.defaulted("scopes", |_| Scopes::default(), rules::scopes);
        let expires = fields.optional("expires", rules::moment);
        let details = Details::read(fields);
        let groups = fields.optional("groups", |value, report| rules::list(value, report, reader::model));
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

/// Asks for a new token of one's own (`POST users/{username}/tokens`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct UserTokenRequest {
    token_name: String,
    scopes: Scopes,
    #[serde(serialize_with = "iso_or_null")]
    expires: Option<Moment>,
}

impl UserTokenRequest {
    /// A token with a name that no other token of the user has.
    ///
    /// # Errors
    /// [`ValidationError`] when the name has not 1 to 64 characters.
    pub fn new(token_name: &str) -> Result<Self, ValidationError> {
        let token_name = rules::check_text(Self::NAME, "token_name", token_name, Limits::NAME)?;
        Ok(Self { token_name, scopes: Scopes::default(), expires: None })
    }

    /// States what the token is to allow; without it, nothing.
    pub fn with_scopes(mut self, scopes: Scopes) -> Self {
        self.scopes = scopes;
        self
    }

    /// States when the token is to end; without it, never.
    pub fn with_expires(mut self, expires: SystemTime) -> Self {
        self.expires = Some(expires.into());
        self
    }

    /// Checks what the server checks after the fields: tokens live five minutes.
    ///
    /// # Errors
    /// [`RequestProblem::ExpiresTooSoon`].
    pub fn check(&self, now: SystemTime) -> Result<(), RequestProblem> {
        check_expires(self.expires, now)
    }

    /// Checks that the caller's own token has all the scopes; with `admin:token` it may give others too.
    ///
    /// # Errors
    /// [`RequestProblem::ScopesTooBroad`] with those that it has not.
    pub fn check_scopes(&self, held: &Scopes) -> Result<(), RequestProblem> {
        if held.contains("admin:token") || self.scopes.is_subset(held) {
            return Ok(());
        }
        Err(RequestProblem::ScopesTooBroad(self.scopes.without(held)))
    }
}

impl Model for UserTokenRequest {
    const NAME: &'static str = "UserTokenRequest";

    fn read(fields: &mut Fields<'_, '_>) -> Result<Self, Reported> {
        let token_name = fields.required("token_name", rules::text(Limits::NAME));
        let scopes = fields.defaulted("scopes", |_| Scopes::default(), rules::scopes);
        let expires = fields.optional("expires", rules::moment);
        Ok(Self { token_name: token_name?, scopes: scopes?, expires: expires? })
    }
}

json_model!(UserTokenRequest);

pub(super) fn check_expires(expires: Option<Moment>, now: SystemTime) -> Result<(), RequestProblem> {
    let earliest = now.checked_add(SHORTEST_LIFE).map(|time| Moment::from(time).whole_seconds());
    match (expires, earliest) {
        (Some(expires), Some(earliest)) if expires < earliest => Err(RequestProblem::ExpiresTooSoon),
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
    fn a_token_lives_five_minutes_or_is_not_made() {
        let request = UserTokenRequest::new("n").unwrap();
        assert_eq!(request.check(at(1_000)), Ok(()));
        assert_eq!(request.clone().with_expires(at(1_300)).check(at(1_000)), Ok(()));
        let soon = request.with_expires(at(1_299));
        assert_eq!(soon.check(at(1_000)), Err(RequestProblem::ExpiresTooSoon));
    }

    #[test]
    fn service_tokens_are_for_robots() {
        let request = |name: &str| AdminTokenRequest::for_service(name.parse().unwrap());
        assert_eq!(request("bot-x").check(at(0)), Ok(()));
        let error = request("robot").check(at(0)).unwrap_err();
        assert_eq!(
            error.to_string(),
            "a service token needs a username that starts with `bot-`, and `robot` does not"
        );
    }

    #[test]
    fn nobody_gives_more_than_they_have_but_administrators() {
        let request = UserTokenRequest::new("n").unwrap().with_scopes(Scopes::from_comma_separated("a,b"));
        assert_eq!(request.check_scopes(&Scopes::from_comma_separated("a,b,c")), Ok(()));
        assert_eq!(request.check_scopes(&Scopes::from_comma_separated("admin:token")), Ok(()));
        let error = request.check_scopes(&Scopes::from_comma_separated("a")).unwrap_err();
        assert_eq!(error.to_string(), "the scopes `b` are not among those of your own token");
    }

    #[test]
    fn a_name_fits_the_type_or_is_refused_as_the_server_refuses_it() {
        for value in [
            json!({"username": "ab", "token_type": "user", "token_name": null}),
            json!({"username": "bot-x", "token_type": "service", "token_name": "n"}),
        ] {
            let error = AdminTokenRequest::from_json(&value.to_string()).unwrap_err();
            assert_eq!(error.problems()[0].kind(), "value_error", "{value}");
        }
        let value = json!({"username": "ab", "token_type": "oidc"});
        assert_eq!(AdminTokenRequest::from_json(&value.to_string()).unwrap_err().problems().len(), 1);
    }
}
