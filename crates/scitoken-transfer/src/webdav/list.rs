//! Describes and lists files and directories.

use http::StatusCode;
use url::Url;

use crate::address::check_url;
use crate::cancel::Deadline;
use crate::digest::checksum::Checksum;
use crate::downloader::Downloader;
use crate::error::TransferError;
use crate::hint::TransferHint;
use crate::webdav::entry::{EntryKind, RemoteEntry};
use crate::webdav::listing::{Described, Listing};
use crate::webdav::propfind::{Depth, is_no_webdav};

impl Downloader {
    /// Describes one file or directory, by `HEAD` where the server has no WebDAV.
    ///
    /// ```no_run
    /// # async fn example(downloader: scitoken_transfer::Downloader) -> Result<(), Box<dyn std::error::Error>> {
    /// let entry = downloader.stat(&"https://h/vo/f".parse()?).await?;
    /// println!("{} of {:?} bytes", entry.kind, entry.length);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// The server refused, or it does not exist.
    pub async fn stat(&self, url: &Url) -> Result<RemoteEntry, TransferError> {
        check_url(url)?;
        let deadline = self.deadline();
        match Box::pin(self.describe(url, deadline)).await {
            Err(failure) if is_no_webdav(&failure) => self.stat_by_head(url, deadline).await,
            described => described.map(|there| there.entry),
        }
    }

    /// Describes one file or directory by PROPFIND.
    pub(crate) async fn describe(
        &self,
        url: &Url,
        deadline: Option<Deadline>,
    ) -> Result<Described, TransferError> {
        let attempt = || async {
            let response = self.propfind(url, Depth::Zero, deadline).await?;
            Listing::new(self.clone(), url.clone(), deadline, response).itself().await
        };
        self.with_retries(url, None, attempt, deadline).await
    }

    async fn stat_by_head(
        &self,
        url: &Url,
        deadline: Option<Deadline>,
    ) -> Result<RemoteEntry, TransferError> {
        let probe = Box::pin(self.probe_with_retries(url, &Checksum::None, deadline)).await?;
        Ok(RemoteEntry {
            url: url.clone(),
            kind: if url.path().ends_with('/') { EntryKind::Directory } else { EntryKind::File },
            length: probe.length,
            last_modified: probe.last_modified,
            etag: probe.etag,
        })
    }

    /// Lists a directory, sorted by path; a file lists itself.
    ///
    /// ```no_run
    /// # async fn example(downloader: scitoken_transfer::Downloader) -> Result<(), Box<dyn std::error::Error>> {
    /// for entry in downloader.list(&"https://h/vo/".parse()?).await? {
    ///     println!("{}", entry.url);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// The server refused, the directory does not exist, the server has no WebDAV, or an entry failed; to get the other
    /// entries, use [`open_listing`](Self::open_listing).
    pub async fn list(&self, url: &Url) -> Result<Vec<RemoteEntry>, TransferError> {
        let deadline = self.deadline();
        check_url(url)?;
        let attempt = || async {
            let response = match self.propfind(url, Depth::One, deadline).await {
                Ok(response) => response,
                // XRootD fails to list what is not a directory.
                Err(failure) if failure.status() == Some(StatusCode::INTERNAL_SERVER_ERROR) => {
                    return self
                        .itself_if_file(url, deadline)
                        .await
                        .map_or(Err(failure), |file| Ok(vec![file]));
                }
                Err(failure) => return Err(explain(failure)),
            };
            let mut listing = Listing::new(self.clone(), url.clone(), deadline, response);
            let mut entries = Vec::new();
            while let Some(entry) = listing.next().await {
                entries.push(entry?);
            }
            Ok(entries)
        };
        let mut entries = Box::pin(self.with_retries(url, None, attempt, deadline)).await?;
        entries.sort_by(|one, other| one.url.path().cmp(other.url.path()));
        entries.dedup_by(|one, other| one.url == other.url);
        Ok(entries)
    }

    /// Describes a file; `None` for anything else.
    async fn itself_if_file(&self, url: &Url, deadline: Option<Deadline>) -> Option<RemoteEntry> {
        let response = self.propfind(url, Depth::Zero, deadline).await.ok()?;
        let entry = Listing::new(self.clone(), url.clone(), deadline, response).itself().await.ok()?;
        (entry.entry.kind == EntryKind::File).then_some(entry.entry)
    }

    /// Opens the listing of a directory, to be read one entry at a time.
    ///
    /// ```no_run
    /// # async fn example(downloader: scitoken_transfer::Downloader) -> Result<(), Box<dyn std::error::Error>> {
    /// let mut listing = downloader.open_listing(&"https://h/vo/".parse()?).await?;
    /// while let Some(entry) = listing.next().await {
    ///     println!("{}", entry?.url);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`list`](Self::list), for everything before the first entry.
    pub async fn open_listing(&self, url: &Url) -> Result<Listing, TransferError> {
        check_url(url)?;
        let deadline = self.deadline();
        let attempt = || async { self.propfind(url, Depth::One, deadline).await.map_err(explain) };
        let response = Box::pin(self.with_retries(url, None, attempt, deadline)).await?;
        Ok(Listing::new(self.clone(), url.clone(), deadline, response).resumed())
    }
}

fn explain(failure: TransferError) -> TransferError {
    if is_no_webdav(&failure) { failure.with_hint(TransferHint::NameEachFile) } else { failure }
}
