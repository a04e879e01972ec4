//! Why a token could not be renewed, and for how long that holds.

use std::time::{Duration, SystemTime};

use secrecy::{ExposeSecret, SecretString};

use super::super::SourceError;
use super::slot::Slot;
use crate::oauth::OAuthError;
use crate::storage::TokenStorageData;

/// How long the token endpoint is left in peace after a failure.
const PEACE: Duration = Duration::from_secs(5);

/// Why there is no new token.
pub(super) enum Trouble {
    Server(OAuthError),
    Answer(String),
    Storage(SourceError),
}

impl Trouble {
    pub(super) fn told(self, slot: &Slot) -> (SourceError, Lasts) {
        let message = format!("{} cannot be renewed", slot.place());
        match self {
            Self::Server(error) => {
                // A wrong secret, a proxy's page, a server in trouble: all of that is mended without a new login.
                let lasts =
                    if error.is_invalid_grant() { Lasts::UntilTheEntryChanges } else { Lasts::AWhile };
                let hint = error.hint();
                let told = SourceError::caused_by(message, error);
                let told = match hint {
                    Some(hint) => told.with_hint(hint),
                    None => told,
                };
                (told, lasts)
            }
            Self::Answer(problem) => (SourceError::caused_by(message, problem), Lasts::AWhile),
            Self::Storage(error) => (error, Lasts::AWhile),
        }
    }
}

impl Failure {
    /// Whether it would only happen again.
    pub(super) fn counts(&self, entry: Option<&TokenStorageData>, now: SystemTime) -> bool {
        let same = self.credential.as_ref().map(ExposeSecret::expose_secret)
            == entry.and_then(super::entry::refresh_token);
        // A clock that was moved back tells nothing about how long ago it was.
        let fresh = now.duration_since(self.at).is_ok_and(|ago| ago < PEACE);
        same && (fresh || (self.lasts == Lasts::UntilTheEntryChanges && self.credential.is_some()))
    }
}

/// What went wrong the last time, for those who waited and those who come right after.
pub(super) struct Failure {
    /// The refresh token that was tried; none for client credentials.
    pub(super) credential: Option<SecretString>,
    pub(super) at: SystemTime,
    pub(super) error: SourceError,
    pub(super) lasts: Lasts,
}

#[derive(Clone, Copy, PartialEq)]
pub(super) enum Lasts {
    /// The server may be better soon.
    AWhile,
    /// The credential is void.
    UntilTheEntryChanges,
}
