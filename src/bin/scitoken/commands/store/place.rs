//! Which storage is meant, and what its errors mean to the shell.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use reqwest_scitokens::storage::{
    DEFAULT_NAMESPACE, JsonTokenStorage, RenewalLock, SqliteTokenStorage, StorageError, TokenStorage,
};

use crate::exit::Exit;
use crate::failure::Failure;
use crate::print;
use crate::settings::Storage;

/// A token storage on the command line.
#[derive(Clone, Debug, Args)]
pub(crate) struct Place {
    #[command(flatten)]
    kind: Kind,
    /// The part of the storage to look into
    #[arg(long, value_name = "NS", default_value = DEFAULT_NAMESPACE)]
    namespace: String,
}

/// A token storage on the command line, or none.
#[derive(Clone, Debug, Args)]
pub(crate) struct OptionalPlace {
    /// Keep tokens in a JSON file, as `JSONTokenStorage` of the Globus SDK has it
    #[arg(long, value_name = "FILE", group = "storage")]
    json: Option<PathBuf>,
    /// Keep tokens in an SQLite database, as `SQLiteTokenStorage` of the Globus SDK has it
    #[arg(long, value_name = "FILE", group = "storage")]
    sqlite: Option<PathBuf>,
    /// Keep tokens in the system's keyring
    #[arg(long, group = "storage")]
    keyring: bool,
    /// The part of the storage to use
    #[arg(long, value_name = "NS", default_value = DEFAULT_NAMESPACE)]
    namespace: String,
}

#[derive(Clone, Debug, Args)]
#[group(required = true, multiple = false)]
pub(super) struct Kind {
    /// A JSON file, as `JSONTokenStorage` of the Globus SDK has it
    #[arg(long, value_name = "FILE")]
    pub(super) json: Option<PathBuf>,
    /// An SQLite database, as `SQLiteTokenStorage` of the Globus SDK has it
    #[arg(long, value_name = "FILE")]
    pub(super) sqlite: Option<PathBuf>,
    /// The system's keyring
    #[arg(long)]
    pub(super) keyring: bool,
}

impl Place {
    /// The storage; nothing is read or made yet.
    pub(crate) fn open(&self) -> Result<Box<dyn TokenStorage>, Failure> {
        self.kind.open(&self.namespace)
    }

    pub(super) fn kind(&self) -> &Kind {
        &self.kind
    }
}

impl OptionalPlace {
    /// The storage, if one is named.
    pub(crate) fn open(&self) -> Result<Option<Box<dyn TokenStorage>>, Failure> {
        let kind = Kind { json: self.json.clone(), sqlite: self.sqlite.clone(), keyring: self.keyring };
        let named = kind.json.is_some() || kind.sqlite.is_some() || kind.keyring;
        named.then(|| kind.open(&self.namespace)).transpose()
    }

    /// The lines of `scitoken.toml` that name the same storage, if one is named.
    pub(crate) fn as_settings(&self) -> Option<String> {
        let whole = |path: &Path| std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let place = match (&self.json, &self.sqlite) {
            (Some(path), _) => format!("json = {}", in_toml(&whole(path).to_string_lossy())),
            (_, Some(path)) => format!("sqlite = {}", in_toml(&whole(path).to_string_lossy())),
            (None, None) if self.keyring => "keyring = true".to_owned(),
            (None, None) => return None,
        };
        Some(match self.namespace.as_str() {
            DEFAULT_NAMESPACE => place,
            other => format!("{place}\nnamespace = {}", in_toml(other)),
        })
    }
}

/// A text as TOML writes it.
pub(crate) fn in_toml(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

/// The storage that the settings name; nothing is read or made yet, and nothing is said.
pub(crate) fn open_storage(storage: &Storage, namespace: &str) -> Result<Box<dyn TokenStorage>, Failure> {
    Ok(match storage {
        Storage::Json(path) => Box::new(JsonTokenStorage::new(path).with_namespace(namespace)),
        Storage::Sqlite(path) => {
            let storage = SqliteTokenStorage::new(path).map_err(|error| failed(&error))?;
            Box::new(storage.with_namespace(namespace))
        }
        Storage::Keyring => keyring(namespace)?,
    })
}

impl Kind {
    pub(super) fn open(&self, namespace: &str) -> Result<Box<dyn TokenStorage>, Failure> {
        Ok(match (&self.json, &self.sqlite) {
            (Some(path), _) => {
                let storage = JsonTokenStorage::new(path).with_namespace(namespace);
                warn_of_loose_permissions(path, storage.loose_permissions().ok().flatten());
                Box::new(storage)
            }
            (None, Some(path)) => {
                let storage = SqliteTokenStorage::new(path).map_err(|error| failed(&error))?;
                warn_of_loose_permissions(path, storage.loose_permissions().ok().flatten());
                Box::new(storage.with_namespace(namespace))
            }
            (None, None) => keyring(namespace)?,
        })
    }
}

/// Tells of a file that others can get at. It is used all the same, and a write to a JSON file tightens it.
fn warn_of_loose_permissions(path: &Path, mode: Option<u32>) {
    if let Some(mode) = mode {
        let path = path.display();
        print::note(&format!(
            "scitoken: others can get at `{path}` (mode {mode:o}); `chmod 600 {path}` keeps them out"
        ));
    }
}

#[cfg(feature = "keyring")]
#[expect(clippy::unnecessary_wraps, reason = "without the feature it can fail")]
fn keyring(namespace: &str) -> Result<Box<dyn TokenStorage>, Failure> {
    use reqwest_scitokens::storage::KeyringTokenStorage;
    Ok(Box::new(KeyringTokenStorage::new("scitoken").with_namespace(namespace)))
}

#[cfg(not(feature = "keyring"))]
fn keyring(_namespace: &str) -> Result<Box<dyn TokenStorage>, Failure> {
    Err(Failure::new(Exit::Usage, "this program was built without the feature `keyring`")
        .with_hint("use `--json FILE` or `--sqlite FILE`, or build it with `--features cli,keyring`"))
}

/// Waits until nobody renews tokens of the storage. A renewal that is under way would put its tokens in the place of
/// what is changed meanwhile.
pub(crate) fn lock(storage: &dyn TokenStorage) -> Result<RenewalLock, Failure> {
    for _ in 0..600 {
        if let Some(lock) = storage.try_lock_for_renewal().map_err(|error| failed(&error))? {
            return Ok(lock);
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    let message = format!("another process has been renewing tokens of {} for a minute", storage.place());
    Err(Failure::new(Exit::TryLater, message))
}

/// What a storage's error means to the shell.
pub(crate) fn failed(error: &StorageError) -> Failure {
    let exit = if error.is_locked() { Exit::TryLater } else { Exit::Local };
    Failure::from_error(exit, error)
}
