//! Which of a file's addresses is in use.

use std::sync::atomic::Ordering;

use tokio::time::Instant;

use super::error::{FailureKind, TransferError};
use super::transfer::Transfer;

impl Transfer {
    /// Begins with the first server that is not known to be down.
    pub(super) fn begin_where_admitted(&self) -> Result<(), TransferError> {
        let first = self.source();
        let mut refused = None;
        for n in 0..self.job.sources.len() {
            let source = (first + n) % self.job.sources.len();
            match self.downloader.hosts().admit(&self.job.sources[source], self.begun()) {
                Ok(()) => {
                    self.go_to(source);
                    return Ok(());
                }
                Err(failure) => refused = refused.or(Some(failure)),
            }
        }
        refused.map_or(Ok(()), Err)
    }

    /// Which of the addresses is in use.
    pub(super) fn source(&self) -> usize {
        self.source.load(Ordering::Relaxed)
    }

    /// Goes to another address; behind the last one comes the first.
    pub(super) fn go_to(&self, source: usize) {
        self.source.store(source % self.job.sources.len(), Ordering::Relaxed);
    }

    /// Counts a failure against its server, once for each file.
    pub(super) fn gave_up(&self, failure: &TransferError, source: usize) {
        let is_servers =
            matches!(failure.kind(), FailureKind::Connect | FailureKind::Timeout | FailureKind::Server);
        if is_servers && !self.state().given_up.contains(&source) {
            self.state().given_up.push(source);
            self.downloader.hosts().gave_up(&self.job.sources[source], Instant::now());
        }
    }
}
