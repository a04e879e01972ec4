//! An entry made from the answer to a refresh, and an entry that waits to be written.

use secrecy::{ExposeSecret, SecretString};

use super::criteria::refresh_token;
use super::refresh_error::{FailedRefresh, RefreshError};
use super::storage_entry::StorageEntry;
use crate::TokenStorageData;
use crate::oauth::{OAuthError, TokenResponse};

/// A new entry that could not be stored yet; its refresh token may be the only one that is valid.
#[derive(Clone)]
pub(super) struct PendingWrite {
    pub(super) data: TokenStorageData,
    /// The refresh token in the storage at the time of the refresh.
    pub(super) replaces: Option<SecretString>,
}

/// A new entry, and the one that it replaces.
pub(super) struct RefreshedEntry {
    pub(super) data: TokenStorageData,
    pub(super) replaces: Option<TokenStorageData>,
}

impl RefreshedEntry {
    /// Takes the token of this entry from the answer, and what the answer leaves out from the old entry.
    pub(super) fn read(
        target: &StorageEntry,
        answer: Result<TokenResponse, OAuthError>,
        old: Option<TokenStorageData>,
    ) -> Result<Self, FailedRefresh> {
        match answer.map_err(RefreshError::Server).and_then(|answer| token_of_entry(target, answer)) {
            Ok(new) => {
                let data = match &old {
                    Some(old) => new.completed_from(old),
                    None => new,
                };
                Ok(Self { data, replaces: old })
            }
            Err(error) => Err(FailedRefresh { error, tried: old.map(Box::new) }),
        }
    }
}

/// Returns the token of an answer that is for this entry.
fn token_of_entry(target: &StorageEntry, answer: TokenResponse) -> Result<TokenStorageData, RefreshError> {
    let tokens = answer
        .for_resource_server(&*target.resource_server)
        .token_data()
        .map_err(|error| RefreshError::Answer(error.to_string(), None))?;
    if let Some(new) = tokens.get(&target.resource_server) {
        return Ok(new.clone());
    }
    let names: Vec<_> =
        tokens.iter().map(|(name, _)| format!("`{}`", scitoken_types::redact::text(name))).collect();
    // The first token is the one that was refreshed (RFC 6749 section 6).
    let first = tokens.into_iter().next().map(|(_, first)| first);
    match first {
        // The user may have stored it under another name than the server's.
        Some(only) if names.len() == 1 => Ok(only.with_resource_server(&*target.resource_server)),
        first => {
            let problem = format!("the token endpoint's answer is for {}", names.join(", "));
            let rotated = first.as_ref().and_then(refresh_token).map(SecretString::from);
            Err(RefreshError::Answer(problem, rotated))
        }
    }
}

impl PendingWrite {
    /// Returns whether the storage still has the entry that this one replaces.
    pub(super) fn replaces_entry(&self, stored: Option<&TokenStorageData>) -> bool {
        let replaces = self.replaces.as_ref().map(ExposeSecret::expose_secret);
        stored.is_some_and(|stored| refresh_token(stored) == replaces)
    }
}
