//! Token storages that share their files with `globus_sdk`.
//!
//! A [`TokenStorage`] keeps one [`TokenStorageData`] for each resource server, in a namespace. Where it keeps them:
//!
//! | `globus_sdk.token_storage` | here | kept in |
//! |---|---|---|
//! | `JSONTokenStorage` | [`JsonTokenStorage`] | a JSON file, formats 1.0 and 2.0 |
//! | `SQLiteTokenStorage` | `SqliteTokenStorage` (feature `sqlite`) | an SQLite database, schemas 1 and 2 |
//! | `MemoryTokenStorage` | [`MemoryTokenStorage`] | memory |
//! | (none) | `KeyringTokenStorage` (feature `keyring`) | the system's keyring |
//! | `ValidatingTokenStorage` | [`ValidatingTokenStorage`] | another storage, with rules on what goes in and out |
//!
//! # The SDK's names and ours
//!
//! | `globus_sdk` | here | difference, and why |
//! |---|---|---|
//! | `TokenStorage` | [`TokenStorage`] | object-safe, `Send + Sync`; `close()` is dropping |
//! | `store_token_data_by_resource_server`, `get_token_data_by_resource_server`, `get_token_data`, `remove_token_data`, `store_token_response` | same names | one unreadable entry is reported beside the others ([`TokenDataMap::unreadable`]) instead of hiding them |
//! | `TokenStorageData` | [`TokenStorageData`] | tokens are hidden from `Debug`; `expires_at_seconds: true` is refused |
//! | `TokenStorageData.to_dict`, `from_dict` | [`expose_json`](TokenStorageData::expose_json), [`from_json`](TokenStorageData::from_json) | JSON text, the same bytes |
//! | `JSONTokenStorage.format_version`, `supported_versions` | [`JsonTokenStorage::FORMAT_VERSION`], [`SUPPORTED_VERSIONS`](JsonTokenStorage::SUPPORTED_VERSIONS) | |
//! | `SQLiteTokenStorage.iter_namespaces`, `close` | `SqliteTokenStorage::iter_namespaces`, `close` | usable from all threads, where Python refuses |
//! | `OAuthTokenResponse.by_resource_server` | [`TokenResponse::token_data`] | answers of other servers too: no `resource_server` or `other_tokens` needed, `expires_in` may be a string |
//! | `GlobusApp`'s storage location | [`StorageLocation`] | the same paths |
//! | `ValidatingTokenStorage` | [`ValidatingTokenStorage`] | a store that is refused pins no identity |
//! | `TokenDataValidator`, `TokenValidationContext` | [`TokenDataValidator`], [`TokenValidationContext`] | both hooks have a body that allows everything |
//! | `NotExpiredValidator`, `HasRefreshTokensValidator`, `ScopeRequirementsValidator`, `UnchangingIdentityIDValidator` | [`NotExpiredValidator`], [`HasRefreshTokensValidator`], [`ScopeRequirementsValidator`], [`UnchangingIdentityIdValidator`] | consents come from a [`ConsentSource`] of yours |
//! | `TokenValidationError` and its subclasses | [`TokenValidationError`], [`IdentityValidationError`] | enums instead of classes |
//! | `RenewingAuthorizer` and its kin | [`StoredSource`](crate::StoredSource) | one renewal for all who wait, in all processes |
//!
//! # What is better, and what stays the same
//!
//! * Nothing is made before something is stored: looking into a storage that is not there shows an empty one.
//! * A renewal that brings no new refresh token keeps the old one, and the identity (RFC 6749 section 6; the SDK
//!   loses both in a plain storage).
//! * Storing an entry drops its unknown fields, as in the SDK. Unknown keys of the file, other entries, and other
//!   namespaces are carried along byte for byte.
//! * `NaN`, which Python takes for JSON, is not accepted.

mod bearer_file;
mod data;
mod error;
mod file;
mod json;
#[cfg(feature = "keyring")]
mod keyring;
mod location;
mod lock;
mod map;
mod members;
mod memory;
mod python_json;
mod response;
#[cfg(feature = "sqlite")]
mod sqlite;
mod validating;

use std::fmt::Debug;
use std::sync::Arc;

pub use bearer_file::BearerTokenFile;
pub use data::{InvalidTokenData, TokenStorageData};
pub use error::StorageError;
pub use json::JsonTokenStorage;
#[cfg(feature = "keyring")]
pub use keyring::KeyringTokenStorage;
pub use location::{InvalidAppName, StorageLocation};
pub use lock::RenewalLock;
pub use map::{BadEntry, TokenDataMap};
pub use memory::MemoryTokenStorage;
pub use response::{InvalidTokenResponse, TokenResponse};
#[cfg(feature = "sqlite")]
pub use sqlite::SqliteTokenStorage;
pub use validating::{
    Consent, ConsentError, ConsentSource, Consents, HasRefreshTokensValidator, IdentityValidationError,
    InvalidRequirement, NotExpiredValidator, ScopeRequirement, ScopeRequirementsValidator,
    TokenDataValidator, TokenValidationContext, TokenValidationError, UnchangingIdentityIdValidator,
    ValidatingTokenStorage,
};

/// The namespace of whoever names none.
pub const DEFAULT_NAMESPACE: &str = "DEFAULT";

/// Keeps token data by resource server, in a namespace.
///
/// The methods wait for files and locks; in async code call them from `spawn_blocking`, as [`StoredSource`](crate::StoredSource) does.
pub trait TokenStorage: Debug + Send + Sync + 'static {
    /// The part of the storage that this value sees and writes.
    fn namespace(&self) -> &str;

    /// Where the tokens are, in words: `token storage /home/me/tokens.json`.
    fn place(&self) -> String;

    /// Stores entries, each in the place of the one that its resource server had. All of them, or none.
    fn store_token_data_by_resource_server(&self, tokens: &TokenDataMap) -> Result<(), StorageError>;

    /// All entries of the namespace; those that cannot be understood are [told apart](TokenDataMap::unreadable).
    fn get_token_data_by_resource_server(&self) -> Result<TokenDataMap, StorageError>;

    /// The entry of one resource server.
    ///
    /// # Errors
    /// When the storage cannot be read, or this very entry cannot be understood.
    fn get_token_data(&self, resource_server: &str) -> Result<Option<TokenStorageData>, StorageError>;

    /// Removes the entry of one resource server, readable or not; `false` when there was none.
    fn remove_token_data(&self, resource_server: &str) -> Result<bool, StorageError>;

    /// Takes the right to renew tokens of this storage, if nobody else has it.
    ///
    /// A storage that several processes share must let one of them at a time have it.
    fn try_lock_for_renewal(&self) -> Result<Option<RenewalLock>, StorageError>;

    /// Stores one entry under its own resource server.
    fn store_token_data(&self, data: TokenStorageData) -> Result<(), StorageError> {
        self.store_token_data_by_resource_server(&data.into())
    }

    /// Stores what a token endpoint answered.
    ///
    /// What the answer to a [refresh](TokenResponse::for_refresh) leaves out stays as it was.
    fn store_token_response(&self, response: &TokenResponse) -> Result<(), StorageError> {
        let tokens = response.token_data().map_err(|error| error::Kind::Response(error).at(self.place()))?;
        let tokens = if response.is_refresh() { completed(self, tokens)? } else { tokens };
        self.store_token_data_by_resource_server(&tokens)
    }
}

/// Takes from the stored entries what the answer to a refresh left out.
fn completed(
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
            fn place(&self) -> String {
                (**self).place()
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
