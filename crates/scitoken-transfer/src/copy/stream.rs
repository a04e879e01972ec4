//! Copies through this machine.

use scitoken_types::SafeUrl;

use crate::cancel::Deadline;
use crate::copy::copier::Copier;
use crate::copy::job::{Copied, CopyRoute, RemoteCopy};
use crate::copy::record::{DestinationRecord, Writes};
use crate::copy::verify::Proof;
use crate::download::job::Download;
use crate::download::transfer::Transfer;
use crate::error::{FailureKind, RetryAction, TransferError};
use crate::exchange::transport_error::never_connected;
use crate::upload::job::Upload;

impl Copier {
    /// Downloads the file into a temporary file, uploads it from there, and compares both servers.
    pub(crate) async fn stream(
        &self,
        copy: &RemoteCopy,
        record: &DestinationRecord,
        deadline: Option<Deadline>,
    ) -> Result<Copied, TransferError> {
        self.look_at_destination(copy, record, deadline).await?;
        let local = |error| {
            TransferError::new(
                FailureKind::Local,
                RetryAction::GiveUp,
                "failed to create a temporary directory",
            )
            .with_source(error)
        };
        let directory = tempfile::Builder::new().prefix("scitoken-copy-").tempdir().map_err(local)?;
        let file = directory.path().join("data");
        let download = Download::new(copy.source.clone(), &file)?
            .with_number(copy.number)
            .with_checksum(copy.checksum.clone());
        let fetched = Box::pin(Transfer::to_file(self.source.downloader.clone(), download)).await?;
        let upload = Upload::new(&file, copy.destination.clone())?
            .with_number(copy.number)
            .with_overwrite(copy.overwrite);
        // The events of the upload are those of the copy.
        let quiet = self.destination.downloader.clone().with_reporter(crate::event::Reporter::none());
        let sent = async {
            let uploaded = Box::pin(quiet.upload(&upload)).await;
            record.add(uploaded.as_ref().map_or_else(Writes::of_failed_upload, |_| Writes::Ended));
            uploaded?;
            let source = self.describe_source(copy, deadline).await?;
            if source.length.is_some_and(|length| length != fetched.length) {
                let message = format!("`{}` changed during the copy", SafeUrl::new(&copy.source));
                return Err(TransferError::new(FailureKind::Mismatch, RetryAction::Restart, message));
            }
            Box::pin(self.verify(copy, &source, Proof::Length, deadline)).await
        };
        match sent.await {
            Ok((length, verification)) => Ok(Copied { length, verification, route: CopyRoute::Streamed }),
            Err(failure) => Err(self.clean_up(copy, record, failure).await),
        }
    }
}

impl Writes {
    /// Returns what an upload that failed may have written: its data may go before its answer, so errors of the server do not
    /// rule it out.
    fn of_failed_upload(failure: &TransferError) -> Self {
        let is_refused = failure.status().is_some_and(|status| status.is_client_error())
            || matches!(
                failure.kind(),
                FailureKind::Exists
                    | FailureKind::Usage
                    | FailureKind::NoToken
                    | FailureKind::TokenWithheld
                    | FailureKind::Redirect
            );
        if is_refused || never_connected(failure) { Self::None } else { Self::Unknown }
    }
}
