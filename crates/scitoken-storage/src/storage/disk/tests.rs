//! Files, links and locks.

use std::sync::Arc;

use scitoken_types::files::FileProblem;

use super::*;

fn problem(result: Result<impl Sized, Kind>) -> FileProblem {
    match result.err().unwrap() {
        Kind::File(error) => match error.problem() {
            FileProblem::NotRegular(kind) => FileProblem::NotRegular(*kind),
            FileProblem::TooLarge { limit } => FileProblem::TooLarge { limit: *limit },
            FileProblem::WritableDirectory { directory, mode, owner } => {
                FileProblem::WritableDirectory { directory: directory.clone(), mode: *mode, owner: *owner }
            }
            other => panic!("{other}"),
        },
        other => panic!("{other}"),
    }
}

#[test]
fn the_renewal_lock_is_exclusive_and_released_when_dropped() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("new/tokens.json");
    let disk = Disk::default();
    let first = disk.lock_for_renewal(&path).ok().unwrap();
    assert!(first.is_some());
    assert!(disk.lock_for_renewal(&path).ok().unwrap().is_none());
    drop(first);
    assert!(disk.lock_for_renewal(&path).ok().unwrap().is_some());
    assert!(directory.path().join("new/.tokens.json.renew.lock").exists());
}

#[test]
fn a_stopped_writer_is_reported_after_the_timeout() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tokens.json");
    let disk = Disk::default();
    let stopped = disk.lock_for_writing(&path).ok().unwrap();
    let error = disk.lock_for_writing_within(&path, Duration::from_millis(30)).unwrap_err().at("here");
    assert!(error.is_locked() && error.to_string().contains(".tokens.json.lock"), "{error}");
    drop(stopped);
    assert!(disk.lock_for_writing_within(&path, Duration::ZERO).is_ok());
}

#[test]
fn a_renewal_does_not_block_writers() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tokens.json");
    let _renewing = Disk::default().lock_for_renewal(&path).ok().unwrap();
    assert!(Disk::default().lock_for_writing(&path).is_ok());
}

#[test]
fn without_locks_in_the_file_system_writes_and_renewals_go_on() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tokens.json");
    let disk = Disk::with_faults(Arc::new(Faults::without_locks()));
    let lock = disk.lock_for_writing(&path).ok().unwrap();
    disk.replace(&path, b"new").ok().unwrap();
    drop(lock);
    assert!(disk.lock_for_renewal(&path).ok().unwrap().is_some());
    assert_eq!(disk.read(&path).ok().unwrap().unwrap().as_slice(), b"new");
}

#[test]
fn a_preparation_leaves_no_file_but_the_lock() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("new/tokens.json");
    Disk::default().prepare(&path).ok().unwrap();
    let names: Vec<_> = fs_err::read_dir(directory.path().join("new"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(names, [".tokens.json.lock"]);
}

#[cfg(unix)]
mod unix {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    #[test]
    fn a_replaced_file_has_mode_0600_and_leftovers_are_removed() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("tokens.json");
        let disk = Disk::default();
        fs_err::write(&path, "old").unwrap();
        fs_err::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        assert_eq!(disk.loose_permissions(&path).unwrap(), Some(0o644));
        fs_err::write(directory.path().join(".tokens.json.x1y2z3.new"), "torn").unwrap();
        disk.replace(&path, b"new").ok().unwrap();
        assert_eq!(disk.read(&path).ok().unwrap().unwrap().as_slice(), b"new");
        assert_eq!(disk.loose_permissions(&path).unwrap(), None);
        assert_eq!(fs_err::read_dir(directory.path()).unwrap().count(), 1);
    }

    #[test]
    fn links_are_resolved() {
        let directory = tempfile::tempdir().unwrap();
        let link = directory.path().join("link");
        symlink("real", &link).unwrap();
        assert_eq!(resolve(&link).ok().unwrap(), directory.path().join("real"));
        symlink("loop", directory.path().join("loop")).unwrap();
        assert!(resolve(&directory.path().join("loop")).is_err());
        let bare = resolve(Path::new("bare-name-that-is-not-there")).ok().unwrap();
        assert_eq!(bare.parent(), Some(Path::new(".")));
    }

    #[test]
    fn directories_and_devices_are_refused() {
        let directory = tempfile::tempdir().unwrap();
        let disk = Disk::default();
        assert!(matches!(problem(disk.read(directory.path())), FileProblem::NotRegular(_)));
        assert!(matches!(problem(disk.read(Path::new("/dev/null"))), FileProblem::NotRegular(_)));
        assert!(matches!(disk.read(&directory.path().join("absent")), Ok(None)));
    }

    #[test]
    fn a_huge_file_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("huge");
        fs_err::File::create(&path).unwrap().set_len(MAX_FILE_SIZE + 1).unwrap();
        assert!(matches!(problem(Disk::default().read(&path)), FileProblem::TooLarge { .. }));
    }

    #[test]
    fn a_lock_file_that_is_a_link_is_not_followed() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("tokens.json");
        symlink(directory.path().join("victim"), directory.path().join(".tokens.json.lock")).unwrap();
        assert!(Disk::default().lock_for_writing(&path).is_err());
        assert!(!directory.path().join("victim").exists());
    }

    #[test]
    fn nothing_is_written_where_other_users_can_replace_files() {
        let directory = tempfile::tempdir().unwrap();
        let shared = directory.path().join("shared");
        fs_err::create_dir(&shared).unwrap();
        fs_err::set_permissions(&shared, std::fs::Permissions::from_mode(0o777)).unwrap();
        let disk = Disk::default();
        let refused = problem(disk.lock_for_writing(&shared.join("tokens.json")));
        assert!(matches!(refused, FileProblem::WritableDirectory { mode: 0o777, .. }), "{refused}");
        assert!(problem(disk.prepare(&shared.join("tokens.json"))).to_string().contains("replace it"));
        // The sticky bit protects files in a shared directory.
        fs_err::set_permissions(&shared, std::fs::Permissions::from_mode(0o1777)).unwrap();
        assert!(disk.prepare(&shared.join("tokens.json")).is_ok());
    }
}

#[cfg(all(feature = "sqlite", unix))]
#[test]
fn a_database_whose_file_system_cannot_flush_is_known_by_the_lock_file_beside_it() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tokens.db");
    assert!(Disk::can_flush_database(&path));
    drop(Disk::default().lock_for_writing(&path).unwrap());
    assert!(Disk::can_flush_database(&path));
    // A fifo cannot be flushed.
    let lock_path = hidden_beside(&path, ".lock");
    fs_err::remove_file(&lock_path).unwrap();
    assert!(std::process::Command::new("mkfifo").arg(&lock_path).status().unwrap().success());
    assert!(!Disk::can_flush_database(&path));
}
