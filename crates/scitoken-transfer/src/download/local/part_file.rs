//! The unfinished file: in its target's directory, locked, and renamed once it is verified.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use scitoken_types::files::DirectoryEntry;

use crate::disk::file_id::FileId;
use crate::disk::mark;
use crate::disk::positioned_io::{check_space, reserve, write_all_at};
use crate::download::job::IfExists;
use crate::download::local::checkpoint::{Checkpoint, Generation};
use crate::download::local::sidecar::{Binding, Sidecar};
use crate::download::ranges::range_set::RangeSet;
use crate::error::TransferError;
use crate::local_target::LocalTarget;
use crate::overwrite::Overwrite;

/// How much space is reserved ahead of the data, in bytes.
const RESERVE_STEP: u64 = 16 * 1024 * 1024;
/// Below this size, in bytes, reserving costs more than it saves.
const WORTH_RESERVING: u64 = 1024 * 1024;

/// Below this size, in bytes, waiting for the disk costs more than fetching again.
pub(crate) const WORTH_SYNCING: u64 = 1024 * 1024;

/// An unfinished file `NAME.part` beside its target, with a state file `NAME.part.json` where it was interrupted.
#[derive(Debug)]
pub(crate) struct PartFile {
    file: Arc<File>,
    id: FileId,
    target: LocalTarget,
    part: OsString,
    sidecar: OsString,
    lock: Lock,
    initial_length: u64,
    contents: Contents,
    state: StateFile,
    /// Whether something tells a later run that the file is ours.
    is_marked: bool,
    generation: Generation,
    /// The announced length.
    length: Option<u64>,
    /// The parts whose space is reserved.
    reserved: RangeSet,
}

/// Whether the unfinished file is locked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lock {
    Held,
    /// The file system has no locks: the file has a unique name and is removed when the run ends.
    None,
}

/// Whose bytes are in an unfinished file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Contents {
    /// Those of an earlier run, unchanged.
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
    pub(crate) fn new(
        file: File,
        id: FileId,
        target: LocalTarget,
        part: OsString,
        lock: Lock,
        initial_length: u64,
    ) -> Self {
        let mut sidecar = part.clone();
        sidecar.push(".json");
        Self {
            file: Arc::new(file),
            id,
            target,
            part,
            sidecar,
            lock,
            initial_length,
            contents: if initial_length == 0 { Contents::Ours } else { Contents::Earlier },
            state: StateFile::Gone,
            // A file of a unique name ends with its run.
            is_marked: lock == Lock::None,
            generation: Generation::default(),
            length: None,
            reserved: RangeSet::default(),
        }
    }

    /// Returns whether a later run finds the file by its name.
    pub(crate) fn outlives_run(&self) -> bool {
        self.lock == Lock::Held
    }

    /// Sets whether a state file may exist.
    pub(crate) fn with_state(mut self, may_exist: bool) -> Self {
        self.state = if may_exist { StateFile::MayBeThere } else { StateFile::Gone };
        self
    }

    /// Sets whether the file has our mark.
    pub(crate) fn with_mark(mut self, is_marked: bool) -> Self {
        self.is_marked |= is_marked;
        self
    }

    /// Returns the state that an earlier run saved, if it is valid and bound to this file.
    pub(crate) fn saved_state(&self) -> Option<Sidecar> {
        if self.initial_length == 0 {
            None
        } else {
            Sidecar::read(&self.target.directory, &self.sidecar, self.initial_length, &self.id)
        }
    }

    /// Returns the file, for reading back.
    pub(crate) fn file(&self) -> &Arc<File> {
        &self.file
    }

    /// Returns a checkpoint that may write `sidecar`; `None` where no later run could use it.
    pub(crate) fn checkpoint(&mut self, sidecar: &mut Sidecar) -> Option<Checkpoint> {
        if self.lock == Lock::None {
            return None;
        }
        self.state = StateFile::MayBeThere;
        sidecar.bind_to(&self.id);
        Some(self.generation.checkpoint(
            Arc::clone(&self.file),
            self.target.directory.clone(),
            self.sidecar.clone(),
        ))
    }

    /// Discards all data and reserves `length` bytes.
    ///
    /// The state goes first: from here on the file may have any length and hold none of what the state says.
    pub(crate) fn restart(&mut self, length: Option<u64>) -> Result<(), TransferError> {
        self.contents = Contents::Ours;
        self.forget_state()?;
        let full = |error| TransferError::local("reserve space for", &self.part_path(), error);
        if self.initial_length > 0 {
            self.file.set_len(0).map_err(full)?;
        }
        if let Some(length) = length {
            check_space(&self.file, length).map_err(full)?;
        }
        self.length = length;
        self.reserved = RangeSet::default();
        self.initial_length = length.unwrap_or(1).max(1);
        Ok(())
    }

    fn forget_state(&mut self) -> Result<(), TransferError> {
        self.generation.next();
        if self.state == StateFile::MayBeThere {
            let removed = self.target.directory.remove_file(&self.sidecar);
            removed.map_err(|error| TransferError::local("remove", &self.sidecar_path(), error))?;
            self.state = StateFile::Gone;
        }
        Ok(())
    }

    pub(crate) fn write(&mut self, data: &[u8], offset: u64) -> Result<(), TransferError> {
        self.contents = Contents::Ours;
        if !self.is_marked && self.length != Some(data.len() as u64) {
            self.bind();
        }
        self.reserve_ahead(offset, data.len() as u64)?;
        write_all_at(&self.file, data, offset)
            .map_err(|error| TransferError::local("write", &self.part_path(), error))
    }

    /// Binds the file to a state file that knows nothing else, where the file system has no marks. A body that arrives in
    /// one piece does not need it: its name follows at once.
    fn bind(&mut self) {
        self.is_marked = true;
        self.state = StateFile::MayBeThere;
        // Without it a run that is killed now leaves a file that the next one does not use.
        let _ = Binding::new(&self.id).write(&self.target.directory, &self.sidecar);
    }

    /// Reserves space in steps ahead of the data: a server's `Content-Length` alone allocates nothing.
    fn reserve_ahead(&mut self, offset: u64, bytes: u64) -> Result<(), TransferError> {
        let end = offset.saturating_add(bytes);
        let Some(length) = self.length.filter(|length| *length >= WORTH_RESERVING && end <= *length) else {
            return Ok(());
        };
        if self.reserved.contains(offset..end) {
            return Ok(());
        }
        let step = offset..end.saturating_add(RESERVE_STEP).min(length);
        reserve(&self.file, step.clone())
            .map_err(|error| TransferError::local("reserve space for", &self.part_path(), error))?;
        self.reserved.insert(step);
        Ok(())
    }

    /// Renames the file to its target atomically.
    ///
    /// A file of more than [`WORTH_SYNCING`] bytes is on the disk by then, so that a power cut leaves no name without
    /// its bytes; for smaller ones that would take longer than fetching them again.
    ///
    /// # Errors
    /// The target exists and [must not](IfExists::Refuse); a disk error; another process changed the file.
    pub(crate) fn finish(mut self, length: u64, existing: IfExists) -> Result<PathBuf, TransferError> {
        let mut metadata = self.file.metadata().map_err(|error| self.not_kept(error))?;
        let there = metadata.len();
        if there < length {
            return Err(
                self.not_kept(format!("it has {there} of {length} bytes: another process truncated it"))
            );
        }
        if there > length {
            let cut = self.file.set_len(length).and_then(|()| self.file.metadata());
            metadata = cut.map_err(|error| TransferError::local("truncate", &self.part_path(), error))?;
        }
        let replaced = self.target.check()?;
        mark::set_finished(&self.file, &metadata);
        let is_synced = length > WORTH_SYNCING;
        if is_synced {
            self.file.sync_data().map_err(|error| TransferError::local("write", &self.part_path(), error))?;
        }
        if let Some(replaced) = &replaced {
            keep_mode(&self.file, replaced)
                .map_err(|error| TransferError::local("set the mode of", &self.part_path(), error))?;
        }
        self.forget_state()?;
        let named = self.target.directory.entry(&self.part);
        if !named.is_ok_and(|entry| entry.is_some_and(|entry| self.id.is_named_by(&entry))) {
            return Err(self.not_kept("it was removed or replaced while the data came"));
        }
        match self.rename(existing, replaced.is_some()) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                let failure = match existing {
                    IfExists::Refuse => self.target.already_exists(),
                    _ => self.target.is_foreign(),
                };
                self.remove();
                return Err(failure);
            }
            Err(error) => return Err(TransferError::local("write", &self.target.path(), error)),
        }
        if is_synced {
            let _ = self.target.directory.sync();
        }
        Ok(self.target.path())
    }

    /// Gives the file its name. A file that must not be replaced may have got that name while the data came.
    fn rename(&self, existing: IfExists, is_taken: bool) -> io::Result<()> {
        let LocalTarget { directory, name, foreign } = &self.target;
        match (existing, *foreign) {
            (IfExists::Refuse, _) => directory.rename_to_free(&self.part, name),
            (_, Overwrite::Refuse) if is_taken => {
                if self.target.is_made_by_us() {
                    directory.rename(&self.part, name)
                } else {
                    Err(io::ErrorKind::AlreadyExists.into())
                }
            }
            (_, Overwrite::Refuse) => directory.rename_to_free(&self.part, name),
            (_, Overwrite::Allow) => directory.rename(&self.part, name),
        }
    }

    fn part_path(&self) -> PathBuf {
        self.target.path_of(&self.part)
    }

    fn sidecar_path(&self) -> PathBuf {
        self.target.path_of(&self.sidecar)
    }

    fn not_kept(&self, why: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> TransferError {
        TransferError::local("keep", &self.part_path(), io::Error::other(why))
    }

    /// Removes the file and its state, unless they are still those of an earlier run: a mistyped URL must not destroy what
    /// the right one fetched.
    pub(crate) fn discard(self) {
        if self.contents == Contents::Earlier {
            return;
        }
        self.remove();
    }

    fn remove(mut self) {
        let _ = self.forget_state();
        let _ = self.target.directory.remove_file(&self.part);
    }

    /// Saves the state for a later run.
    pub(crate) fn keep(self, mut sidecar: Sidecar) -> Result<(), TransferError> {
        if self.lock == Lock::None {
            self.discard();
            return Ok(());
        }
        self.generation.next();
        // Releases what was reserved and not used.
        self.file
            .set_len(sidecar.done().end())
            .map_err(|error| TransferError::local("truncate", &self.part_path(), error))?;
        // The state must not claim what a power cut would take back.
        self.file.sync_data().map_err(|error| TransferError::local("write", &self.part_path(), error))?;
        sidecar.bind_to(&self.id);
        sidecar
            .write(&self.target.directory, &self.sidecar)
            .map_err(|error| TransferError::local("write", &self.sidecar_path(), error))
    }
}

/// Gives the new file the permissions, and where possible the owner and the group, of the file that it replaces. What
/// a server sent never runs as another user.
fn keep_mode(file: &File, replaced: &DirectoryEntry) -> io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let (owner, group) =
            (rustix::fs::Uid::from_raw(replaced.owner), rustix::fs::Gid::from_raw(replaced.group));
        if rustix::fs::fchown(file, Some(owner), Some(group)).is_err() {
            let _ = rustix::fs::fchown(file, None, Some(group));
        }
        // A server must not get the rights of a user or group by a file that runs with them.
        file.set_permissions(std::fs::Permissions::from_mode(replaced.mode & 0o777))?;
    }
    let _ = (file, replaced);
    Ok(())
}

#[cfg(test)]
mod tests;
