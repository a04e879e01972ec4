//! The SQLite database of `globus_sdk.token_storage.SQLiteTokenStorage`.

mod schema;

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags, OptionalExtension, Row, Transaction, TransactionBehavior, params};

use self::schema::Schema;
use super::error::{Kind, StorageError};
use super::lock::{self, RenewalLock};
use super::map::{BadEntry, TokenDataMap};
use super::{DEFAULT_NAMESPACE, TokenStorage, TokenStorageData, file};

/// How long a database that another process has locked is waited for; Python's `sqlite3` waits as long.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// A token storage in an SQLite database, which `globus_sdk` can read and write too.
///
/// Schema 2 is written. A database of the SDK's first schema is used as it is and keeps its `config_storage`.
/// Unlike in Python, several processes may make the database at once, and several threads share one value.
/// Nothing is opened or made before it is needed.
///
/// ```
/// use reqwest_scitokens::storage::{SqliteTokenStorage, TokenStorage, TokenStorageData};
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
    connection: Arc<Mutex<Option<Opened>>>,
}

/// A connection, and the file that it is to.
struct Opened {
    connection: Connection,
    file: Option<(u64, u64)>,
}

/// A step that failed, and why.
type Failed = (&'static str, rusqlite::Error);

impl SqliteTokenStorage {
    /// The storage in the database `path`, in the namespace `DEFAULT`.
    ///
    /// # Errors
    /// For `:memory:`, which would keep nothing.
    pub fn new(path: impl Into<PathBuf>) -> Result<Self, StorageError> {
        let path = path.into();
        if path.as_os_str() == ":memory:" || path.as_os_str().is_empty() {
            return Err(Kind::InMemory.at("token storage"));
        }
        Ok(Self {
            path,
            namespace: DEFAULT_NAMESPACE.to_owned(),
            busy_timeout: BUSY_TIMEOUT,
            connection: Arc::default(),
        })
    }

    /// The same database, seen in another namespace.
    pub fn with_namespace(&self, namespace: impl Into<String>) -> Self {
        Self { namespace: namespace.into(), ..self.clone() }
    }

    /// States how long to wait for a database that another process has locked; 5 s if nothing is stated.
    pub fn with_busy_timeout(mut self, limit: Duration) -> Self {
        self.busy_timeout = limit;
        self.connection = Arc::default();
        self
    }

    /// Where the database is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The namespaces that have entries.
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
        let Some(Opened { connection, .. }) = opened else { return Ok(()) };
        connection.close().map_err(|(_, error)| self.failed(("it cannot be closed", error)))
    }

    /// The permission bits of the database if they let others read or write it.
    pub fn loose_permissions(&self) -> Result<Option<u32>, StorageError> {
        file::loose_permissions(&self.path)
            .map_err(|error| Kind::Io("its permissions cannot be read", error).at(self.place()))
    }

    fn failed(&self, (step, error): Failed) -> StorageError {
        Kind::Sqlite(step, error).at(self.place())
    }

    /// Asks the database, `None` when there is none.
    fn read<T>(
        &self,
        ask: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<Option<T>, StorageError> {
        let mut connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        self.forget_replaced(&mut connection);
        if connection.is_none() {
            match std::fs::metadata(&self.path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
                // A maker that was overtaken, or killed, between making the file and the tables.
                Ok(metadata) if metadata.is_file() && metadata.len() == 0 => return Ok(None),
                _ => *connection = Some(self.open_now()?),
            }
        }
        let connection = &connection.as_ref().expect("opened above").connection;
        ask(connection).map(Some).map_err(|error| self.failed(("it cannot be read", error)))
    }

    /// Changes the database in one transaction; makes it first where there is none.
    fn write<T>(
        &self,
        change: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>,
    ) -> Result<T, StorageError> {
        let mut connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        self.forget_replaced(&mut connection);
        if connection.is_none() {
            self.make_file()?;
        }
        let _turn = self.turn()?;
        if connection.is_none() {
            *connection = Some(self.open_now()?);
        }
        let connection = &mut connection.as_mut().expect("opened above").connection;
        (|| {
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let outcome = change(&transaction)?;
            transaction.commit()?;
            Ok(outcome)
        })()
        .map_err(|error| self.failed(("it cannot be written", error)))
    }

    /// Forgets a connection to a file that no longer has the name: what is written there nobody would see.
    fn forget_replaced(&self, connection: &mut Option<Opened>) {
        if connection.as_ref().is_some_and(|opened| opened.file != file_at(&self.path)) {
            *connection = None;
        }
    }

    fn open_now(&self) -> Result<Opened, StorageError> {
        // Looked at first: a file that takes its place meanwhile is found by the next call.
        let file = file_at(&self.path);
        Ok(Opened { connection: self.open()?, file })
    }

    /// Waits for our turn among the programs that use this library.
    ///
    /// SQLite has locks of its own, but no queue: of many writers on a slow disk one can miss its turn until the busy
    /// timeout is over. With this, only programs without it (the SDK) are waited for in that way.
    fn turn(&self) -> Result<std::fs::File, StorageError> {
        let path = file::resolve(&self.path)
            .map_err(|error| Kind::Io("it cannot be written", error).at(self.place()))?;
        lock::for_writing(&path).map_err(|kind| kind.at(self.place()))
    }

    /// Makes an empty file for the owner only, before SQLite would make one for everybody.
    fn make_file(&self) -> Result<(), StorageError> {
        let make = || {
            let path = file::resolve(&self.path)?;
            file::make_directory(&path)?;
            let mut options = fs_err::OpenOptions::new();
            options.write(true).create_new(true);
            #[cfg(unix)]
            {
                use fs_err::os::unix::fs::OpenOptionsExt;
                options.mode(0o600);
            }
            match options.open(&path) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
                _ => Ok(()),
            }
        };
        make().map_err(|error| Kind::Io("it cannot be made", error).at(self.place()))
    }

    fn open(&self) -> Result<Connection, StorageError> {
        file::check_path(&self.path).map_err(|kind| kind.at(self.place()))?;
        if let Ok(Some(mode)) = file::loose_permissions(&self.path) {
            tracing::warn!(
                path = %self.path.display(),
                mode = format_args!("{mode:o}"),
                "others can read this token storage; make it 600"
            );
        }
        // No `SQLITE_OPEN_URI`: a path that starts with `file:` is a path.
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut connection = Connection::open_with_flags(&self.path, flags)
            .map_err(|error| self.failed(("it cannot be opened", error)))?;
        connection
            .busy_timeout(self.busy_timeout)
            .map_err(|error| self.failed(("it cannot be opened", error)))?;
        match schema::look(&connection).map_err(|error| self.failed(("it cannot be read", error)))? {
            Schema::Empty => {
                schema::make_tables(&mut connection)
                    .map_err(|error| self.failed(("its tables cannot be made", error)))?;
            }
            Schema::Known => {}
            Schema::Foreign => return Err(Kind::NoTokenTables.at(self.place())),
            Schema::Unknown(version) => return Err(Kind::UnknownSchema(version).at(self.place())),
        }
        Ok(connection)
    }
}

/// The JSON of an entry. Python takes it from a BLOB as well as from a TEXT.
fn json_of(row: &Row<'_>, column: usize) -> rusqlite::Result<String> {
    match row.get_ref(column)? {
        ValueRef::Text(text) | ValueRef::Blob(text) => Ok(String::from_utf8_lossy(text).into_owned()),
        // Not JSON of an entry; it is reported as such.
        _ => Ok(String::new()),
    }
}

impl TokenStorage for SqliteTokenStorage {
    fn namespace(&self) -> &str {
        &self.namespace
    }

    fn place(&self) -> String {
        format!("token storage {}", self.path.display())
    }

    fn store_token_data_by_resource_server(&self, tokens: &TokenDataMap) -> Result<(), StorageError> {
        self.write(|transaction| {
            let mut replace = transaction.prepare_cached(
                "REPLACE INTO token_storage(namespace, resource_server, token_data_json) VALUES(?, ?, ?)",
            )?;
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
                tokens.take_up(&row.get::<_, String>(0)?, &json_of(row, 1)?);
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
        TokenStorageData::from_json(&json)
            .map(Some)
            .map_err(|problem| Kind::BadEntry(BadEntry::new(resource_server, problem)).at(self.place()))
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

    fn try_lock_for_renewal(&self) -> Result<Option<RenewalLock>, StorageError> {
        lock::for_renewal(&self.path, &self.place())
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
/// Which file has the name, by device and inode.
#[cfg(unix)]
fn file_at(path: &Path) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt as _;
    std::fs::metadata(path).ok().map(|metadata| (metadata.dev(), metadata.ino()))
}

/// Windows keeps a file that is open under its name.
#[cfg(not(unix))]
fn file_at(_path: &Path) -> Option<(u64, u64)> {
    None
}
