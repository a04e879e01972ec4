//! Compares the expected length and checksum with the server's and with the data.

use crate::digest::checksum::Checksum;
use crate::digest::value::Digest;
use crate::download::content::identity::Identity;
use crate::download::job::Download;
use crate::error::{FailureKind, RetryAction, TransferError};
use crate::hint::TransferHint;
use crate::verification::Verification;

/// Refuses a response whose length or digest contradicts the expected one.
pub(crate) fn contradicts(identity: &Identity, job: &Download) -> Result<(), TransferError> {
    if let (Some(length), Some(expected)) = (identity.length, job.length)
        && length != expected
    {
        return Err(mismatch(
            RetryAction::OtherSource,
            format!("the server has a file of {length} bytes, not of the expected {expected}"),
        ));
    }
    let Checksum::Expect(expected) = &job.checksum else { return Ok(()) };
    match identity.digests.iter().find(|digest| digest.algorithm() == expected.algorithm()) {
        Some(digest) if digest != expected => Err(mismatch(
            RetryAction::OtherSource,
            format!("the server has a file with {digest}, not the expected {expected}"),
        )),
        _ => Ok(()),
    }
}

/// Compares the length of the data with the expected one.
pub(crate) fn check_length(length: u64, job: &Download) -> Result<(), TransferError> {
    match job.length {
        Some(expected) if expected != length => Err(mismatch(
            RetryAction::Restart,
            format!("the data has {length} bytes, but should have {expected}"),
        )),
        _ => Ok(()),
    }
}

/// Compares the checksum of the data with the expected one.
pub(crate) fn verify(
    actual: Option<Digest>,
    expected: Option<&Digest>,
) -> Result<Verification, TransferError> {
    match (actual, expected) {
        (Some(actual), Some(expected)) if actual == *expected => Ok(Verification::Verified(actual)),
        (Some(actual), Some(expected)) => {
            Err(mismatch(RetryAction::Restart, format!("the data has {actual}, but should have {expected}")))
        }
        (None, Some(expected)) => {
            let message = format!("no checksum was computed to compare with {expected}");
            Err(TransferError::new(FailureKind::Unverified, RetryAction::Restart, message))
        }
        (_, None) => Ok(Verification::NotAvailable),
    }
}

fn mismatch(retry_action: RetryAction, message: String) -> TransferError {
    TransferError::new(FailureKind::Mismatch, retry_action, message).with_hint(TransferHint::ConfirmChecksum)
}
