use std::fs::TryLockError;
use std::path::Path;

use super::*;
use crate::download::local::open_part::{Opened, open_locked, open_part_file};

use crate::download::content::identity::Identity;
use crate::download::job::IfExists;
use crate::download::local::part_file::PartFile;
use crate::download::local::sidecar::Sidecar;
use crate::download::ranges::range_set::RangeSet;
use crate::local_target::LocalTarget;
use crate::overwrite::Overwrite;
use scitoken_types::files::{Directory, EntryType};

fn open(target: &Path) -> Result<Box<PartFile>, String> {
    match LocalTarget::open(target).and_then(open_part_file) {
        Ok(Opened::Ours(part)) => Ok(part),
        Ok(Opened::Busy) => Err("busy".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

#[test]
fn the_name_appears_only_when_the_file_is_finished() {
    let directory = tempfile::tempdir().unwrap();
    let target = directory.path().join("f");
    fs_err::write(&target, "old").unwrap();
    let mut part = open(&target).unwrap();
    part.restart(Some(3)).unwrap();
    part.write(b"new", 0).unwrap();
    assert_eq!(fs_err::read_to_string(&target).unwrap(), "old");
    part.finish(3, IfExists::Replace).unwrap();
    assert_eq!(fs_err::read_to_string(&target).unwrap(), "new");
    assert_eq!(fs_err::read_dir(directory.path()).unwrap().count(), 1);
}

#[test]
fn only_one_process_writes_a_file() {
    let directory = tempfile::tempdir().unwrap();
    let target = directory.path().join("f");
    let _first = open(&target).unwrap();
    assert_eq!(open(&target).unwrap_err(), "busy");
}

#[test]
fn a_reserved_file_has_its_right_length_in_the_end() {
    let directory = tempfile::tempdir().unwrap();
    let target = directory.path().join("f");
    let mut part = open(&target).unwrap();
    part.restart(Some(5 * WORTH_RESERVING)).unwrap();
    part.write(b"short", 0).unwrap();
    part.finish(5, IfExists::Replace).unwrap();
    assert_eq!(fs_err::read(&target).unwrap(), b"short");
}

#[test]
fn directories_and_missing_directories_are_refused_before_anything_is_fetched() {
    let directory = tempfile::tempdir().unwrap();
    assert!(open(directory.path()).unwrap_err().contains("a directory"));
    assert!(open(&directory.path().join("no/f")).unwrap_err().contains("failed to create"));
}

#[cfg(unix)]
#[test]
fn links_and_fifos_are_refused_as_target_and_left_alone_as_unfinished_file() {
    let directory = tempfile::tempdir().unwrap();
    let elsewhere = directory.path().join("elsewhere");
    let link = directory.path().join("link");
    std::os::unix::fs::symlink(&elsewhere, &link).unwrap();
    assert!(open(&link).unwrap_err().contains("symbolic link"));
    std::os::unix::fs::symlink(&elsewhere, directory.path().join("f.part")).unwrap();
    open(&directory.path().join("f")).unwrap().finish(0, IfExists::Replace).unwrap();
    assert!(!elsewhere.exists());
    let fifo = directory.path().join("g.part");
    rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, rustix::fs::Mode::RWXU, 0)
        .unwrap();
    open(&directory.path().join("g")).unwrap().finish(0, IfExists::Replace).unwrap();
    fs_err::create_dir(directory.path().join("h.part")).unwrap();
    open(&directory.path().join("h")).unwrap().finish(0, IfExists::Replace).unwrap();
    for (name, kind) in
        [("f.part", EntryType::Link), ("g.part", EntryType::Special), ("h.part", EntryType::Directory)]
    {
        let entry = Directory::open(directory.path()).unwrap().entry(name.as_ref()).unwrap();
        assert_eq!(entry.map(|entry| entry.kind), Some(kind), "{name} is the user's and stays");
    }
    fs_err::rename(&fifo, directory.path().join("fifo")).unwrap();
    assert!(open(&directory.path().join("fifo")).unwrap_err().contains("not a regular file"));
}

#[test]
fn the_longest_names_still_take_a_suffix() {
    let directory = tempfile::tempdir().unwrap();
    let (one, other) = ("é".repeat(127), format!("{}x", "é".repeat(126)));
    let parts = [one, other].map(|name| open(&directory.path().join(name)).unwrap());
    assert_ne!(parts[0].part, parts[1].part);
}

/// The state of a transfer of `length` bytes that has the first five.
fn state(length: u64) -> Sidecar {
    let mut done = RangeSet::default();
    done.insert(0..5);
    let identity = Identity { etag: Some("\"a\"".to_owned()), length: Some(length), ..Identity::default() };
    Sidecar::new(&"https://h/f".parse().unwrap(), None, &identity, &done).unwrap()
}

/// An unfinished file of an earlier run, with its state.
fn interrupted(target: &Path) {
    let mut part = open(target).unwrap();
    part.restart(None).unwrap();
    part.write(b"short", 0).unwrap();
    part.keep(state(2 * WORTH_RESERVING)).unwrap();
    assert!(open(target).unwrap().saved_state().is_some());
}

#[test]
fn a_state_never_outlives_the_bytes_that_it_is_about() {
    let directory = tempfile::tempdir().unwrap();
    let target = directory.path().join("f");
    interrupted(&target);
    fs_err::remove_file(directory.path().join("f.part")).unwrap();
    // The next run reserves all of it, and is killed.
    open(&target).unwrap().restart(Some(2 * WORTH_RESERVING)).unwrap();
    assert!(open(&target).unwrap().saved_state().is_none());
    assert!(!directory.path().join("f.part.json").exists());
}

#[test]
fn a_state_is_not_used_for_another_file_of_the_same_name() {
    let directory = tempfile::tempdir().unwrap();
    let target = directory.path().join("f");
    interrupted(&target);
    fs_err::write(directory.path().join("other"), [0; 9]).unwrap();
    fs_err::rename(directory.path().join("other"), directory.path().join("f.part")).unwrap();
    assert!(open(&target).unwrap().saved_state().is_none());
}

#[test]
fn the_users_own_file_in_place_of_the_state_stays() {
    for content in [Some("{}"), Some(""), Some("a list of parts"), Some(r#"{"format":1}"#), None] {
        let directory = tempfile::tempdir().unwrap();
        let target = directory.path().join("f");
        let state = directory.path().join("f.part.json");
        match content {
            Some(content) => fs_err::write(&state, content).unwrap(),
            None => fs_err::create_dir_all(state.join("x")).unwrap(),
        }
        let mut part = open(&target).unwrap();
        part.restart(Some(3)).unwrap();
        part.write(b"new", 0).unwrap();
        part.finish(3, IfExists::Replace).unwrap();
        assert_eq!(fs_err::read_to_string(&state).ok().as_deref(), content);
        assert_eq!(fs_err::read_dir(directory.path()).unwrap().count(), 2, "nothing else is left");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn what_a_killed_run_left_without_a_state_is_used_by_the_next_one() {
    for (length, written) in
        [(Some(9), &b""[..]), (Some(9), b"short"), (None, b"short"), (Some(9), b"all of it")]
    {
        let directory = tempfile::tempdir().unwrap();
        let target = directory.path().join("f");
        let mut part = open(&target).unwrap();
        part.restart(length).unwrap();
        if !written.is_empty() {
            part.write(written, 0).unwrap();
        }
        // Its lock goes with it, and nothing else.
        drop(part);
        let part = open(&target).unwrap();
        assert_eq!(part.part, "f.part");
        assert!(part.saved_state().is_none());
        part.finish(0, IfExists::Replace).unwrap();
        assert_eq!(fs_err::read_dir(directory.path()).unwrap().count(), 1);
    }
}

#[test]
fn where_files_cannot_be_marked_a_state_binds_them_before_the_rest_arrives() {
    let directory = tempfile::tempdir().unwrap();
    let target = directory.path().join("f");
    let mut part = open(&target).unwrap();
    part.is_marked = false;
    part.restart(Some(9)).unwrap();
    part.write(b"short", 0).unwrap();
    let id = part.id.clone();
    drop(part);
    assert!(Sidecar::binds(&Directory::open(directory.path()).unwrap(), "f.part.json".as_ref(), &id));
    let part = open(&target).unwrap();
    assert_eq!((part.part.to_str(), part.saved_state()), (Some("f.part"), None));
    part.finish(0, IfExists::Replace).unwrap();
    assert_eq!(fs_err::read_dir(directory.path()).unwrap().count(), 1);
    let mut part = open(&target).unwrap();
    part.is_marked = false;
    part.restart(Some(5)).unwrap();
    part.write(b"whole", 0).unwrap();
    assert!(!directory.path().join("f.part.json").exists(), "a file that came in one piece needs none");
}

#[test]
fn a_file_of_the_user_is_replaced_only_where_that_is_allowed() {
    for foreign in [Overwrite::Refuse, Overwrite::Allow] {
        for is_late in [false, true] {
            let directory = tempfile::tempdir().unwrap();
            let target = directory.path().join("f");
            let write = || fs_err::write(&target, "mine").unwrap();
            if !is_late {
                write();
            }
            let local = LocalTarget { foreign, ..LocalTarget::open(&target).unwrap() };
            let Ok(Opened::Ours(mut part)) = open_part_file(local) else { panic!("it is free") };
            part.restart(Some(3)).unwrap();
            part.write(b"new", 0).unwrap();
            if is_late {
                write();
            }
            let finished = part.finish(3, IfExists::Replace);
            assert_eq!(finished.is_ok(), foreign == Overwrite::Allow, "{is_late}");
            let expected = if finished.is_ok() { "new" } else { "mine" };
            assert_eq!(fs_err::read_to_string(&target).unwrap(), expected);
            assert_eq!(fs_err::read_dir(directory.path()).unwrap().count(), 1, "nothing is left over");
        }
    }
}

#[cfg(unix)]
#[test]
fn a_directory_that_is_swapped_for_a_link_does_not_redirect_a_running_download() {
    let (directory, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let inner = directory.path().join("inner");
    fs_err::create_dir(&inner).unwrap();
    let mut part = open(&inner.join("f")).unwrap();
    part.restart(Some(9)).unwrap();
    fs_err::rename(&inner, directory.path().join("moved")).unwrap();
    std::os::unix::fs::symlink(elsewhere.path(), &inner).unwrap();
    part.write(b"whole", 0).unwrap();
    part.checkpoint(&mut state(9)).unwrap().write(&state(9));
    part.finish(5, IfExists::Replace).unwrap();
    assert_eq!(fs_err::read(directory.path().join("moved/f")).unwrap(), b"whole");
    assert_eq!(fs_err::read_dir(elsewhere.path()).unwrap().count(), 0);
}

#[test]
fn a_checkpoint_from_before_a_restart_or_the_end_writes_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let target = directory.path().join("f");
    let sidecar = directory.path().join("f.part.json");
    let mut part = open(&target).unwrap();
    part.restart(None).unwrap();
    let mut state = state(9);
    let early = part.checkpoint(&mut state).unwrap();
    part.restart(None).unwrap();
    early.write(&state);
    assert!(!sidecar.exists());
    part.checkpoint(&mut state).unwrap().write(&state);
    assert!(sidecar.exists(), "one of this beginning does");
    let late = part.checkpoint(&mut state).unwrap();
    part.finish(0, IfExists::Replace).unwrap();
    late.write(&state);
    assert!(!sidecar.exists());
}

#[test]
fn a_file_that_took_the_place_of_ours_does_not_get_the_name() {
    let directory = tempfile::tempdir().unwrap();
    let target = directory.path().join("f");
    let mut part = open(&target).unwrap();
    part.restart(None).unwrap();
    fs_err::write(directory.path().join("other"), "other").unwrap();
    fs_err::rename(directory.path().join("other"), directory.path().join("f.part")).unwrap();
    part.finish(5, IfExists::Replace).unwrap_err();
    assert!(!target.exists());
}

#[test]
fn a_file_that_was_cut_meanwhile_does_not_get_the_name() {
    let directory = tempfile::tempdir().unwrap();
    let target = directory.path().join("f");
    let mut part = open(&target).unwrap();
    part.restart(None).unwrap();
    part.write(b"whole", 0).unwrap();
    part.file().set_len(2).unwrap();
    part.finish(5, IfExists::Replace).unwrap_err();
    assert!(!target.exists());
}

#[test]
fn names_of_unfinished_files_are_no_targets() {
    let directory = tempfile::tempdir().unwrap();
    for name in ["f.part", "f.part.json", "F.PART"] {
        assert!(open(&directory.path().join(name)).unwrap_err().contains("unfinished"), "{name}");
    }
}

#[test]
fn without_locks_every_run_has_a_file_of_its_own_and_leaves_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let target = directory.path().join("f");
    let no_locks = |_: &File| Err(TryLockError::Error(io::ErrorKind::Unsupported.into()));
    let unlocked = || match open_locked(LocalTarget::open(&target).unwrap(), no_locks) {
        Ok(Opened::Ours(part)) => part,
        other => panic!("{other:?}"),
    };
    let (mut one, mut other) = (unlocked(), unlocked());
    assert_ne!(one.part, other.part);
    one.restart(None).unwrap();
    one.write(b"whole", 0).unwrap();
    one.finish(5, IfExists::Replace).unwrap();
    assert!(other.checkpoint(&mut state(9)).is_none());
    other.keep(state(9)).unwrap();
    assert_eq!(fs_err::read_to_string(&target).unwrap(), "whole");
    assert_eq!(fs_err::read_dir(directory.path()).unwrap().count(), 1);
}

#[test]
fn a_run_that_changed_nothing_leaves_what_an_earlier_one_left() {
    let directory = tempfile::tempdir().unwrap();
    let target = directory.path().join("f");
    interrupted(&target);
    open(&target).unwrap().discard();
    assert!(open(&target).unwrap().saved_state().is_some());
    let mut part = open(&target).unwrap();
    part.write(b"x", 0).unwrap();
    part.discard();
    assert_eq!(fs_err::read_dir(directory.path()).unwrap().count(), 0);
}

#[test]
fn a_name_that_was_taken_at_the_last_moment_is_refused_where_it_must_be_free() {
    let directory = tempfile::tempdir().unwrap();
    let target = directory.path().join("f");
    for is_free in [false, true] {
        let mut part = open(&target).unwrap();
        part.restart(None).unwrap();
        part.write(b"new", 0).unwrap();
        if is_free {
            fs_err::remove_file(&target).unwrap();
        } else {
            fs_err::write(&target, "old").unwrap();
        }
        assert_eq!(part.finish(3, IfExists::Refuse).is_ok(), is_free);
        let expected = if is_free { "new" } else { "old" };
        assert_eq!(fs_err::read_to_string(&target).unwrap(), expected);
        assert_eq!(fs_err::read_dir(directory.path()).unwrap().count(), 1, "nothing is left over");
    }
}
