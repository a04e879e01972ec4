//! The JSON file of `globus_sdk.token_storage.JSONTokenStorage`.

mod document;

use std::path::{Path, PathBuf};

use scitoken_types::files::Ownership;

#[cfg(feature = "sqlite")]
pub(super) use document::SDK_VERSION;
use document::{Document, FormatVersion};

use super::disk::Disk;
use super::error::{Kind, StorageError};
use super::renewal_lock::RenewalLock;
use super::token_storage::{DEFAULT_NAMESPACE, TokenStorage};
use crate::entry::{RawObject, TokenDataMap, TokenStorageData, UnreadableEntry};
use secrecy::zeroize::Zeroizing;

/// A token storage in a JSON file, which `globus_sdk` can read and write too.
///
/// The bytes are those that `globus_sdk.token_storage.JSONTokenStorage` writes for the same data. Files of format
/// 1.0 are read, and rewritten as 2.0 by the first store or removal.
///
/// # Differences from the SDK
/// * A write takes a lock beside the file (`.tokens.json.lock`), so that concurrent writers lose no entry.
/// * The file is replaced atomically: after a kill or a power failure it is the old or the new one.
/// * The new file has mode 0600. If other users may read an existing file, that is reported (a warning in the log, and
///   [`loose_permissions`](Self::loose_permissions)), and the next write changes the mode.
/// * An invalid entry does not hide the valid ones.
///
/// The SDK does not use the lock: if it writes at the same time, one of the two updates can get lost, but the file
/// stays valid.
///
/// # Examples
/// ```
/// use scitoken_storage::{JsonTokenStorage, TokenStorage, TokenStorageData};
///
/// # let directory = tempfile::tempdir()?;
/// # let path = directory.path().join("tokens.json");
/// let storage = JsonTokenStorage::new(&path);
/// storage.store_token_data(TokenStorageData::new("transfer.api.globus.org", "all", "AT", 1_700_000_000))?;
/// assert!(storage.get_token_data("transfer.api.globus.org")?.is_some());
/// assert!(storage.with_namespace("other").get_token_data_by_resource_server()?.is_empty());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct JsonTokenStorage {
    path: PathBuf,
    namespace: String,
    disk: Disk,
}

impl JsonTokenStorage {
    /// The format that is written.
    pub const FORMAT_VERSION: &'static str = "2.0";
    /// The formats that are read.
    pub const SUPPORTED_VERSIONS: [&'static str; 2] = ["1.0", "2.0"];

    /// Creates a storage for the file `path`, in the namespace `DEFAULT`. Does not access the file yet.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), namespace: DEFAULT_NAMESPACE.to_owned(), disk: Disk::default() }
    }

    /// Returns the same storage in another namespace.
    pub fn with_namespace(&self, namespace: impl Into<String>) -> Self {
        Self { namespace: namespace.into(), ..self.clone() }
    }

    /// Sets whose files are accepted; the default is those of the user and of root.
    pub fn with_ownership(mut self, ownership: Ownership) -> Self {
        self.disk = self.disk.with_ownership(ownership);
        self
    }

    /// Returns the path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the namespaces of the file, also those without entries.
    pub fn namespaces(&self) -> Result<Vec<String>, StorageError> {
        Ok(self
            .load()?
            .map(|document| document.namespaces().map(str::to_owned).collect())
            .unwrap_or_default())
    }

    /// Rewrites a file of format 1.0 as 2.0, as the first store does; `false` when there is none.
    pub fn migrate(&self) -> Result<bool, StorageError> {
        match self.load()?.map(|document| document.found()) {
            None | Some(FormatVersion::Two) => Ok(false),
            Some(FormatVersion::One) => self.update(|document| Ok(document.found() == FormatVersion::One)),
        }
    }

    /// Returns the permission bits of the file if they give access to other users.
    pub fn loose_permissions(&self) -> Result<Option<u32>, StorageError> {
        self.disk.loose_permissions(&self.path).map_err(|error| Kind::File(error).at(self.label()))
    }

    /// Returns the content of a file with these entries in the namespace `DEFAULT`, **with their secrets**.
    pub(crate) fn file_content(tokens: &TokenDataMap) -> Zeroizing<String> {
        let mut entries = RawObject::default();
        for (resource_server, data) in tokens.iter() {
            entries.set(resource_server, data.to_raw());
        }
        let mut document = Document::new();
        document.set_entries(DEFAULT_NAMESPACE, &entries);
        document.into_text()
    }

    #[cfg(test)]
    pub(crate) fn with_faults(mut self, faults: std::sync::Arc<super::faults::Faults>) -> Self {
        self.disk = Disk::with_faults(faults);
        self
    }

    fn load(&self) -> Result<Option<Document>, StorageError> {
        let content = self.disk.read(&self.path).map_err(|kind| kind.at(self.label()))?;
        let Some(content) = content else { return Ok(None) };
        self.disk.warn_of_loose_permissions(&self.path);
        Document::read(&content).map(Some).map_err(|kind| kind.at(self.label()))
    }

    /// Reads, changes and replaces the file under the write lock.
    fn update<T>(&self, change: impl FnOnce(&mut Document) -> Result<T, Kind>) -> Result<T, StorageError> {
        let _lock = self.disk.lock_for_writing(&self.path).map_err(|kind| kind.at(self.label()))?;
        let mut document = self.load()?.unwrap_or_else(Document::new);
        let outcome = change(&mut document).map_err(|kind| kind.at(self.label()))?;
        self.disk
            .replace(&self.path, document.into_text().as_bytes())
            .map_err(|kind| kind.at(self.label()))?;
        Ok(outcome)
    }
}

impl TokenStorage for JsonTokenStorage {
    fn namespace(&self) -> &str {
        &self.namespace
    }

    fn label(&self) -> String {
        format!("token storage {}", self.path.display())
    }

    fn store_token_data_by_resource_server(&self, tokens: &TokenDataMap) -> Result<(), StorageError> {
        self.update(|document| {
            let mut entries = document.entries(&self.namespace)?;
            for (resource_server, data) in tokens.iter() {
                entries.set(resource_server, data.to_raw());
            }
            document.set_entries(&self.namespace, &entries);
            document.set_sdk_version();
            Ok(())
        })
    }

    fn get_token_data_by_resource_server(&self) -> Result<TokenDataMap, StorageError> {
        let mut tokens = TokenDataMap::new();
        if let Some(document) = self.load()? {
            let entries = document.entries(&self.namespace).map_err(|kind| kind.at(self.label()))?;
            for (resource_server, json) in entries.iter() {
                tokens.insert_json(resource_server, json.get());
            }
        }
        Ok(tokens)
    }

    fn get_token_data(&self, resource_server: &str) -> Result<Option<TokenStorageData>, StorageError> {
        let Some(document) = self.load()? else { return Ok(None) };
        let entries = document.entries(&self.namespace).map_err(|kind| kind.at(self.label()))?;
        let Some(json) = entries.get(resource_server) else { return Ok(None) };
        TokenStorageData::from_json(json.get()).map(Some).map_err(|problem| {
            Kind::UnreadableEntry(UnreadableEntry::new(resource_server, problem, json.get())).at(self.label())
        })
    }

    fn remove_token_data(&self, resource_server: &str) -> Result<bool, StorageError> {
        self.update(|document| {
            let mut entries = document.entries(&self.namespace)?;
            let removed = entries.remove(resource_server);
            if removed {
                document.set_entries(&self.namespace, &entries);
            }
            Ok(removed)
        })
    }

    fn prepare(&self) -> Result<(), StorageError> {
        self.load()?;
        self.disk.prepare(&self.path).map_err(|kind| kind.at(self.label()))
    }

    fn try_lock_for_renewal(&self) -> Result<Option<RenewalLock>, StorageError> {
        self.disk.lock_for_renewal(&self.path).map_err(|kind| kind.at(self.label()))
    }
}
