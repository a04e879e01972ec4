//! The end of a transfer: verification, and the final name or a saved state.

use std::path::Path;
use std::sync::Arc;

use tokio::time::Instant;

use crate::digest::streaming::StreamingHasher;
use crate::digest::value::Digest;
use crate::download::content::expected;
use crate::download::content_failures;
use crate::download::downloaded::{DownloadOutcome, Downloaded};
use crate::download::job::Resume;
use crate::download::length_source::LengthSource;
use crate::download::local::output::Output;
use crate::download::transfer::Transfer;
use crate::error::{FailureKind, RetryAction, TransferError};
use crate::event::EventKind;
use crate::exchange::framing::Framing;
use crate::hint::TransferHint;
use crate::verification::Verification;
use scitoken_types::SafeUrl;

impl Transfer {
    /// Verifies the content.
    pub(crate) async fn verify(&self) -> Result<Verification, TransferError> {
        let begun = Instant::now();
        let (hasher, file, length, expected, framing) = {
            let mut state = self.state();
            let file = state.output.as_ref().and_then(Output::file).map(Arc::clone);
            let length = state.scheduler.length().unwrap_or_default();
            (state.hasher.take(), file, length, state.expected.clone(), state.framing)
        };
        let actual = match hasher {
            None => None,
            Some(hasher) => Some(self.finish_hasher(hasher, file, length).await?),
        };
        self.state().timings.verifying += begun.elapsed();
        expected::check_length(length, &self.job)?;
        let verification = expected::verify(actual, expected.as_ref())?;
        if verification == Verification::NotAvailable && self.job.checksum.is_required() {
            let message =
                format!("`{}` offers no checksum, and one is required", SafeUrl::new(self.job.url()));
            return Err(TransferError::new(FailureKind::Unverified, RetryAction::OtherSource, message)
                .with_hint(TransferHint::ProvideChecksum));
        }
        if verification == Verification::NotAvailable && framing == Framing::ByClose {
            let message = format!(
                "`{}` gave neither a length nor a checksum, so the file may be incomplete",
                SafeUrl::new(self.job.url())
            );
            return Err(TransferError::new(FailureKind::Incomplete, RetryAction::OtherSource, message)
                .with_hint(TransferHint::ProvideChecksumValue));
        }
        let is_stated = self.state().length_from != LengthSource::EndOfBody || self.job.length.is_some();
        if verification == Verification::NotAvailable && self.job.is_federated && !is_stated {
            self.confirm_length(length).await?;
        }
        if let Verification::Verified(digest) = &verification {
            let verified = EventKind::Verified { digest: digest.clone() };
            self.downloader.reporter().send(self.job.number, verified).await;
        }
        Ok(verification)
    }

    async fn finish_hasher(
        &self,
        hasher: StreamingHasher,
        file: Option<Arc<std::fs::File>>,
        length: u64,
    ) -> Result<Digest, TransferError> {
        let failed =
            |error| TransferError::local("read back", self.job.target().unwrap_or(Path::new("-")), error);
        if hasher.is_done_at(length) {
            return hasher.finish(file.as_deref(), length).map_err(failed);
        }
        let finish = tokio::task::spawn_blocking(move || hasher.finish(file.as_deref(), length));
        let digest = finish.await.unwrap_or_else(|error| Err(std::io::Error::other(error)));
        digest.map_err(failed)
    }

    /// Renames the file to its target, or saves what a later run can resume.
    pub(crate) async fn finalize(
        self: Arc<Self>,
        result: Result<Verification, TransferError>,
    ) -> Result<Downloaded, TransferError> {
        let checkpoint = self.state().take_checkpoint();
        if let Some(checkpoint) = checkpoint {
            // The checkpoint holds the unfinished file's lock.
            let _ = checkpoint.await;
        }
        let (output, sidecar, length, there, resumed_from, mut timings) = {
            let mut state = self.state();
            let sidecar = if result.is_err() { state.sidecar(&self.job) } else { None };
            let length = state.scheduler.length().unwrap_or_default();
            let there = state.scheduler.done().total();
            (state.output.take(), sidecar, length, there, state.resumed_from, state.timings)
        };
        let output = output.ok_or_else(content_failures::stale)?;
        timings.total = self.begun().elapsed();
        match result {
            Ok(verification) => {
                self.downloader.servers().succeeded(&self.job.sources[self.source()]);
                let existing = self.job.existing;
                let path =
                    run_blocking(output, length, move |output| output.finish(length, existing)).await?;
                let outcome = if resumed_from > 0 {
                    DownloadOutcome::Resumed(resumed_from)
                } else {
                    DownloadOutcome::Fetched
                };
                let from = self.from().clone();
                Ok(Downloaded { path, length, verification, outcome, from, timings })
            }
            Err(failure) => {
                let is_wrong =
                    failure.kind() == FailureKind::Mismatch || failure.retry_action().discards_data();
                let sidecar = sidecar.filter(|_| !is_wrong);
                let is_resumable =
                    sidecar.is_some() && output.outlives_run() && self.job.resume == Resume::WhenSafe;
                run_blocking(output, there, move |output| output.abandon(sidecar)).await?;
                Err(match failure.hint() {
                    None if failure.kind() == FailureKind::Interrupted => {
                        failure.with_hint(if is_resumable {
                            TransferHint::Resume
                        } else {
                            TransferHint::StartAgain
                        })
                    }
                    Some(TransferHint::AllowMoreTime | TransferHint::MoreTime) => {
                        failure.with_hint(if is_resumable {
                            TransferHint::AllowMoreTime
                        } else {
                            TransferHint::StartAgainWithMoreTime
                        })
                    }
                    _ => failure,
                })
            }
        }
    }
}

/// Ends an output, on a blocking thread where that waits for the disk.
async fn run_blocking<T: Send + 'static>(
    output: Output,
    bytes: u64,
    end: impl FnOnce(Output) -> Result<T, TransferError> + Send + 'static,
) -> Result<T, TransferError> {
    if !output.is_slow_to_end(bytes) {
        return end(output);
    }
    let ended = tokio::task::spawn_blocking(move || end(output)).await;
    ended.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))
}
