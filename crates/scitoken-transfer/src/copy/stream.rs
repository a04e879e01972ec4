//! Copies through this machine.

use scitoken_types::SafeUrl;

use crate::cancel::Deadline;
use crate::copy::copier::Copier;
use crate::copy::job::{Copied, CopyRoute, RemoteCopy};
use crate::copy::verify::Proof;
use crate::download::job::Download;
use crate::download::transfer::Transfer;
use crate::error::{FailureKind, RetryAction, TransferError};
use crate::upload::job::Upload;

impl Copier {
    /// Downloads the file into a temporary file, uploads it from there, and compares both servers.
    pub(crate) async fn stream(
        &self,
        copy: &RemoteCopy,
        deadline: Option<Deadline>,
    ) -> Result<Copied, TransferError> {
        let before = self.destination_before(copy, deadline).await?;
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
            Box::pin(quiet.upload(&upload)).await?;
            let source = self.describe_source(copy, deadline).await?;
            if source.length.is_some_and(|length| length != fetched.length) {
                let message = format!("`{}` changed during the copy", SafeUrl::new(&copy.source));
                return Err(TransferError::new(FailureKind::Mismatch, RetryAction::Restart, message));
            }
            Box::pin(self.verify(copy, &source, Proof::Length, deadline)).await
        };
        match sent.await {
            Ok((length, verification)) => Ok(Copied { length, verification, route: CopyRoute::Streamed }),
            Err(failure) => {
                self.remove_remains(copy, &before).await;
                Err(failure)
            }
        }
    }
}
