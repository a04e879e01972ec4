//! What the destination had before a copy, and the removal of what a failed copy left.

use std::time::Duration;

use scitoken_types::SafeUrl;

use crate::cancel::{CancellationToken, Deadline};
use crate::copy::copier::Copier;
use crate::copy::job::RemoteCopy;
use crate::error::{FailureKind, RetryAction, TransferError};
use crate::hint::TransferHint;
use crate::limits::TransferLimits;
use crate::overwrite::Overwrite;
use crate::webdav::entry::{EntryKind, RemoteEntry};

/// How long the removal may take in all.
const REMOVAL: Duration = Duration::from_secs(20);

/// What a name at the destination stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum DestinationFile {
    Absent,
    Present(Box<RemoteEntry>),
    /// The token does not permit to look.
    Unknown,
}

impl Copier {
    /// Looks at the destination before a copy.
    ///
    /// # Errors
    /// The name is that of a directory, or of a file that must not be replaced; the server cannot be reached.
    pub(crate) async fn destination_before(
        &self,
        copy: &RemoteCopy,
        deadline: Option<Deadline>,
    ) -> Result<DestinationFile, TransferError> {
        let downloader = &self.destination.downloader;
        let shown = SafeUrl::new(&copy.destination);
        let fail =
            |kind, what: &str| TransferError::new(kind, RetryAction::GiveUp, format!("`{shown}` {what}"));
        let found = tokio::select! {
            failure = downloader.cancellation_token().ended(deadline) => return Err(failure),
            found = Box::pin(downloader.stat(&copy.destination)) => found,
        };
        match found {
            Ok(entry) if entry.kind == EntryKind::Directory => {
                Err(fail(FailureKind::Usage, "is a directory").with_hint(TransferHint::NameFileInDirectory))
            }
            Ok(_) if copy.overwrite == Overwrite::Refuse => {
                Err(TransferError::exists(&copy.destination).with_hint(TransferHint::AllowOverwrite))
            }
            Ok(entry) => Ok(DestinationFile::Present(Box::new(entry))),
            Err(failure) if failure.kind() == FailureKind::NotFound => Ok(DestinationFile::Absent),
            // A token with write permission need not permit reading. The server decides.
            Err(failure) if matches!(failure.kind(), FailureKind::Refused | FailureKind::Rejected) => {
                Ok(DestinationFile::Unknown)
            }
            Err(failure) => Err(failure),
        }
    }

    /// Removes what a failed copy left at the destination: a new file, or one that is no longer what it was.
    ///
    /// Also after a cancellation, within a time of its own. A failure to remove is not reported: the copy's own failure is.
    pub(crate) async fn remove_remains(&self, copy: &RemoteCopy, before: &DestinationFile) {
        if *before == DestinationFile::Unknown {
            return;
        }
        let mut limits: TransferLimits = self.destination.downloader.limits().clone();
        limits.first_byte = limits.first_byte.min(REMOVAL / 2);
        let downloader = self.destination.downloader.clone();
        let downloader = downloader.with_cancellation_token(CancellationToken::default()).with_limits(limits);
        let remove = async {
            let Ok(left) = Box::pin(downloader.stat(&copy.destination)).await else { return };
            let is_untouched = matches!(before, DestinationFile::Present(old) if **old == left);
            if !is_untouched && left.kind == EntryKind::File {
                let _ = Box::pin(downloader.remove_file(&copy.destination)).await;
            }
        };
        let _ = tokio::time::timeout(REMOVAL, remove).await;
    }
}
