//! Compares an uploaded file with what was sent.

use std::fs::File;
use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;

use crate::cancel::Deadline;
use crate::digest::algorithm::DigestAlgorithm;
use crate::digest::checksum::Checksum;
use crate::digest::hasher::digest_of_file;
use crate::digest::value::Digest;
use crate::downloader::Downloader;
use crate::error::{FailureKind, RetryAction, TransferError, display_path};
use crate::upload::job::{Upload, Uploaded};
use crate::verification::Verification;
use crate::webdav::entry::EntryKind;
use scitoken_types::SafeUrl;

/// The longest wait before a stored file that seems wrong is looked at again.
const SETTLE: Duration = Duration::from_secs(1);

/// A file that was sent.
#[derive(Debug)]
pub(super) struct SentFile<'u> {
    pub(super) upload: &'u Upload,
    pub(super) file: &'u Arc<File>,
    pub(super) length: u64,
    /// The digest that was sent, if one was asked for.
    pub(super) digest: Option<Digest>,
}

/// An upload that was compared with the stored file.
#[derive(Debug)]
pub(super) struct Checked {
    pub(super) result: Uploaded,
    /// Whether the server has a file of the sent length or digest.
    is_stored: bool,
}

impl Checked {
    /// Whether the server has a file with the digest of the one that was sent.
    pub(super) fn is_verified(&self) -> bool {
        matches!(self.result.verification, Verification::Verified(_))
    }

    /// Whether the stored file is the reason of a refusal. One that says that the name is taken is believed for an equal
    /// length; others may have another reason.
    pub(super) fn proves(&self, refusal: &TransferError) -> bool {
        match refusal.status() {
            Some(StatusCode::PRECONDITION_FAILED) => self.is_stored,
            _ => self.is_verified(),
        }
    }
}

/// Whether a server does not say what it has: a token with write permission need not permit reading, and a server need not
/// know `HEAD` (RFC 9110 section 15.6.2).
fn does_not_describe(failure: &TransferError) -> bool {
    matches!(failure.kind(), FailureKind::Refused | FailureKind::Rejected | FailureKind::WrongContent)
        || failure.status() == Some(StatusCode::NOT_IMPLEMENTED)
}

impl Downloader {
    /// Computes a digest of the local file.
    pub(super) async fn digest(
        &self,
        upload: &Upload,
        algorithm: DigestAlgorithm,
        file: &Arc<File>,
    ) -> Result<Digest, TransferError> {
        let digest = digest_of_file(algorithm, Arc::clone(file)).await;
        digest.map_err(|error| TransferError::local("read", &upload.file, error))
    }

    /// Compares the stored file with what was sent. XRootD 5.5 stores an empty file when `content-length` has no capitals,
    /// and answers `200`.
    pub(super) async fn check_upload(
        &self,
        sent: &SentFile<'_>,
        deadline: Option<Deadline>,
    ) -> Result<Checked, TransferError> {
        let mut checked = self.check_once(sent, deadline).await;
        let is_early =
            |failure: &TransferError| matches!(failure.kind(), FailureKind::Mismatch | FailureKind::NotFound);
        if checked.as_ref().is_err_and(is_early) {
            // Some servers describe a new file a moment too late.
            self.pause(self.retry().first_delay.min(SETTLE), deadline).await?;
            checked = self.check_once(sent, deadline).await;
        }
        match checked {
            Err(failure) if failure.kind() == FailureKind::NotFound => {
                self.check_listed(sent, deadline).await.unwrap_or(Err(failure))
            }
            checked => checked,
        }
    }

    /// Compares the length that PROPFIND gives: there are servers that store a file and answer `HEAD` with 404. `None` where
    /// it does not know the file either.
    async fn check_listed(
        &self,
        sent: &SentFile<'_>,
        deadline: Option<Deadline>,
    ) -> Option<Result<Checked, TransferError>> {
        let entry = Box::pin(self.describe(&sent.upload.url, deadline)).await.ok()?.entry;
        if entry.length.is_some_and(|stored| stored != sent.length) || entry.kind != EntryKind::File {
            return None;
        }
        let is_stored = entry.length.is_some();
        let verification = if is_stored { Verification::NotAvailable } else { Verification::NotShown };
        Some(Ok(Checked { result: Uploaded::new(sent.length, verification), is_stored }))
    }

    async fn check_once(
        &self,
        sent: &SentFile<'_>,
        deadline: Option<Deadline>,
    ) -> Result<Checked, TransferError> {
        let SentFile { upload, length, .. } = *sent;
        let algorithm = sent.digest.as_ref().map(Digest::algorithm);
        let checksum = algorithm.map_or(Checksum::None, Checksum::RequireAlgorithm);
        let checked =
            |verification, is_stored| Checked { result: Uploaded::new(length, verification), is_stored };
        let probe = match Box::pin(self.probe_with_retries(&upload.url, &checksum, deadline)).await {
            Ok(probe) => probe,
            Err(failure) if does_not_describe(&failure) => {
                return Ok(checked(Verification::NotShown, false));
            }
            Err(failure) => return Err(failure),
        };
        let there = |what: String| {
            let message = format!("`{}` has {what} after the upload", SafeUrl::new(&upload.url));
            TransferError::new(FailureKind::Mismatch, RetryAction::Retry, message)
        };
        let own = probe.digests.iter().find(|stored| Some(stored.algorithm()) == algorithm);
        // Servers offer what they have, whatever was asked for. Nothing is compared where nothing was asked for.
        let offered = own.or(probe.digests.first()).filter(|_| algorithm.is_some());
        // An equal digest proves more than a length, which some servers give as zero.
        match (offered, probe.length) {
            (Some(stored), _) => {
                let digest = match &sent.digest {
                    Some(digest) if digest.algorithm() == stored.algorithm() => digest.clone(),
                    _ => self.digest(upload, stored.algorithm(), sent.file).await?,
                };
                if *stored == digest {
                    Ok(checked(Verification::Verified(digest), true))
                } else {
                    Err(there(format!("{stored}, not {digest},")))
                }
            }
            (None, Some(stored)) if stored != length => {
                let file = display_path(&upload.file);
                Err(there(format!("{stored} bytes, not the {length} of `{file}`,")))
            }
            (None, Some(_)) => Ok(checked(Verification::NotAvailable, true)),
            (None, None) => Ok(checked(Verification::NotShown, false)),
        }
    }
}
