//! What the user expects of a file, against what a server says and what came: pure.

use super::error::{FailureKind, Remedy, TransferError};
use super::identity::Identity;
use super::job::Download;
use super::{Checksum, Digest, Verification};

/// A server whose digest is not the one that the user expects has something else.
pub(super) fn contradicts(identity: &Identity, job: &Download) -> Result<(), TransferError> {
    if let (Some(length), Some(expected)) = (identity.length, job.length)
        && length != expected
    {
        return Err(mismatch(
            Remedy::OtherSource,
            format!("the server has a file of {length} bytes, not of the expected {expected}"),
        ));
    }
    let Checksum::Expect(expected) = &job.checksum else { return Ok(()) };
    match identity.digests.iter().find(|digest| digest.algorithm() == expected.algorithm()) {
        Some(digest) if digest != expected => Err(mismatch(
            Remedy::OtherSource,
            format!("the server has a file with {digest}, not the expected {expected}"),
        )),
        _ => Ok(()),
    }
}

/// Compares the length of what came with what it should be, where the server did not tell it before.
pub(super) fn check_length(length: u64, job: &Download) -> Result<(), TransferError> {
    match job.length {
        Some(expected) if expected != length => Err(mismatch(
            Remedy::FromStart,
            format!("the data has {length} bytes, but should have {expected}"),
        )),
        _ => Ok(()),
    }
}

/// Compares what came with what should have come.
pub(super) fn verify(
    actual: Option<Digest>,
    expected: Option<&Digest>,
) -> Result<Verification, TransferError> {
    match (actual, expected) {
        (Some(actual), Some(expected)) if actual == *expected => Ok(Verification::Verified(actual)),
        (Some(actual), Some(expected)) => {
            Err(mismatch(Remedy::FromStart, format!("the data has {actual}, but should have {expected}")))
        }
        (None, Some(expected)) => {
            let message = format!("nobody computed the checksum that should be {expected}");
            Err(TransferError::new(FailureKind::Unverified, Remedy::FromStart, message))
        }
        (_, None) => Ok(Verification::NotAvailable),
    }
}

fn mismatch(remedy: Remedy, message: String) -> TransferError {
    TransferError::new(FailureKind::Mismatch, remedy, message)
        .with_hint("nothing was kept; ask the data's owner which checksum is right, or try another server")
}
