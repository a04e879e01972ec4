//! The SQLite database of `globus_sdk.token_storage.SQLiteTokenStorage`.

mod file;
mod schema;

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags, OptionalExtension, Row, Transaction, TransactionBehavior, params};
use scitoken_types::files::make_private;

use self::file::{file_at, is_foreign};
use self::schema::Schema;
use super::disk::{Disk, WriteLock};
use super::error::{Kind, StorageError};
use super::renewal_lock::RenewalLock;
use super::token_storage::{DEFAULT_NAMESPACE, TokenStorage};
use crate::entry::{TokenDataMap, TokenStorageData, UnreadableEntry};

/// The default time to wait for a database that another process has locked; the same as of Python's `sqlite3`.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

const REPLACE: &str =
    "REPLACE INTO token_storage(namespace, resource_server, token_data_json) VALUES(?, ?, ?)";

/// A token storage in an SQLite database, which `globus_sdk` can read and write too.
///
/// New databases have schema 2. A database of schema 1 is used as it is and keeps its `config_storage`. Unlike in
/// Python, several processes may create the database at once, and threads can share one value. The database is opened
/// or created when it is needed.
///
/// ```
/// use scitoken_storage::{SqliteTokenStorage, TokenStorage, TokenStorageData};
///
/// # let directory = tempfile::tempdir()?;
/// # let path = directory.path().join("tokens.db");
/// let storage = SqliteTokenStorage::new(&path)?;
/// storage.store_token_data(TokenStorageData::new("rs", "scope", "AT", 1_700_000_000))?;
/// assert_eq!(storage.iter_namespaces()?.collect::<Vec<_>>(), ["DEFAULT"]);
///
/// let error = SqliteTokenStorage::new(":memory:").unwrap_err();
/// assert!(error.to_string().contains("MemoryTokenStorage"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct SqliteTokenStorage {
    path: PathBuf,
    namespace: String,
    busy_timeout: Duration,
    disk: Disk,
    connection: Arc<Mutex<Option<OpenDatabase>>>,
}

/// A connection, and the file that it belongs to.
struct OpenDatabase {
    connection: Connection,
    file: Option<(u64, u64)>,
}

/// A step that failed, and the cause.
type Failed = (&'static str, rusqlite::Error);

impl SqliteTokenStorage {
    /// Creates a storage for the database `path`, in the namespace `DEFAULT`. Does not access the file yet.
    ///
    /// # Errors
    /// For `:memory:` and an empty path, which SQLite does not store.
    pub fn new(path: impl Into<PathBuf>) -> Result<Self, StorageError> {
        let path = path.into();
        if path.as_os_str() == ":memory:" || path.as_os_str().is_empty() {
            return Err(Kind::InMemory.at("token storage"));
        }
        Ok(Self {
            path,
            namespace: DEFAULT_NAMESPACE.to_owned(),
            busy_timeout: BUSY_TIMEOUT,
            disk: Disk::default(),
            connection: Arc::default(),
        })
    }

    /// Returns the same storage in another namespace.
    pub fn with_namespace(&self, namespace: impl Into<String>) -> Self {
        Self { namespace: namespace.into(), ..self.clone() }
    }

    /// Sets how long to wait for a database that another process has locked; the default is 5 s.
    pub fn with_busy_timeout(mut self, limit: Duration) -> Self {
        self.busy_timeout = limit;
        self.connection = Arc::default();
        self
    }

    /// Returns the path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the namespaces that have entries.
    pub fn iter_namespaces(&self) -> Result<std::vec::IntoIter<String>, StorageError> {
        let names = self.read(|connection| {
            connection
                .prepare_cached("SELECT DISTINCT namespace FROM token_storage")?
                .query_map([], |row| row.get(0))?
                .collect::<Result<Vec<String>, _>>()
        })?;
        Ok(names.unwrap_or_default().into_iter())
    }

    /// Closes the database for all clones; the next call opens it again.
    pub fn close(&self) -> Result<(), StorageError> {
        let opened = self.connection.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(OpenDatabase { connection, .. }) = opened else { return Ok(()) };
        connection.close().map_err(|(_, error)| self.failed(("failed to close", error)))
    }

    /// Returns the permission bits of the database if they give access to other users.
    pub fn loose_permissions(&self) -> Result<Option<u32>, StorageError> {
        self.disk.loose_permissions(&self.path).map_err(|error| Kind::File(error).at(self.label()))
    }

    fn failed(&self, (step, error): Failed) -> StorageError {
        Kind::Sqlite(step, error).at(self.label())
    }

    /// Queries the database; `None` when there is none.
    fn read<T>(
        &self,
        ask: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<Option<T>, StorageError> {
        let mut connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        self.drop_replaced(&mut connection);
        if connection.is_none() {
            match std::fs::metadata(&self.path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
                // A process created the file, and has not created the tables yet or was killed before that.
                Ok(metadata) if metadata.is_file() && metadata.len() == 0 => return Ok(None),
                _ => *connection = Some(self.open_connection()?),
            }
        }
        let connection = &connection.as_ref().expect("opened above").connection;
        ask(connection).map(Some).map_err(|error| self.failed(("failed to read", error)))
    }

    /// Changes the database in one transaction; creates it if there is none.
    fn write<T>(
        &self,
        change: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>,
    ) -> Result<T, StorageError> {
        let mut connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        self.drop_replaced(&mut connection);
        let _lock = self.lock_for_writing()?;
        if connection.is_none() {
            *connection = Some(self.open_connection()?);
        }
        let connection = &mut connection.as_mut().expect("opened above").connection;
        (|| {
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let outcome = change(&transaction)?;
            transaction.commit()?;
            Ok(outcome)
        })()
        .map_err(|error| self.failed(("failed to write", error)))
    }

    /// Writes an entry in a transaction that is rolled back.
    fn try_write(&self) -> Result<(), StorageError> {
        let mut connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        let _lock = self.lock_for_writing()?;
        let Some(open) = connection.as_mut() else { return Ok(()) };
        (|| {
            let transaction = open.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            transaction.execute(REPLACE, params![self.namespace, "", "{}"])?;
            transaction.rollback()
        })()
        .map_err(|error| self.failed(("failed to write", error)))
    }

    /// Drops a connection to a file that was replaced under the same name: writes to it would be lost.
    fn drop_replaced(&self, connection: &mut Option<OpenDatabase>) {
        if connection.as_ref().is_some_and(|opened| opened.file != file_at(&self.path)) {
            *connection = None;
        }
    }

    fn open_connection(&self) -> Result<OpenDatabase, StorageError> {
        // Read before opening: if the file is replaced in between, the next call notices.
        let file = file_at(&self.path);
        Ok(OpenDatabase { connection: self.open()?, file })
    }

    /// Takes the write lock shared by the programs that use this library, and creates an empty file with mode 0600 if
    /// there is none, because SQLite would create a file that other users can read.
    ///
    /// SQLite's own locks have no queue: with many writers on a slow disk, one of them can fail to get the lock until the
    /// busy timeout is over. With this lock that concerns only programs without it (the SDK).
    fn lock_for_writing(&self) -> Result<WriteLock, StorageError> {
        let at = |kind: Kind| kind.at(self.label());
        self.disk.check_database(&self.path).map_err(at)?;
        let lock = self.disk.lock_for_writing(&self.path).map_err(at)?;
        let mut options = fs_err::OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        {
            use fs_err::os::unix::fs::OpenOptionsExt;
            options.mode(0o600);
        }
        match options.open(&self.path).and_then(|file| make_private(file.file())) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                Err(at(Kind::Io("failed to create", error)))
            }
            _ => Ok(lock),
        }
    }

    /// Opens the file, without SQLite's locks where the file system has none.
    fn open_file(&self, flags: OpenFlags) -> rusqlite::Result<Connection> {
        #[cfg(unix)]
        if !self.disk.can_lock_database(&self.path) {
            return Connection::open_with_flags_and_vfs(&self.path, flags, c"unix-none");
        }
        Connection::open_with_flags(&self.path, flags)
    }

    fn open(&self) -> Result<Connection, StorageError> {
        self.disk.check_database(&self.path).map_err(|kind| kind.at(self.label()))?;
        self.disk.warn_of_loose_permissions(&self.path);
        // No `SQLITE_OPEN_URI`: a path that starts with `file:` is a path.
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut connection = self.open_file(flags).map_err(|error| self.failed(("failed to open", error)))?;
        connection.busy_timeout(self.busy_timeout).map_err(|error| self.failed(("failed to open", error)))?;
        if !Disk::can_flush_database(&self.path) {
            // SQLite takes a failed flush for a failed write.
            let set = connection.pragma_update(None, "synchronous", "OFF");
            set.map_err(|error| self.failed(("failed to open", error)))?;
        }
        match schema::read(&connection).map_err(|error| self.failed(("failed to read", error)))? {
            Schema::Empty => {
                schema::create_tables(&mut connection)
                    .map_err(|error| self.failed(("failed to create the tables", error)))?;
            }
            Schema::Known => {}
            Schema::Foreign => return Err(Kind::NoTokenTables.at(self.label())),
            Schema::Unknown(version) => return Err(Kind::UnknownSchema(version).at(self.label())),
        }
        Ok(connection)
    }
}

/// Returns the JSON of an entry. Python reads it from a BLOB as well as from a TEXT.
fn json_of(row: &Row<'_>, column: usize) -> rusqlite::Result<String> {
    match row.get_ref(column)? {
        ValueRef::Text(text) | ValueRef::Blob(text) => Ok(String::from_utf8_lossy(text).into_owned()),
        // Not an entry; it is reported as unreadable.
        _ => Ok(String::new()),
    }
}

impl TokenStorage for SqliteTokenStorage {
    fn namespace(&self) -> &str {
        &self.namespace
    }

    fn label(&self) -> String {
        format!("token storage {}", self.path.display())
    }

    fn store_token_data_by_resource_server(&self, tokens: &TokenDataMap) -> Result<(), StorageError> {
        self.write(|transaction| {
            let mut replace = transaction.prepare_cached(REPLACE)?;
            for (resource_server, data) in tokens.iter() {
                replace.execute(params![self.namespace, resource_server, data.expose_json().as_str()])?;
            }
            Ok(())
        })
    }

    fn get_token_data_by_resource_server(&self) -> Result<TokenDataMap, StorageError> {
        let tokens = self.read(|connection| {
            let mut tokens = TokenDataMap::new();
            let mut select = connection.prepare_cached(
                "SELECT resource_server, token_data_json FROM token_storage WHERE namespace = ?",
            )?;
            let mut rows = select.query([&self.namespace])?;
            while let Some(row) = rows.next()? {
                tokens.insert_json(&row.get::<_, String>(0)?, &json_of(row, 1)?);
            }
            Ok(tokens)
        })?;
        Ok(tokens.unwrap_or_default())
    }

    fn get_token_data(&self, resource_server: &str) -> Result<Option<TokenStorageData>, StorageError> {
        let json = self.read(|connection| {
            connection
                .prepare_cached(
                    "SELECT token_data_json FROM token_storage WHERE namespace = ? AND resource_server = ?",
                )?
                .query_row([self.namespace.as_str(), resource_server], |row| json_of(row, 0))
                .optional()
        })?;
        let Some(json) = json.flatten() else { return Ok(None) };
        TokenStorageData::from_json(&json).map(Some).map_err(|problem| {
            Kind::UnreadableEntry(UnreadableEntry::new(resource_server, problem, &json)).at(self.label())
        })
    }

    fn remove_token_data(&self, resource_server: &str) -> Result<bool, StorageError> {
        let removed = self.write(|transaction| {
            transaction.execute(
                "DELETE FROM token_storage WHERE namespace = ? AND resource_server = ?",
                [self.namespace.as_str(), resource_server],
            )
        })?;
        Ok(removed != 0)
    }

    /// Writes an entry to an existing database, and rolls it back.
    fn prepare(&self) -> Result<(), StorageError> {
        let at = |kind: Kind| kind.at(self.label());
        self.disk.check_database(&self.path).map_err(at)?;
        if is_foreign(&self.path) {
            // Refused before a lock file is put beside it.
            self.read(|_| Ok(()))?;
        }
        // First, because the lock file tells whether the file system has locks.
        self.disk.prepare(&self.path).map_err(at)?;
        if self.read(|_| Ok(()))?.is_some() {
            self.try_write()?;
        }
        Ok(())
    }

    fn try_lock_for_renewal(&self) -> Result<Option<RenewalLock>, StorageError> {
        self.disk.lock_for_renewal(&self.path).map_err(|kind| kind.at(self.label()))
    }
}

impl fmt::Debug for SqliteTokenStorage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteTokenStorage")
            .field("path", &self.path)
            .field("namespace", &self.namespace)
            .finish_non_exhaustive()
    }
}
