//! Compares the file at the destination with the source.

use scitoken_types::SafeUrl;
use std::time::Duration;
use url::Url;

use crate::cancel::Deadline;
use crate::copy::copier::{Copier, CopySide};
use crate::copy::job::RemoteCopy;
use crate::digest::algorithm::DigestAlgorithm;
use crate::digest::checksum::Checksum;
use crate::digest::header::choose;
use crate::digest::value::Digest;
use crate::error::{FailureKind, RetryAction, TransferError};
use crate::event::EventKind;
use crate::exchange::page_answer::led_to_page;
use crate::exchange::probe::Probe;
use crate::hint::TransferHint;
use crate::verification::Verification;
use crate::webdav::entry::EntryKind;

/// The longest wait before a destination that seems wrong is looked at again.
const SETTLE: Duration = Duration::from_secs(1);

/// What XRootD gives as the length of a directory.
const LENGTH_OF_DIRECTORY: u64 = 4096;

/// What proves that a copy is complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Proof {
    /// The server reported success: a file that cannot be looked at is accepted.
    Reported,
    /// The server ended its answer without an outcome: both lengths must be known and equal.
    Length,
    /// The answer was lost: only an equal digest shows that the copy is complete.
    Digest,
}

impl Copier {
    /// Asks the source for the file's length and digests.
    pub(crate) async fn describe_source(
        &self,
        copy: &RemoteCopy,
        deadline: Option<Deadline>,
    ) -> Result<Probe, TransferError> {
        let described = describe(&self.source, &copy.source, &copy.checksum, copy, deadline).await;
        let probe = self.refuse_directory(copy, described, deadline).await?;
        if probe.is_page && probe.digests.is_empty() {
            return Err(led_to_page(&copy.source, &copy.source));
        }
        if let (Checksum::Expect(expected), Some(digest)) =
            (&copy.checksum, choose(&copy.checksum, &probe.digests))
            && digest != *expected
        {
            let message = format!("`{}` has {digest}, not {expected}", SafeUrl::new(&copy.source));
            let failure = TransferError::new(FailureKind::Mismatch, RetryAction::GiveUp, message);
            return Err(failure.with_hint(TransferHint::ConfirmChecksum));
        }
        Ok(probe)
    }

    /// Asks by PROPFIND where the answer to `HEAD` may be that of a directory, or has no length.
    async fn refuse_directory(
        &self,
        copy: &RemoteCopy,
        described: Result<Probe, TransferError>,
        deadline: Option<Deadline>,
    ) -> Result<Probe, TransferError> {
        let is_clear = match &described {
            Ok(probe) => {
                !probe.is_page
                    && probe
                        .length
                        .is_some_and(|length| length != LENGTH_OF_DIRECTORY || !probe.digests.is_empty())
            }
            Err(failure) => !matches!(failure.kind(), FailureKind::Rejected | FailureKind::WrongContent),
        };
        if is_clear {
            return described;
        }
        let Ok(there) = Box::pin(self.source.downloader.describe(&copy.source, deadline)).await else {
            return described;
        };
        if there.entry.kind == EntryKind::Directory {
            let message = format!("`{}` is a directory", SafeUrl::new(&copy.source));
            let failure = TransferError::new(FailureKind::Usage, RetryAction::GiveUp, message);
            return Err(failure.with_hint(TransferHint::CopyRecursively));
        }
        described.map(|probe| Probe { length: probe.length.or(there.entry.length), ..probe })
    }

    /// Asks the destination for the file's length, and for a digest that the source or the caller knows.
    pub(crate) async fn describe_destination(
        &self,
        copy: &RemoteCopy,
        source: &Probe,
        deadline: Option<Deadline>,
    ) -> Result<Probe, TransferError> {
        let wanted = expected_digest(copy, source)
            .map_or_else(|| copy.checksum.clone(), |digest| Checksum::RequireAlgorithm(digest.algorithm()));
        describe(&self.destination, &copy.destination, &wanted, copy, deadline).await
    }

    /// Compares length and digest of the destination's file with those of the source. Returns its length.
    ///
    /// # Errors
    /// [`FailureKind::Mismatch`] when it is another file, [`FailureKind::Incomplete`] when there is none or it is not
    /// proven to be complete, [`FailureKind::Unverified`] when a required checksum is missing.
    pub(crate) async fn verify(
        &self,
        copy: &RemoteCopy,
        source: &Probe,
        proof: Proof,
        deadline: Option<Deadline>,
    ) -> Result<(u64, Verification), TransferError> {
        let mut checked = self.compare(copy, source, proof, deadline).await;
        let is_wrong = |failure: &TransferError| {
            matches!(failure.kind(), FailureKind::Mismatch | FailureKind::Incomplete | FailureKind::NotFound)
        };
        if proof != Proof::Digest && checked.as_ref().is_err_and(is_wrong) {
            // Some servers describe a new file a moment too late.
            let downloader = &self.destination.downloader;
            downloader.pause(downloader.retry().first_delay.min(SETTLE), deadline).await?;
            checked = self.compare(copy, source, proof, deadline).await;
        }
        if let Ok((_, Verification::Verified(digest))) = &checked {
            let what = EventKind::Verified { digest: digest.clone() };
            self.destination.downloader.reporter().send(copy.number, what).await;
        }
        checked
    }

    async fn compare(
        &self,
        copy: &RemoteCopy,
        source: &Probe,
        proof: Proof,
        deadline: Option<Deadline>,
    ) -> Result<(u64, Verification), TransferError> {
        match self.describe_destination(copy, source, deadline).await {
            Ok(stored) => self.compare_with(copy, source, &stored, proof, deadline).await,
            // A token with write permission need not permit reading.
            Err(failure)
                if matches!(failure.kind(), FailureKind::Refused | FailureKind::Rejected)
                    && proof == Proof::Reported
                    && !copy.checksum.is_required() =>
            {
                Ok((source.length.unwrap_or_default(), Verification::NotShown))
            }
            Err(failure) if failure.kind() == FailureKind::NotFound => {
                Err(wrong(copy, FailureKind::Incomplete, "does not exist after the copy"))
            }
            Err(failure) => Err(failure),
        }
    }

    /// Compares what the destination describes with the source.
    pub(crate) async fn compare_with(
        &self,
        copy: &RemoteCopy,
        source: &Probe,
        stored: &Probe,
        proof: Proof,
        deadline: Option<Deadline>,
    ) -> Result<(u64, Verification), TransferError> {
        if let (Some(length), Some(expected)) = (stored.length, source.length)
            && length != expected
        {
            let what = format!("has {length} bytes after the copy, not {expected}");
            return Err(wrong(copy, FailureKind::Mismatch, &what));
        }
        let length = stored.length.or(source.length).unwrap_or_default();
        let has_lengths = stored.length.is_some() && source.length.is_some();
        let expected = expected_digest(copy, source);
        match self.common_digest(copy, source, expected, &stored.digests, deadline).await? {
            Some((stored, expected)) if stored == expected => Ok((length, Verification::Verified(stored))),
            Some((stored, expected)) => {
                let what = format!("has {stored} after the copy, not {expected}");
                Err(wrong(copy, FailureKind::Mismatch, &what))
            }
            None if copy.checksum.is_required() => Err(no_checksum(copy, &stored.digests)),
            None if proof == Proof::Digest || !has_lengths && proof == Proof::Length => {
                Err(wrong(copy, FailureKind::Incomplete, "is not proven to be complete"))
            }
            None => Ok((length, Verification::NotAvailable)),
        }
    }

    /// Returns the destination's digest and the source's of the same algorithm.
    async fn common_digest(
        &self,
        copy: &RemoteCopy,
        source: &Probe,
        expected: Option<Digest>,
        stored: &[Digest],
        deadline: Option<Deadline>,
    ) -> Result<Option<(Digest, Digest)>, TransferError> {
        let of = |algorithm: DigestAlgorithm, digests: &[Digest]| {
            digests.iter().find(|digest| digest.algorithm() == algorithm).cloned()
        };
        if let Some(expected) = expected
            && let Some(stored) = of(expected.algorithm(), stored)
        {
            return Ok(Some((stored, expected)));
        }
        if !matches!(copy.checksum, Checksum::Auto | Checksum::Require) {
            return Ok(None);
        }
        if let Some(pair) =
            stored.iter().find_map(|stored| Some((stored.clone(), of(stored.algorithm(), &source.digests)?)))
        {
            return Ok(Some(pair));
        }
        // The destination has another algorithm than the source answered with: ask the source for that one.
        let Some(stored) = stored.first() else { return Ok(None) };
        let wanted = Checksum::RequireAlgorithm(stored.algorithm());
        let probe = describe(&self.source, &copy.source, &wanted, copy, deadline).await?;
        Ok(of(stored.algorithm(), &probe.digests).map(|digest| (stored.clone(), digest)))
    }
}

/// Returns the digest that the destination's file must have.
fn expected_digest(copy: &RemoteCopy, source: &Probe) -> Option<Digest> {
    match &copy.checksum {
        Checksum::Expect(digest) => Some(digest.clone()),
        checksum => choose(checksum, &source.digests),
    }
}

/// Asks a server about a file; without a digest where the question is not answered in time and none is required.
async fn describe(
    side: &CopySide,
    url: &Url,
    checksum: &Checksum,
    copy: &RemoteCopy,
    deadline: Option<Deadline>,
) -> Result<Probe, TransferError> {
    match Box::pin(side.downloader.probe_once(url, checksum, deadline)).await {
        Err(failure) if failure.kind() == FailureKind::Timeout && !copy.checksum.is_required() => {
            Box::pin(side.downloader.probe_once(url, &Checksum::None, deadline)).await
        }
        described => described,
    }
}

/// Returns the failure for a required checksum that the destination does not offer, or not the one of the source.
fn no_checksum(copy: &RemoteCopy, offered: &[Digest]) -> TransferError {
    let (what, hint) = match &copy.checksum {
        Checksum::Expect(digest) => {
            let algorithm = digest.algorithm();
            (
                format!("offers no {algorithm} checksum to compare with the given one"),
                TransferHint::OmitChecksum,
            )
        }
        Checksum::RequireAlgorithm(algorithm) => {
            (format!("and the source offer no {algorithm} checksum to compare"), TransferHint::OmitChecksum)
        }
        _ => ("and the source offer no checksum to compare".to_owned(), TransferHint::ProvideChecksum),
    };
    let hint = match offered.first() {
        Some(other) if hint == TransferHint::OmitChecksum => {
            TransferHint::UseOfferedChecksum { algorithm: other.algorithm() }
        }
        _ => hint,
    };
    wrong(copy, FailureKind::Unverified, &what).with_retry_action(RetryAction::GiveUp).with_hint(hint)
}

pub(crate) fn wrong(copy: &RemoteCopy, kind: FailureKind, what: &str) -> TransferError {
    let message = format!("`{}` {what}", SafeUrl::new(&copy.destination));
    TransferError::new(kind, RetryAction::Restart, message)
}
