//! Token storages that share their files with `globus_sdk`, OAuth logins, and tokens that are renewed in time.
//!
//! | to | use |
//! |---|---|
//! | keep tokens in a file that Python reads too | [`JsonTokenStorage`], `SqliteTokenStorage` (feature `sqlite`) |
//! | keep tokens in the system's keyring | `KeyringTokenStorage` (feature `keyring`) |
//! | keep tokens in memory | [`MemoryTokenStorage`] |
//! | restrict what a storage accepts and returns | [`ValidatingTokenStorage`] with [`TokenDataValidator`]s |
//! | use the paths of a `GlobusApp` | [`StorageLocation`] |
//! | write the token file of WLCG Bearer Token Discovery | [`BearerTokenFile`] |
//! | keep what a login obtained | [`login`] |
//! | log in, renew, exchange and revoke tokens | [`oauth`] |
//! | send a stored token, renewed in time | [`StoredSource`] |
//! | choose among the tokens of several logins | [`IssuerEntry`] |
//!
//! A [`TokenStorage`] has one [`TokenStorageData`] for each resource server, in a namespace:
//!
//! ```
//! use scitoken_storage::{MemoryTokenStorage, TokenStorage, TokenStorageData};
//!
//! let storage = MemoryTokenStorage::new();
//! storage.store_token_data(TokenStorageData::new("https://data.example", "storage.read:/", "AT", 1_700_000_000))?;
//! assert!(storage.get_token_data("https://data.example")?.is_some());
//! # Ok::<(), scitoken_storage::StorageError>(())
//! ```
//!
//! The page `docs/migration/globus-sdk.md` of the repository lists the names of `globus_sdk` and their counterparts.
#![cfg_attr(docsrs, feature(doc_cfg))]

mod entry;
pub mod login;
pub mod oauth;
mod source;
mod storage;

pub use entry::{InvalidTokenData, TokenDataMap, TokenStorageData, UnreadableEntry};
pub use source::{IssuerEntry, StoredSource};
#[cfg(feature = "keyring")]
pub use storage::KeyringTokenStorage;
#[cfg(feature = "sqlite")]
pub use storage::SqliteTokenStorage;
pub use storage::{
    BearerTokenFile, Consent, ConsentError, ConsentSource, Consents, DEFAULT_NAMESPACE,
    HasRefreshTokensValidator, IdentityValidationError, InvalidAppName, InvalidScopeRequirement,
    JsonTokenStorage, MemoryTokenStorage, NotExpiredValidator, RenewalLock, ScopeRequirement,
    ScopeRequirementsValidator, StorageError, StorageLocation, TokenDataValidator, TokenStorage,
    TokenValidationContext, TokenValidationError, UnchangingIdentityIdValidator, ValidatingTokenStorage,
};

/// The examples of the pages, compiled.
#[cfg(doctest)]
mod pages {
    #[doc = include_str!("../README.md")]
    mod readme {}
    #[doc = include_str!("../../../docs/migration/globus-sdk.md")]
    mod globus_sdk {}
}
