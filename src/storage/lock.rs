//! Locks beside a storage's file: one for the moment of a write, one for the time of a renewal.
//!
//! They are two because a renewal waits for a server, and a write must not wait for that.

use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::error::{Kind, StorageError};

/// How long a write waits for another process's write. Those take milliseconds; who waits so long waits for a
/// process that was stopped.
const PATIENCE: Duration = Duration::from_secs(30);

/// The right to renew the tokens of a storage, until it is dropped; no other process or thread has it meanwhile.
///
/// Rotating refresh tokens (RFC 6749 section 10.4) need it: two processes that both use one log each other out.
/// Take it, read the entry again, renew it if that is still needed, store it, and let go.
#[derive(Debug)]
pub struct RenewalLock {
    _held: Box<dyn std::any::Any + Send + Sync>,
}

impl RenewalLock {
    /// A lock that lasts as long as `held`.
    pub fn holding(held: impl std::any::Any + Send + Sync) -> Self {
        Self { _held: Box::new(held) }
    }

    /// The lock of a storage without one: nobody else is kept out.
    pub fn none() -> Self {
        Self::holding(())
    }
}

/// Waits for the right to write `path`.
pub(super) fn for_writing(path: &Path) -> Result<File, Kind> {
    for_writing_within(path, PATIENCE)
}

fn for_writing_within(path: &Path, patience: Duration) -> Result<File, Kind> {
    let lock = beside(path, ".lock");
    let file = open(&lock).map_err(|error| Kind::Io("its lock file cannot be opened", error))?;
    let mut waited = Duration::ZERO;
    let mut pause = Duration::from_micros(200);
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) if waited < patience => {
                std::thread::sleep(pause);
                waited += pause;
                pause = (pause * 2).min(Duration::from_millis(10));
            }
            Err(TryLockError::WouldBlock) => {
                return Err(Kind::Locked { lock: lock.display().to_string(), waited });
            }
            Err(TryLockError::Error(error)) => return Err(Kind::Io("its lock file cannot be locked", error)),
        }
    }
}

/// Takes the right to renew the tokens in `path`, if nobody has it.
pub(super) fn for_renewal(path: &Path, place: &str) -> Result<Option<RenewalLock>, StorageError> {
    let failed = |error| Kind::Io("its renewal lock cannot be taken", error).at(place);
    let path = super::file::resolve(path).map_err(failed)?;
    super::file::make_directory(&path).map_err(failed)?;
    let file = open(&beside(&path, ".renew.lock")).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(Some(RenewalLock::holding(file))),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(failed(error)),
    }
}

/// `tokens.json` and `.lock` make `.tokens.json.lock`: hidden, and in the same directory.
pub(super) fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = std::ffi::OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(ending);
    path.with_file_name(name)
}

/// Lock files are empty, never removed (who waits for one holds it open), and never written through a link.
fn open(path: &Path) -> io::Result<File> {
    let mut options = fs_err::OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    {
        use fs_err::os::unix::fs::OpenOptionsExt;
        let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
        options.mode(0o600).custom_flags(flags.bits().cast_signed());
    }
    Ok(options.open(path)?.into_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_has_the_renewal_lock_and_dropping_it_frees_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("new/tokens.json");
        let first = for_renewal(&path, "here").unwrap();
        assert!(first.is_some());
        assert!(for_renewal(&path, "here").unwrap().is_none());
        drop(first);
        assert!(for_renewal(&path, "here").unwrap().is_some());
        assert!(directory.path().join("new/.tokens.json.renew.lock").exists());
    }

    #[test]
    fn a_writer_that_was_stopped_is_waited_for_and_then_told() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("tokens.json");
        let stopped = for_writing(&path).ok().unwrap();
        let error = for_writing_within(&path, Duration::from_millis(30)).unwrap_err().at("here");
        assert!(error.is_locked() && error.to_string().contains(".tokens.json.lock"), "{error}");
        drop(stopped);
        assert!(for_writing_within(&path, Duration::ZERO).is_ok());
    }

    #[test]
    fn a_renewal_does_not_keep_writers_out() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("tokens.json");
        let _renewing = for_renewal(&path, "here").unwrap();
        assert!(for_writing(&path).is_ok());
    }

    #[cfg(unix)]
    #[test]
    fn a_lock_file_that_is_a_link_is_not_followed() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("tokens.json");
        std::os::unix::fs::symlink(directory.path().join("victim"), beside(&path, ".lock")).unwrap();
        assert!(for_writing(&path).is_err());
        assert!(!directory.path().join("victim").exists());
    }
}
