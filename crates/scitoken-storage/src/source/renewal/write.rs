//! Writes a renewed entry to the storage, and keeps it while that fails.

use std::sync::PoisonError;

use secrecy::SecretString;

use super::{Renewal, RenewalState};
use crate::TokenStorageData;
use crate::source::criteria::refresh_token;
use crate::source::refresh_plan::RenewalResult;
use crate::source::refreshed_entry::{PendingWrite, RefreshedEntry};
use crate::source::storage_entry::StorageEntry;
use reqwest_scitokens::SourceError;

/// What became of a renewed entry.
pub(super) enum Written {
    Stored,
    /// The storage failed; the entry is kept in memory and written later.
    Pending,
    /// The user logged in or out during the request: the stored entry stands.
    Superseded(Box<Option<TokenStorageData>>),
}

impl Renewal {
    /// Returns the stored entry, or the one that waits to be stored in its place.
    pub(super) async fn current_entry(
        &self,
        state: &mut RenewalState,
        target: &StorageEntry,
    ) -> Result<Option<TokenStorageData>, SourceError> {
        let stored = target.read().await?;
        let Some(pending) = state.pending.take() else { return Ok(stored) };
        if self.needs_an_entry() && !pending.replaces_entry(stored.as_ref()) {
            return Ok(stored);
        }
        if let Err(error) = target.store(pending.data.clone()).await {
            tracing::warn!(entry = %target.label(), %error, "failed again to store a renewed token");
            state.pending = Some(pending.clone());
        }
        Ok(Some(pending.data))
    }

    /// Writes the new entry to the storage, or keeps it for later if that fails.
    pub(super) async fn store(
        &self,
        state: &mut RenewalState,
        target: &StorageEntry,
        RefreshedEntry { data, replaces: old }: RefreshedEntry,
    ) -> Result<RenewalResult, SourceError> {
        let now = self.client.now();
        state.failure = None;
        *self.usual_lifetime.lock().unwrap_or_else(PoisonError::into_inner) =
            data.expires_at().duration_since(now).ok();
        if let Written::Superseded(stored) = self.write(state, target, data.clone(), old.as_ref()).await {
            let token = stored.map(|entry| target.token(&entry)).transpose()?;
            return Ok(RenewalResult { token, note: None });
        }
        tracing::debug!(entry = %target.label(), "renewed a token");
        let note = format!("renewed {}", target.label());
        let token = target.token(&data)?.with_origin_label(format!("{}, renewed just now", target.label()));
        Ok(RenewalResult { token: Some(token), note: Some(note) })
    }

    /// Writes an entry in place of `old`, unless the user logged in or out in the meantime, and keeps it for later if the
    /// storage fails.
    pub(super) async fn write(
        &self,
        state: &mut RenewalState,
        target: &StorageEntry,
        data: TokenStorageData,
        old: Option<&TokenStorageData>,
    ) -> Written {
        let replaces = match &state.pending {
            Some(pending) => pending.replaces.clone(),
            None => old.and_then(refresh_token).map(SecretString::from),
        };
        // Kept before anything can fail: this may be the only refresh token that is still valid.
        let pending = state.pending.insert(PendingWrite { data, replaces }).clone();
        let stored = match target.read_for_replacement().await {
            Ok(stored) => stored,
            Err(error) => {
                tracing::warn!(entry = %target.label(), %error, "failed to store a renewed token");
                return Written::Pending;
            }
        };
        if self.needs_an_entry() && !pending.replaces_entry(stored.as_ref()) {
            state.pending = None;
            return Written::Superseded(Box::new(stored));
        }
        match target.store(pending.data).await {
            Ok(()) => {
                state.pending = None;
                Written::Stored
            }
            Err(error) => {
                tracing::warn!(entry = %target.label(), %error, "failed to store a renewed token");
                Written::Pending
            }
        }
    }
}
