//! Storages of tokens: the trait, and one module for each kind.

mod bearer_file;
mod disk;
mod error;
#[cfg(test)]
pub(crate) mod faults;
mod json;
#[cfg(feature = "keyring")]
mod keyring;
mod location;
mod memory;
mod renewal_lock;
#[cfg(feature = "sqlite")]
mod sqlite;
mod token_storage;
mod validating;
mod validation;

pub use bearer_file::BearerTokenFile;
pub use error::StorageError;
pub use json::JsonTokenStorage;
#[cfg(feature = "keyring")]
pub use keyring::KeyringTokenStorage;
pub use location::{InvalidAppName, StorageLocation};
pub use memory::MemoryTokenStorage;
pub use renewal_lock::RenewalLock;
#[cfg(feature = "sqlite")]
pub use sqlite::SqliteTokenStorage;
pub use token_storage::{DEFAULT_NAMESPACE, TokenStorage};
pub use validating::{
    Consent, ConsentError, ConsentSource, Consents, HasRefreshTokensValidator, NotExpiredValidator,
    ScopeRequirementsValidator, TokenDataValidator, TokenValidationContext, UnchangingIdentityIdValidator,
    ValidatingTokenStorage,
};
pub use validation::{
    IdentityValidationError, InvalidScopeRequirement, ScopeRequirement, TokenValidationError,
};
