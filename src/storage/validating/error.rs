//! What validators object to: the SDK's tree of error classes as enums.

use std::error::Error;
use std::time::SystemTime;

use super::requirement::ScopeRequirement;

/// Token data that a validator does not let through.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TokenValidationError {
    /// Whose tokens they are is missing or wrong (`IdentityValidationError`).
    #[error(transparent)]
    Identity(#[from] IdentityValidationError),
    /// There is no token data, or no refresh token in it (`MissingTokenError`).
    #[error("no {what} for `{resource_server}`")]
    MissingToken {
        /// `token data` or `refresh token`.
        what: &'static str,
        /// For whom it is missing.
        resource_server: String,
    },
    /// The access token has ended (`ExpiredTokenError`).
    #[error("the token for `{resource_server}` expired at {}", iso(*.expiration))]
    Expired {
        /// Whose token has ended.
        resource_server: String,
        /// When it ended.
        expiration: SystemTime,
    },
    /// The tokens do not have the scopes that are required (`UnmetScopeRequirementsError`).
    #[error("unmet scope requirements for `{resource_server}`: {}", list(.unmet))]
    UnmetScopes {
        /// Whose token is too weak.
        resource_server: String,
        /// The requirements that its scopes do not meet.
        unmet: Vec<ScopeRequirement>,
    },
    /// The scopes are there, but not the consents for what they depend on (`UnmetScopeRequirementsError`).
    #[error("unmet dependent scope requirements for `{resource_server}`: {}", list(.unmet))]
    UnmetDependentScopes {
        /// Whose token is too weak.
        resource_server: String,
        /// The requirements that the consents do not meet.
        unmet: Vec<ScopeRequirement>,
    },
    /// A validator of your own, or the look-up that it needs, says no.
    #[error("{message}")]
    Other {
        /// What it says.
        message: String,
        /// Why.
        #[source]
        source: Option<Box<dyn Error + Send + Sync>>,
    },
}

/// Whose tokens they are is missing or wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IdentityValidationError {
    /// The grant does not say whose tokens they are (`MissingIdentityError`).
    #[error(
        "the token response does not say whose tokens these are (ask for the scope `openid` alongside the others)"
    )]
    Missing,
    /// The tokens belong to somebody else than before (`IdentityMismatchError`).
    #[error("the token data belongs to identity `{new_id}`, where `{stored_id}` was stored before")]
    Mismatch {
        /// Whose tokens were stored.
        stored_id: String,
        /// Whose tokens were to be stored.
        new_id: String,
    },
}

impl TokenValidationError {
    /// An objection in words, for validators of your own.
    pub fn other(message: impl Into<String>) -> Self {
        Self::Other { message: message.into(), source: None }
    }
}

fn list(requirements: &[ScopeRequirement]) -> String {
    requirements.iter().map(|requirement| format!("`{requirement}`")).collect::<Vec<_>>().join(", ")
}

fn iso(time: SystemTime) -> String {
    jiff::Timestamp::try_from(time).map_or_else(
        |_| "a time that no calendar has".to_owned(),
        |time| time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
    )
}
