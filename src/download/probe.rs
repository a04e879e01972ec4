//! Asking about a file without fetching it.

use http::header::{ACCEPT_RANGES, ETAG, LAST_MODIFIED};
use http::{HeaderMap, Method, StatusCode};
use tokio::time::{Instant, sleep};
use url::Url;

use super::digest_header;
use super::disposition;
use super::downloader::Downloader;
use super::error::{FailureKind, Remedy, TransferError};
use super::head;
use super::request::succeed;
use super::retry::{self, Decision, Facts};
use super::stop::Deadline;
use super::{Checksum, Digest, UnsafeName};

/// What a server says about a file when asked with `HEAD`.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Probe {
    /// The length. XRootD says 4096 for a directory.
    pub length: Option<u64>,
    /// The entity tag, with its quotes.
    pub etag: Option<String>,
    /// When it was changed, as the server writes it.
    pub last_modified: Option<String>,
    /// The digests that the server gave when asked.
    pub digests: Vec<Digest>,
    /// The name that the server gives the file (`Content-Disposition`), made harmless; an error where it cannot be.
    pub file_name: Option<Result<String, UnsafeName>>,
    /// Whether the server says that it does ranges. Silence means nothing: XRootD 5.5 does them and is silent.
    pub accepts_ranges: Option<String>,
}

impl Downloader {
    /// Asks about a file with `HEAD`, and for a digest unless the checksum is [`Checksum::None`].
    ///
    /// # Errors
    /// The server refused, or could not be asked.
    pub async fn probe(&self, url: &Url, checksum: &Checksum) -> Result<Probe, TransferError> {
        super::job::check_url(url)?;
        Box::pin(self.probe_with_retries(url, checksum, self.deadline())).await
    }

    /// When something that begins now must be over.
    pub(super) fn deadline(&self) -> Option<Deadline> {
        self.limits().max_time.and_then(|allowed| Deadline::after(Instant::now(), allowed))
    }

    /// The checksum of a file, from its server, without fetching the file.
    ///
    /// # Errors
    /// The server refused, or gives no checksum, or none of the algorithm that is
    /// [required](Checksum::RequireAlgorithm).
    pub async fn checksum(&self, url: &Url, checksum: &Checksum) -> Result<Digest, TransferError> {
        let probe = self.probe(url, checksum).await?;
        if let Some(digest) = digest_header::choose(checksum, &probe.digests) {
            return Ok(digest);
        }
        let shown = crate::SafeUrl::new(url);
        let unverified = |message| TransferError::new(FailureKind::Unverified, Remedy::Nothing, message);
        Err(match (checksum, probe.digests.first()) {
            (Checksum::RequireAlgorithm(algorithm), Some(other)) => {
                unverified(format!("`{shown}` gives no {algorithm} checksum, but {other}"))
            }
            (Checksum::RequireAlgorithm(algorithm), None) => {
                unverified(format!("`{shown}` gives no {algorithm} checksum"))
            }
            _ => unverified(format!("`{shown}` gives no checksum")),
        })
    }

    pub(super) async fn probe_once(
        &self,
        url: &Url,
        checksum: &Checksum,
        deadline: Option<Deadline>,
    ) -> Result<Probe, TransferError> {
        let mut headers = HeaderMap::new();
        digest_header::ask(checksum, &mut headers);
        let asked_for_digest = !headers.is_empty();
        let mut response = self.send(Method::HEAD, url, headers, deadline).await?;
        if asked_for_digest && response.status() == StatusCode::INTERNAL_SERVER_ERROR {
            // XRootD 5.5 answers so where no checksum is configured, and cannot say why: `HEAD` has no body.
            response = self.send(Method::HEAD, url, HeaderMap::new(), deadline).await?;
        }
        let response = succeed(response, url, self.now()).await?;
        let headers = response.headers();
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        Ok(Probe {
            length: head::content_length(headers),
            etag: text(ETAG),
            last_modified: text(LAST_MODIFIED),
            digests: if *checksum == Checksum::None { Vec::new() } else { digest_header::read(headers) },
            file_name: disposition::suggested(headers),
            accepts_ranges: text(ACCEPT_RANGES),
        })
    }

    pub(super) async fn probe_with_retries(
        &self,
        url: &Url,
        checksum: &Checksum,
        deadline: Option<Deadline>,
    ) -> Result<Probe, TransferError> {
        self.with_retries(|| self.probe_once(url, checksum, deadline), deadline).await
    }

    /// Does something small and repeatable until it works or is refused for good.
    pub(super) async fn with_retries<T, F>(
        &self,
        mut attempt: impl FnMut() -> F,
        deadline: Option<Deadline>,
    ) -> Result<T, TransferError>
    where
        F: Future<Output = Result<T, TransferError>>,
    {
        let begun = Instant::now();
        let mut failures = 0;
        let mut refusals = 0;
        let mut refused_since = None;
        loop {
            let failure = match attempt().await {
                Ok(done) => return Ok(done),
                Err(failure) => failure,
            };
            if failure.kind() == FailureKind::Interrupted {
                return Err(failure);
            }
            failures += 1;
            if failure.remedy() == Remedy::OtherToken {
                refusals += 1;
                refused_since.get_or_insert_with(Instant::now);
            }
            let facts = Facts {
                remedy: failure.remedy(),
                failures,
                refusals,
                elapsed: begun.elapsed(),
                retry_after: failure.retry_after(),
                refused_for: refused_since.map(|since| since.elapsed()).unwrap_or_default(),
                token_worked: false,
                sources: 1,
                chance: fastrand::f64(),
            };
            match retry::decide(self.retry(), &facts) {
                Decision::Retry { after, .. } if after.is_zero() || self.budget().take() => tokio::select! {
                    () = sleep(after) => {}
                    ended = self.stopper().ended(deadline) => return Err(ended),
                },
                _ => return Err(failure),
            }
        }
    }
}
