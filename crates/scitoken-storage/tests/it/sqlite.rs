//! The SQLite database.

use std::time::Duration;

use rusqlite::Connection;
use scitoken_storage::{SqliteTokenStorage, TokenStorage};

use crate::samples::{copy_of, small};

fn rows(path: &std::path::Path, query: &str) -> Vec<String> {
    let connection = Connection::open(path).unwrap();
    let mut statement = connection.prepare(query).unwrap();
    statement.query_map([], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap()
}

#[test]
fn a_new_database_has_the_schema_of_the_sdk() {
    let directory = tempfile::tempdir().unwrap();
    let storage = SqliteTokenStorage::new(directory.path().join("new/tokens.db")).unwrap();
    storage.store_token_data(small("rs")).unwrap();
    let theirs = copy_of("v2.db", directory.path());
    for query in [
        "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY name",
        "SELECT attribute || '=' || value || typeof(value) FROM sdk_storage_adapter_internal ORDER BY rowid",
        "PRAGMA journal_mode",
        "SELECT CAST(user_version AS TEXT) FROM pragma_user_version",
        "SELECT encoding FROM pragma_encoding",
    ] {
        assert_eq!(rows(storage.path(), query), rows(&theirs, query), "{query}");
    }
    assert_eq!(
        rows(storage.path(), "SELECT typeof(token_data_json) || token_data_json FROM token_storage"),
        [format!("text{}", small("rs").expose_json().as_str())]
    );
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(fs_err::metadata(storage.path()).unwrap().permissions().mode() & 0o777, 0o600);
    }
}

#[test]
fn the_database_of_the_sdk_is_read_namespace_by_namespace() {
    let directory = tempfile::tempdir().unwrap();
    let storage = SqliteTokenStorage::new(copy_of("v2.db", directory.path())).unwrap();
    let mut namespaces: Vec<_> = storage.iter_namespaces().unwrap().collect();
    namespaces.sort();
    assert_eq!(namespaces, ["DEFAULT", "foo"]);
    assert!(storage.get_token_data("rsé").unwrap().is_some());
    let foo = storage.with_namespace("foo");
    assert!(foo.remove_token_data("transfer.api.globus.org").unwrap());
    assert!(!foo.remove_token_data("transfer.api.globus.org").unwrap());
    assert!(storage.get_token_data("transfer.api.globus.org").unwrap().is_some());
}

#[test]
fn a_database_of_the_first_schema_is_used_as_it_is() {
    let directory = tempfile::tempdir().unwrap();
    let storage = SqliteTokenStorage::new(copy_of("v1.db", directory.path())).unwrap();
    let token = storage.get_token_data("transfer.api.globus.org").unwrap().unwrap();
    assert_eq!(token.expose_access_token(), "AT1");
    storage.store_token_data(small("rs")).unwrap();
    storage.close().unwrap();
    assert_eq!(rows(storage.path(), "SELECT config_data_json FROM config_storage"), ["{\"a\": 1}"]);
    assert_eq!(
        rows(
            storage.path(),
            "SELECT value FROM sdk_storage_adapter_internal WHERE attribute LIKE '%schema%'"
        ),
        ["1"]
    );
    assert_eq!(storage.get_token_data_by_resource_server().unwrap().len(), 2, "closing is not the end");
}

#[test]
fn memory_is_no_place() {
    for path in [":memory:", ""] {
        let error = SqliteTokenStorage::new(path).unwrap_err();
        assert!(error.to_string().contains("use a `MemoryTokenStorage`"), "{error}");
    }
}

#[test]
fn looking_makes_nothing_and_an_empty_file_gets_its_tables() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tokens.db");
    let storage = SqliteTokenStorage::new(&path).unwrap();
    assert!(storage.get_token_data("rs").unwrap().is_none());
    assert_eq!(storage.iter_namespaces().unwrap().count(), 0);
    assert!(!path.exists());
    fs_err::write(&path, "").unwrap();
    assert!(storage.get_token_data("rs").unwrap().is_none());
    storage.store_token_data(small("rs")).unwrap();
    assert!(storage.get_token_data("rs").unwrap().is_some());
}

#[test]
fn foreign_newer_and_broken_databases_are_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let made = |name: &str, sql: &str| {
        let path = directory.path().join(name);
        Connection::open(&path).unwrap().execute_batch(sql).unwrap();
        path
    };
    let foreign = made("foreign.db", "CREATE TABLE cookies (a)");
    let newer = copy_of("v2.db", directory.path());
    Connection::open(&newer)
        .unwrap()
        .execute("UPDATE sdk_storage_adapter_internal SET value = '3' WHERE attribute LIKE '%schema%'", [])
        .unwrap();
    let text = directory.path().join("text.db");
    fs_err::write(&text, "this is not a database, and long enough not to be taken for one".repeat(20))
        .unwrap();
    for (path, expected) in [(foreign, "no tables"), (newer, "schema `3`"), (text, "failed to read")] {
        let before = fs_err::read(&path).unwrap();
        let storage = SqliteTokenStorage::new(&path).unwrap();
        for error in
            [storage.get_token_data("rs").unwrap_err(), storage.store_token_data(small("rs")).unwrap_err()]
        {
            assert!(error.is_format() && error.to_string().contains(expected), "{error}");
        }
        assert_eq!(fs_err::read(&path).unwrap(), before);
    }
}

#[test]
fn one_bad_row_hides_no_good_one_and_blobs_are_taken() {
    let directory = tempfile::tempdir().unwrap();
    let storage = SqliteTokenStorage::new(directory.path().join("tokens.db")).unwrap();
    storage.store_token_data(small("good")).unwrap();
    let connection = Connection::open(storage.path()).unwrap();
    let insert = "INSERT INTO token_storage VALUES('DEFAULT', ?, ?)";
    connection.execute(insert, rusqlite::params!["bad", "{"]).unwrap();
    connection.execute(insert, rusqlite::params!["number", 5]).unwrap();
    connection.execute(insert, rusqlite::params!["blob", small("blob").expose_json().as_bytes()]).unwrap();
    let tokens = storage.get_token_data_by_resource_server().unwrap();
    assert_eq!((tokens.len(), tokens.unreadable().len()), (2, 2));
    assert!(storage.get_token_data("blob").unwrap().is_some());
    assert!(storage.get_token_data("bad").unwrap_err().unreadable_entry().is_some());
}

#[test]
fn a_locked_database_is_told_after_the_time_limit() {
    let directory = tempfile::tempdir().unwrap();
    let storage = SqliteTokenStorage::new(directory.path().join("tokens.db"))
        .unwrap()
        .with_busy_timeout(Duration::from_millis(50));
    storage.store_token_data(small("rs")).unwrap();
    let other = Connection::open(storage.path()).unwrap();
    other.execute_batch("BEGIN EXCLUSIVE").unwrap();
    assert!(storage.store_token_data(small("rs2")).unwrap_err().is_locked());
    assert!(storage.get_token_data("rs").unwrap_err().is_locked());
    other.execute_batch("COMMIT").unwrap();
    storage.store_token_data(small("rs2")).unwrap();
}

#[test]
fn one_value_serves_many_threads() {
    let directory = tempfile::tempdir().unwrap();
    let storage = SqliteTokenStorage::new(directory.path().join("tokens.db")).unwrap();
    std::thread::scope(|scope| {
        for n in 0..8 {
            let storage = &storage;
            scope.spawn(move || storage.store_token_data(small(&format!("rs{n}"))).unwrap());
        }
    });
    assert_eq!(storage.get_token_data_by_resource_server().unwrap().len(), 8);
}

#[cfg(unix)]
#[test]
fn a_database_that_takes_the_place_of_another_is_the_one_that_counts() {
    use scitoken_storage::{SqliteTokenStorage, TokenStorage as _};
    let directory = tempfile::tempdir().unwrap();
    let [path, new] = ["tokens.db", "new.db"].map(|name| directory.path().join(name));
    let storage = SqliteTokenStorage::new(&path).unwrap();
    storage.store_token_data(small("old")).unwrap();
    SqliteTokenStorage::new(&new).unwrap().store_token_data(small("new")).unwrap();
    fs_err::rename(&new, &path).unwrap();
    assert!(storage.get_token_data("new").unwrap().is_some());
    assert_eq!(storage.get_token_data("old").unwrap(), None);
    fs_err::remove_file(&path).unwrap();
    assert_eq!(storage.get_token_data("new").unwrap(), None);
    storage.store_token_data(small("again")).unwrap();
    let seen = SqliteTokenStorage::new(&path).unwrap().get_token_data("again").unwrap();
    assert!(seen.is_some());
}

#[cfg(unix)]
mod unix {
    use std::os::unix::fs::PermissionsExt;
    use std::path::{Path, PathBuf};

    use scitoken_types::files::FileHint;

    use super::*;

    fn set_mode(path: &Path, mode: u32) {
        fs_err::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    }

    fn refusals(path: &Path) -> Vec<scitoken_storage::StorageError> {
        let storage = SqliteTokenStorage::new(path).unwrap();
        vec![
            storage.get_token_data("rs").unwrap_err(),
            storage.store_token_data(small("rs")).unwrap_err(),
            storage.prepare().unwrap_err(),
        ]
    }

    #[test]
    fn a_database_in_a_directory_that_others_can_write_to_is_refused_with_the_chmod_that_helps() {
        let directory = tempfile::tempdir().unwrap();
        for mode in [0o777, 0o1777, 0o703] {
            let shared = directory.path().join(format!("{mode:o}"));
            fs_err::create_dir(&shared).unwrap();
            let path = shared.join("tokens.db");
            SqliteTokenStorage::new(&path).unwrap().store_token_data(small("rs")).unwrap();
            set_mode(&shared, mode);
            for error in refusals(&path) {
                assert_eq!(
                    error.file_hint(),
                    Some(FileHint::ForbidWriting(shared.clone())),
                    "{mode:o}: {error}"
                );
            }
            set_mode(&shared, 0o755);
            assert!(SqliteTokenStorage::new(&path).unwrap().get_token_data("rs").unwrap().is_some());
        }
    }

    #[test]
    fn a_journal_that_another_user_could_have_written_is_not_replayed() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("tokens.db");
        SqliteTokenStorage::new(&path).unwrap().store_token_data(small("rs")).unwrap();
        let is_root = scitoken_types::sys::effective_uid() == Some(0);
        for ending in ["-journal", "-wal", "-shm"] {
            let companion = PathBuf::from(format!("{}{ending}", path.display()));
            fs_err::write(&companion, "foreign").unwrap();
            set_mode(&companion, 0o666);
            assert_eq!(refusals(&path).len(), 3);
            if is_root {
                set_mode(&companion, 0o600);
                std::os::unix::fs::chown(&companion, Some(12_345), None).unwrap();
                for error in refusals(&path) {
                    assert!(error.to_string().contains("belongs to user 12345"), "{error}");
                }
            }
            assert_eq!(fs_err::read_to_string(&companion).unwrap(), "foreign");
            fs_err::remove_file(&companion).unwrap();
        }
        assert!(SqliteTokenStorage::new(&path).unwrap().get_token_data("rs").unwrap().is_some());
    }
}

#[test]
fn a_preparation_changes_no_entry_and_makes_no_database() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("new/tokens.db");
    let storage = SqliteTokenStorage::new(&path).unwrap();
    storage.prepare().unwrap();
    assert!(!path.exists());
    storage.store_token_data(small("rs")).unwrap();
    let before = rows(&path, "SELECT resource_server FROM token_storage");
    storage.prepare().unwrap();
    assert_eq!(rows(&path, "SELECT resource_server FROM token_storage"), before);
}
