//! Errors of validators: the SDK's error classes as enums.

use std::error::Error;
use std::time::SystemTime;

use super::requirement::ScopeRequirement;

/// Token data that a validator refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TokenValidationError {
    /// The identity is missing or wrong (`IdentityValidationError`).
    #[error(transparent)]
    Identity(#[from] IdentityValidationError),
    /// There is no token data, or no refresh token in it (`MissingTokenError`).
    #[error("no {what} for `{resource_server}`")]
    MissingToken {
        /// `token data` or `refresh token`.
        what: &'static str,
        /// The resource server.
        resource_server: String,
    },
    /// The access token has expired (`ExpiredTokenError`).
    #[error("the token for `{resource_server}` expired at {}", iso(*.expiration))]
    Expired {
        /// The resource server.
        resource_server: String,
        /// When it expired.
        expiration: SystemTime,
    },
    /// The tokens do not have the scopes that are required (`UnmetScopeRequirementsError`).
    #[error("unmet scope requirements for `{resource_server}`: {}", list(.unmet))]
    UnmetScopes {
        /// The resource server.
        resource_server: String,
        /// The requirements that the token's scopes do not meet.
        unmet: Vec<ScopeRequirement>,
    },
    /// The scopes are present, but not the consents for their dependencies (`UnmetScopeRequirementsError`).
    #[error("unmet dependent scope requirements for `{resource_server}`: {}", list(.unmet))]
    UnmetDependentScopes {
        /// The resource server.
        resource_server: String,
        /// The requirements that the consents do not meet.
        unmet: Vec<ScopeRequirement>,
    },
    /// An error of another validator, or of its look-up.
    #[error("{message}")]
    Other {
        /// The message.
        message: String,
        /// The cause.
        #[source]
        source: Option<Box<dyn Error + Send + Sync>>,
    },
}

/// The identity is missing or wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IdentityValidationError {
    /// The grant names no identity (`MissingIdentityError`).
    #[error("the token response names no identity (ask for the scope `openid` too)")]
    Missing,
    /// The tokens belong to another identity than before (`IdentityMismatchError`).
    #[error("the token data belongs to identity `{new_id}`, but the storage to `{stored_id}`")]
    Mismatch {
        /// The identity of the storage.
        stored_id: String,
        /// The identity of the new tokens.
        new_id: String,
    },
}

impl TokenValidationError {
    /// Creates an error with a message, for other validators.
    pub fn other(message: impl Into<String>) -> Self {
        Self::Other { message: message.into(), source: None }
    }
}

fn list(requirements: &[ScopeRequirement]) -> String {
    requirements.iter().map(|requirement| format!("`{requirement}`")).collect::<Vec<_>>().join(", ")
}

fn iso(time: SystemTime) -> String {
    jiff::Timestamp::try_from(time).map_or_else(
        |_| "a time out of range".to_owned(),
        |time| time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
    )
}
