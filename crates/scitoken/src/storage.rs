//! Token storages and what their errors mean to the shell.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use scitoken_storage::login::UnsavedTokens;
use scitoken_storage::{
    DEFAULT_NAMESPACE, JsonTokenStorage, RenewalLock, SqliteTokenStorage, StorageError, TokenDataMap,
    TokenStorage,
};

use scitoken_types::sys::Env;

use crate::exit::Exit;
use crate::failure::Failure;
use crate::files;
use crate::hints;
use crate::output;
use crate::sanitize;

/// Where tokens are stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum StorageAddress {
    Json(PathBuf),
    Sqlite(PathBuf),
    Keyring,
}

/// A namespace of a storage.
#[derive(Clone, Debug)]
pub(crate) struct StoragePlace<'a> {
    pub(crate) address: StorageAddress,
    pub(crate) namespace: &'a str,
}

impl StoragePlace<'_> {
    /// Returns the flags that name it, for a command in a hint.
    pub(crate) fn flags(&self) -> String {
        let storage = format!("--storage {}", hints::shell_word(&self.address.to_string()));
        if self.namespace == DEFAULT_NAMESPACE {
            return storage;
        }
        format!("{storage} --namespace {}", hints::shell_word(self.namespace))
    }
}

impl FromStr for StorageAddress {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once(':') {
            Some(("json", file)) if !file.is_empty() => Ok(Self::Json(file.into())),
            Some(("sqlite", file)) if !file.is_empty() => Ok(Self::Sqlite(file.into())),
            None if text == "keyring" => Ok(Self::Keyring),
            _ => Err("write `json:FILE`, `sqlite:FILE` or `keyring`"),
        }
    }
}

impl fmt::Display for StorageAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Json(path) => write!(f, "json:{}", path.display()),
            Self::Sqlite(path) => write!(f, "sqlite:{}", path.display()),
            Self::Keyring => f.write_str("keyring"),
        }
    }
}

impl StorageAddress {
    /// Returns the file of the storage, if it has one.
    pub(crate) fn file(&self) -> Option<&Path> {
        match self {
            Self::Json(path) | Self::Sqlite(path) => Some(path),
            Self::Keyring => None,
        }
    }

    /// Fails if the storage is a file that does not exist.
    pub(crate) fn require_file(&self) -> Result<(), Failure> {
        self.file().map_or(Ok(()), files::require)
    }

    /// Returns the storage; reads and creates nothing yet.
    pub(crate) fn open(&self, namespace: &str) -> Result<Box<dyn TokenStorage>, Failure> {
        Ok(match self {
            Self::Json(path) => Box::new(JsonTokenStorage::new(path).with_namespace(namespace)),
            Self::Sqlite(path) => {
                let storage = SqliteTokenStorage::new(path).map_err(|error| failure(&error))?;
                Box::new(storage.with_namespace(namespace))
            }
            Self::Keyring => keyring(namespace)?,
        })
    }
}

#[cfg(feature = "keyring")]
#[expect(clippy::unnecessary_wraps, reason = "without the feature it can fail")]
fn keyring(namespace: &str) -> Result<Box<dyn TokenStorage>, Failure> {
    use scitoken_storage::KeyringTokenStorage;
    Ok(Box::new(KeyringTokenStorage::new("scitoken").with_namespace(namespace)))
}

#[cfg(not(feature = "keyring"))]
fn keyring(_namespace: &str) -> Result<Box<dyn TokenStorage>, Failure> {
    Err(Failure::new(Exit::Usage, "this build has no keyring support").with_hint(
        "use `--storage json:FILE` or `--storage sqlite:FILE`, or build with `--features keyring`",
    ))
}

/// Says that an entry does not exist, and whether its namespace has others.
pub(crate) fn missing_entry(place: &StoragePlace<'_>, resource_server: &str) -> (String, bool) {
    let Ok(storage) = place.address.open(place.namespace) else {
        return (format!("failed to open the token storage `{}`", place.address), false);
    };
    if let Some(file) = place.address.file().filter(|file| !file.exists()) {
        return (format!("the token storage `{}` does not exist", file.display()), false);
    }
    let message = no_entry(&*storage, resource_server);
    match entry_names(&*storage) {
        Some(names) => (format!("{message}; it has {names}"), true),
        None => (message, false),
    }
}

/// Says that a storage has no such entry.
pub(crate) fn no_entry(storage: &dyn TokenStorage, resource_server: &str) -> String {
    format!("{} has no entry `{}`", storage.label(), sanitize::line(resource_server))
}

/// Lists the entries of the namespace; `None` if there are none.
pub(crate) fn entry_names(storage: &dyn TokenStorage) -> Option<String> {
    let tokens = storage.get_token_data_by_resource_server().ok().filter(|tokens| !tokens.is_empty())?;
    let names: Vec<_> = tokens.iter().map(|(name, _)| format!("`{}`", sanitize::line(name))).collect();
    Some(names.join(", "))
}

/// Locks the storage against renewals, which would overwrite a change with their tokens.
pub(crate) fn lock(storage: &dyn TokenStorage) -> Result<RenewalLock, Failure> {
    for _ in 0..300 {
        if let Some(lock) = storage.try_lock_for_renewal().map_err(|error| failure(&error))? {
            return Ok(lock);
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    let message = format!("another process has been renewing tokens of {} for 30 s", storage.label());
    Err(Failure::new(Exit::TryLater, message))
}

/// Returns what a storage's error means to the shell.
pub(crate) fn failure(error: &StorageError) -> Failure {
    let exit = if error.is_locked() { Exit::TryLater } else { Exit::Local };
    Failure::from_error(exit, error).with_optional_hint(error.file_hint().as_ref().map(hints::of_file))
}

/// Reports entries that cannot be read, and returns the exit code.
pub(crate) fn warn_of_unreadable(tokens: &TokenDataMap) -> Exit {
    for entry in tokens.unreadable() {
        output::note(&format!("scitoken: {entry}: {}", entry.problem()));
    }
    if tokens.unreadable().is_empty() { Exit::Ok } else { Exit::Local }
}

/// Keeps tokens that could not be stored in a file of their own, or offers them on standard output.
pub(crate) fn rescue(env: &Env, unsaved: &UnsavedTokens, place: Option<&StoragePlace<'_>>) -> Failure {
    failure(unsaved.error()).with_hint(rescued(env, unsaved, place))
}

/// As [`rescue`]; returns what the user can do. Without a place, they were to go to a token file.
pub(crate) fn rescued(env: &Env, unsaved: &UnsavedTokens, place: Option<&StoragePlace<'_>>) -> String {
    match unsaved.rescue(env) {
        Ok(path) => match (place, unsaved.tokens().iter().next()) {
            (None, Some((name, _))) => hints::print_kept_token(&path, name),
            (place, _) => hints::import_kept_tokens(&path, place.map(StoragePlace::flags).as_deref()),
        },
        Err(_) if output::bytes(unsaved.expose_json().as_bytes()).is_ok() => {
            "the tokens are on standard output: keep them in a file of mode 600".to_owned()
        }
        Err(_) => "the tokens could not be kept: log in again".to_owned(),
    }
}

/// Keeps renewed tokens that their storage does not take, before the program ends.
pub(crate) fn rescue_renewed(env: &Env, unsaved: &UnsavedTokens, place: &StoragePlace<'_>) {
    // Standard output may be a file's content, so only a file will do.
    let hint = unsaved.rescue(env).map_or_else(
        |error| format!("the tokens could not be kept ({error}): log in again"),
        |path| hints::import_kept_tokens(&path, Some(&place.flags())),
    );
    let failure = failure(unsaved.error());
    output::note(&format!("scitoken: warning: renewed tokens could not be stored: {}", failure.message()));
    output::note(&format!("hint: {hint}"));
}
