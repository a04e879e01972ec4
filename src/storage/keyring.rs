//! Tokens in the system's keyring.

use std::sync::Arc;

use keyring_core::{CredentialStore, Entry, Error};
use secrecy::zeroize::Zeroizing;

use super::error::{Kind, StorageError};
use super::lock::{self, RenewalLock};
use super::map::{BadEntry, TokenDataMap};
use super::members::{Members, raw};
use super::{DEFAULT_NAMESPACE, StorageLocation, TokenStorage, TokenStorageData, python_json};
use crate::sys::Env;

/// A token storage in the system's keyring. The SDK has none, so nothing is shared with Python.
///
/// Each resource server has an entry of its own, because keyrings limit an entry's size, and one more entry lists
/// them. They stand under a service (your program's name); the user name is the namespace and the resource server.
///
/// The keyring is the one that the program has set with `keyring_core::set_default_store`; on Linux, where it has
/// set none, the Secret Service of the desktop session (GNOME, KDE). A machine without a session has none: every
/// call then fails with an error whose [`is_no_keyring`](StorageError::is_no_keyring) is true. Nothing falls back
/// to a file by itself; [`or_else`](Self::or_else) does that for those who ask.
#[derive(Clone, Debug)]
pub struct KeyringTokenStorage {
    service: String,
    namespace: String,
}

impl KeyringTokenStorage {
    /// The storage under `service`, in the namespace `DEFAULT`.
    pub fn new(service: impl Into<String>) -> Self {
        Self { service: service.into(), namespace: DEFAULT_NAMESPACE.to_owned() }
    }

    /// The same service, seen in another namespace.
    pub fn with_namespace(&self, namespace: impl Into<String>) -> Self {
        Self { service: self.service.clone(), namespace: namespace.into() }
    }

    /// This storage where there is a keyring, else another one, with a warning in the log.
    ///
    /// # Errors
    /// When there is a keyring but it fails: a locked keyring is no reason to put tokens into a file.
    pub fn or_else(
        self,
        fallback: impl FnOnce() -> Result<Box<dyn TokenStorage>, StorageError>,
    ) -> Result<Box<dyn TokenStorage>, StorageError> {
        match self.index() {
            Ok(_) => Ok(Box::new(self)),
            Err(error) if error.is_no_keyring() => {
                let fallback = fallback()?;
                tracing::warn!(place = %fallback.place(), "no keyring: tokens are kept elsewhere");
                Ok(fallback)
            }
            Err(error) => Err(error),
        }
    }

    fn failed(&self, error: Error) -> StorageError {
        let kind = match error {
            Error::NoDefaultStore => Kind::NoKeyring(Box::new(Error::NoDefaultStore)),
            // Texts of these may hold the secret that could not be understood.
            Error::BadEncoding(_) | Error::BadDataFormat(..) => {
                Kind::Keyring("an entry is not in the form that the keyring expects".into())
            }
            error => Kind::Keyring(Box::new(error)),
        };
        kind.at(self.place())
    }

    fn entry(&self, name: &str) -> Result<Entry, StorageError> {
        let store = store().map_err(|error| Kind::NoKeyring(Box::new(error)).at(self.place()))?;
        Entry::new_in_store(&store, &self.service, name).map_err(|error| self.failed(error))
    }

    fn secret(&self, name: &str) -> Result<Option<Zeroizing<String>>, StorageError> {
        match self.entry(name)?.get_password() {
            Ok(secret) => Ok(Some(Zeroizing::new(secret))),
            Err(Error::NoEntry) => Ok(None),
            Err(error) => Err(self.failed(error)),
        }
    }

    /// The user name of a resource server's entry. Neither part can be mistaken for the other.
    fn user(&self, resource_server: &str) -> String {
        python_json::to_text(&[self.namespace.as_str(), resource_server]).to_string()
    }

    /// The user name of the entry that lists the resource servers.
    fn index_user(&self) -> String {
        python_json::to_text(&[self.namespace.as_str()]).to_string()
    }

    /// The resource servers that may have an entry. A name whose entry is missing was being stored or removed by
    /// a process that was killed.
    fn index(&self) -> Result<Members, StorageError> {
        let Some(list) = self.secret(&self.index_user())? else { return Ok(Members::default()) };
        Members::read(list.as_bytes()).map_err(|_| Kind::MalformedData.at(self.place()))
    }

    fn write_index(&self, index: &Members) -> Result<(), StorageError> {
        self.entry(&self.index_user())?
            .set_password(&python_json::to_text(index))
            .map_err(|error| self.failed(error))
    }

    /// Keeps other processes from changing the list at the same time.
    fn lock(&self) -> Result<std::fs::File, StorageError> {
        let path = self.lock_path()?;
        super::file::make_directory(&path)
            .map_err(|error| Kind::Io("its lock file cannot be made", error).at(self.place()))?;
        lock::for_writing(&path).map_err(|kind| kind.at(self.place()))
    }

    /// A keyring has no file that a lock could stand beside; locks go where the files of Globus apps are.
    fn lock_path(&self) -> Result<std::path::PathBuf, StorageError> {
        StorageLocation::new("keyring", &self.service)
            .ok()
            .and_then(|location| location.json_path(&Env::process()))
            .ok_or_else(|| StorageError::new(self.place(), "its service makes no name for a lock file"))
    }
}

/// The store that the program has set, else the system's own.
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

    fn place(&self) -> String {
        format!("token storage `{}` in the keyring", self.service)
    }

    /// Not all of them or none, as elsewhere: a keyring has no transactions. An entry is either the old or the new.
    fn store_token_data_by_resource_server(&self, tokens: &TokenDataMap) -> Result<(), StorageError> {
        let _locked = self.lock()?;
        let mut index = self.index()?;
        for (resource_server, _) in tokens.iter() {
            index.set(resource_server, raw("null"));
        }
        // The list first: a name without an entry does no harm, an entry that is not listed would be lost.
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
                tokens.take_up(resource_server, &json);
            }
        }
        Ok(tokens)
    }

    fn get_token_data(&self, resource_server: &str) -> Result<Option<TokenStorageData>, StorageError> {
        let Some(json) = self.secret(&self.user(resource_server))? else { return Ok(None) };
        TokenStorageData::from_json(&json)
            .map(Some)
            .map_err(|problem| Kind::BadEntry(BadEntry::new(resource_server, problem)).at(self.place()))
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

    fn try_lock_for_renewal(&self) -> Result<Option<RenewalLock>, StorageError> {
        lock::for_renewal(&self.lock_path()?, &self.place())
    }
}
