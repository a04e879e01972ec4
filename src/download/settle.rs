//! The end of a transfer: is it right, and what is left.

use std::path::Path;
use std::sync::Arc;

use tokio::time::Instant;

use super::Digest;
use super::error::{FailureKind, Remedy, TransferError};
use super::event::EventKind;
use super::expected;
use super::hasher::Follower;
use super::head::Framing;
use super::job::{Downloaded, Outcome, Verification};
use super::output::Output;
use super::state;
use super::transfer::Transfer;
use crate::SafeUrl;

impl Transfer {
    /// Compares the content with what it should be.
    pub(super) async fn verify(&self) -> Result<Verification, TransferError> {
        let begun = Instant::now();
        let (follower, file, length, expected, framing) = {
            let mut state = self.state();
            let file = state.output.as_ref().and_then(Output::file).map(Arc::clone);
            let length = state.board.length().unwrap_or_default();
            (state.follower.take(), file, length, state.expected.clone(), state.framing)
        };
        let actual = match follower {
            None => None,
            Some(follower) => Some(self.finish_follower(follower, file, length).await?),
        };
        self.state().timings.verifying += begun.elapsed();
        expected::check_length(length, &self.job)?;
        let verification = expected::verify(actual, expected.as_ref())?;
        if verification == Verification::NotAvailable && self.job.checksum.is_required() {
            let message = format!("`{}` gave no checksum, and one is required", SafeUrl::new(self.job.url()));
            return Err(TransferError::new(FailureKind::Unverified, Remedy::OtherSource, message).with_hint(
                "give the checksum yourself with `--checksum ALG:VALUE`, or use `--checksum auto`",
            ));
        }
        if verification == Verification::NotAvailable && framing == Framing::ByClose {
            let message = format!(
                "`{}` gave neither a length nor a checksum, so nobody can tell whether the file is whole",
                SafeUrl::new(self.job.url())
            );
            return Err(TransferError::new(FailureKind::Incomplete, Remedy::OtherSource, message)
                .with_hint("give the checksum yourself with `--checksum ALG:VALUE`"));
        }
        if let Verification::Verified(digest) = &verification {
            let verified = EventKind::Verified { digest: digest.clone() };
            self.downloader.reporter().send(self.job.number, verified).await;
        }
        Ok(verification)
    }

    async fn finish_follower(
        &self,
        follower: Follower,
        file: Option<Arc<std::fs::File>>,
        length: u64,
    ) -> Result<Digest, TransferError> {
        let failed = |error| {
            TransferError::local("read back", self.job.target.as_deref().unwrap_or(Path::new("-")), error)
        };
        if follower.is_done_at(length) {
            return follower.finish(file.as_deref(), length).map_err(failed);
        }
        let finish = tokio::task::spawn_blocking(move || follower.finish(file.as_deref(), length));
        let digest = finish.await.unwrap_or_else(|error| Err(std::io::Error::other(error)));
        digest.map_err(failed)
    }

    /// Gives the file its name, or leaves what a later run can go on from.
    pub(super) async fn settle(
        self: Arc<Self>,
        result: Result<Verification, TransferError>,
    ) -> Result<Downloaded, TransferError> {
        let checkpoint = self.state().take_checkpoint();
        if let Some(checkpoint) = checkpoint {
            // It holds the unfinished file's lock.
            let _ = checkpoint.await;
        }
        let (output, sidecar, length, there, resumed_from, mut timings) = {
            let mut state = self.state();
            let sidecar = if result.is_err() { state.sidecar(&self.job) } else { None };
            let length = state.board.length().unwrap_or_default();
            let there = state.board.done().total();
            (state.output.take(), sidecar, length, there, state.resumed_from, state.timings)
        };
        let output = output.ok_or_else(state::stale)?;
        timings.total = self.begun().elapsed();
        match result {
            Ok(verification) => {
                self.downloader.hosts().succeeded(&self.job.sources[self.source()]);
                let existing = self.job.existing;
                let path = aside(output, length, move |output| output.finish(length, existing)).await?;
                let outcome =
                    if resumed_from > 0 { Outcome::Resumed(resumed_from) } else { Outcome::Fetched };
                let from = self.from().clone();
                Ok(Downloaded { path, length, verification, outcome, from, timings })
            }
            Err(failure) => {
                let is_wrong =
                    failure.kind() == FailureKind::Mismatch || failure.remedy() == Remedy::FromStart;
                let sidecar = sidecar.filter(|_| !is_wrong);
                aside(output, there, move |output| output.give_up(sidecar)).await?;
                Err(failure)
            }
        }
    }
}

/// Ends an output, on a thread of its own where that waits for the disk.
async fn aside<T: Send + 'static>(
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
