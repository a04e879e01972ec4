//! Cancellation: a transfer writes its state before it stops.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use crate::error::{FailureKind, RetryAction, TransferError};
use crate::hint::TransferHint;

/// Cancels all transfers of a [`Downloader`](crate::Downloader) and its clones.
///
/// A cancelled transfer writes its state and fails with [`FailureKind::Interrupted`]; the same download resumes
/// there later.
///
/// ```
/// use scitoken_transfer::CancellationToken;
///
/// let token = CancellationToken::default();
/// let shared = token.clone();
/// token.cancel();
/// assert!(shared.is_cancelled());
/// ```
#[derive(Clone, Debug)]
pub struct CancellationToken(watch::Sender<bool>);

impl Default for CancellationToken {
    fn default() -> Self {
        Self(watch::Sender::new(false))
    }
}

impl CancellationToken {
    /// Cancels all transfers, those that begin later included.
    pub fn cancel(&self) {
        self.0.send_replace(true);
    }

    /// Returns whether [`cancel`](Self::cancel) was called.
    pub fn is_cancelled(&self) -> bool {
        *self.0.borrow()
    }

    /// Resolves with the transfer's failure when it is cancelled or its deadline passes.
    pub(crate) async fn ended(&self, deadline: Option<Deadline>) -> TransferError {
        let mut stopped = self.0.subscribe();
        let stop = async {
            // An error is impossible: `self` holds the sender.
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

/// When a transfer must have ended.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadline {
    at: Instant,
    allowed: Duration,
}

impl Deadline {
    pub(crate) fn after(start: Instant, allowed: Duration) -> Option<Self> {
        Some(Self { at: start.checked_add(allowed)?, allowed })
    }

    fn passed(self) -> TransferError {
        let message =
            format!("the transfer took longer than the {} s that it may take", self.allowed.as_secs());
        TransferError::new(FailureKind::Timeout, RetryAction::GiveUp, message)
            .with_hint(TransferHint::AllowMoreTime)
    }
}
