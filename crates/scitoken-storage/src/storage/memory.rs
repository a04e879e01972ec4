//! Tokens in memory.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::error::StorageError;
use super::renewal_lock::RenewalLock;
use super::token_storage::{DEFAULT_NAMESPACE, TokenStorage};
use crate::entry::{TokenDataMap, TokenStorageData};

/// A token storage in memory; the equal of `MemoryTokenStorage`. Clones and [other namespaces](Self::with_namespace)
/// share the tokens.
///
/// ```
/// use scitoken_storage::{MemoryTokenStorage, TokenStorage, TokenStorageData};
///
/// let storage = MemoryTokenStorage::new();
/// storage.store_token_data(TokenStorageData::new("rs", "scope", "AT", 1_700_000_000))?;
/// assert!(storage.remove_token_data("rs")?);
/// assert!(!storage.remove_token_data("rs")?);
/// # Ok::<(), scitoken_storage::StorageError>(())
/// ```
#[derive(Clone)]
pub struct MemoryTokenStorage {
    store: Arc<SharedStore>,
    namespace: String,
}

#[derive(Default)]
struct SharedStore {
    namespaces: Mutex<BTreeMap<String, TokenDataMap>>,
    renewal: Arc<tokio::sync::Mutex<()>>,
}

impl MemoryTokenStorage {
    /// Creates an empty storage, in the namespace `DEFAULT`.
    pub fn new() -> Self {
        Self { store: Arc::default(), namespace: DEFAULT_NAMESPACE.to_owned() }
    }

    /// Returns the same storage in another namespace.
    pub fn with_namespace(&self, namespace: impl Into<String>) -> Self {
        Self { store: Arc::clone(&self.store), namespace: namespace.into() }
    }

    fn namespaces(&self) -> MutexGuard<'_, BTreeMap<String, TokenDataMap>> {
        self.store.namespaces.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for MemoryTokenStorage {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for MemoryTokenStorage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryTokenStorage").field("namespace", &self.namespace).finish_non_exhaustive()
    }
}

impl TokenStorage for MemoryTokenStorage {
    fn namespace(&self) -> &str {
        &self.namespace
    }

    fn label(&self) -> String {
        "token storage in memory".to_owned()
    }

    fn store_token_data_by_resource_server(&self, tokens: &TokenDataMap) -> Result<(), StorageError> {
        let mut namespaces = self.namespaces();
        let stored = namespaces.entry(self.namespace.clone()).or_default();
        for (resource_server, data) in tokens.iter() {
            stored.insert(resource_server, data.without_extra());
        }
        Ok(())
    }

    fn get_token_data_by_resource_server(&self) -> Result<TokenDataMap, StorageError> {
        Ok(self.namespaces().get(&self.namespace).cloned().unwrap_or_default())
    }

    fn get_token_data(&self, resource_server: &str) -> Result<Option<TokenStorageData>, StorageError> {
        Ok(self.namespaces().get(&self.namespace).and_then(|tokens| tokens.get(resource_server)).cloned())
    }

    fn remove_token_data(&self, resource_server: &str) -> Result<bool, StorageError> {
        Ok(self.namespaces().get_mut(&self.namespace).is_some_and(|tokens| tokens.remove(resource_server)))
    }

    fn prepare(&self) -> Result<(), StorageError> {
        Ok(())
    }

    fn try_lock_for_renewal(&self) -> Result<Option<RenewalLock>, StorageError> {
        Ok(Arc::clone(&self.store.renewal).try_lock_owned().ok().map(RenewalLock::new))
    }
}
