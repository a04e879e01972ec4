//! Arguments that name a token storage.

use clap::Args;
use scitoken_storage::{DEFAULT_NAMESPACE, TokenStorage};

use crate::failure::Failure;
use crate::storage::StorageAddress;

/// A token storage on the command line.
#[derive(Clone, Debug, Args)]
pub(crate) struct StorageArgs {
    /// Token storage: `json:FILE` or `sqlite:FILE`, in the formats of the Globus SDK, or `keyring`
    #[arg(long, value_name = "STORAGE")]
    pub(crate) storage: StorageAddress,
    /// Namespace within the storage
    #[arg(long, value_name = "NAME", default_value = DEFAULT_NAMESPACE)]
    pub(crate) namespace: String,
}

/// A token storage on the command line, or none.
#[derive(Clone, Debug, Args)]
pub(crate) struct OptionalStorageArgs {
    /// Token storage: `json:FILE` or `sqlite:FILE`, in the formats of the Globus SDK, or `keyring`
    #[arg(long, value_name = "STORAGE")]
    pub(crate) storage: Option<StorageAddress>,
    /// Namespace within the storage
    #[arg(long, value_name = "NAME", default_value = DEFAULT_NAMESPACE, requires = "storage")]
    pub(crate) namespace: String,
}

impl StorageArgs {
    /// Returns the storage, which must exist.
    pub(crate) fn open_existing(&self) -> Result<Box<dyn TokenStorage>, Failure> {
        self.storage.require_file()?;
        self.open()
    }

    /// Returns the storage; reads and creates nothing yet.
    pub(crate) fn open(&self) -> Result<Box<dyn TokenStorage>, Failure> {
        self.storage.open(&self.namespace)
    }
}

impl OptionalStorageArgs {
    /// Returns the storage, if one is named.
    pub(crate) fn open(&self) -> Result<Option<Box<dyn TokenStorage>>, Failure> {
        let Some(storage) = &self.storage else { return Ok(None) };
        storage.open(&self.namespace).map(Some)
    }
}
