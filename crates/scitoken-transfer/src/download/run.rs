//! Runs one download, and reports how it ended.

use std::io::Write;

use crate::download::downloaded::Downloaded;
use crate::download::job::Download;
use crate::download::local::output::StreamOutput;
use crate::download::transfer::Transfer;
use crate::downloader::Downloader;
use crate::error::{FailureKind, RetryAction, TransferError};
use crate::event::{EventKind, FileNumber};
use crate::object_name::url::FederationUrl;

impl Downloader {
    /// Downloads one file.
    ///
    /// The file appears under its name only with its whole length and the right checksum. Until then, and after a failure
    /// that a later run can resume, it is `NAME.part`, with its state in `NAME.part.json`.
    ///
    /// Dropping the future leaves the state of the last checkpoint; to stop in order, use the
    /// [`cancellation_token`](Self::cancellation_token).
    ///
    /// # Errors
    /// [`TransferError`], classified by its [`kind`](TransferError::kind).
    pub async fn download(&self, download: Download) -> Result<Downloaded, TransferError> {
        let number = download.number;
        let result = match check_resolved(&download) {
            Ok(()) => Box::pin(Transfer::to_file(self.clone(), download)).await,
            Err(error) => Err(error),
        };
        self.report_end(number, &result).await;
        result
    }

    /// Downloads one file into a stream, such as standard output.
    ///
    /// Written data cannot be taken back: a failure or a wrong checksum is known only after the data, so the reader of the
    /// stream must check the result before it uses the data. A broken connection is resumed where the rest is proven to
    /// belong to the start.
    ///
    /// ```no_run
    /// use scitoken_transfer::Download;
    ///
    /// # async fn example(downloader: scitoken_transfer::Downloader) -> Result<(), Box<dyn std::error::Error>> {
    /// let download = Download::without_target("https://h/run1.root".parse()?)?;
    /// downloader.download_to(download, std::io::stdout()).await?; // an error here: what was written is not the file
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`download`](Self::download).
    pub async fn download_to(
        &self,
        download: Download,
        stream: impl Write + Send + 'static,
    ) -> Result<Downloaded, TransferError> {
        let number = download.number;
        let result = match check_resolved(&download) {
            Ok(()) => Box::pin(Transfer::to_stream(self.clone(), download, StreamOutput::new(stream))).await,
            Err(error) => Err(error),
        };
        self.report_end(number, &result).await;
        result
    }

    pub(crate) async fn report_end(&self, number: FileNumber, result: &Result<Downloaded, TransferError>) {
        let what = match result {
            Ok(file) if file.outcome == crate::DownloadOutcome::Skipped => {
                EventKind::Skipped { length: file.length }
            }
            Ok(file) => EventKind::Finished {
                length: file.length,
                verification: file.verification.clone(),
                timings: file.timings,
            },
            Err(failure) => EventKind::Failed {
                kind: failure.reported_kind(),
                why: crate::error::with_causes(failure),
                retryable: failure.is_worth_retrying(),
            },
        };
        self.reporter().send(number, what).await;
    }
}

/// Refuses the name of an object, whose servers are not known here.
fn check_resolved(download: &Download) -> Result<(), TransferError> {
    if !FederationUrl::has_scheme(download.url().as_str()) {
        return Ok(());
    }
    let message = format!("`{}` is the name of an object: resolve it with a federation", download.url());
    Err(TransferError::new(FailureKind::Usage, RetryAction::GiveUp, message))
}
