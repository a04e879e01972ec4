//! Uploads that are checked at the other end.

use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use http::header::{EXPECT, IF_NONE_MATCH};
use http::{HeaderMap, HeaderValue, StatusCode};
use reqwest::{Body, Response};
use tokio::time::{Instant, sleep};
use url::Url;

use super::body::FileBody;
use super::downloader::Downloader;
use super::error::{FailureKind, Remedy, TransferError, shown};
use super::hasher::digest_of_file;
use super::job::{Verification, check_url};
use super::request::{classify, head_of, with_server_text};
use super::stop::Deadline;
use super::{Checksum, Digest, DigestAlgorithm, head};
use crate::{RequestBuilderExt as _, SafeUrl};

/// Uploads at least this long ask before they send (`Expect: 100-continue`), as curl does.
const WORTH_ASKING: u64 = 1024 * 1024;

/// A file to upload.
#[derive(Clone, Debug)]
pub struct Upload {
    file: PathBuf,
    url: Url,
    algorithm: Option<DigestAlgorithm>,
    existing: Overwrite,
}

/// Whether an upload may replace what is there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Overwrite {
    /// It may.
    #[default]
    Allow,
    /// It may not. The server is asked first, and told by `If-None-Match: *`, which XRootD ignores.
    Refuse,
}

/// A file that is at its server.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Uploaded {
    /// Its length.
    pub length: u64,
    /// How it was verified.
    pub verification: Verification,
}

impl Upload {
    /// An upload of a file to a URL, verified by adler32 where the server has it.
    ///
    /// # Errors
    /// [`FailureKind::Usage`] as for a [`Download`](super::Download).
    pub fn new(file: impl Into<PathBuf>, url: Url) -> Result<Self, TransferError> {
        check_url(&url)?;
        let (file, algorithm) = (file.into(), Some(DigestAlgorithm::Adler32));
        Ok(Self { file, url, algorithm, existing: Overwrite::default() })
    }

    /// Which checksum to compute, to send along and to compare with the server's; `None` for none.
    pub fn with_algorithm(mut self, algorithm: Option<DigestAlgorithm>) -> Self {
        self.algorithm = algorithm;
        self
    }

    /// Whether it may replace what is there.
    pub fn with_overwrite(mut self, existing: Overwrite) -> Self {
        self.existing = existing;
        self
    }
}

impl Downloader {
    /// Uploads a file, and asks the server afterwards whether it has it right.
    ///
    /// # Errors
    /// The file cannot be read, the server refused, or what the server has is not what was sent.
    pub async fn upload(&self, upload: &Upload) -> Result<Uploaded, TransferError> {
        let deadline = self.deadline();
        let (file, length) = open(&upload.file)?;
        let digest = match upload.algorithm {
            Some(algorithm) => Some(self.digest(upload, algorithm, &file).await?),
            None => None,
        };
        if upload.existing == Overwrite::Refuse {
            self.refuse_existing(upload, deadline).await?;
        }
        let attempt = || self.put_once(upload, &file, length, digest.as_ref(), deadline);
        Box::pin(self.with_retries(attempt, deadline)).await?;
        self.check_upload(upload, length, digest, deadline).await
    }

    async fn digest(
        &self,
        upload: &Upload,
        algorithm: DigestAlgorithm,
        file: &Arc<File>,
    ) -> Result<Digest, TransferError> {
        let file = Arc::clone(file);
        let digest = tokio::task::spawn_blocking(move || digest_of_file(algorithm, &file)).await;
        let digest = digest.unwrap_or_else(|error| Err(std::io::Error::other(error)));
        digest.map_err(|error| TransferError::local("read", &upload.file, error))
    }

    async fn refuse_existing(
        &self,
        upload: &Upload,
        deadline: Option<Deadline>,
    ) -> Result<(), TransferError> {
        match Box::pin(self.probe_with_retries(&upload.url, &Checksum::None, deadline)).await {
            Ok(_) => Err(exists(upload)),
            Err(failure) if failure.kind() == FailureKind::NotFound => Ok(()),
            // A token that may write need not be one that may look. The server decides.
            Err(failure) if failure.kind() == FailureKind::Refused => Ok(()),
            Err(failure) => Err(failure),
        }
    }

    async fn put_once(
        &self,
        upload: &Upload,
        file: &Arc<File>,
        length: u64,
        digest: Option<&Digest>,
        deadline: Option<Deadline>,
    ) -> Result<(), TransferError> {
        let mut headers = HeaderMap::new();
        if let Some(digest) = digest {
            let value = match digest.algorithm() {
                // RFC 3230 writes these in hex, the others in base64.
                DigestAlgorithm::Adler32 | DigestAlgorithm::Crc32 | DigestAlgorithm::Crc32c => {
                    digest.to_hex()
                }
                _ => digest.to_base64(),
            };
            let value = HeaderValue::try_from(format!("{}={value}", digest.algorithm()));
            headers.insert("digest", value.expect("a digest is plain ASCII"));
        }
        if upload.existing == Overwrite::Refuse {
            headers.insert(IF_NONE_MATCH, HeaderValue::from_static("*"));
        }
        if length >= WORTH_ASKING {
            headers.insert(EXPECT, HeaderValue::from_static("100-continue"));
        }
        let sent = Arc::new(AtomicU64::new(0));
        let (body_file, counter) = (Arc::clone(file), Arc::clone(&sent));
        let make = move || Body::wrap(FileBody::new(Arc::clone(&body_file), length, WORTH_ASKING, &counter));
        let request = self.client().put(upload.url.clone()).headers(headers).replayable_body(make);
        let response = tokio::select! {
            answer = request.send() => answer.map_err(|error| classify(&upload.url, error))?,
            failure = self.stalled_upload(&upload.url, &sent) => return Err(failure),
            failure = self.stopper().ended(deadline) => return Err(failure),
        };
        self.put_answer(upload, response).await
    }

    async fn put_answer(&self, upload: &Upload, response: Response) -> Result<(), TransferError> {
        match response.status() {
            status if status.is_success() => Ok(()),
            StatusCode::PRECONDITION_FAILED if upload.existing == Overwrite::Refuse => Err(exists(upload)),
            _ => {
                let failure = head::refused(&head_of(&response, &upload.url), self.now());
                Err(with_server_text(failure, response).await)
            }
        }
    }

    /// Resolves when nothing was sent for as long as a transfer may stand still.
    async fn stalled_upload(&self, url: &Url, sent: &AtomicU64) -> TransferError {
        let (stall, begun) = (self.limits().stall.max(self.limits().first_byte), Instant::now());
        let mut before = 0;
        loop {
            sleep(stall).await;
            let now = sent.load(Ordering::Relaxed);
            if now == before {
                let message = format!(
                    "`{}` took no more than {now} bytes in {} s",
                    SafeUrl::new(url),
                    begun.elapsed().as_secs()
                );
                return TransferError::new(FailureKind::Timeout, Remedy::Again, message);
            }
            before = now;
        }
    }

    /// Asks the server what it has now. XRootD 5.5 stores an empty file when it misses the length's capitals, and
    /// says `200`.
    async fn check_upload(
        &self,
        upload: &Upload,
        length: u64,
        digest: Option<Digest>,
        deadline: Option<Deadline>,
    ) -> Result<Uploaded, TransferError> {
        let checksum = match &digest {
            Some(digest) => Checksum::RequireAlgorithm(digest.algorithm()),
            None => Checksum::None,
        };
        let probe = match Box::pin(self.probe_with_retries(&upload.url, &checksum, deadline)).await {
            Ok(probe) => probe,
            // A token that may write need not be one that may look.
            Err(failure) if matches!(failure.kind(), FailureKind::Refused | FailureKind::Rejected) => {
                return Ok(Uploaded { length, verification: Verification::NotAvailable });
            }
            Err(failure) => return Err(failure),
        };
        let there = |what: String| {
            let message = format!("`{}` has {what} after the upload", SafeUrl::new(&upload.url));
            TransferError::new(FailureKind::Mismatch, Remedy::Again, message)
        };
        if let Some(stored) = probe.length.filter(|stored| *stored != length) {
            return Err(there(format!("{stored} bytes, not the {length} of `{}`,", shown(&upload.file))));
        }
        let stored = digest.and_then(|digest| {
            let same = probe.digests.into_iter().find(|stored| stored.algorithm() == digest.algorithm());
            same.map(|stored| (stored, digest))
        });
        match stored {
            Some((stored, digest)) if stored != digest => Err(there(format!("{stored}, not {digest},"))),
            Some((stored, _)) => Ok(Uploaded { length, verification: Verification::Verified(stored) }),
            None => Ok(Uploaded { length, verification: Verification::NotAvailable }),
        }
    }
}

fn open(path: &std::path::Path) -> Result<(Arc<File>, u64), TransferError> {
    let local = |error| TransferError::local("read", path, error);
    let file = File::open(path).map_err(local)?;
    let metadata = file.metadata().map_err(local)?;
    if !metadata.is_file() {
        return Err(local(std::io::Error::other("it is no ordinary file")));
    }
    Ok((Arc::new(file), metadata.len()))
}

fn exists(upload: &Upload) -> TransferError {
    let message = format!("`{}` is there already", SafeUrl::new(&upload.url));
    TransferError::new(FailureKind::Rejected, Remedy::Nothing, message)
        .with_hint("leave out `--no-clobber` to replace it")
}
