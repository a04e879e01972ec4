//! Failures about the content of a file: it changed, contradicts itself, or is not proven to be the same.

use url::Url;

use crate::download::job::Download;
use crate::error::{FailureKind, RetryAction, TransferError};
use crate::hint::TransferHint;
use scitoken_types::SafeUrl;

/// The failure of a server whose file is another one by now.
pub(crate) fn changed(url: &Url) -> TransferError {
    let what = "has other content than the transfer began with";
    TransferError::invalid_answer(url, RetryAction::Changed, what)
}

/// The failure of a server that gives another length or digest under the same validator. Nothing of it is kept.
pub(crate) fn contradictory(job: &Download) -> TransferError {
    let message = format!(
        "`{}` contradicts itself about the length or the checksum of the same file",
        SafeUrl::new(job.url())
    );
    TransferError::new(FailureKind::Mismatch, RetryAction::OtherSource, message)
        .with_hint(TransferHint::ConfirmChecksum)
}

/// The failure of a server that does not show that the rest belongs to what came before.
pub(crate) fn unproven(url: &Url) -> TransferError {
    TransferError::invalid_answer(
        url,
        RetryAction::WholeFile,
        "offers neither a checksum nor a validator, so the rest may belong to other content",
    )
}

/// The failure of a stream whose lease became void by a restart.
pub(crate) fn stale() -> TransferError {
    TransferError::new(FailureKind::Incomplete, RetryAction::Retry, "the transfer was restarted")
}
