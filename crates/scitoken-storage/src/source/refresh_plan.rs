//! What to do with an entry, and the result.

use std::time::SystemTime;

use super::storage_entry::StorageEntry;
use crate::TokenStorageData;
use reqwest_scitokens::SourceError;
use scitoken_types::AccessToken;

/// What to do with an entry as the storage has it.
pub(super) enum RefreshPlan {
    /// Use the token as it is.
    Use(TokenStorageData),
    /// There is no entry.
    Absent,
    /// The entry is due at this time, but has no refresh token.
    Unrenewable(TokenStorageData, SystemTime),
    /// Ask the token endpoint.
    Refresh(Option<TokenStorageData>),
}

/// The token, and a note for the trace.
pub(super) struct RenewalResult {
    pub(super) token: Option<AccessToken>,
    pub(super) note: Option<String>,
}

impl RenewalResult {
    pub(super) fn nothing() -> Self {
        Self { token: None, note: None }
    }
}

impl RefreshPlan {
    /// Returns the result of a plan that needs no refresh.
    pub(super) fn without_refresh(self, target: &StorageEntry) -> Result<Option<RenewalResult>, SourceError> {
        match self {
            Self::Refresh(_) => Ok(None),
            Self::Absent => {
                Ok(Some(RenewalResult { token: None, note: Some(format!("{} is empty", target.label())) }))
            }
            Self::Use(entry) => Ok(Some(RenewalResult { token: Some(target.token(&entry)?), note: None })),
            Self::Unrenewable(entry, now) => {
                let token = target.token(&entry)?;
                if token.is_expired_at(now) {
                    return Err(SourceError::expired(&token, now)
                        .with_hint("log in again: the entry has no refresh token"));
                }
                let note = format!("{} has no refresh token", target.label());
                Ok(Some(RenewalResult { token: Some(token), note: Some(note) }))
            }
        }
    }
}
