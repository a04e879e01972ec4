//! What the database and the token-info route know about a token.

use std::time::SystemTime;

use serde::Serialize;

use super::base::TokenBase;
use super::moment::Moment;
use super::reader::{Fields, Model, Reported, json_model};
use super::rules::{self, Limits};
use super::token::TokenKey;
use super::validation::ValidationError;

/// What the server tells about a token: everything but the secret.
///
/// An opaque token has no claims; this is where a client learns its scopes and its end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TokenInfo {
    #[serde(flatten)]
    base: TokenBase,
    token: TokenKey,
    token_name: Option<String>,
    last_used: Option<Moment>,
    parent: Option<TokenKey>,
}

impl TokenInfo {
    /// A token without a name and without a parent, that was never used.
    pub fn new(base: TokenBase, token: TokenKey) -> Self {
        Self { base, token, token_name: None, last_used: None, parent: None }
    }

    /// States the name that the user gave the token.
    ///
    /// # Errors
    /// [`ValidationError`] when it has not 1 to 64 characters.
    pub fn with_token_name(mut self, name: &str) -> Result<Self, ValidationError> {
        self.token_name = Some(rules::check_text(Self::NAME, "token_name", name, Limits::NAME)?);
        Ok(self)
    }

    /// States when the token was last used.
    pub fn with_last_used(mut self, time: SystemTime) -> Self {
        self.last_used = Some(time.into());
        self
    }

    /// States the token that this one was made from.
    pub fn with_parent(mut self, parent: TokenKey) -> Self {
        self.parent = Some(parent);
        self
    }

    /// What every stored form of a token has: user, type, scopes, times.
    pub fn base(&self) -> &TokenBase {
        &self.base
    }

    /// The half of the token that may be shown.
    pub fn key(&self) -> &TokenKey {
        &self.token
    }

    /// The name that the user gave the token.
    pub fn token_name(&self) -> Option<&str> {
        self.token_name.as_deref()
    }

    /// When the token was last used, as far as the server keeps that.
    pub fn last_used(&self) -> Option<SystemTime> {
        self.last_used.map(Moment::to_system)
    }

    /// The token that this one was made from.
    pub fn parent(&self) -> Option<&TokenKey> {
        self.parent.as_ref()
    }
}

impl Model for TokenInfo {
    const NAME: &'static str = "TokenInfo";

    fn read(fields: &mut Fields<'_, '_>) -> Result<Self, Reported> {
        let base = TokenBase::read(fields);
        let token = fields.required("token", rules::key);
        let token_name = fields.optional("token_name", rules::text(Limits::NAME));
        let last_used = fields.optional("last_used", rules::moment);
        let parent = fields.optional("parent", rules::key);
        Ok(Self {
            base: base?,
            token: token?,
            token_name: token_name?,
            last_used: last_used?,
            parent: parent?,
        })
    }
}

json_model!(TokenInfo);
