//! What is said about a copied file, and about one that was not copied.

use scitoken_transfer::copy::{Copied, CopyRoute};
use scitoken_transfer::{FailureKind, TransferError, TransferHint, Verification};
use scitoken_types::SafeUrl;
use serde_json::json;
use url::Url;

use super::args::Copy;
use crate::context::Context;
use crate::failure::Failure;

impl Copy {
    /// Returns the report of a file that was not copied.
    pub(super) fn failure(&self, source: &Url, error: &TransferError) -> Failure {
        let is_of_source = error.asked_url() == Some(source);
        let failure = match (error.kind(), error.status().map(|status| status.as_u16()), error.hint()) {
            (FailureKind::Exists, _, _) => {
                self.transfer.retry.failure(error).with_hint("without `--no-clobber` the target is replaced")
            }
            (_, _, Some(TransferHint::NameFileInDirectory)) => self
                .transfer
                .retry
                .failure(error)
                .with_hint("end the URL with `/` to copy into the directory"),
            (_, _, Some(TransferHint::CopyThroughThisMachine | TransferHint::CheckSourceUrl)) => {
                self.transfer.retry.failure(error)
            }
            (FailureKind::Rejected | FailureKind::NotFound, Some(400 | 404 | 409), _)
                if !self.create_dirs && !is_of_source =>
            {
                self.transfer
                    .retry
                    .failure(error)
                    .with_hint("a directory of the destination may not exist; `--create-dirs` creates it")
            }
            // A copy is not resumed.
            (FailureKind::Incomplete | FailureKind::Interrupted, _, _) => self
                .transfer
                .retry
                .failure(error)
                .with_hint("run the same command again to copy the file from the start"),
            _ => self.transfer.retry.failure(error),
        };
        failure.with_missing_subject(&[], &SafeUrl::new(source).to_string())
    }
}

/// Writes the result of a copied file.
pub(super) fn report(context: &Context, source: &Url, copied: &Copied) -> Result<(), Failure> {
    let shown = SafeUrl::new(source).to_string();
    context.output.object(
        true,
        json!({ "source": shown, "length": copied.length, "verified": copied.verification, "mode": copied.route }),
    )?;
    let (length, route) = (copied.length, copied.route);
    context.output.status(&match (&copied.verification, route) {
        (Verification::NotShown, _) => format!(
            "{shown}: copied by {route}, as the server reports; the destination cannot be looked at with this token, so \
             nothing was verified"
        ),
        (Verification::NotAvailable, _) => {
            format!("{shown}: {length} bytes by {route}, the servers offer no common checksum")
        }
        (verified @ Verification::Verified(_), CopyRoute::Unneeded) => {
            format!("{shown}: not copied, the destination is this file or an equal one: {length} bytes, {verified}")
        }
        (verified @ Verification::Verified(_), _) => format!("{shown}: {length} bytes by {route}, {verified}"),
    });
    Ok(())
}
