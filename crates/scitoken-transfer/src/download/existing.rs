//! Target files that already exist.

use std::fs::File;
use std::sync::Arc;

use crate::cancel::Deadline;
use crate::digest::checksum::Checksum;
use crate::digest::hasher::digest_of_file;
use crate::digest::header;
use crate::disk::mark;
use crate::download::downloaded::{DownloadOutcome, Downloaded};
use crate::download::job::{Download, IfExists};
use crate::downloader::Downloader;
use crate::error::{FailureKind, TransferError};
use crate::exchange::probe::Probe;
use crate::local_target::LocalTarget;
use crate::overwrite::Overwrite;
use crate::timings::Timings;
use crate::verification::Verification;
use scitoken_types::SafeUrl;

/// Checks whether a target that exists need not be fetched.
///
/// # Errors
/// It must not be replaced.
pub(crate) async fn check_existing(
    downloader: &Downloader,
    job: &Download,
    target: &LocalTarget,
    deadline: Option<Deadline>,
) -> Result<Option<Downloaded>, TransferError> {
    if (job.existing, target.foreign) == (IfExists::Replace, Overwrite::Allow) {
        return Ok(None);
    }
    if job.existing == IfExists::Refuse {
        return Err(target.already_exists());
    }
    let file = target.directory.open_file(&target.name);
    let is_foreign = target.foreign == Overwrite::Refuse && !file.as_ref().is_ok_and(mark::is_finished);
    let same = match file {
        Ok(file) if is_foreign || job.existing != IfExists::Replace => {
            compare(downloader, job, target, file, deadline).await?
        }
        _ => None,
    };
    if same.is_none() && is_foreign {
        return Err(target.is_foreign());
    }
    Ok(same)
}

/// Compares an existing file with the expected checksum or the server's length or checksum.
async fn compare(
    downloader: &Downloader,
    job: &Download,
    target: &LocalTarget,
    file: File,
    deadline: Option<Deadline>,
) -> Result<Option<Downloaded>, TransferError> {
    let (by_size, checksum) = match (job.existing, &job.checksum) {
        (IfExists::SkipSameSize, _) => (true, Checksum::None),
        (_, Checksum::None) => (false, Checksum::Auto),
        (_, checksum) => (false, checksum.clone()),
    };
    let there =
        file.metadata().map_err(|error| TransferError::local("inspect", &target.path(), error))?.len();
    let skipped = |verification| Downloaded {
        path: Some(target.path()),
        length: there,
        verification,
        outcome: DownloadOutcome::Skipped,
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
        match header::choose(&checksum, &probe.digests) {
            Some(digest) => digest,
            None => return Ok(None),
        }
    };
    let algorithm = expected.algorithm();
    let actual = tokio::select! {
        actual = digest_of_file(algorithm, Arc::new(file)) => actual,
        failure = downloader.cancellation_token().ended(deadline) => return Err(failure),
    };
    let actual = actual.map_err(|error| TransferError::local("read", &target.path(), error))?;
    Ok((actual == expected).then(|| skipped(Verification::Verified(expected))))
}

/// Probes the file's URLs until one answers. `None` where one refuses: a token or a server that allows `GET` need not
/// allow `HEAD`.
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
