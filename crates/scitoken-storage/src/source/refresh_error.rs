//! Why a token could not be renewed, and for how long that counts.

use std::time::{Duration, SystemTime};

use secrecy::{ExposeSecret, SecretString};

use super::criteria::refresh_token;
use super::storage_entry::StorageEntry;
use crate::TokenStorageData;
use crate::oauth::OAuthError;
use reqwest_scitokens::SourceError;

/// How long the token endpoint is not asked again after a failure.
const COOLDOWN: Duration = Duration::from_secs(5);
/// As [`COOLDOWN`], where no answer came: a connection that was closed costs the server nothing.
const COOLDOWN_AFTER_SILENCE: Duration = Duration::from_secs(1);

/// Why there is no new token.
pub(super) enum RefreshError {
    Server(OAuthError),
    /// The answer has tokens, but not for this entry; its refresh token, if it has one.
    Answer(String, Option<SecretString>),
    Storage(SourceError),
}

/// A refresh that gave no token, and the entry whose refresh token was sent.
pub(super) struct FailedRefresh {
    pub(super) error: RefreshError,
    pub(super) tried: Option<Box<TokenStorageData>>,
}

/// The last failure, for the requests that waited for it and those that follow.
pub(super) struct PastFailure {
    /// The refresh token that was tried; `None` for client credentials.
    pub(super) credential: Option<SecretString>,
    pub(super) at: SystemTime,
    pub(super) error: SourceError,
    pub(super) scope: FailureScope,
}

/// How long a failure counts.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum FailureScope {
    /// For this time: the server may answer soon.
    Cooldown(Duration),
    /// As long as the storage has this refresh token: it is no longer valid.
    UntilEntryChanges,
}

impl RefreshError {
    /// Returns the refresh token of an answer that is not usable otherwise.
    pub(super) fn rotated_refresh_token(&self) -> Option<&str> {
        match self {
            Self::Server(error) => error.expose_rotated_refresh_token(),
            Self::Answer(_, rotated) => rotated.as_ref().map(ExposeSecret::expose_secret),
            Self::Storage(_) => None,
        }
    }

    pub(super) fn into_source_error(self, target: &StorageEntry) -> (SourceError, FailureScope) {
        let message = format!("failed to renew {}", target.label());
        match self {
            Self::Server(error) => {
                // A wrong secret, a proxy's page or a server error is repaired without a new login.
                let scope = if error.is_invalid_grant() {
                    FailureScope::UntilEntryChanges
                } else if error.is_unreachable() {
                    FailureScope::Cooldown(COOLDOWN_AFTER_SILENCE)
                } else {
                    FailureScope::Cooldown(COOLDOWN)
                };
                let (hint, is_transient) = (error.hint(), error.is_transient());
                let error = SourceError::caused_by(message, error);
                let error = match hint {
                    Some(hint) => error.with_hint(hint.to_string()),
                    None if is_transient => error.with_hint("try again later: the issuer may answer then"),
                    None => error,
                };
                match scope {
                    FailureScope::Cooldown(wait) if is_transient => (error.with_retry_after(wait), scope),
                    _ => (error, scope),
                }
            }
            Self::Answer(problem, _) => {
                (SourceError::caused_by(message, problem), FailureScope::Cooldown(COOLDOWN))
            }
            Self::Storage(error) => (error, FailureScope::Cooldown(COOLDOWN)),
        }
    }
}

impl PastFailure {
    /// Returns whether a new attempt with this entry would only fail again.
    pub(super) fn applies_to(&self, entry: Option<&TokenStorageData>, now: SystemTime) -> bool {
        let same_credential =
            self.credential.as_ref().map(ExposeSecret::expose_secret) == entry.and_then(refresh_token);
        // If the clock was moved back, the age of the failure is unknown.
        let cooldown = match self.scope {
            FailureScope::Cooldown(cooldown) => cooldown,
            FailureScope::UntilEntryChanges => COOLDOWN,
        };
        let recent = now.duration_since(self.at).is_ok_and(|age| age < cooldown);
        let permanent = self.scope == FailureScope::UntilEntryChanges && self.credential.is_some();
        same_credential && (recent || permanent)
    }
}
