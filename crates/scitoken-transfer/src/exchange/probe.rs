//! Describes a file without fetching it.

use http::Method;
use http::header::{ACCEPT_RANGES, ETAG, LAST_MODIFIED};
use tokio::time::Instant;
use url::Url;

use crate::cancel::Deadline;
use crate::digest::checksum::Checksum;
use crate::digest::header;
use crate::digest::value::Digest;
use crate::downloader::Downloader;
use crate::error::{FailureKind, RetryAction, TransferError};
use crate::exchange::content_coding::are_of_file;
use crate::exchange::framing::BodyLength;
use crate::exchange::page_answer::{check_description, is_login_page, last_name};
use crate::exchange::request::require_success;
use crate::name::disposition;
use crate::name::file_name::UnsafeName;

/// What a server answers to `HEAD` about a file.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Probe {
    /// The length in bytes. XRootD gives 4096 for a directory.
    pub length: Option<u64>,
    /// The entity tag, with its quotes.
    pub etag: Option<String>,
    /// When it was modified, as the server writes it.
    pub last_modified: Option<String>,
    /// The digests that the server offers.
    pub digests: Vec<Digest>,
    /// The name that the server gives the file (`Content-Disposition`), sanitized; an error where that is impossible.
    pub file_name: Option<Result<String, UnsafeName>>,
    /// The server's `Accept-Ranges`. Its absence means nothing: XRootD 5.5 supports ranges without it.
    pub accepts_ranges: Option<String>,
    /// Whether it describes a web page, although the file has no name of one and the server knows no version of it: a login
    /// page.
    pub(crate) is_page: bool,
}

impl Downloader {
    /// Describes a file by `HEAD`, and asks for a digest unless the checksum is [`Checksum::None`].
    ///
    /// ```no_run
    /// use scitoken_transfer::Checksum;
    ///
    /// # async fn example(downloader: scitoken_transfer::Downloader) -> Result<(), Box<dyn std::error::Error>> {
    /// let probe = downloader.probe(&"https://h/f".parse()?, &Checksum::Auto).await?;
    /// println!("{:?} bytes, {} checksums", probe.length, probe.digests.len());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// The server refused, or could not be reached.
    pub async fn probe(&self, url: &Url, checksum: &Checksum) -> Result<Probe, TransferError> {
        crate::address::check_url(url)?;
        Box::pin(self.probe_with_retries(url, checksum, self.deadline())).await
    }

    /// Returns when an operation that begins now must have ended.
    pub(crate) fn deadline(&self) -> Option<Deadline> {
        self.limits().max_time.and_then(|allowed| Deadline::after(Instant::now(), allowed))
    }

    /// Asks the server for a file's checksum, without fetching the file.
    ///
    /// ```no_run
    /// # async fn example(downloader: scitoken_transfer::Downloader) -> Result<(), Box<dyn std::error::Error>> {
    /// let digest = downloader.checksum(&"https://h/f".parse()?, &"adler32".parse()?).await?;
    /// println!("{digest}");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// The server refused, or offers no checksum, or none of the algorithm that is
    /// [required](Checksum::RequireAlgorithm).
    pub async fn checksum(&self, url: &Url, checksum: &Checksum) -> Result<Digest, TransferError> {
        let probe = self.probe(url, checksum).await?;
        if let Some(digest) = header::choose(checksum, &probe.digests) {
            return Ok(digest);
        }
        let shown = scitoken_types::SafeUrl::new(url);
        let unverified = |message| TransferError::new(FailureKind::Unverified, RetryAction::GiveUp, message);
        Err(match (checksum, probe.digests.first()) {
            (Checksum::RequireAlgorithm(algorithm), Some(other)) => {
                unverified(format!("`{shown}` offers no {algorithm} checksum, but {other}"))
            }
            (Checksum::RequireAlgorithm(algorithm), None) => {
                unverified(format!("`{shown}` offers no {algorithm} checksum"))
            }
            _ => unverified(format!("`{shown}` offers no checksum")),
        })
    }

    pub(crate) async fn probe_once(
        &self,
        url: &Url,
        checksum: &Checksum,
        deadline: Option<Deadline>,
    ) -> Result<Probe, TransferError> {
        let answer = self.send_with_digest_question(Method::HEAD, url, checksum, deadline).await?;
        let response = require_success(answer.response, url, self.now()).await?;
        check_description(url, &response)?;
        let headers = response.headers();
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        Ok(Probe {
            // A length of coded bytes is not that of the file.
            length: BodyLength::of(response.version(), headers)
                .bytes
                .filter(|_| are_of_file(last_name(url), headers)),
            etag: text(ETAG),
            last_modified: text(LAST_MODIFIED),
            digests: if answer.for_digest { header::read(headers) } else { Vec::new() },
            file_name: disposition::suggested_name(headers),
            accepts_ranges: text(ACCEPT_RANGES),
            is_page: is_login_page(url, headers),
        })
    }

    pub(crate) async fn probe_with_retries(
        &self,
        url: &Url,
        checksum: &Checksum,
        deadline: Option<Deadline>,
    ) -> Result<Probe, TransferError> {
        self.with_retries(url, None, || self.probe_once(url, checksum, deadline), deadline).await
    }
}
