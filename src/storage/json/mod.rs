//! The JSON file of `globus_sdk.token_storage.JSONTokenStorage`.

mod document;

use std::path::{Path, PathBuf};

#[cfg(feature = "sqlite")]
pub(super) use document::SDK_VERSION;
use document::{Document, Format};

use super::error::{Kind, StorageError};
use super::lock::{self, RenewalLock};
use super::map::{BadEntry, TokenDataMap};
use super::{DEFAULT_NAMESPACE, TokenStorage, TokenStorageData, file};

/// A token storage in a JSON file, which `globus_sdk` can read and write too.
///
/// The bytes are those that `globus_sdk.token_storage.JSONTokenStorage` writes for the same data. Files of format
/// 1.0 are read, and rewritten as 2.0 by the first store or removal.
///
/// # What is better than the original
/// * A write takes a lock beside the file (`.tokens.json.lock`), so that concurrent writers lose nothing.
/// * The file is replaced whole: a killed writer or a power cut leaves the old or the new one.
/// * The new file is for its owner only (`0600`). An existing file that others may read is reported (a warning in
///   the log, and [`loose_permissions`](Self::loose_permissions)) and tightened by the next write.
/// * One bad entry hides no good one.
///
/// The SDK does not know the lock: while it writes, one of its updates or ours can get lost, but never the file.
///
/// # Examples
/// ```
/// use reqwest_scitokens::storage::{JsonTokenStorage, TokenStorage, TokenStorageData};
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
}

impl JsonTokenStorage {
    /// The format that is written.
    pub const FORMAT_VERSION: &'static str = "2.0";
    /// The formats that are read.
    pub const SUPPORTED_VERSIONS: [&'static str; 2] = ["1.0", "2.0"];

    /// The storage in `path`, in the namespace `DEFAULT`. Nothing is read or made yet.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), namespace: DEFAULT_NAMESPACE.to_owned() }
    }

    /// The same file, seen in another namespace.
    pub fn with_namespace(&self, namespace: impl Into<String>) -> Self {
        Self { path: self.path.clone(), namespace: namespace.into() }
    }

    /// Where the file is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The namespaces of the file, the emptied ones too.
    pub fn namespaces(&self) -> Result<Vec<String>, StorageError> {
        Ok(self
            .load()?
            .map(|document| document.namespaces().map(str::to_owned).collect())
            .unwrap_or_default())
    }

    /// Rewrites a file of format 1.0 as 2.0, as the first store would; `false` when there is nothing to rewrite.
    pub fn migrate(&self) -> Result<bool, StorageError> {
        match self.load()?.map(|document| document.found()) {
            None | Some(Format::Two) => Ok(false),
            Some(Format::One) => self.update(|document| Ok(document.found() == Format::One)),
        }
    }

    /// The permission bits of the file if they let others read or write it.
    pub fn loose_permissions(&self) -> Result<Option<u32>, StorageError> {
        file::loose_permissions(&self.path)
            .map_err(|error| Kind::Io("its permissions cannot be read", error).at(self.place()))
    }

    fn load(&self) -> Result<Option<Document>, StorageError> {
        let content = file::read(&self.path).map_err(|kind| kind.at(self.place()))?;
        let Some(content) = content else { return Ok(None) };
        if let Ok(Some(mode)) = file::loose_permissions(&self.path) {
            tracing::warn!(
                path = %self.path.display(),
                mode = format_args!("{mode:o}"),
                "others can read this token storage; the next write makes it 600"
            );
        }
        Document::read(&content).map(Some).map_err(|kind| kind.at(self.place()))
    }

    /// Reads, changes and replaces the file under its lock.
    fn update<T>(&self, change: impl FnOnce(&mut Document) -> Result<T, Kind>) -> Result<T, StorageError> {
        let cannot_write = |error| Kind::Io("it cannot be written", error).at(self.place());
        let path = file::resolve(&self.path).map_err(cannot_write)?;
        file::make_directory(&path).map_err(cannot_write)?;
        let _locked = lock::for_writing(&path).map_err(|kind| kind.at(self.place()))?;
        let mut document = self.load()?.unwrap_or_else(Document::new);
        let outcome = change(&mut document).map_err(|kind| kind.at(self.place()))?;
        file::replace(&path, document.into_text().as_bytes()).map_err(cannot_write)?;
        Ok(outcome)
    }
}

impl TokenStorage for JsonTokenStorage {
    fn namespace(&self) -> &str {
        &self.namespace
    }

    fn place(&self) -> String {
        format!("token storage {}", self.path.display())
    }

    fn store_token_data_by_resource_server(&self, tokens: &TokenDataMap) -> Result<(), StorageError> {
        self.update(|document| {
            let mut entries = document.entries(&self.namespace)?;
            for (resource_server, data) in tokens.iter() {
                entries.set(resource_server, data.to_raw());
            }
            document.set_entries(&self.namespace, &entries);
            document.sign();
            Ok(())
        })
    }

    fn get_token_data_by_resource_server(&self) -> Result<TokenDataMap, StorageError> {
        let mut tokens = TokenDataMap::new();
        if let Some(document) = self.load()? {
            let entries = document.entries(&self.namespace).map_err(|kind| kind.at(self.place()))?;
            for (resource_server, json) in entries.iter() {
                tokens.take_up(resource_server, json.get());
            }
        }
        Ok(tokens)
    }

    fn get_token_data(&self, resource_server: &str) -> Result<Option<TokenStorageData>, StorageError> {
        let Some(document) = self.load()? else { return Ok(None) };
        let entries = document.entries(&self.namespace).map_err(|kind| kind.at(self.place()))?;
        let Some(json) = entries.get(resource_server) else { return Ok(None) };
        TokenStorageData::from_json(json.get())
            .map(Some)
            .map_err(|problem| Kind::BadEntry(BadEntry::new(resource_server, problem)).at(self.place()))
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

    fn try_lock_for_renewal(&self) -> Result<Option<RenewalLock>, StorageError> {
        lock::for_renewal(&self.path, &self.place())
    }
}
