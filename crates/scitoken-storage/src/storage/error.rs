//! Errors of token storages.

use std::error::Error;
use std::io;
use std::time::Duration;

use scitoken_types::files::{FileError, FileHint, FileProblem};

use super::validation::TokenValidationError;
use crate::entry::{NotJson, UnreadableEntry};
use crate::oauth::InvalidTokenResponse;

/// An operation of a token storage failed. The stored data is unchanged.
///
/// ```
/// use scitoken_storage::StorageError;
///
/// let error = StorageError::new("token storage in the vault", "the vault is sealed");
/// assert_eq!(error.storage_label(), "token storage in the vault");
/// assert!(!error.is_locked() && !error.is_format());
/// ```
#[derive(Debug)]
pub struct StorageError {
    label: String,
    kind: Kind,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum Kind {
    #[error("{0}")]
    Io(&'static str, #[source] io::Error),
    #[error("{}", file_problem(.0))]
    File(FileError),
    #[error("another process has held the lock `{lock}` for {} s", waited.as_secs())]
    Locked { lock: String, waited: Duration },
    #[error("{0} (move the file away to start with an empty one)")]
    NotJson(NotJson),
    #[error(
        "the file is empty, as a writer that was killed leaves it (move it away to start with a new one)"
    )]
    Empty,
    #[error("not a JSON object")]
    RootNotObject,
    #[error("unknown format (format_version={found}); supported are 1.0 and 2.0")]
    UnknownFormat { found: String },
    #[error("format 1.0 without a `by_rs` object")]
    NoByRs,
    #[error("`data` is missing or not an object")]
    MalformedData,
    #[error("the key `{0}` is missing")]
    MissingKey(&'static str),
    #[error("`globus-sdk.version` is not a string")]
    VersionNotText,
    #[error("the namespace `{0}` is not an object")]
    NamespaceNotObject(String),
    #[error("{0}")]
    UnreadableEntry(UnreadableEntry),
    #[cfg(feature = "sqlite")]
    #[error(
        "`:memory:` is not supported (use a `MemoryTokenStorage` for tokens in memory, or `./:memory:` for a file of \
         this name)"
    )]
    InMemory,
    #[cfg(feature = "sqlite")]
    #[error("the database has no tables of a token storage")]
    NoTokenTables,
    #[cfg(feature = "sqlite")]
    #[error("unknown database schema `{0}`; supported are 1 and 2")]
    UnknownSchema(String),
    #[cfg(feature = "sqlite")]
    #[error("{0}")]
    Sqlite(&'static str, #[source] rusqlite::Error),
    #[cfg(feature = "keyring")]
    #[error(
        "no keyring available (machines without a desktop session often have none: use a JSON or SQLite storage, or \
         a fallback)"
    )]
    NoKeyring(#[source] Box<dyn Error + Send + Sync>),
    #[cfg(feature = "keyring")]
    #[error("the keyring failed")]
    Keyring(#[source] Box<dyn Error + Send + Sync>),
    #[error("tokens of several identities: {}", .0.join(", "))]
    MixedIdentities(Vec<String>),
    #[error("{0}")]
    Validation(TokenValidationError),
    #[error("{0}")]
    Response(InvalidTokenResponse),
    #[error("{0}")]
    Own(String, #[source] Option<Box<dyn Error + Send + Sync>>),
}

impl Kind {
    /// Adds the label of the storage.
    pub(crate) fn at(self, label: impl Into<String>) -> StorageError {
        StorageError { label: label.into(), kind: self }
    }
}

impl StorageError {
    /// Creates an error for an implementation of [`TokenStorage`](crate::TokenStorage): the storage's label, and the problem.
    pub fn new(label: impl Into<String>, problem: impl Into<String>) -> Self {
        Kind::Own(problem.into(), None).at(label)
    }

    /// Sets the cause of an error made with [`new`](Self::new); other errors keep theirs.
    pub fn with_source(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        if let Kind::Own(_, cause) = &mut self.kind {
            *cause = Some(source.into());
        }
        self
    }

    /// Returns the label of the storage: `token storage /home/me/tokens.json`.
    pub fn storage_label(&self) -> &str {
        &self.label
    }

    /// Returns the validator's error, if a [`ValidatingTokenStorage`](crate::ValidatingTokenStorage) refused the data.
    pub fn validation(&self) -> Option<&TokenValidationError> {
        match &self.kind {
            Kind::Validation(error) => Some(error),
            _ => None,
        }
    }

    /// Returns the entry that is not valid, if that is the cause; others may be valid.
    pub fn unreadable_entry(&self) -> Option<&UnreadableEntry> {
        match &self.kind {
            Kind::UnreadableEntry(entry) => Some(entry),
            _ => None,
        }
    }

    /// Returns whether the stored data is invalid: truncated, of another program, or of a newer version.
    pub fn is_format(&self) -> bool {
        match &self.kind {
            Kind::NotJson(_)
            | Kind::Empty
            | Kind::RootNotObject
            | Kind::UnknownFormat { .. }
            | Kind::NoByRs
            | Kind::MalformedData
            | Kind::MissingKey(_)
            | Kind::VersionNotText
            | Kind::NamespaceNotObject(_)
            | Kind::UnreadableEntry(_) => true,
            #[cfg(feature = "sqlite")]
            Kind::NoTokenTables | Kind::UnknownSchema(_) => true,
            #[cfg(feature = "sqlite")]
            Kind::Sqlite(_, error) => {
                use rusqlite::ErrorCode::{DatabaseCorrupt, NotADatabase};
                matches!(error.sqlite_error_code(), Some(DatabaseCorrupt | NotADatabase))
            }
            _ => false,
        }
    }

    /// Returns whether another process holds the lock; the same call may succeed later.
    pub fn is_locked(&self) -> bool {
        match &self.kind {
            Kind::Locked { .. } => true,
            #[cfg(feature = "sqlite")]
            Kind::Sqlite(_, error) => {
                use rusqlite::ErrorCode::{DatabaseBusy, DatabaseLocked};
                matches!(error.sqlite_error_code(), Some(DatabaseBusy | DatabaseLocked))
            }
            _ => false,
        }
    }

    /// Returns the command that repairs the access to a file, if one does.
    pub fn file_hint(&self) -> Option<FileHint> {
        match &self.kind {
            Kind::File(error) => error.hint(),
            _ => None,
        }
    }

    /// Returns whether the system has no keyring.
    pub fn is_keyring_unavailable(&self) -> bool {
        #[cfg(feature = "keyring")]
        let no_keyring = matches!(self.kind, Kind::NoKeyring(_));
        #[cfg(not(feature = "keyring"))]
        let no_keyring = false;
        no_keyring
    }
}

impl std::fmt::Display for StorageError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.label, self.kind)
    }
}

impl Error for StorageError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &self.kind {
            Kind::UnreadableEntry(entry) => entry.source(),
            Kind::File(error) => error.source(),
            Kind::Validation(error) => error.source(),
            Kind::Response(error) => error.source(),
            Kind::Own(_, cause) => cause.as_ref().map(|cause| cause.as_ref() as &(dyn Error + 'static)),
            other => other.source(),
        }
    }
}

/// The problem of a file without its name, which the label has already, and without its cause.
fn file_problem(error: &FileError) -> String {
    match error.problem() {
        FileProblem::Io { action, .. } => format!("failed to {action}"),
        problem => problem.to_string(),
    }
}
