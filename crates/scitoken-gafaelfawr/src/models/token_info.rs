//! The answer of the token-info route.

use std::time::SystemTime;

use serde::Serialize;

use crate::models::token_base::TokenBase;
use crate::pydantic::reader::{Invalid, Model, ObjectReader, json_model};
use crate::pydantic::rules::{self, LengthLimits};
use crate::pydantic::timestamp::Timestamp;
use crate::pydantic::validation::ValidationError;
use crate::token::TokenKey;

/// Everything that the server discloses about a token: all but the secret.
///
/// An opaque token has no claims; a client learns its scopes and expiry here.
///
/// # Examples
/// ```
/// use std::time::SystemTime;
///
/// use scitoken_gafaelfawr::{Scopes, TokenBase, TokenInfo, TokenType};
///
/// let scopes = Scopes::from_comma_separated("read:all");
/// let base = TokenBase::new("someuser", TokenType::User, scopes, SystemTime::UNIX_EPOCH)?;
/// let info = TokenInfo::new(base, "MLF5MB3Peg79wEC0BY8U8Q".parse()?).with_token_name("laptop")?;
/// assert_eq!(info.token_name(), Some("laptop"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TokenInfo {
    #[serde(flatten)]
    base: TokenBase,
    token: TokenKey,
    token_name: Option<String>,
    last_used: Option<Timestamp>,
    parent: Option<TokenKey>,
}

impl TokenInfo {
    /// Returns a token without name, parent and last use.
    pub fn new(base: TokenBase, token: TokenKey) -> Self {
        Self { base, token, token_name: None, last_used: None, parent: None }
    }

    /// Sets the name that the user gave the token.
    ///
    /// # Errors
    /// [`ValidationError`] unless the name has 1 to 64 characters.
    pub fn with_token_name(mut self, name: &str) -> Result<Self, ValidationError> {
        self.token_name = Some(rules::check_text(Self::NAME, "token_name", name, LengthLimits::NAME)?);
        Ok(self)
    }

    /// Sets the time of the last use.
    pub fn with_last_used(mut self, time: SystemTime) -> Self {
        self.last_used = Some(time.into());
        self
    }

    /// Sets the token that this one was created from.
    pub fn with_parent(mut self, parent: TokenKey) -> Self {
        self.parent = Some(parent);
        self
    }

    /// Returns the fields that all forms of a token have: user, type, scopes, times.
    pub fn base(&self) -> &TokenBase {
        &self.base
    }

    /// Returns the key of the token.
    pub fn key(&self) -> &TokenKey {
        &self.token
    }

    /// Returns the name that the user gave the token.
    pub fn token_name(&self) -> Option<&str> {
        self.token_name.as_deref()
    }

    /// Returns the time of the last use, if the server records it.
    pub fn last_used(&self) -> Option<SystemTime> {
        self.last_used.map(Timestamp::to_system)
    }

    /// Returns the token that this one was created from.
    pub fn parent(&self) -> Option<&TokenKey> {
        self.parent.as_ref()
    }
}

impl Model for TokenInfo {
    const NAME: &'static str = "TokenInfo";

    fn read(fields: &mut ObjectReader<'_, '_>) -> Result<Self, Invalid> {
        let base = TokenBase::read(fields);
        let token = fields.required("token", rules::key);
        let token_name = fields.optional("token_name", rules::text(LengthLimits::NAME));
        let last_used = fields.optional("last_used", rules::timestamp);
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
