//! Cancellation: a transfer writes its state before it stops.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;
use url::Url;

use crate::error::{FailureKind, RetryAction, TransferError};
use crate::hint::TransferHint;
use scitoken_types::SafeUrl;

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

impl CancellationToken {
    /// As [`ended`](Self::ended), for one request: the failure names its URL.
    pub(crate) async fn ended_at(&self, deadline: Option<Deadline>, url: &Url) -> TransferError {
        match (self.ended(deadline).await, deadline) {
            (failure, Some(deadline)) if failure.kind() == FailureKind::Timeout => deadline.passed_at(url),
            (failure, _) if failure.kind() == FailureKind::Interrupted => {
                let message = format!("the request to `{}` was interrupted", SafeUrl::new(url));
                TransferError::new(FailureKind::Interrupted, RetryAction::Retry, message)
            }
            (failure, _) => failure,
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
        let allowed = self.allowed.as_secs_f32();
        let message = format!("the transfer took longer than the {allowed} s that it may take");
        TransferError::new(FailureKind::Timeout, RetryAction::GiveUp, message)
            .with_hint(TransferHint::AllowMoreTime)
    }

    fn passed_at(self, url: &Url) -> TransferError {
        let (url, allowed) = (SafeUrl::new(url), self.allowed.as_secs_f32());
        let message = format!("`{url}` took longer than the {allowed} s that it may take");
        TransferError::new(FailureKind::Timeout, RetryAction::GiveUp, message)
            .with_hint(TransferHint::MoreTime)
    }
}
