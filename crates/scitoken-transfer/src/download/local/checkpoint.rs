//! Writes the state of a running transfer.

use std::ffi::OsString;
use std::fs::File;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use scitoken_types::files::Directory;

use crate::download::local::sidecar::Sidecar;

/// Counts the generation of an unfinished file, so that a state of an earlier one is never written down.
#[derive(Clone, Debug, Default)]
pub(crate) struct Generation(Arc<Mutex<u64>>);

impl Generation {
    fn lock(&self) -> MutexGuard<'_, u64> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Invalidates all checkpoints, after waiting for one that is writing.
    pub(crate) fn next(&self) {
        *self.lock() += 1;
    }

    pub(crate) fn checkpoint(&self, file: Arc<File>, directory: Directory, name: OsString) -> Checkpoint {
        Checkpoint { beginning: *self.lock(), generation: self.clone(), file, directory, name }
    }
}

/// Permission to write the state of one generation.
#[derive(Debug)]
pub(crate) struct Checkpoint {
    beginning: u64,
    generation: Generation,
    file: Arc<File>,
    directory: Directory,
    name: OsString,
}

impl Checkpoint {
    /// Writes the state, unless the file was restarted or finished meanwhile. The next checkpoint makes up for a failure.
    pub(crate) fn write(self, sidecar: &Sidecar) {
        // The state must not claim what a power cut would take back.
        if self.file.sync_data().is_err() {
            return;
        }
        let current = self.generation.lock();
        if *current == self.beginning {
            let _ = sidecar.write(&self.directory, &self.name);
        }
    }
}
