//! An entry made from the answer to a refresh, and an entry that waits to be written.

use secrecy::{ExposeSecret, SecretString};

use super::criteria::refresh_token;
use super::refresh_error::RefreshError;
use super::storage_entry::StorageEntry;
use crate::TokenStorageData;
use crate::oauth::TokenResponse;

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
        answer: TokenResponse,
        old: Option<TokenStorageData>,
    ) -> Result<Self, RefreshError> {
        let tokens = answer
            .for_resource_server(&*target.resource_server)
            .token_data()
            .map_err(|error| RefreshError::Answer(error.to_string(), None))?;
        let new = match tokens.get(&target.resource_server).cloned() {
            Some(new) => new,
            // The user may have stored it under another name than the server's.
            None if tokens.len() == 1 => {
                let (_, only) = tokens.into_iter().next().expect("it has one");
                only.with_resource_server(&*target.resource_server)
            }
            None => {
                let names: Vec<_> = tokens
                    .iter()
                    .map(|(name, _)| format!("`{}`", scitoken_types::redact::text(name)))
                    .collect();
                let problem = format!("the token endpoint's answer is for {}", names.join(", "));
                // The first token is the one that was refreshed (RFC 6749 section 6).
                let first = tokens.into_iter().next();
                let rotated = first.and_then(|(_, data)| refresh_token(&data).map(SecretString::from));
                return Err(RefreshError::Answer(problem, rotated));
            }
        };
        let data = match &old {
            Some(old) => new.completed_from(old),
            None => new,
        };
        Ok(Self { data, replaces: old })
    }
}

impl PendingWrite {
    /// Returns whether the storage still has the entry that this one replaces.
    pub(super) fn replaces_entry(&self, stored: Option<&TokenStorageData>) -> bool {
        let replaces = self.replaces.as_ref().map(ExposeSecret::expose_secret);
        stored.is_some_and(|stored| refresh_token(stored) == replaces)
    }
}
