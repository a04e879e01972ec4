//! Files that are there already.

use std::path::Path;

use super::downloader::Downloader;
use super::error::{FailureKind, Remedy, TransferError};
use super::hasher::digest_of_file;
use super::job::{Download, Downloaded, Existing, Outcome, Timings, Verification};
use super::part::check_target;
use super::position::open_no_follow;
use super::probe::Probe;
use super::stop::Deadline;
use super::{Checksum, digest_header};
use crate::SafeUrl;

/// Looks whether the file is there and right already.
pub(super) async fn look(
    downloader: &Downloader,
    job: &Download,
    target: &Path,
    deadline: Option<Deadline>,
) -> Result<Option<Downloaded>, TransferError> {
    let (by_size, checksum) = match (job.existing, &job.checksum) {
        // Whoever opens the unfinished file looks at the target too.
        (Existing::Replace, _) => return Ok(None),
        (Existing::Refuse, _) => {
            check_target(target)?;
            return refuse_existing(target).map(|()| None);
        }
        (Existing::SkipSameSize, _) => (true, Checksum::None),
        (Existing::SkipSameChecksum, Checksum::None) => (false, Checksum::Auto),
        (Existing::SkipSameChecksum, checksum) => (false, checksum.clone()),
    };
    check_target(target)?;
    let Ok(file) = open_no_follow(target) else { return Ok(None) };
    let there = file.metadata().map_err(|error| TransferError::local("look at", target, error))?.len();
    let skipped = |verification| Downloaded {
        path: Some(target.to_owned()),
        length: there,
        verification,
        outcome: Outcome::Skipped,
        from: SafeUrl::new(job.url()).to_string(),
        timings: Timings::default(),
    };
    let expected = if let (false, Checksum::Expect(digest)) = (by_size, &checksum) {
        digest.clone()
    } else {
        let Some(probe) = probe_any(downloader, job, &checksum, deadline).await? else { return Ok(None) };
        if probe.length.is_some_and(|length| length != there) {
            return Ok(None);
        }
        if by_size {
            return Ok(probe.length.map(|_| skipped(Verification::NotAvailable)));
        }
        match digest_header::choose(&checksum, &probe.digests) {
            Some(digest) => digest,
            None => return Ok(None),
        }
    };
    let algorithm = expected.algorithm();
    let actual = tokio::task::spawn_blocking(move || digest_of_file(algorithm, &file)).await;
    let actual = actual.unwrap_or_else(|error| Err(std::io::Error::other(error)));
    let actual = actual.map_err(|error| TransferError::local("read", target, error))?;
    Ok((actual == expected).then(|| skipped(Verification::Verified(expected))))
}

/// Asks the file's addresses until one answers. `None` where one does not let us ask: a token or a server that allows
/// `GET` need not allow `HEAD`.
async fn probe_any(
    downloader: &Downloader,
    job: &Download,
    checksum: &Checksum,
    deadline: Option<Deadline>,
) -> Result<Option<Probe>, TransferError> {
    let mut first = None;
    let mut is_refused = false;
    for url in &job.sources {
        match Box::pin(downloader.probe_with_retries(url, checksum, deadline)).await {
            Ok(probe) => return Ok(Some(probe)),
            Err(failure) if failure.kind() == FailureKind::Interrupted => return Err(failure),
            Err(failure) => {
                is_refused |= matches!(failure.kind(), FailureKind::Refused | FailureKind::Rejected);
                first.get_or_insert(failure);
            }
        }
    }
    match first {
        Some(failure) if !is_refused => Err(failure),
        _ => Ok(None),
    }
}

/// Fails where something has the name already.
pub(super) fn refuse_existing(target: &Path) -> Result<(), TransferError> {
    if fs_err::symlink_metadata(target).is_err() {
        return Ok(());
    }
    Err(there_already(target))
}

/// The failure that a taken name is.
pub(super) fn there_already(target: &Path) -> TransferError {
    let message = format!("`{}` is there already", super::error::shown(target));
    TransferError::new(FailureKind::Local, Remedy::Nothing, message)
        .with_hint("name another file with `-o FILE`, or keep this one with `--skip-existing=size|checksum`")
}
