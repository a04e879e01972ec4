//! A disk that is full, and one that is read-only. Peer: root, who may mount a small `tmpfs`.

use std::path::Path;
use std::process::Command;

use scitoken_storage::{JsonTokenStorage, SqliteTokenStorage, TokenStorage, TokenStorageData};
use tempfile::TempDir;

use crate::support::met;

/// A small disk, in a directory of its own.
pub(crate) struct Disk(TempDir);

impl Disk {
    /// One of 64 KiB.
    pub(crate) fn met() -> Option<Self> {
        let directory = tempfile::tempdir().unwrap();
        let mounted = mount(&["-t", "tmpfs", "-o", "size=64k,mode=700", "tmpfs"], directory.path());
        met("a tmpfs that we may mount", mounted.map(|()| Self(directory)))
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }
}

fn mount(arguments: &[&str], at: &Path) -> Result<(), String> {
    let output = Command::new("mount").args(arguments).arg(at).output().map_err(|error| error.to_string())?;
    if output.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&output.stderr).into_owned()) }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").args(["--lazy"]).arg(self.path()).status();
    }
}

fn large(name: &str) -> TokenStorageData {
    TokenStorageData::new(name, "s", "x".repeat(12_000), 0)
}

#[test]
fn a_full_disk_leaves_what_was_there() {
    let Some(disk) = Disk::met() else { return };
    let json = JsonTokenStorage::new(disk.path().join("json/tokens.json"));
    let mut stored = Vec::new();
    let error = loop {
        let name = format!("rs{}", stored.len());
        match json.store_token_data(large(&name)) {
            Ok(()) => stored.push(name),
            Err(error) => break error,
        }
    };
    assert!(std::error::Error::source(&error).unwrap().to_string().contains("No space left"), "{error:?}");
    let left = json.get_token_data_by_resource_server().unwrap();
    assert_eq!(left.iter().map(|(name, _)| name).collect::<Vec<_>>(), stored);
    assert!(!stored.is_empty());
    // What could not be finished takes no space: a removal still finds some.
    assert!(json.remove_token_data("rs0").unwrap());
}

#[test]
fn a_full_disk_leaves_the_database_as_it_was() {
    let Some(disk) = Disk::met() else { return };
    let sqlite = SqliteTokenStorage::new(disk.path().join("tokens.db")).unwrap();
    sqlite.store_token_data(TokenStorageData::new("kept", "s", "AT", 0)).unwrap();
    let error = (0..).find_map(|n| sqlite.store_token_data(large(&format!("rs{n}"))).err()).unwrap();
    assert!(error.to_string().contains("failed"), "{error}");
    sqlite.close().unwrap();
    assert!(sqlite.get_token_data("kept").unwrap().is_some());
    assert!(sqlite.get_token_data_by_resource_server().unwrap().unreadable().is_empty());
}

#[test]
fn a_read_only_disk_can_be_read_and_says_why_it_cannot_be_written() {
    let Some(disk) = Disk::met() else { return };
    let json = JsonTokenStorage::new(disk.path().join("tokens.json"));
    let sqlite = SqliteTokenStorage::new(disk.path().join("tokens.db")).unwrap();
    let storages: [&dyn TokenStorage; 2] = [&json, &sqlite];
    for storage in storages {
        storage.store_token_data(TokenStorageData::new("rs", "s", "AT", 0)).unwrap();
    }
    sqlite.close().unwrap();
    mount(&["-o", "remount,ro"], disk.path()).unwrap();
    for storage in storages {
        assert!(storage.get_token_data("rs").unwrap().is_some());
        let error = storage.store_token_data(TokenStorageData::new("rs2", "s", "AT", 0)).unwrap_err();
        let cause = std::error::Error::source(&error).unwrap().to_string().to_lowercase();
        assert!(cause.contains("read-only") || cause.contains("readonly"), "{error}: {cause}");
        assert!(storage.try_lock_for_renewal().is_err(), "what cannot be written back must not be renewed");
    }
}
