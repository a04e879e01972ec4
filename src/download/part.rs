//! The unfinished file: in its target's directory, locked, and renamed only when it is right.

use std::ffi::OsString;
use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::DigestAlgorithm;
use super::error::{FailureKind, Remedy, TransferError};
use super::hasher;
use super::position::{no_follow, reserve, write_all_at};
use super::sidecar::Sidecar;

/// Below this, reserving costs more than it saves.
const WORTH_RESERVING: u64 = 1024 * 1024;

/// An unfinished file `NAME.part` beside its target, with a state file `NAME.part.json` where it was interrupted.
#[derive(Debug)]
pub(super) struct PartFile {
    file: Arc<File>,
    target: PathBuf,
    part: PathBuf,
    sidecar: PathBuf,
    was_there: u64,
}

/// What opening an unfinished file gave.
#[derive(Debug)]
pub(super) enum Opened {
    Ours(PartFile),
    /// Another process is at it.
    Busy,
}

impl PartFile {
    /// Opens or creates the unfinished file of `target`, for us alone.
    ///
    /// # Errors
    /// The target is a directory, a link or a special file; the directory is not there or not writable; the
    /// unfinished file belongs to somebody else.
    pub(super) fn open(target: &Path) -> Result<Opened, TransferError> {
        check_target(target)?;
        let part = beside(target, ".part");
        let sidecar = beside(target, ".part.json");
        // Whoever finishes between our opening and our locking renames the file away under us.
        for _ in 0..8 {
            let file = open_part(&part).map_err(|error| TransferError::local("create", &part, error))?;
            // Some network file systems have no locks, and say so with another error. Then there is none.
            if matches!(file.try_lock(), Err(TryLockError::WouldBlock)) {
                return Ok(Opened::Busy);
            }
            if is_still(&file, &part) {
                let metadata =
                    file.metadata().map_err(|error| TransferError::local("look at", &part, error))?;
                check_part(&metadata, &part)?;
                let (target, was_there) = (target.to_owned(), metadata.len());
                return Ok(Opened::Ours(Self { file: Arc::new(file), target, part, sidecar, was_there }));
            }
        }
        Err(TransferError::local("keep", &part, io::Error::other("it is replaced again and again")))
    }

    /// The state that an earlier run left, if it makes sense.
    pub(super) fn left_over(&self) -> Option<Sidecar> {
        if self.was_there == 0 { None } else { Sidecar::read(&self.sidecar, self.was_there) }
    }

    /// The file, for those who read along.
    pub(super) fn file(&self) -> &Arc<File> {
        &self.file
    }

    /// Where its state is kept.
    pub(super) fn sidecar_path(&self) -> &Path {
        &self.sidecar
    }

    /// Forgets what is there and makes room for `length` bytes.
    pub(super) fn restart(&mut self, length: Option<u64>) -> Result<(), TransferError> {
        let full = |error| TransferError::local("make room for", &self.part, error);
        if self.was_there > 0 {
            self.file.set_len(0).map_err(full)?;
            let _ = fs_err::remove_file(&self.sidecar);
        }
        if let Some(length) = length.filter(|length| *length >= WORTH_RESERVING) {
            reserve(&self.file, length).map_err(full)?;
        }
        self.was_there = length.unwrap_or(1).max(1);
        Ok(())
    }

    pub(super) fn write(&self, data: &[u8], offset: u64) -> Result<(), TransferError> {
        write_all_at(&self.file, data, offset)
            .map_err(|error| TransferError::local("write", &self.part, error))
    }

    /// Gives the file its name. Whatever had that name before is replaced in the same step.
    pub(super) fn finish(self, length: u64) -> Result<PathBuf, TransferError> {
        let there =
            self.file.metadata().map_err(|error| TransferError::local("look at", &self.part, error))?.len();
        if there != length {
            self.file.set_len(length).map_err(|error| TransferError::local("cut", &self.part, error))?;
        }
        check_target(&self.target)?;
        std_rename(&self.part, &self.target)
            .map_err(|error| TransferError::local("write", &self.target, error))?;
        let _ = fs_err::remove_file(&self.sidecar);
        Ok(self.target)
    }

    /// Removes the file and its state.
    pub(super) fn discard(self) {
        let _ = fs_err::remove_file(&self.part);
        let _ = fs_err::remove_file(&self.sidecar);
    }

    /// Keeps the file for a later run.
    pub(super) fn keep(self, sidecar: &Sidecar) -> Result<(), TransferError> {
        sidecar.write(&self.sidecar).map_err(|error| TransferError::local("write", &self.sidecar, error))
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "fs_err would name both paths, and the caller names the one that matters"
)]
fn std_rename(from: &Path, to: &Path) -> io::Result<()> {
    std::fs::rename(from, to)
}

fn open_part(part: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.read(true).write(true).create(true).truncate(false);
    no_follow(&mut options);
    options.open(part)
}

/// Whether the name still leads to the file that we opened.
fn is_still(file: &File, path: &Path) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt as _;
        match (file.metadata(), fs_err::symlink_metadata(path)) {
            (Ok(open), Ok(named)) => (open.dev(), open.ino()) == (named.dev(), named.ino()),
            _ => false,
        }
    }
    #[cfg(not(unix))]
    {
        let _ = file;
        path.exists()
    }
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

/// The target must be free or an ordinary file.
pub(super) fn check_target(target: &Path) -> Result<(), TransferError> {
    let refuse = |what: &str, hint: &str| {
        let message = format!("`{}` is {what}", super::error::shown(target));
        Err(TransferError::new(FailureKind::Local, Remedy::Nothing, message).with_hint(hint))
    };
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
    let mut name = target.file_name().map(OsString::from).unwrap_or_default();
    if name.len() + suffix.len() > LONGEST {
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
        part.finish(3).unwrap();
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
        part.finish(5).unwrap();
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
        assert!(open(&fifo).unwrap_err().contains("no ordinary file"));
    }

    #[test]
    fn the_longest_names_have_room_for_their_suffix() {
        let directory = tempfile::tempdir().unwrap();
        let (one, other) = ("é".repeat(127), format!("{}x", "é".repeat(126)));
        let parts = [one, other].map(|name| open(&directory.path().join(name)).unwrap());
        assert_ne!(parts[0].part, parts[1].part);
    }
}
