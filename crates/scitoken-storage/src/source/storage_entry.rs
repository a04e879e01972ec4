//! One entry of a storage, read and written on blocking threads.

use std::sync::Arc;
use std::time::Duration;

use super::criteria::refresh_token;
use crate::RenewalLock;
use crate::{StorageError, TokenStorage, TokenStorageData, TokenValidationError};
use reqwest_scitokens::SourceError;
use reqwest_scitokens::auth::Hint;
use scitoken_types::AccessToken;

/// One entry of a storage.
#[derive(Clone)]
pub(super) struct StorageEntry {
    pub(super) storage: Arc<dyn TokenStorage>,
    pub(super) resource_server: Arc<str>,
}

impl StorageEntry {
    /// Names the entry and its storage, for messages.
    pub(super) fn label(&self) -> String {
        format!("{}, entry `{}`", self.storage.label(), scitoken_types::redact::text(&self.resource_server))
    }

    /// Reads the entry.
    pub(super) async fn read(&self) -> Result<Option<TokenStorageData>, SourceError> {
        let read = self.blocking(<dyn TokenStorage>::get_token_data).await;
        if let Err(error) = &read
            && let Some(entry) = error.unreadable_entry()
            && let Some(usable) = entry.usable()
        {
            tracing::warn!("{}: {}; the token is used all the same", self.label(), entry.problem());
            return Ok(Some(usable.clone()));
        }
        match read {
            Ok(entry) => Ok(entry),
            Err(error) if is_absence(&error) => Ok(None),
            Err(error) => Err(SourceError::caused_by("failed to read a token storage", error)),
        }
    }

    /// Reads the entry in whose place another one is to be written.
    ///
    /// No entry means that the user logged out, unless the storage as a whole has been lost: that is an error.
    pub(super) async fn read_for_replacement(&self) -> Result<Option<TokenStorageData>, SourceError> {
        let stored = self.read().await?;
        if stored.is_none() {
            let prepared = self.blocking(|storage, _| storage.prepare()).await;
            prepared.map_err(|error| SourceError::caused_by("failed to open a token storage", error))?;
        }
        Ok(stored)
    }

    /// Replaces the entry.
    pub(super) async fn store(&self, data: TokenStorageData) -> Result<(), StorageError> {
        let name = self.resource_server.to_string();
        self.blocking(move |storage, _| {
            storage.store_token_data_by_resource_server(&std::iter::once((name, data)).collect())
        })
        .await
    }

    /// Waits until no other process renews tokens of this storage, for `limit` at most.
    pub(super) async fn lock(&self, limit: Duration) -> Result<RenewalLock, SourceError> {
        let start = tokio::time::Instant::now();
        let mut pause = Duration::from_millis(5);
        loop {
            let lock = self.blocking(|storage, _| storage.try_lock_for_renewal()).await;
            match lock {
                Ok(Some(lock)) => return Ok(lock),
                Ok(None) if start.elapsed() < limit => {}
                Ok(None) => {
                    let (label, seconds) = (self.label(), limit.as_secs());
                    let message =
                        format!("another process has held the renewal lock of {label} for {seconds} s");
                    return Err(SourceError::new(message)
                        .with_hint("look for a stopped process that uses the storage")
                        .into_transient());
                }
                Err(error) => {
                    let message = format!("failed to lock {} for renewal", self.label());
                    return Err(SourceError::caused_by(message, error)
                        .with_hint("make the storage writable: a rotated refresh token must be stored"));
                }
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(Duration::from_millis(100));
        }
    }

    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&dyn TokenStorage, &str) -> T + Send + 'static,
    ) -> T {
        let target = self.clone();
        match tokio::task::spawn_blocking(move || work(&*target.storage, &target.resource_server)).await {
            Ok(done) => done,
            Err(failed) => std::panic::resume_unwind(failed.into_panic()),
        }
    }

    pub(super) fn token(&self, entry: &TokenStorageData) -> Result<AccessToken, SourceError> {
        let token = entry.access_token().map_err(|error| {
            let error =
                SourceError::caused_by(format!("{} holds no valid bearer token", self.label()), error);
            match refresh_token(entry) {
                Some(_) => error.with_hint(Hint::RenewToken).into_expired(),
                None => error.with_hint("remove the entry and log in again"),
            }
        })?;
        Ok(token.with_origin_label(self.label()))
    }
}

/// Returns whether a validating storage reports a missing entry, which it does by an error.
fn is_absence(error: &StorageError) -> bool {
    matches!(error.validation(), Some(TokenValidationError::MissingToken { what: "token data", .. }))
}
