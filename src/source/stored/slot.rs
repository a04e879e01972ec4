//! One entry of a storage, used without holding up those who serve requests.

use std::sync::Arc;
#[cfg(feature = "oauth")]
use std::time::Duration;

use super::super::SourceError;
#[cfg(feature = "oauth")]
use crate::storage::RenewalLock;
use crate::storage::{StorageError, TokenStorage, TokenStorageData, TokenValidationError};
use crate::token::AccessToken;

/// How long another process's renewal is waited for; ours has half of it.
#[cfg(feature = "oauth")]
const PATIENCE: Duration = Duration::from_secs(60);

/// One entry of a storage.
#[derive(Clone)]
pub(super) struct Slot {
    pub(super) storage: Arc<dyn TokenStorage>,
    pub(super) resource_server: Arc<str>,
}

impl Slot {
    /// The entry in words.
    pub(super) fn place(&self) -> String {
        format!("{}, entry `{}`", self.storage.place(), crate::redact::text(&self.resource_server))
    }

    /// Reads the entry, away from the threads that serve requests.
    pub(super) async fn read(&self) -> Result<Option<TokenStorageData>, SourceError> {
        let read = self.blocking(<dyn TokenStorage>::get_token_data).await;
        match read {
            Ok(entry) => Ok(entry),
            Err(error) if is_absence(&error) => Ok(None),
            Err(error) => Err(SourceError::caused_by("a token storage cannot be used", error)),
        }
    }

    /// Puts an entry in the place of the old one.
    #[cfg(feature = "oauth")]
    pub(super) async fn store(&self, data: TokenStorageData) -> Result<(), StorageError> {
        let name = self.resource_server.to_string();
        self.blocking(move |storage, _| {
            storage.store_token_data_by_resource_server(&std::iter::once((name, data)).collect())
        })
        .await
    }

    /// Waits until no other process renews tokens of this storage.
    #[cfg(feature = "oauth")]
    pub(super) async fn lock(&self) -> Result<RenewalLock, SourceError> {
        let start = tokio::time::Instant::now();
        let mut pause = Duration::from_millis(5);
        loop {
            let lock = self.blocking(|storage, _| storage.try_lock_for_renewal()).await;
            match lock {
                Ok(Some(lock)) => return Ok(lock),
                Ok(None) if start.elapsed() < PATIENCE => {}
                Ok(None) => {
                    let message = format!("another process has been renewing {} for too long", self.place());
                    return Err(SourceError::new(message)
                        .with_hint("look for a process that was stopped while it renewed the token"));
                }
                Err(error) => {
                    let message = format!("{} cannot be renewed", self.place());
                    return Err(SourceError::caused_by(message, error).with_hint(
                        "the storage must be writable, or a rotated refresh token would be lost",
                    ));
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
        let slot = self.clone();
        match tokio::task::spawn_blocking(move || work(&*slot.storage, &slot.resource_server)).await {
            Ok(done) => done,
            Err(failed) => std::panic::resume_unwind(failed.into_panic()),
        }
    }

    pub(super) fn token(&self, entry: &TokenStorageData) -> Result<AccessToken, SourceError> {
        let token = entry.access_token().map_err(|error| {
            SourceError::caused_by(format!("{} holds no usable token", self.place()), error)
                .with_hint("remove the entry (`scitoken store remove`) and log in again")
        })?;
        Ok(token.with_found_in(self.place()))
    }
}

/// A validating storage says that an entry is missing by an error.
fn is_absence(error: &StorageError) -> bool {
    matches!(error.validation(), Some(TokenValidationError::MissingToken { what: "token data", .. }))
}
