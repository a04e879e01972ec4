//! The unfinished file: in its target's directory, locked, and renamed only when it is right.

use std::ffi::OsString;
use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::DigestAlgorithm;
use super::checkpoint::{Beginnings, Checkpoint};
use super::error::{FailureKind, Remedy, TransferError};
use super::existing::there_already;
use super::file_id::FileId;
use super::hasher;
use super::job::Existing;
use super::position::{no_follow, remove_if_there, reserve, write_all_at};
use super::rename::{rename, rename_to_free, sync_directory};
use super::sidecar::Sidecar;

/// Below this, reserving costs more than it saves.
const WORTH_RESERVING: u64 = 1024 * 1024;

/// Below this, waiting for the disk costs more than fetching again.
pub(super) const WORTH_SYNCING: u64 = 1024 * 1024;

/// How the names of unfinished files end, and of their state. No target may be called so.
const PART: &str = ".part";
const STATE: &str = ".part.json";

/// An unfinished file `NAME.part` beside its target, with a state file `NAME.part.json` where it was interrupted.
#[derive(Debug)]
pub(super) struct PartFile {
    file: Arc<File>,
    id: FileId,
    target: PathBuf,
    part: PathBuf,
    sidecar: PathBuf,
    lock: Lock,
    was_there: u64,
    contents: Contents,
    state: StateFile,
    beginnings: Beginnings,
}

/// What opening an unfinished file gave.
#[derive(Debug)]
pub(super) enum Opened {
    Ours(PartFile),
    /// Another process is at it.
    Busy,
}

/// Whether an unfinished file is surely nobody else's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lock {
    Held,
    /// The file system has no locks, so the file has a name that nobody else has, and ends with its run.
    None,
}

/// Whose bytes are in an unfinished file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Contents {
    /// An earlier run's, and this one has changed nothing yet.
    Earlier,
    Ours,
}

/// What is known of the state file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum StateFile {
    /// An earlier run may have left one, or this one has written it.
    MayBeThere,
    Gone,
}

impl PartFile {
    /// Opens or creates the unfinished file of `target`, for us alone.
    ///
    /// # Errors
    /// The target is a directory, a link or a special file; the directory is not there or not writable; the
    /// unfinished file belongs to somebody else.
    pub(super) fn open(target: &Path) -> Result<Opened, TransferError> {
        Self::open_locked(target, File::try_lock)
    }

    fn open_locked(
        target: &Path,
        try_lock: impl Fn(&File) -> Result<(), TryLockError>,
    ) -> Result<Opened, TransferError> {
        check_target(target)?;
        let part = beside(target, PART);
        // Whoever finishes between our opening and our locking renames the file away under us.
        for _ in 0..8 {
            let file = open_part(&part).map_err(|error| TransferError::local("create", &part, error))?;
            match try_lock(&file) {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Ok(Opened::Busy),
                Err(TryLockError::Error(_)) => return Self::open_unlocked(target, &file, &part),
            }
            let look_at = |error| TransferError::local("look at", &part, error);
            let metadata = file.metadata().map_err(look_at)?;
            let id = FileId::read(&metadata);
            if FileId::at(&part).is_ok_and(|named| named == id) {
                check_part(&metadata, &part)?;
                let was_there = metadata.len();
                return Ok(Opened::Ours(Self::new(file, id, target, part, Lock::Held, was_there)));
            }
        }
        Err(TransferError::local("keep", &part, io::Error::other("it is replaced again and again")))
    }

    /// Where nothing can be locked, two runs must not meet in one file.
    fn open_unlocked(target: &Path, usual: &File, usual_name: &Path) -> Result<Opened, TransferError> {
        if usual.metadata().is_ok_and(|metadata| metadata.len() == 0) {
            // Most likely made by us a moment ago. Whoever else has it open misses it before its rename.
            let _ = remove_if_there(usual_name);
        }
        let part = beside(target, &format!(".{:016x}{PART}", fastrand::u64(..)));
        let failed = |error| TransferError::local("create", &part, error);
        let file = part_options().create_new(true).open(&part).map_err(failed)?;
        let id = FileId::of(&file).map_err(failed)?;
        Ok(Opened::Ours(Self::new(file, id, target, part, Lock::None, 0)))
    }

    fn new(file: File, id: FileId, target: &Path, part: PathBuf, lock: Lock, was_there: u64) -> Self {
        let mut sidecar = part.clone().into_os_string();
        sidecar.push(".json");
        Self {
            file: Arc::new(file),
            id,
            target: target.to_owned(),
            part,
            sidecar: sidecar.into(),
            lock,
            was_there,
            contents: if was_there == 0 { Contents::Ours } else { Contents::Earlier },
            state: StateFile::MayBeThere,
            beginnings: Beginnings::default(),
        }
    }

    /// The state that an earlier run left, if it makes sense and is this very file's.
    pub(super) fn left_over(&self) -> Option<Sidecar> {
        if self.was_there == 0 { None } else { Sidecar::read(&self.sidecar, self.was_there, &self.id) }
    }

    /// The file, for those who read along.
    pub(super) fn file(&self) -> &Arc<File> {
        &self.file
    }

    /// The leave to write `sidecar` down now; `None` where no later run could use it.
    pub(super) fn checkpoint(&mut self, sidecar: &mut Sidecar) -> Option<Checkpoint> {
        if self.lock == Lock::None {
            return None;
        }
        self.state = StateFile::MayBeThere;
        sidecar.belongs_to(&self.id);
        Some(self.beginnings.checkpoint(Arc::clone(&self.file), self.sidecar.clone()))
    }

    /// Forgets what is there and makes room for `length` bytes.
    ///
    /// The state goes first: from here on the file may have any length and hold none of what the state says.
    pub(super) fn restart(&mut self, length: Option<u64>) -> Result<(), TransferError> {
        self.contents = Contents::Ours;
        self.forget_state()?;
        let full = |error| TransferError::local("make room for", &self.part, error);
        if self.was_there > 0 {
            self.file.set_len(0).map_err(full)?;
        }
        if let Some(length) = length.filter(|length| *length >= WORTH_RESERVING) {
            reserve(&self.file, length).map_err(full)?;
        }
        self.was_there = length.unwrap_or(1).max(1);
        Ok(())
    }

    fn forget_state(&mut self) -> Result<(), TransferError> {
        self.beginnings.next();
        if self.state == StateFile::MayBeThere {
            remove_if_there(&self.sidecar)
                .map_err(|error| TransferError::local("remove", &self.sidecar, error))?;
            self.state = StateFile::Gone;
        }
        Ok(())
    }

    pub(super) fn write(&mut self, data: &[u8], offset: u64) -> Result<(), TransferError> {
        self.contents = Contents::Ours;
        write_all_at(&self.file, data, offset)
            .map_err(|error| TransferError::local("write", &self.part, error))
    }

    /// Gives the file its name, in one step.
    ///
    /// A file of more than [`WORTH_SYNCING`] bytes is on the disk by then, so that a power cut leaves no name without
    /// its bytes; for smaller ones that would take longer than fetching them again.
    ///
    /// # Errors
    /// The name is taken and [must not be](Existing::Refuse); the disk would not have it; somebody changed the file.
    pub(super) fn finish(mut self, length: u64, existing: Existing) -> Result<PathBuf, TransferError> {
        let there = self.file.metadata().map_err(|error| self.not_kept(error))?.len();
        if there < length {
            return Err(self.not_kept(format!("it has {there} of {length} bytes: somebody cut it")));
        }
        if there > length {
            self.file.set_len(length).map_err(|error| TransferError::local("cut", &self.part, error))?;
        }
        check_target(&self.target)?;
        let is_synced = length > WORTH_SYNCING;
        if is_synced {
            self.file.sync_data().map_err(|error| TransferError::local("write", &self.part, error))?;
        }
        self.forget_state()?;
        if !FileId::at(&self.part).is_ok_and(|named| named == self.id) {
            return Err(self.not_kept("it was removed or replaced while the data came"));
        }
        let renamed = match existing {
            Existing::Refuse => rename_to_free(&self.part, &self.target),
            _ => rename(&self.part, &self.target),
        };
        match renamed {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                let failure = there_already(&self.target);
                self.remove();
                return Err(failure);
            }
            Err(error) => return Err(TransferError::local("write", &self.target, error)),
        }
        if is_synced {
            sync_directory(&self.target);
        }
        Ok(self.target)
    }

    fn not_kept(&self, why: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> TransferError {
        TransferError::local("keep", &self.part, io::Error::other(why))
    }

    /// Removes the file and its state, unless they are an earlier run's still: an address with a typing error in it must
    /// not cost what the right one brought.
    pub(super) fn discard(self) {
        if self.contents == Contents::Earlier {
            return;
        }
        self.remove();
    }

    fn remove(mut self) {
        let _ = self.forget_state();
        let _ = remove_if_there(&self.part);
    }

    /// Keeps the file for a later run.
    pub(super) fn keep(self, mut sidecar: Sidecar) -> Result<(), TransferError> {
        if self.lock == Lock::None {
            self.discard();
            return Ok(());
        }
        self.beginnings.next();
        // The state must not claim what a power cut would take back.
        self.file.sync_data().map_err(|error| TransferError::local("write", &self.part, error))?;
        sidecar.belongs_to(&self.id);
        sidecar.write(&self.sidecar).map_err(|error| TransferError::local("write", &self.sidecar, error))
    }
}

fn part_options() -> std::fs::OpenOptions {
    let mut options = File::options();
    options.read(true).write(true);
    no_follow(&mut options);
    options
}

fn open_part(part: &Path) -> io::Result<File> {
    part_options().create(true).truncate(false).open(part)
}

/// A file that somebody else laid there could be changed by them after we verified it.
fn check_part(metadata: &std::fs::Metadata, part: &Path) -> Result<(), TransferError> {
    if !metadata.is_file() {
        return Err(TransferError::local("use", part, io::Error::other("it is no ordinary file")));
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt as _;
        if crate::sys::effective_uid().is_some_and(|uid| uid != metadata.uid()) {
            return Err(TransferError::local("use", part, io::Error::other("it belongs to somebody else")));
        }
    }
    Ok(())
}

/// The target must be free or an ordinary file, and have no name that an unfinished file may have.
pub(super) fn check_target(target: &Path) -> Result<(), TransferError> {
    let refuse = |what: &str, hint: &str| {
        let message = format!("`{}` is {what}", super::error::shown(target));
        Err(TransferError::new(FailureKind::Local, Remedy::Nothing, message).with_hint(hint))
    };
    let name = target.file_name().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
    if name.ends_with(PART) || name.ends_with(STATE) {
        return refuse("the name of an unfinished download", "choose another name with `-o FILE`");
    }
    match fs_err::symlink_metadata(target) {
        Ok(there) if there.is_dir() => {
            refuse("a directory", "use `-P DIR` to download into it under the URL's own name")
        }
        Ok(there) if there.is_symlink() => refuse(
            "a symbolic link, which would be replaced",
            "remove it, or name the file that it points to",
        ),
        Ok(there) if !there.is_file() => {
            refuse("no ordinary file", "write to standard output with `-o -`, and redirect it")
        }
        _ => Ok(()),
    }
}

/// `target` with a suffix; a name that would get too long is cut and told apart by its checksum.
fn beside(target: &Path, suffix: &str) -> PathBuf {
    const LONGEST: usize = 255;
    // The state's name is longer by `.json`, and by `.part` while it is written.
    const ROOM: usize = ".json.part".len();
    let mut name = target.file_name().map(OsString::from).unwrap_or_default();
    if name.len() + suffix.len() + ROOM > LONGEST {
        let text = name.to_string_lossy().into_owned();
        let digest = hasher::digest_of(DigestAlgorithm::Crc32c, text.as_bytes()).to_hex();
        let cut = (0..=200).rev().find(|n| text.is_char_boundary(*n)).unwrap_or(0);
        name = OsString::from(format!("{}-{digest}", &text[..cut]));
    }
    name.push(suffix);
    target.with_file_name(name)
}

#[cfg(test)]
mod tests {
    use super::super::identity::Identity;
    use super::super::ranges::RangeSet;
    use super::*;

    fn open(target: &Path) -> Result<PartFile, String> {
        match PartFile::open(target) {
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
        part.finish(3, Existing::Replace).unwrap();
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
        part.finish(5, Existing::Replace).unwrap();
        assert_eq!(fs_err::read(&target).unwrap(), b"short");
    }

    #[test]
    fn directories_and_missing_directories_are_refused_before_anything_is_fetched() {
        let directory = tempfile::tempdir().unwrap();
        assert!(open(directory.path()).unwrap_err().contains("a directory"));
        assert!(open(&directory.path().join("no/f")).unwrap_err().contains("cannot create"));
    }

    #[cfg(unix)]
    #[test]
    fn links_and_fifos_are_refused_as_target_and_as_unfinished_file() {
        let directory = tempfile::tempdir().unwrap();
        let elsewhere = directory.path().join("elsewhere");
        let link = directory.path().join("link");
        std::os::unix::fs::symlink(&elsewhere, &link).unwrap();
        assert!(open(&link).unwrap_err().contains("symbolic link"));
        std::os::unix::fs::symlink(&elsewhere, directory.path().join("f.part")).unwrap();
        assert!(open(&directory.path().join("f")).is_err());
        assert!(!elsewhere.exists());
        let fifo = directory.path().join("g.part");
        rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, rustix::fs::Mode::RWXU, 0)
            .unwrap();
        assert!(open(&directory.path().join("g")).is_err());
        fs_err::rename(&fifo, directory.path().join("fifo")).unwrap();
        assert!(open(&directory.path().join("fifo")).unwrap_err().contains("no ordinary file"));
    }

    #[test]
    fn the_longest_names_have_room_for_their_suffix() {
        let directory = tempfile::tempdir().unwrap();
        let (one, other) = ("é".repeat(127), format!("{}x", "é".repeat(126)));
        let parts = [one, other].map(|name| open(&directory.path().join(name)).unwrap());
        assert_ne!(parts[0].part, parts[1].part);
    }

    /// The state of a transfer of `length` bytes that has the first five.
    fn state(length: u64) -> Sidecar {
        let mut done = RangeSet::default();
        done.insert(0..5);
        let identity =
            Identity { etag: Some("\"a\"".to_owned()), length: Some(length), ..Identity::default() };
        Sidecar::new(&"https://h/f".parse().unwrap(), &identity, &done).unwrap()
    }

    /// An unfinished file of an earlier run, with its state.
    fn interrupted(target: &Path) {
        let mut part = open(target).unwrap();
        part.restart(None).unwrap();
        part.write(b"short", 0).unwrap();
        part.keep(state(2 * WORTH_RESERVING)).unwrap();
        assert!(open(target).unwrap().left_over().is_some());
    }

    #[test]
    fn a_state_never_outlives_the_bytes_that_it_is_about() {
        let directory = tempfile::tempdir().unwrap();
        let target = directory.path().join("f");
        interrupted(&target);
        fs_err::remove_file(directory.path().join("f.part")).unwrap();
        // The next run makes room for all of it, and is killed.
        open(&target).unwrap().restart(Some(2 * WORTH_RESERVING)).unwrap();
        assert!(open(&target).unwrap().left_over().is_none());
        assert!(!directory.path().join("f.part.json").exists());
    }

    #[test]
    fn a_state_says_nothing_about_another_file_of_the_same_name() {
        let directory = tempfile::tempdir().unwrap();
        let target = directory.path().join("f");
        interrupted(&target);
        fs_err::write(directory.path().join("other"), [0; 9]).unwrap();
        fs_err::rename(directory.path().join("other"), directory.path().join("f.part")).unwrap();
        assert!(open(&target).unwrap().left_over().is_none());
    }

    #[test]
    fn nothing_begins_anew_beside_a_state_that_cannot_be_removed() {
        let directory = tempfile::tempdir().unwrap();
        let target = directory.path().join("f");
        fs_err::create_dir_all(directory.path().join("f.part.json/x")).unwrap();
        let failure = open(&target).unwrap().restart(Some(9)).unwrap_err();
        assert!(failure.to_string().contains("f.part.json"), "{failure}");
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
        part.finish(0, Existing::Replace).unwrap();
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
        part.finish(5, Existing::Replace).unwrap_err();
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
        part.finish(5, Existing::Replace).unwrap_err();
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
        let unlocked = || match PartFile::open_locked(&target, no_locks) {
            Ok(Opened::Ours(part)) => part,
            other => panic!("{other:?}"),
        };
        let (mut one, mut other) = (unlocked(), unlocked());
        assert_ne!(one.part, other.part);
        one.restart(None).unwrap();
        one.write(b"whole", 0).unwrap();
        one.finish(5, Existing::Replace).unwrap();
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
        assert!(open(&target).unwrap().left_over().is_some());
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
            assert_eq!(part.finish(3, Existing::Refuse).is_ok(), is_free);
            let expected = if is_free { "new" } else { "old" };
            assert_eq!(fs_err::read_to_string(&target).unwrap(), expected);
            assert_eq!(fs_err::read_dir(directory.path()).unwrap().count(), 1, "nothing is left over");
        }
    }
}
