//! Writing the state of a transfer down while it runs.

use std::fs::File;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::sidecar::Sidecar;

/// Counts the beginnings of an unfinished file, so that a state of an earlier one is never written down.
#[derive(Clone, Debug, Default)]
pub(super) struct Beginnings(Arc<Mutex<u64>>);

impl Beginnings {
    fn lock(&self) -> MutexGuard<'_, u64> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Voids every checkpoint that is under way, and waits for one that writes at this moment.
    pub(super) fn next(&self) {
        *self.lock() += 1;
    }

    pub(super) fn checkpoint(&self, file: Arc<File>, path: PathBuf) -> Checkpoint {
        Checkpoint { beginning: *self.lock(), beginnings: self.clone(), file, path }
    }
}

/// The leave to write down the state of one beginning.
#[derive(Debug)]
pub(super) struct Checkpoint {
    beginning: u64,
    beginnings: Beginnings,
    file: Arc<File>,
    path: PathBuf,
}

impl Checkpoint {
    /// Writes the state down, unless the file began anew or ended meanwhile. What fails is left to the next one.
    pub(super) fn write(self, sidecar: &Sidecar) {
        // The state must not claim what a power cut would take back.
        if self.file.sync_data().is_err() {
            return;
        }
        let current = self.beginnings.lock();
        if *current == self.beginning {
            let _ = sidecar.write(&self.path);
        }
    }
}
