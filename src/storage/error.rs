//! What can go wrong with a token storage.

use std::error::Error;
use std::io;
use std::time::Duration;

use super::map::BadEntry;
use super::response::InvalidTokenResponse;
use super::validating::TokenValidationError;

/// A token storage could not do what was asked. The stored data is as it was before.
#[derive(Debug)]
pub struct StorageError {
    place: String,
    kind: Kind,
}

#[derive(Debug, thiserror::Error)]
pub(super) enum Kind {
    #[error("{0}")]
    Io(&'static str, #[source] io::Error),
    #[error("it is not a regular file")]
    NotRegular,
    #[error("it belongs to another user (uid {uid}), who could have put foreign tokens there")]
    ForeignOwner { uid: u32 },
    #[error("it has {size} bytes, more than the {limit} that a token storage is allowed")]
    TooLarge { size: u64, limit: u64 },
    #[error("another process has held its lock for {} s (try again, or look who holds `{lock}`)", waited.as_secs())]
    Locked { lock: String, waited: Duration },
    #[error("it is not JSON: reading ended at line {line} column {column} (move it away to start afresh)")]
    NotJson { line: usize, column: usize },
    #[error("it is empty, which a writer that was killed leaves behind (move it away to start afresh)")]
    Empty,
    #[error("it holds JSON, but not an object")]
    RootNotObject,
    #[error("its data is in an unknown format (format_version={found}); known are 1.0 and 2.0")]
    UnknownFormat { found: String },
    #[error("it has format 1.0 but no `by_rs` object")]
    NoByRs,
    #[error("its `data` is missing or not an object")]
    MalformedData,
    #[error("the key `{0}` is missing")]
    MissingKey(&'static str),
    #[error("its `globus-sdk.version` is not a string")]
    VersionNotText,
    #[error("the namespace `{0}` is not an object")]
    NamespaceNotObject(String),
    #[error("{0}")]
    BadEntry(BadEntry),
    #[cfg(feature = "sqlite")]
    #[error(
        "`:memory:` is no place to keep tokens (use a `MemoryTokenStorage` to keep them in memory, or `./:memory:` \
         for a file of this name)"
    )]
    InMemory,
    #[cfg(feature = "sqlite")]
    #[error("it is a database without the tables of a token storage")]
    NoTokenTables,
    #[cfg(feature = "sqlite")]
    #[error("its database schema has version `{0}`; known are 1 and 2")]
    UnknownSchema(String),
    #[cfg(feature = "sqlite")]
    #[error("{0}")]
    Sqlite(&'static str, #[source] rusqlite::Error),
    #[cfg(feature = "keyring")]
    #[error(
        "the system's keyring cannot be used (a machine without a desktop session often has none: use a JSON or \
         SQLite storage, or ask for a fallback)"
    )]
    NoKeyring(#[source] Box<dyn Error + Send + Sync>),
    #[cfg(feature = "keyring")]
    #[error("the system's keyring failed")]
    Keyring(#[source] Box<dyn Error + Send + Sync>),
    #[error("it holds tokens of several identities: {}", .0.join(", "))]
    MixedIdentities(Vec<String>),
    #[error("{0}")]
    Validation(TokenValidationError),
    #[error("{0}")]
    Response(InvalidTokenResponse),
    #[error("{0}")]
    Own(String, #[source] Option<Box<dyn Error + Send + Sync>>),
}

impl Kind {
    /// Names the storage that the problem is about.
    pub(super) fn at(self, place: impl Into<String>) -> StorageError {
        StorageError { place: place.into(), kind: self }
    }
}

impl StorageError {
    /// An error of a storage of your own: where, and what went wrong.
    pub fn new(place: impl Into<String>, problem: impl Into<String>) -> Self {
        Kind::Own(problem.into(), None).at(place)
    }

    /// States the cause of an error made with [`new`](Self::new); other errors have one already.
    pub fn with_source(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        if let Kind::Own(_, cause) = &mut self.kind {
            *cause = Some(source.into());
        }
        self
    }

    /// The storage that the error is about, in words: `token storage /home/me/tokens.json`.
    pub fn place(&self) -> &str {
        &self.place
    }

    /// The validator's objection, where a [`ValidatingTokenStorage`](super::ValidatingTokenStorage) made one.
    pub fn validation(&self) -> Option<&TokenValidationError> {
        match &self.kind {
            Kind::Validation(error) => Some(error),
            _ => None,
        }
    }

    /// The entry that cannot be used, where that is the trouble; the others can be.
    pub fn bad_entry(&self) -> Option<&BadEntry> {
        match &self.kind {
            Kind::BadEntry(entry) => Some(entry),
            _ => None,
        }
    }

    /// Whether the stored data is there but not of a known form: torn, foreign, or of a newer version.
    pub fn is_format(&self) -> bool {
        match &self.kind {
            Kind::NotJson { .. }
            | Kind::Empty
            | Kind::RootNotObject
            | Kind::UnknownFormat { .. }
            | Kind::NoByRs
            | Kind::MalformedData
            | Kind::MissingKey(_)
            | Kind::VersionNotText
            | Kind::NamespaceNotObject(_)
            | Kind::BadEntry(_) => true,
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

    /// Whether another process holds the storage; the same call may work later.
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

    /// Whether there is no keyring to use.
    pub fn is_no_keyring(&self) -> bool {
        #[cfg(feature = "keyring")]
        let no_keyring = matches!(self.kind, Kind::NoKeyring(_));
        #[cfg(not(feature = "keyring"))]
        let no_keyring = false;
        no_keyring
    }
}

impl std::fmt::Display for StorageError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.place, self.kind)
    }
}

impl Error for StorageError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &self.kind {
            Kind::BadEntry(entry) => entry.source(),
            Kind::Validation(error) => error.source(),
            Kind::Response(error) => error.source(),
            Kind::Own(_, cause) => cause.as_ref().map(|cause| cause.as_ref() as &(dyn Error + 'static)),
            other => other.source(),
        }
    }
}
