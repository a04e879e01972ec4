//! The file of a key cache: one table, one row for each issuer.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, OptionalExtension};

use super::error::KeyCacheError;
use super::record::CachedKeys;
use scitoken_types::files::{check_database, create_private_dir, make_private};

/// How long to wait for another process that is writing.
const PATIENCE: Duration = Duration::from_secs(2);

/// Tokens choose the issuer's text, so every value is a parameter, never a part of the statement (CVE-2026-32714 of the
/// Python library).
const CREATE: &str =
    "CREATE TABLE IF NOT EXISTS keycache (issuer text UNIQUE PRIMARY KEY NOT NULL, keys text NOT NULL)";
const LOAD: &str = "SELECT keys FROM keycache WHERE issuer = ?1";
const SAVE: &str = "INSERT INTO keycache (issuer, keys) VALUES (?1, ?2) \
                    ON CONFLICT (issuer) DO UPDATE SET keys = excluded.keys";
const REMOVE: &str = "DELETE FROM keycache WHERE issuer = ?1";
const LIST: &str = "SELECT issuer, keys FROM keycache ORDER BY issuer";

/// The file is opened for each access: accesses are hours apart, and the file may have been replaced.
#[derive(Debug)]
pub(super) struct CacheFile {
    path: PathBuf,
    warned: AtomicBool,
}

impl CacheFile {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path, warned: AtomicBool::new(false) }
    }

    pub(super) fn load(&self, issuer: &str) -> Result<Option<CachedKeys>, KeyCacheError> {
        let Some(connection) = self.open_existing()? else { return Ok(None) };
        let row = connection.query_row(LOAD, [issuer], |row| row.get::<_, String>(0)).optional();
        let json = no_table_is_no_row(row).map_err(|error| self.database(error))?;
        Ok(json.as_deref().and_then(CachedKeys::from_json))
    }

    pub(super) fn is_there(&self) -> bool {
        self.path.exists()
    }

    pub(super) fn list(&self) -> Result<Vec<(String, CachedKeys)>, KeyCacheError> {
        let Some(connection) = self.open_existing()? else { return Ok(Vec::new()) };
        let read = || -> rusqlite::Result<Vec<(String, String)>> {
            let mut statement = connection.prepare(LIST)?;
            statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
        };
        let rows = no_table_is_no_row(read().map(Some)).map_err(|error| self.database(error))?;
        let rows = rows.unwrap_or_default().into_iter();
        Ok(rows.filter_map(|(issuer, json)| Some((issuer, CachedKeys::from_json(&json)?))).collect())
    }

    pub(super) fn save(&self, issuer: &str, keys: &CachedKeys) -> Result<(), KeyCacheError> {
        let Some(json) = keys.to_json() else { return Ok(()) };
        self.create()?;
        let Some(connection) = self.open_existing()? else { return Ok(()) };
        connection
            .execute(CREATE, [])
            .and_then(|_| connection.execute(SAVE, [issuer, &json]))
            .map(|_| ())
            .map_err(|error| self.database(error))
    }

    pub(super) fn remove(&self, issuer: &str) -> Result<bool, KeyCacheError> {
        let Some(connection) = self.open_existing()? else { return Ok(false) };
        let removed = no_table_is_no_row(connection.execute(REMOVE, [issuer]).map(Some));
        removed.map(|rows| rows.unwrap_or(0) > 0).map_err(|error| self.database(error))
    }

    /// Warns once that the file cannot be used.
    pub(super) fn warn(&self, error: &KeyCacheError) {
        if !self.warned.swap(true, Ordering::Relaxed) {
            let error = scitoken_types::ErrorChain::new(error);
            tracing::warn!(%error, "issuer keys are kept in memory only");
        }
    }

    /// Creates an empty file that only the user can access; SQLite takes it for a new database.
    fn create(&self) -> Result<(), KeyCacheError> {
        let io = |source| KeyCacheError::Io { path: self.path.clone(), source };
        if let Some(parent) = self.path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            create_private_dir(parent).map_err(io)?;
        }
        check_database(&self.path)?;
        let mut options = std::fs::OpenOptions::new();
        options.append(true).create(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        match options.open(&self.path) {
            Ok(file) => {
                // Of another user's file, only the mode is another: it stays.
                let _ = make_private(&file);
                Ok(())
            }
            // The file exists; SQLite reports what is wrong with it.
            Err(error) if self.path.exists() && error.kind() == std::io::ErrorKind::PermissionDenied => {
                Ok(())
            }
            Err(error) => Err(io(error)),
        }
    }

    fn open_existing(&self) -> Result<Option<Connection>, KeyCacheError> {
        check_database(&self.path)?;
        match fs_err::metadata(&self.path) {
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(KeyCacheError::Io { path: self.path.clone(), source }),
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(&self.path, flags)
            .and_then(|connection| connection.busy_timeout(PATIENCE).map(|()| connection));
        connection.map(Some).map_err(|error| self.database(error))
    }

    fn database(&self, error: rusqlite::Error) -> KeyCacheError {
        KeyCacheError::Database { path: self.path.clone(), source: Box::new(error) }
    }
}

/// Takes a database without the table as one without rows: another process may just have created it.
fn no_table_is_no_row<T>(result: rusqlite::Result<Option<T>>) -> rusqlite::Result<Option<T>> {
    match result {
        Err(rusqlite::Error::SqliteFailure(_, Some(message))) if message.starts_with("no such table") => {
            Ok(None)
        }
        Err(rusqlite::Error::SqlInputError { msg, .. }) if msg.starts_with("no such table") => Ok(None),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::time::SystemTime;

    use super::*;
    use crate::{Issuer, KeyCache};

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
    }

    fn keys(name: &str) -> CachedKeys {
        CachedKeys::new(format!(r#"{{"keys":[{{"kid":"{name}"}}]}}"#), at(10), at(20))
    }

    fn issuer(text: &str) -> Issuer {
        text.parse().unwrap()
    }

    #[test]
    fn two_caches_of_one_file_see_the_same_keys() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("deep/er/keys.sqlite3");
        let (one, two) = (KeyCache::sqlite(&path), KeyCache::sqlite(&path));
        assert_eq!(one.get(&issuer("https://iss")), None);
        assert!(!path.exists(), "looking makes no file");
        one.put(&issuer("https://iss"), keys("a")).unwrap();
        assert_eq!(two.get(&issuer("https://iss")), Some(keys("a")));
        assert_eq!(two.list().unwrap(), [("https://iss".to_owned(), keys("a"))]);
        assert!(two.remove(&issuer("https://iss")).unwrap());
        assert_eq!(KeyCache::sqlite(&path).get(&issuer("https://iss")), None);
    }

    #[test]
    #[cfg(unix)]
    fn the_file_is_the_users_alone() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("cache/keys.sqlite3");
        KeyCache::sqlite(&path).put(&issuer("https://iss"), keys("a")).unwrap();
        let mode = |path: &Path| fs_err::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&path), 0o600);
        assert_eq!(mode(path.parent().unwrap()), 0o700);
        fs_err::set_permissions(&path, PermissionsExt::from_mode(0o666)).unwrap();
        assert!(matches!(KeyCache::sqlite(&path).list(), Err(KeyCacheError::Untrusted(_))));
        assert_eq!(KeyCache::sqlite(&path).get(&issuer("https://iss")), None, "anybody may have written it");
    }

    /// A database whose journal was left by a process that was killed: opening it replays the journal.
    #[cfg(unix)]
    fn cache_of_forged_keys(dir: &Path) -> PathBuf {
        let path = dir.join("keys.sqlite3");
        KeyCache::sqlite(&path).put(&issuer("https://iss"), keys("forged")).unwrap();
        path
    }

    #[test]
    #[cfg(unix)]
    fn a_cache_in_a_directory_that_others_can_write_to_is_not_opened() {
        use std::os::unix::fs::PermissionsExt;
        for mode in [0o777, 0o1777, 0o702] {
            let dir = tempfile::tempdir().unwrap();
            let path = cache_of_forged_keys(dir.path());
            fs_err::set_permissions(dir.path(), PermissionsExt::from_mode(mode)).unwrap();
            let cache = KeyCache::sqlite(&path);
            let Err(KeyCacheError::Untrusted(error)) = cache.list() else { panic!("{mode:o}") };
            assert!(error.hint().is_some(), "{mode:o}");
            assert_eq!(cache.get(&issuer("https://iss")), None, "{mode:o}");
            assert!(matches!(cache.put(&issuer("https://iss"), keys("a")), Err(KeyCacheError::Untrusted(_))));
            assert_eq!(cache.get(&issuer("https://iss")), Some(keys("a")), "memory serves all the same");
        }
    }

    #[test]
    #[cfg(unix)]
    fn a_journal_that_others_can_write_to_is_not_replayed() {
        use std::os::unix::fs::PermissionsExt;
        for ending in ["-journal", "-wal", "-shm"] {
            let dir = tempfile::tempdir().unwrap();
            let path = cache_of_forged_keys(dir.path());
            let companion = dir.path().join(format!("keys.sqlite3{ending}"));
            fs_err::write(&companion, "").unwrap();
            fs_err::set_permissions(&companion, PermissionsExt::from_mode(0o666)).unwrap();
            assert!(matches!(KeyCache::sqlite(&path).list(), Err(KeyCacheError::Untrusted(_))), "{ending}");
            assert_eq!(KeyCache::sqlite(&path).get(&issuer("https://iss")), None, "{ending}");
            fs_err::set_permissions(&companion, PermissionsExt::from_mode(0o600)).unwrap();
            assert_eq!(KeyCache::sqlite(&path).list().unwrap().len(), 1, "{ending}");
        }
    }

    #[test]
    #[cfg(unix)]
    fn no_file_is_left_in_a_directory_that_others_can_write_to() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        fs_err::set_permissions(dir.path(), PermissionsExt::from_mode(0o777)).unwrap();
        let path = dir.path().join("keys.sqlite3");
        assert!(KeyCache::sqlite(&path).put(&issuer("https://iss"), keys("a")).is_err());
        assert!(!path.exists());
    }

    #[test]
    fn an_issuer_is_never_a_part_of_a_statement() {
        let dir = tempfile::tempdir().unwrap();
        let cache = KeyCache::sqlite(dir.path().join("keys"));
        let hostile = issuer("https://x/');DROP%20TABLE%20keycache;--'");
        cache.put(&issuer("https://iss"), keys("a")).unwrap();
        cache.put(&hostile, keys("b")).unwrap();
        assert!(cache.remove(&hostile).unwrap());
        assert_eq!(cache.list().unwrap().len(), 1);
    }

    #[test]
    fn a_file_that_is_of_no_use_costs_its_benefit_only() {
        let dir = tempfile::tempdir().unwrap();
        let rubbish = dir.path().join("rubbish");
        fs_err::write(&rubbish, "this is no database, it only has the length that a database header has")
            .unwrap();
        let directory = dir.path().join("a directory");
        fs_err::create_dir(&directory).unwrap();
        for path in [rubbish, directory, "/proc/nowhere/keys".into()] {
            let cache = KeyCache::sqlite(&path);
            cache.keep(&issuer("https://iss"), keys("a"));
            assert_eq!(cache.get(&issuer("https://iss")), Some(keys("a")), "{}", path.display());
            assert!(cache.put(&issuer("https://iss"), keys("a")).is_err(), "{}", path.display());
        }
    }

    #[test]
    fn a_locked_file_is_waited_for_a_moment_and_then_done_without() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("keys");
        let cache = KeyCache::sqlite(&path);
        cache.put(&issuer("https://iss"), keys("a")).unwrap();
        let other = Connection::open(&path).unwrap();
        other.execute_batch("BEGIN EXCLUSIVE").unwrap();
        cache.keep(&issuer("https://iss"), keys("b"));
        assert_eq!(cache.get(&issuer("https://iss")), Some(keys("b")));
        other.execute_batch("COMMIT").unwrap();
        assert_eq!(KeyCache::sqlite(&path).get(&issuer("https://iss")), Some(keys("a")));
    }

    #[test]
    fn what_a_file_does_not_take_counts_more_than_what_is_in_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("keys");
        let cache = KeyCache::sqlite(&path);
        let iss = issuer("https://iss");
        cache.put(&iss, keys("a")).unwrap();
        // This lock lets other connections read but not write.
        let other = Connection::open(&path).unwrap();
        other.execute_batch("BEGIN IMMEDIATE").unwrap();
        assert!(cache.put(&iss, keys("b")).is_err());
        assert_eq!(cache.get(&iss), Some(keys("b")));
        assert_eq!(cache.list().unwrap(), [("https://iss".to_owned(), keys("b"))]);
        assert!(cache.remove(&iss).is_err());
        assert_eq!((cache.get(&iss), cache.list().unwrap()), (None, Vec::new()));
        other.execute_batch("COMMIT").unwrap();
        assert_eq!(KeyCache::sqlite(&path).get(&iss), Some(keys("a")), "others see what there is");
        cache.put(&iss, keys("c")).unwrap();
        assert_eq!(cache.get(&iss), Some(keys("c")));
        KeyCache::sqlite(&path).remove(&iss).unwrap();
        assert_eq!(cache.get(&iss), None, "the file decides again");
    }

    #[test]
    fn many_may_make_the_file_at_once() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("new/keys");
        std::thread::scope(|scope| {
            for n in 0..8 {
                let path = &path;
                scope.spawn(move || {
                    KeyCache::sqlite(path).put(&issuer(&format!("https://iss{n}")), keys("a")).unwrap();
                });
            }
        });
        assert_eq!(KeyCache::sqlite(&path).list().unwrap().len(), 8);
    }

    #[test]
    fn a_database_without_the_table_is_empty() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("keys");
        fs_err::write(&path, "").unwrap();
        let cache = KeyCache::sqlite(&path);
        assert!(cache.list().unwrap().is_empty());
        assert_eq!(cache.get(&issuer("https://iss")), None);
        assert!(!cache.remove(&issuer("https://iss")).unwrap());
    }
}
