//! Lock files, also where the file system cannot lock.

use std::fs::{File, TryLockError};
use std::io;
use std::path::Path;

/// The answer to [`try_lock`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "`Unsupported` is worth a warning"]
pub enum Lock {
    /// The lock is held until the file is closed.
    Held,
    /// Another process or handle holds it.
    Busy,
    /// The file system cannot lock (some NFS, FUSE and 9p mounts): the caller continues without a lock, and warns once.
    Unsupported,
}

/// Tries to take the exclusive lock of a file, without waiting.
///
/// ```
/// use scitoken_types::files::{Lock, open_lock_file, try_lock};
///
/// # fn main() -> std::io::Result<()> {
/// # let directory = tempfile::tempdir()?;
/// # let path = directory.path().join(".tokens.lock");
/// let (first, second) = (open_lock_file(&path)?, open_lock_file(&path)?);
/// assert_eq!(try_lock(&first)?, Lock::Held);
/// assert_eq!(try_lock(&second)?, Lock::Busy);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// The system's error, unless it is that the file system cannot lock.
pub fn try_lock(file: &File) -> io::Result<Lock> {
    match file.try_lock() {
        Ok(()) => Ok(Lock::Held),
        Err(TryLockError::WouldBlock) => Ok(Lock::Busy),
        Err(TryLockError::Error(error)) if is_lock_unsupported(&error) => Ok(Lock::Unsupported),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// Returns whether an error means that the file system cannot lock (`ENOLCK`, `ENOTSUP`, `ENOSYS`).
pub fn is_lock_unsupported(error: &io::Error) -> bool {
    #[cfg(unix)]
    {
        use rustix::io::Errno;
        let errno = error.raw_os_error().map(Errno::from_raw_os_error);
        // Two of them are one number on some systems, which a pattern may not name twice.
        errno.is_some_and(|errno| {
            [Errno::NOLCK, Errno::NOTSUP, Errno::OPNOTSUPP, Errno::NOSYS].contains(&errno)
        })
    }
    #[cfg(not(unix))]
    {
        error.kind() == io::ErrorKind::Unsupported
    }
}

/// Returns whether the file system of a file has record locks (`fcntl`), which SQLite uses, and which some file systems
/// lack that have [whole-file locks](try_lock).
///
/// Takes such a lock and releases it. Not for the database itself: a process loses its record locks of a file when it
/// closes any handle of it.
///
/// # Errors
/// The system's error, unless it is that the file system cannot lock.
#[cfg(unix)]
pub fn has_record_locks(file: &File) -> io::Result<bool> {
    use rustix::fs::{FlockOperation, fcntl_lock};
    use rustix::io::Errno;
    match fcntl_lock(file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => fcntl_lock(file, FlockOperation::NonBlockingUnlock).map(|()| true).map_err(io::Error::from),
        // Held by another process.
        Err(Errno::AGAIN | Errno::ACCESS) => Ok(true),
        Err(error) => {
            let error = io::Error::from(error);
            if is_lock_unsupported(&error) { Ok(false) } else { Err(error) }
        }
    }
}

/// Opens a lock file, and makes it (mode 0600) if it is missing. A link in its place is not followed.
///
/// Lock files are empty and are never removed, because a waiting process holds the file open.
pub fn open_lock_file(path: &Path) -> io::Result<File> {
    let mut options = fs_err::OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    {
        use fs_err::os::unix::fs::OpenOptionsExt;
        let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
        options.mode(0o600).custom_flags(flags.bits().cast_signed());
    }
    let file = options.open(path)?.into_file();
    // Of another user's file, only the mode is another: it stays.
    let _ = super::make_private(&file);
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_is_free_again_when_its_holder_closes_the_file() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(".lock");
        let first = open_lock_file(&path).unwrap();
        assert_eq!(try_lock(&first).unwrap(), Lock::Held);
        assert_eq!(try_lock(&open_lock_file(&path).unwrap()).unwrap(), Lock::Busy);
        drop(first);
        assert_eq!(try_lock(&open_lock_file(&path).unwrap()).unwrap(), Lock::Held);
    }

    #[cfg(unix)]
    #[test]
    fn this_file_system_has_record_locks() {
        let directory = tempfile::tempdir().unwrap();
        let file = open_lock_file(&directory.path().join(".lock")).unwrap();
        assert!(has_record_locks(&file).unwrap());
    }

    #[cfg(unix)]
    #[test]
    fn what_a_file_system_without_locks_says_is_known() {
        use rustix::io::Errno;
        for errno in [Errno::NOLCK, Errno::NOTSUP, Errno::OPNOTSUPP, Errno::NOSYS] {
            assert!(is_lock_unsupported(&io::Error::from(errno)), "{errno}");
        }
        assert!(!is_lock_unsupported(&io::Error::from(Errno::IO)));
    }

    #[cfg(unix)]
    #[test]
    fn a_link_in_place_of_a_lock_file_is_not_followed() {
        let directory = tempfile::tempdir().unwrap();
        let (link, victim) = (directory.path().join(".lock"), directory.path().join("victim"));
        std::os::unix::fs::symlink(&victim, &link).unwrap();
        assert!(open_lock_file(&link).is_err());
        assert!(!victim.exists());
    }
}
