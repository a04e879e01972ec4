//! Opening an unfinished file, for one process at a time.

use std::ffi::OsStr;
use std::fs::{File, Metadata, TryLockError};
use std::io;

use scitoken_types::files::{EntryType, FileReaders};

use crate::disk::file_id::FileId;
use crate::disk::mark;
use crate::download::local::part_file::{Lock, PartFile};
use crate::download::local::sidecar::Sidecar;
use crate::error::{FailureKind, RetryAction, TransferError, display_path};
use crate::hint::TransferHint;
use crate::local_target::{LocalTarget, PART, STATE};

/// The result of opening an unfinished file.
#[derive(Debug)]
pub(crate) enum Opened {
    Ours(Box<PartFile>),
    /// Another process has locked it.
    Busy,
}

/// Opens or creates the unfinished file of `target` and locks it.
///
/// An existing one is used only if it is ours: a file of this user with the mark or the state of an earlier run, and no other
/// name. Otherwise the download has another temporary name, and what is there stays.
///
/// # Errors
/// The target is a directory, a link or a special file; its directory does not exist or is not writable.
pub(crate) fn open_part_file(target: LocalTarget) -> Result<Opened, TransferError> {
    open_locked(target, File::try_lock)
}

pub(crate) fn open_locked(
    target: LocalTarget,
    try_lock: impl Fn(&File) -> Result<(), TryLockError>,
) -> Result<Opened, TransferError> {
    target.check()?;
    let (part, state) = (target.sibling(PART), target.sibling(STATE));
    let has_state = match target.directory.entry(&state) {
        Ok(None) => false,
        // The user's own file of that name.
        Ok(Some(_)) if !Sidecar::is_state(&target.directory, &state) => return open_unique(target),
        _ => true,
    };
    // Another process that finishes between opening and locking renames the file.
    for _ in 0..8 {
        let failed = |error| TransferError::local("create", &target.path_of(&part), error);
        let (file, is_new) = match open_part(&target, &part) {
            Ok(opened) => opened,
            Err(_) if is_no_file(&target, &part) => return open_unique(target),
            Err(error) => return Err(failed(error)),
        };
        match try_lock(&file) {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                // Another process opened it in between, found it empty and without a mark, and uses another name.
                if is_new && mark::is_possible(&file) {
                    let _ = target.directory.remove_file(&part);
                }
                return Ok(Opened::Busy);
            }
            Err(TryLockError::Error(_)) => return open_unlocked(target, &file, &part),
        }
        let inspect = |error| TransferError::local("inspect", &target.path_of(&part), error);
        let metadata = file.metadata().map_err(inspect)?;
        let id = FileId::read(&metadata);
        if target.directory.entry(&part).is_ok_and(|entry| entry.is_some_and(|entry| id.is_named_by(&entry)))
        {
            if !is_new && !is_ours(&target, &file, &metadata, &id, &state) {
                return open_unique(target);
            }
            let is_marked = mark::set_unfinished(&file, &id).is_ok();
            let part = PartFile::new(file, id, target, part, Lock::Held, metadata.len());
            return Ok(Opened::Ours(Box::new(part.with_state(has_state || !is_new).with_mark(is_marked))));
        }
    }
    let error = io::Error::other("it is replaced repeatedly");
    Err(TransferError::local("keep", &target.path_of(&part), error))
}

/// Returns the failure for a file that another process has begun to download.
pub(crate) fn being_downloaded(target: &LocalTarget) -> TransferError {
    let message = format!("`{}` is being downloaded by another process", display_path(&target.path()));
    TransferError::new(FailureKind::Local, RetryAction::GiveUp, message)
        .with_hint(TransferHint::WaitForOtherDownload)
}

/// Without locks, each run uses a file of its own.
fn open_unlocked(target: LocalTarget, usual: &File, usual_name: &OsStr) -> Result<Opened, TransferError> {
    if usual.metadata().is_ok_and(|metadata| metadata.len() == 0) {
        // Most likely created a moment ago by this process. Another one that has it open notices before its rename.
        let _ = target.directory.remove_file(usual_name);
    }
    open_unique(target)
}

/// Whether something other than a regular file has the name: a link, a directory, a fifo.
fn is_no_file(target: &LocalTarget, part: &OsStr) -> bool {
    target.directory.entry(part).is_ok_and(|entry| entry.is_some_and(|entry| entry.kind != EntryType::File))
}

/// Whether an existing unfinished file is ours: marked or bound by a state, and without another name. Another user could
/// change a file of theirs after it was verified.
fn is_ours(target: &LocalTarget, file: &File, metadata: &Metadata, id: &FileId, state: &OsStr) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt as _;
        let is_other_s = scitoken_types::sys::effective_uid().is_some_and(|uid| uid != metadata.uid());
        if metadata.nlink() > 1 || is_other_s {
            return false;
        }
    }
    if !metadata.is_file() {
        return false;
    }
    // Where files cannot be marked, an empty one is left by a run that was killed before its first byte.
    let is_blank = metadata.len() == 0 && !mark::is_possible(file);
    is_blank || mark::is_unfinished(file, id) || Sidecar::binds(&target.directory, state, id)
}

/// Creates an unfinished file of a unique name, which ends with its run.
fn open_unique(target: LocalTarget) -> Result<Opened, TransferError> {
    let part = target.sibling(&format!(".{:016x}{PART}", fastrand::u64(..)));
    let failed = |error| TransferError::local("create", &target.path_of(&part), error);
    let file = target.directory.create_file(&part, FileReaders::ByUmask).map_err(failed)?;
    let id = FileId::of(&file).map_err(failed)?;
    Ok(Opened::Ours(Box::new(PartFile::new(file, id, target, part, Lock::None, 0))))
}

/// Opens the file, or creates it; a link is not followed. Returns whether it is new.
fn open_part(target: &LocalTarget, part: &OsStr) -> io::Result<(File, bool)> {
    for _ in 0..8 {
        match target.directory.create_file(part, FileReaders::ByUmask) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            result => return result.map(|file| (file, true)),
        }
        match target.directory.open_to_write(part) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            result => return result.map(|file| (file, false)),
        }
    }
    Err(io::Error::other("it is replaced repeatedly"))
}
