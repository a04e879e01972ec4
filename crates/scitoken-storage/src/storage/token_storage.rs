//! The trait of all token storages.

use std::fmt::Debug;
use std::sync::Arc;

use super::error::{Kind, StorageError};
use super::renewal_lock::RenewalLock;
use crate::entry::{TokenDataMap, TokenStorageData};
use crate::oauth::TokenResponse;

/// The default namespace.
pub const DEFAULT_NAMESPACE: &str = "DEFAULT";

/// Stores token data by resource server, in a namespace.
///
/// The methods block on files and locks; in async code call them in `spawn_blocking`, as [`StoredSource`](crate::StoredSource) does.
pub trait TokenStorage: Debug + Send + Sync + 'static {
    /// Returns the namespace that this value reads and writes.
    fn namespace(&self) -> &str;

    /// Returns a label for messages: `token storage /home/me/tokens.json`.
    fn label(&self) -> String;

    /// Stores entries; each replaces the entry of its resource server. Stores all of them or none.
    fn store_token_data_by_resource_server(&self, tokens: &TokenDataMap) -> Result<(), StorageError>;

    /// Returns all entries of the namespace; invalid ones are [listed apart](TokenDataMap::unreadable).
    fn get_token_data_by_resource_server(&self) -> Result<TokenDataMap, StorageError>;

    /// Returns the entry of one resource server.
    ///
    /// # Errors
    /// When the storage cannot be read, or this entry is invalid.
    fn get_token_data(&self, resource_server: &str) -> Result<Option<TokenStorageData>, StorageError>;

    /// Removes the entry of one resource server, valid or not; `false` when there was none.
    fn remove_token_data(&self, resource_server: &str) -> Result<bool, StorageError>;

    /// Takes the renewal lock; `None` if another thread or process holds it.
    ///
    /// If several processes share a storage, only one of them at a time may get the lock.
    fn try_lock_for_renewal(&self) -> Result<Option<RenewalLock>, StorageError>;

    /// Checks that tokens can be stored, without changing any: opens, locks and tests the storage.
    ///
    /// For use before a login, whose tokens cannot be requested again. The default reads the entries.
    fn prepare(&self) -> Result<(), StorageError> {
        self.get_token_data_by_resource_server().map(drop)
    }

    /// Stores one entry under its own resource server.
    fn store_token_data(&self, data: TokenStorageData) -> Result<(), StorageError> {
        self.store_token_data_by_resource_server(&data.into())
    }

    /// Stores the answer of a token endpoint.
    ///
    /// What the answer to a [refresh](TokenResponse::for_refresh) leaves out is unchanged.
    fn store_token_response(&self, response: &TokenResponse) -> Result<(), StorageError> {
        let tokens = response.token_data().map_err(|error| Kind::Response(error).at(self.label()))?;
        let tokens = if response.is_refresh() { completed(self, tokens)? } else { tokens };
        self.store_token_data_by_resource_server(&tokens)
    }
}

/// Takes from the stored entries what the answer to a refresh left out.
pub(super) fn completed(
    storage: &(impl TokenStorage + ?Sized),
    tokens: TokenDataMap,
) -> Result<TokenDataMap, StorageError> {
    let stored = storage.get_token_data_by_resource_server()?;
    Ok(tokens
        .into_iter()
        .map(|(resource_server, data)| match stored.get(&resource_server) {
            Some(older) => (resource_server, data.completed_from(older)),
            None => (resource_server, data),
        })
        .collect())
}

/// Forwards every method, so that a storage can be shared or chosen at run time.
macro_rules! forward {
    ($pointer:ident) => {
        impl<S: TokenStorage + ?Sized> TokenStorage for $pointer<S> {
            fn namespace(&self) -> &str {
                (**self).namespace()
            }
            fn label(&self) -> String {
                (**self).label()
            }
            fn store_token_data_by_resource_server(&self, tokens: &TokenDataMap) -> Result<(), StorageError> {
                (**self).store_token_data_by_resource_server(tokens)
            }
            fn get_token_data_by_resource_server(&self) -> Result<TokenDataMap, StorageError> {
                (**self).get_token_data_by_resource_server()
            }
            fn get_token_data(
                &self,
                resource_server: &str,
            ) -> Result<Option<TokenStorageData>, StorageError> {
                (**self).get_token_data(resource_server)
            }
            fn remove_token_data(&self, resource_server: &str) -> Result<bool, StorageError> {
                (**self).remove_token_data(resource_server)
            }
            fn try_lock_for_renewal(&self) -> Result<Option<RenewalLock>, StorageError> {
                (**self).try_lock_for_renewal()
            }
            fn prepare(&self) -> Result<(), StorageError> {
                (**self).prepare()
            }
            fn store_token_data(&self, data: TokenStorageData) -> Result<(), StorageError> {
                (**self).store_token_data(data)
            }
            fn store_token_response(&self, response: &TokenResponse) -> Result<(), StorageError> {
                (**self).store_token_response(response)
            }
        }
    };
}

forward!(Arc);
forward!(Box);
