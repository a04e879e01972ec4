//! Telling transfers to stop, so that they can write their state down first.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use super::error::{FailureKind, Remedy, TransferError};

/// Tells all transfers of a [`Downloader`](super::Downloader) and its clones to stop.
///
/// A transfer that is told so writes down what it has, and fails with
/// [`FailureKind::Interrupted`]; the same download goes on there later.
#[derive(Clone, Debug)]
pub struct Stopper(watch::Sender<bool>);

impl Default for Stopper {
    fn default() -> Self {
        Self(watch::Sender::new(false))
    }
}

impl Stopper {
    /// Stops them. Transfers that begin later are stopped too.
    pub fn stop(&self) {
        self.0.send_replace(true);
    }

    /// Whether [`stop`](Self::stop) was called.
    pub fn is_stopped(&self) -> bool {
        *self.0.borrow()
    }

    /// Resolves when the transfer must end, with what it then fails with.
    pub(super) async fn ended(&self, deadline: Option<Deadline>) -> TransferError {
        let mut stopped = self.0.subscribe();
        let stop = async {
            // The sender lives as long as `self`.
            let _ = stopped.wait_for(|stopped| *stopped).await;
        };
        match deadline {
            None => {
                stop.await;
                TransferError::interrupted()
            }
            Some(deadline) => tokio::select! {
                () = stop => TransferError::interrupted(),
                () = tokio::time::sleep_until(deadline.at) => deadline.passed(),
            },
        }
    }
}

/// When a transfer must be over.
#[derive(Clone, Copy, Debug)]
pub(super) struct Deadline {
    at: Instant,
    allowed: Duration,
}

impl Deadline {
    pub(super) fn after(start: Instant, allowed: Duration) -> Option<Self> {
        Some(Self { at: start.checked_add(allowed)?, allowed })
    }

    fn passed(self) -> TransferError {
        let message =
            format!("the transfer took longer than the {} s that it may take", self.allowed.as_secs());
        TransferError::new(FailureKind::Timeout, Remedy::Nothing, message)
            .with_hint("run the same command again: it goes on where it stopped; or give it more time")
    }
}
