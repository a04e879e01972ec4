//! Tokens in the system's keyring.

use std::sync::Arc;

use keyring_core::{CredentialStore, Entry, Error};
use secrecy::zeroize::Zeroizing;

use super::disk::{Disk, WriteLock};
use super::error::{Kind, StorageError};
use super::location::StorageLocation;
use super::renewal_lock::RenewalLock;
use super::token_storage::{DEFAULT_NAMESPACE, TokenStorage};
use crate::entry::{RawObject, TokenDataMap, TokenStorageData, UnreadableEntry, raw, to_text};
use scitoken_types::sys::Env;

/// A token storage in the system's keyring. The SDK has none, so nothing is shared with Python.
///
/// Each resource server has an entry of its own, because keyrings limit an entry's size, and one more entry lists
/// them. They belong to a service (your program's name); the user name is the namespace and the resource server.
///
/// The keyring is the one set with `keyring_core::set_default_store`; on Linux, if none is set, the Secret Service of
/// the desktop session (GNOME, KDE). Without a session there is none: every call then fails with an error whose
/// [`is_keyring_unavailable`](StorageError::is_keyring_unavailable) is true. A file is used instead only through
/// [`or_else`](Self::or_else).
///
/// ```no_run
/// use scitoken_storage::{JsonTokenStorage, KeyringTokenStorage, TokenStorage};
///
/// let storage = KeyringTokenStorage::new("my-app").or_else(|| Ok(Box::new(JsonTokenStorage::new("tokens.json"))))?;
/// println!("{}", storage.label());
/// # Ok::<(), scitoken_storage::StorageError>(())
/// ```
#[derive(Clone, Debug)]
pub struct KeyringTokenStorage {
    service: String,
    namespace: String,
}

impl KeyringTokenStorage {
    /// Creates a storage with the service name `service`, in the namespace `DEFAULT`.
    pub fn new(service: impl Into<String>) -> Self {
        Self { service: service.into(), namespace: DEFAULT_NAMESPACE.to_owned() }
    }

    /// Returns the same storage in another namespace.
    pub fn with_namespace(&self, namespace: impl Into<String>) -> Self {
        Self { service: self.service.clone(), namespace: namespace.into() }
    }

    /// Returns this storage if the system has a keyring, else another one, with a warning in the log.
    ///
    /// # Errors
    /// When there is a keyring but it fails: tokens do not go to a file because a keyring is locked.
    pub fn or_else(
        self,
        fallback: impl FnOnce() -> Result<Box<dyn TokenStorage>, StorageError>,
    ) -> Result<Box<dyn TokenStorage>, StorageError> {
        match self.index() {
            Ok(_) => Ok(Box::new(self)),
            Err(error) if error.is_keyring_unavailable() => {
                let fallback = fallback()?;
                tracing::warn!(place = %fallback.label(), "no keyring: tokens are kept elsewhere");
                Ok(fallback)
            }
            Err(error) => Err(error),
        }
    }

    fn failed(&self, error: Error) -> StorageError {
        let kind = match error {
            Error::NoDefaultStore => Kind::NoKeyring(Box::new(Error::NoDefaultStore)),
            // The texts of these errors may contain the secret.
            Error::BadEncoding(_) | Error::BadDataFormat(..) => {
                Kind::Keyring("an entry has an invalid encoding".into())
            }
            error => Kind::Keyring(Box::new(error)),
        };
        kind.at(self.label())
    }

    fn entry(&self, name: &str) -> Result<Entry, StorageError> {
        let store = store().map_err(|error| Kind::NoKeyring(Box::new(error)).at(self.label()))?;
        Entry::new_in_store(&store, &self.service, name).map_err(|error| self.failed(error))
    }

    fn secret(&self, name: &str) -> Result<Option<Zeroizing<String>>, StorageError> {
        match self.entry(name)?.get_password() {
            Ok(secret) => Ok(Some(Zeroizing::new(secret))),
            Err(Error::NoEntry) => Ok(None),
            Err(error) => Err(self.failed(error)),
        }
    }

    /// Returns the user name of a resource server's entry, an unambiguous pair of namespace and name.
    fn user(&self, resource_server: &str) -> String {
        to_text(&[self.namespace.as_str(), resource_server]).to_string()
    }

    /// Returns the user name of the entry that lists the resource servers.
    fn index_user(&self) -> String {
        to_text(&[self.namespace.as_str()]).to_string()
    }

    /// Reads the resource servers that may have an entry. A name without an entry comes from a process that was killed
    /// while it stored or removed it.
    fn index(&self) -> Result<RawObject, StorageError> {
        let Some(list) = self.secret(&self.index_user())? else { return Ok(RawObject::default()) };
        RawObject::read(list.as_bytes()).map_err(|_| Kind::MalformedData.at(self.label()))
    }

    fn write_index(&self, index: &RawObject) -> Result<(), StorageError> {
        self.entry(&self.index_user())?.set_password(&to_text(index)).map_err(|error| self.failed(error))
    }

    /// Takes the lock for changes of the list.
    fn lock(&self) -> Result<WriteLock, StorageError> {
        let path = self.lock_path()?;
        Disk::default().lock_for_writing(&path).map_err(|kind| kind.at(self.label()))
    }

    /// Returns where the lock file belongs: a keyring is not a file, so it lies where Globus apps keep theirs.
    fn lock_path(&self) -> Result<std::path::PathBuf, StorageError> {
        StorageLocation::new("keyring", &self.service)
            .ok()
            .and_then(|location| location.json_path(&Env::process()))
            .ok_or_else(|| StorageError::new(self.label(), "the service name is not usable as a file name"))
    }
}

/// Returns the store that the program has set, else the system's.
fn store() -> Result<Arc<CredentialStore>, Error> {
    if let Some(store) = keyring_core::get_default_store() {
        return Ok(store);
    }
    #[cfg(target_os = "linux")]
    {
        let store: Arc<CredentialStore> = zbus_secret_service_keyring_store::Store::new()?;
        keyring_core::set_default_store(Arc::clone(&store));
        Ok(store)
    }
    #[cfg(not(target_os = "linux"))]
    Err(Error::NoDefaultStore)
}

impl TokenStorage for KeyringTokenStorage {
    fn namespace(&self) -> &str {
        &self.namespace
    }

    fn label(&self) -> String {
        format!("token storage `{}` in the keyring", self.service)
    }

    /// Not atomic as a whole, because a keyring has no transactions; each entry is either the old or the new one.
    fn store_token_data_by_resource_server(&self, tokens: &TokenDataMap) -> Result<(), StorageError> {
        let _locked = self.lock()?;
        let mut index = self.index()?;
        for (resource_server, _) in tokens.iter() {
            index.set(resource_server, raw("null"));
        }
        // The list is written first: a name without an entry is harmless, an unlisted entry would be lost.
        self.write_index(&index)?;
        for (resource_server, data) in tokens.iter() {
            self.entry(&self.user(resource_server))?
                .set_password(&data.expose_json())
                .map_err(|error| self.failed(error))?;
        }
        Ok(())
    }

    fn get_token_data_by_resource_server(&self) -> Result<TokenDataMap, StorageError> {
        let mut tokens = TokenDataMap::new();
        for resource_server in self.index()?.names() {
            if let Some(json) = self.secret(&self.user(resource_server))? {
                tokens.insert_json(resource_server, &json);
            }
        }
        Ok(tokens)
    }

    fn get_token_data(&self, resource_server: &str) -> Result<Option<TokenStorageData>, StorageError> {
        let Some(json) = self.secret(&self.user(resource_server))? else { return Ok(None) };
        TokenStorageData::from_json(&json).map(Some).map_err(|problem| {
            Kind::UnreadableEntry(UnreadableEntry::new(resource_server, problem, &json)).at(self.label())
        })
    }

    fn remove_token_data(&self, resource_server: &str) -> Result<bool, StorageError> {
        let _locked = self.lock()?;
        let removed = match self.entry(&self.user(resource_server))?.delete_credential() {
            Ok(()) => true,
            Err(Error::NoEntry) => false,
            Err(error) => return Err(self.failed(error)),
        };
        let mut index = self.index()?;
        if index.remove(resource_server) {
            self.write_index(&index)?;
        }
        Ok(removed)
    }

    /// Reads the list under the write lock, and writes it back if there is one.
    fn prepare(&self) -> Result<(), StorageError> {
        let _locked = self.lock()?;
        if self.secret(&self.index_user())?.is_some() {
            self.write_index(&self.index()?)?;
        }
        Ok(())
    }

    fn try_lock_for_renewal(&self) -> Result<Option<RenewalLock>, StorageError> {
        Disk::default().lock_for_renewal(&self.lock_path()?).map_err(|kind| kind.at(self.label()))
    }
}
