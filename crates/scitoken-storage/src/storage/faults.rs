//! Faults injected into file operations by number, for tests.

use std::io;
use std::sync::Mutex;

use scitoken_types::files::{Durability, Lock};

/// An operation that can fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    Read,
    OpenLock,
    Write,
}

/// Decides by a seeded generator which operations fail.
#[derive(Debug)]
pub(crate) struct Faults {
    state: Mutex<u64>,
    /// One operation in this many fails; 0 for none.
    one_in: u64,
    locks: bool,
}

impl Faults {
    /// Lets one operation in `one_in` fail, chosen by `seed`.
    pub(crate) fn seeded(seed: u64, one_in: u64) -> Self {
        Self { state: Mutex::new(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1), one_in, locks: true }
    }

    /// No operation fails, but the file system has neither locks nor directories that can be flushed.
    pub(crate) fn without_locks() -> Self {
        Self { state: Mutex::new(1), one_in: 0, locks: false }
    }

    /// Returns the next number (xorshift64*).
    pub(crate) fn next(&self) -> u64 {
        let mut state = self.state.lock().unwrap();
        *state ^= *state >> 12;
        *state ^= *state << 25;
        *state ^= *state >> 27;
        state.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33
    }

    pub(crate) fn hits(&self) -> bool {
        self.one_in != 0 && self.next().is_multiple_of(self.one_in)
    }

    pub(super) fn inject(&self, fault: Fault) -> io::Result<()> {
        if !self.hits() {
            return Ok(());
        }
        Err(match fault {
            Fault::Read => io::Error::other("input/output error"),
            Fault::OpenLock => io::Error::from(io::ErrorKind::PermissionDenied),
            Fault::Write => io::Error::from(io::ErrorKind::StorageFull),
        })
    }

    pub(super) fn lock(&self) -> Option<Lock> {
        (!self.locks || self.hits()).then_some(Lock::Unsupported)
    }

    pub(super) fn durability(&self, durability: Durability) -> Durability {
        if !self.locks || self.hits() { Durability::FileOnly } else { durability }
    }
}

/// Returns a directory in memory where the system has one, so that a thousand runs do not wait for a disk.
pub(crate) fn memory_directory() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}
