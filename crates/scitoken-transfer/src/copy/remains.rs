//! What the destination has before a copy, and the removal of what a failed copy left.

use std::time::Duration;

use scitoken_types::SafeUrl;

use crate::cancel::{CancellationToken, Deadline};
use crate::copy::copier::Copier;
use crate::copy::job::RemoteCopy;
use crate::copy::record::{DestinationFile, DestinationRecord, Remains, Writes};
use crate::downloader::Downloader;
use crate::error::{FailureKind, RetryAction, TransferError};
use crate::hint::TransferHint;
use crate::limits::TransferLimits;
use crate::overwrite::Overwrite;
use crate::webdav::entry::{EntryKind, RemoteEntry};

/// How long the removal may take in all.
const REMOVAL: Duration = Duration::from_secs(20);

impl Copier {
    /// Looks at the destination before the first attempt, and before each one that must not replace a file.
    ///
    /// # Errors
    /// The name is that of a directory, or of a file that must not be replaced; the server cannot be reached.
    pub(crate) async fn look_at_destination(
        &self,
        copy: &RemoteCopy,
        record: &DestinationRecord,
        deadline: Option<Deadline>,
    ) -> Result<(), TransferError> {
        if record.before().is_some() && copy.overwrite == Overwrite::Allow {
            return Ok(());
        }
        let downloader = &self.destination.downloader;
        let found = tokio::select! {
            failure = downloader.cancellation_token().ended(deadline) => return Err(failure),
            found = Box::pin(downloader.stat(&copy.destination)) => found,
        };
        let found = match found {
            Ok(entry) if entry.kind == EntryKind::Directory => {
                let message = format!("`{}` is a directory", SafeUrl::new(&copy.destination));
                return Err(TransferError::new(FailureKind::Usage, RetryAction::GiveUp, message)
                    .with_hint(TransferHint::NameFileInDirectory));
            }
            Ok(entry) => DestinationFile::Present(Box::new(entry)),
            Err(failure) if failure.kind() == FailureKind::NotFound => DestinationFile::Absent,
            // A token with write permission need not permit reading. The server decides.
            Err(failure) if matches!(failure.kind(), FailureKind::Refused | FailureKind::Rejected) => {
                DestinationFile::Unknown
            }
            Err(failure) => return Err(failure),
        };
        let is_taken = matches!(found, DestinationFile::Present(_)) && copy.overwrite == Overwrite::Refuse;
        record.found(found);
        if is_taken { Err(taken(copy)) } else { Ok(()) }
    }

    /// Returns whether the destination has another file than before the first attempt; an older one may have the same length.
    pub(crate) async fn has_changed(&self, copy: &RemoteCopy, record: &DestinationRecord) -> bool {
        match record.before() {
            Some(DestinationFile::Absent) => true,
            Some(DestinationFile::Present(old)) => {
                let now = Box::pin(self.destination.downloader.stat(&copy.destination)).await;
                now.is_ok_and(|now| now != **old)
            }
            Some(DestinationFile::Unknown) | None => false,
        }
    }

    /// Removes what a failed attempt left, and returns its failure: final where the next attempt must not replace what is left.
    pub(crate) async fn clean_up(
        &self,
        copy: &RemoteCopy,
        record: &DestinationRecord,
        failure: TransferError,
    ) -> TransferError {
        // What the copy must not replace, it must not remove either.
        if failure.kind() == FailureKind::Exists {
            if record.writes() == Writes::Unknown {
                record.set_remains(Remains::Unknown);
            }
            return failure;
        }
        let remains = self.remove_remains(copy, record).await;
        record.set_remains(remains);
        if remains == Remains::Incomplete && copy.overwrite == Overwrite::Refuse {
            return failure.with_retry_action(RetryAction::GiveUp);
        }
        failure
    }

    /// Removes a new file, or one that is no longer what it was, if a request of this copy may have written it.
    ///
    /// Also after a cancellation, within a time of its own.
    async fn remove_remains(&self, copy: &RemoteCopy, record: &DestinationRecord) -> Remains {
        let Some(before) = record.before().filter(|_| record.writes() != Writes::None) else {
            return Remains::None;
        };
        if *before == DestinationFile::Unknown {
            return Remains::Unknown;
        }
        let mut limits: TransferLimits = self.destination.downloader.limits().clone();
        limits.first_byte = limits.first_byte.min(REMOVAL / 2);
        let downloader = self.destination.downloader.clone();
        let downloader = downloader.with_cancellation_token(CancellationToken::default()).with_limits(limits);
        let remove = async {
            let left = match Box::pin(downloader.stat(&copy.destination)).await {
                Ok(left) => left,
                Err(failure) if failure.kind() == FailureKind::NotFound => return Remains::None,
                Err(_) => return Remains::Unknown,
            };
            match before {
                _ if left.kind == EntryKind::Directory => Remains::None,
                DestinationFile::Present(old) if **old == left && has_version(&left) => Remains::None,
                DestinationFile::Present(old) if **old == left => Remains::Unknown,
                _ => removed(&downloader, copy).await,
            }
        };
        tokio::time::timeout(REMOVAL, remove).await.unwrap_or(Remains::Unknown)
    }
}

async fn removed(downloader: &Downloader, copy: &RemoteCopy) -> Remains {
    match Box::pin(downloader.remove_file(&copy.destination)).await {
        Err(failure) if failure.kind() != FailureKind::NotFound => Remains::Incomplete,
        _ => Remains::None,
    }
}

/// Returns whether a file of another content would be described differently.
fn has_version(entry: &RemoteEntry) -> bool {
    entry.etag.is_some() || entry.last_modified.is_some()
}

/// Returns the failure for a file that must not be replaced.
pub(crate) fn taken(copy: &RemoteCopy) -> TransferError {
    TransferError::exists(&copy.destination).with_hint(TransferHint::AllowOverwrite)
}
