//! The files of a storage: checked before they are read, locked for writes, replaced atomically.
//!
//! All of it works, with one warning, also where a file system cannot lock or cannot flush directories: a token that was
//! obtained must reach the disk there too.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use fs_err::PathExt;
#[cfg(all(feature = "sqlite", unix))]
use scitoken_types::files::has_record_locks;
use scitoken_types::files::{
    Durability, FileError, Lock, Ownership, SecretFile, create_private_dir, open_lock_file, remove_leftovers,
    replace_secret, try_lock,
};
#[cfg(feature = "sqlite")]
use scitoken_types::files::{check_database, sync_file};
use secrecy::zeroize::Zeroizing;

use super::error::Kind;
#[cfg(test)]
use super::faults::{Fault, Faults};
use super::renewal_lock::RenewalLock;

/// The largest storage that is read, in bytes.
const MAX_FILE_SIZE: u64 = 16 * 1024 * 1024;
/// How long a write waits for another process's write, which takes milliseconds unless the process was stopped.
const LOCK_TIMEOUT: Duration = Duration::from_secs(30);

/// Access to the files of a storage.
#[derive(Clone, Debug, Default)]
pub(super) struct Disk {
    ownership: Ownership,
    #[cfg(test)]
    faults: Option<std::sync::Arc<Faults>>,
}

/// The write lock, released when it is dropped.
#[derive(Debug)]
pub(super) struct WriteLock {
    _file: Option<File>,
}

impl Disk {
    pub(super) fn with_ownership(mut self, ownership: Ownership) -> Self {
        self.ownership = ownership;
        self
    }

    #[cfg(test)]
    pub(super) fn with_faults(faults: std::sync::Arc<Faults>) -> Self {
        Self { ownership: Ownership::default(), faults: Some(faults) }
    }

    /// Reads a file of tokens; `None` when it does not exist.
    pub(super) fn read(&self, path: &Path) -> Result<Option<Zeroizing<Vec<u8>>>, Kind> {
        #[cfg(test)]
        self.fault(Fault::Read)?;
        match SecretFile::open(path, self.ownership) {
            Ok(file) => file.read(MAX_FILE_SIZE).map(Some).map_err(Kind::File),
            Err(error) if error.is_missing() => Ok(None),
            Err(error) => Err(Kind::File(error)),
        }
    }

    /// Creates the directory of `path` if needed, and takes the write lock.
    pub(super) fn lock_for_writing(&self, path: &Path) -> Result<WriteLock, Kind> {
        self.lock_for_writing_within(path, LOCK_TIMEOUT)
    }

    fn lock_for_writing_within(&self, path: &Path, timeout: Duration) -> Result<WriteLock, Kind> {
        let (lock_path, file) = self.open_lock(path, ".lock")?;
        let mut waited = Duration::ZERO;
        let mut pause = Duration::from_micros(200);
        loop {
            match self.try_lock(&file)? {
                Lock::Held => return Ok(WriteLock { _file: Some(file) }),
                Lock::Unsupported => {
                    warn_once(
                        &lock_path,
                        "the file system has no locks: concurrent writes are not serialized",
                    );
                    return Ok(WriteLock { _file: None });
                }
                Lock::Busy if waited < timeout => {
                    std::thread::sleep(pause);
                    waited += pause;
                    pause = (pause * 2).min(Duration::from_millis(10));
                }
                Lock::Busy => {
                    return Err(Kind::Locked { lock: lock_path.display().to_string(), waited });
                }
            }
        }
    }

    /// Takes the renewal lock of `path`; `None` if another process holds it.
    pub(super) fn lock_for_renewal(&self, path: &Path) -> Result<Option<RenewalLock>, Kind> {
        let (lock_path, file) = self.open_lock(path, ".renew.lock")?;
        Ok(match self.try_lock(&file)? {
            Lock::Held => Some(RenewalLock::new(file)),
            Lock::Busy => None,
            Lock::Unsupported => {
                warn_once(
                    &lock_path,
                    "the file system has no locks: processes can renew a token at the same time",
                );
                Some(RenewalLock::none())
            }
        })
    }

    /// Replaces the file, and removes what killed writers left. Only for the holder of the write lock.
    #[cfg_attr(not(test), expect(clippy::unused_self, reason = "tests inject faults"))]
    pub(super) fn replace(&self, path: &Path, content: &[u8]) -> Result<(), Kind> {
        #[cfg(test)]
        self.fault(Fault::Write)?;
        let path = resolve(path)?;
        if let Err(error) = remove_leftovers(&path) {
            tracing::debug!(path = %path.display(), %error, "failed to remove temporary files");
        }
        let durability = replace_secret(&path, content).map_err(Kind::File)?;
        #[cfg(test)]
        let durability = self.durability(durability);
        match durability {
            Durability::Full => {}
            Durability::FileOnly => warn_once(
                &path,
                "the file system cannot flush directories: a power failure can undo the last write",
            ),
            Durability::Unknown => {
                warn_once(
                    &path,
                    "the file system cannot flush files: a power failure can damage the last write",
                );
            }
        }
        Ok(())
    }

    /// Checks that tokens can be written to `path`, without changing it: creates the directory, takes the write lock,
    /// and writes a temporary file.
    pub(super) fn prepare(&self, path: &Path) -> Result<(), Kind> {
        let _lock = self.lock_for_writing(path)?;
        #[cfg(test)]
        self.fault(Fault::Write)?;
        let probe = hidden_beside(&resolve(path)?, ".probe");
        let written = replace_secret(&probe, &[0; 4096]).map_err(Kind::File);
        let removed = fs_err::remove_file(&probe);
        let _ = written?;
        removed.map_err(|error| Kind::Io("failed to remove a temporary file", error))
    }

    /// Checks a database and the files beside it, before SQLite opens it.
    #[cfg(feature = "sqlite")]
    #[cfg_attr(not(test), expect(clippy::unused_self, reason = "tests inject faults"))]
    pub(super) fn check_database(&self, path: &Path) -> Result<(), Kind> {
        #[cfg(test)]
        self.fault(Fault::Read)?;
        check_database(path).map_err(Kind::File)
    }

    /// Returns whether SQLite can lock a database on its file system, by the lock file beside it; yes if there is none.
    #[cfg(all(feature = "sqlite", unix))]
    #[cfg_attr(not(test), expect(clippy::unused_self, reason = "tests inject faults"))]
    pub(super) fn can_lock_database(&self, path: &Path) -> bool {
        #[cfg(test)]
        if self.faults.as_ref().is_some_and(|faults| faults.lock().is_some()) {
            return false;
        }
        let lock_path = resolve(path).map(|path| hidden_beside(&path, ".lock"));
        let Some(lock_path) = lock_path.ok().filter(|path| path.exists()) else { return true };
        let has_locks = open_lock_file(&lock_path).and_then(|file| has_record_locks(&file)).unwrap_or(true);
        if !has_locks {
            warn_once(
                &lock_path,
                "the file system has no record locks: SQLite uses the database without them",
            );
        }
        has_locks
    }

    /// Returns whether the file system of a database flushes files, by the lock file beside it; yes if there is none.
    #[cfg(feature = "sqlite")]
    pub(super) fn can_flush_database(path: &Path) -> bool {
        let lock_path = resolve(path).map(|path| hidden_beside(&path, ".lock"));
        let Some(lock_path) = lock_path.ok().filter(|path| path.exists()) else { return true };
        let flushes = open_lock_file(&lock_path).and_then(|file| sync_file(&file)).unwrap_or(true);
        if !flushes {
            warn_once(path, "the file system cannot flush files: a power failure can damage the last write");
        }
        flushes
    }

    /// Returns the permission bits if they give access to other users.
    pub(super) fn loose_permissions(&self, path: &Path) -> Result<Option<u32>, FileError> {
        match SecretFile::open(path, self.ownership) {
            Ok(file) => Ok(file.loose_mode().map(|mode| mode & 0o777)),
            Err(error) if error.is_missing() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Logs a warning if other users have access to the file.
    pub(super) fn warn_of_loose_permissions(&self, path: &Path) {
        if let Ok(Some(mode)) = self.loose_permissions(path) {
            let shown = path.display();
            tracing::warn!(
                "other users have access to the token storage `{shown}` (mode {mode:04o}); `chmod 600 {shown}`"
            );
        }
    }

    /// Opens a lock file beside `path`, in a directory where other users cannot replace files.
    fn open_lock(&self, path: &Path, ending: &str) -> Result<(PathBuf, File), Kind> {
        #[cfg(test)]
        self.fault(Fault::OpenLock)?;
        // Checks the links on the way before anything is created at their target.
        match SecretFile::open(path, self.ownership) {
            Err(error) if !error.is_missing() => return Err(Kind::File(error)),
            _ => {}
        }
        let path = resolve(path)?;
        if let Some(directory) = path.parent().filter(|directory| !directory.is_dir()) {
            create_private_dir(directory)
                .map_err(|error| Kind::Io("failed to create the directory", error))?;
        }
        let lock_path = hidden_beside(&path, ending);
        let file =
            open_lock_file(&lock_path).map_err(|error| Kind::Io("failed to open the lock file", error))?;
        SecretFile::open(&lock_path, self.ownership).map_err(Kind::File)?;
        Ok((lock_path, file))
    }

    #[cfg_attr(not(test), expect(clippy::unused_self, reason = "tests inject faults"))]
    fn try_lock(&self, file: &File) -> Result<Lock, Kind> {
        #[cfg(test)]
        if let Some(lock) = self.faults.as_ref().and_then(|faults| faults.lock()) {
            return Ok(lock);
        }
        try_lock(file).map_err(|error| Kind::Io("failed to lock the lock file", error))
    }

    #[cfg(test)]
    fn fault(&self, fault: Fault) -> Result<(), Kind> {
        match &self.faults {
            Some(faults) => faults.inject(fault).map_err(|error| Kind::Io("failed by injection", error)),
            None => Ok(()),
        }
    }

    #[cfg(test)]
    fn durability(&self, durability: Durability) -> Durability {
        self.faults.as_ref().map_or(durability, |faults| faults.durability(durability))
    }
}

/// Returns the hidden companion of a file: `tokens.json` and `.lock` make `.tokens.json.lock`.
fn hidden_beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(ending);
    path.with_file_name(name)
}

/// Resolves symbolic links in place of the file; the file itself need not exist.
fn resolve(path: &Path) -> Result<PathBuf, Kind> {
    const MAX_LINKS: usize = 40;
    let failed = |error| Kind::Io("failed to resolve the path", error);
    let mut path = if path.parent() == Some(Path::new("")) { Path::new(".").join(path) } else { path.into() };
    for _ in 0..MAX_LINKS {
        match path.fs_err_symlink_metadata() {
            Ok(found) if found.is_symlink() => {
                let target = path.fs_err_read_link().map_err(failed)?;
                path = path.parent().unwrap_or(Path::new(".")).join(target);
            }
            Ok(_) => return Ok(path),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(path),
            Err(error) => return Err(failed(error)),
        }
    }
    Err(failed(io::Error::other("too many symbolic links")))
}

/// Logs a warning about a file once in the life of the process.
fn warn_once(path: &Path, warning: &'static str) {
    static WARNED: Mutex<BTreeSet<(PathBuf, &'static str)>> = Mutex::new(BTreeSet::new());
    let mut warned = WARNED.lock().unwrap_or_else(PoisonError::into_inner);
    if warned.insert((path.to_owned(), warning)) {
        tracing::warn!(path = %path.display(), "{warning}");
    }
}

#[cfg(test)]
mod tests;
