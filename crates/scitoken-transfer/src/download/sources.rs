//! Which of a file's URLs is in use.

use std::sync::atomic::Ordering;

use tokio::time::Instant;

use crate::download::transfer::Transfer;
use crate::error::{FailureKind, TransferError};

impl Transfer {
    /// Selects the first URL whose server is not known to be down.
    pub(crate) fn select_first_source(&self) -> Result<(), TransferError> {
        let first = self.source();
        let mut refused = None;
        for n in 0..self.job.sources.len() {
            let source = (first + n) % self.job.sources.len();
            match self.downloader.servers().admit(&self.job.sources[source], self.begun()) {
                Ok(()) => {
                    self.switch_source(source);
                    return Ok(());
                }
                Err(failure) => refused = refused.or(Some(failure)),
            }
        }
        refused.map_or(Ok(()), Err)
    }

    /// Returns the index of the URL in use.
    pub(crate) fn source(&self) -> usize {
        self.source.load(Ordering::Relaxed)
    }

    /// Switches to another URL; the first follows the last.
    pub(crate) fn switch_source(&self, source: usize) {
        self.source.store(source % self.job.sources.len(), Ordering::Relaxed);
    }

    /// Counts a failure against its server, once for each file.
    pub(crate) fn gave_up(&self, failure: &TransferError, source: usize) {
        let is_servers =
            matches!(failure.kind(), FailureKind::Connect | FailureKind::Timeout | FailureKind::Server);
        if is_servers && !self.state().given_up.contains(&source) {
            self.state().given_up.push(source);
            self.downloader.servers().gave_up(&self.job.sources[source], Instant::now());
        }
    }
}
