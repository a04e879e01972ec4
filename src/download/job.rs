//! What is to be downloaded, and what came of it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use url::Url;

use super::error::{FailureKind, Remedy, TransferError};
use super::{Checksum, Digest, FileNumber, WebPages};
use crate::{Origin, SafeUrl};

/// One file to download: where it is, where it goes, and what must be true of it.
///
/// ```
/// use reqwest_scitokens::download::{Checksum, Download};
///
/// let download = Download::new("https://h/run1.root".parse()?, "run1.root")?
///     .with_mirror("https://mirror/run1.root".parse()?)?
///     .with_checksum("adler32:355f0612".parse()?);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Download {
    pub(super) number: FileNumber,
    pub(super) sources: Vec<Url>,
    pub(super) target: Option<PathBuf>,
    pub(super) checksum: Checksum,
    pub(super) length: Option<u64>,
    pub(super) existing: Existing,
    pub(super) resume: Resume,
    pub(super) pages: WebPages,
}

/// What happens to a file that has the target's name already.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Existing {
    /// It is replaced, in one step, once the new one is right.
    #[default]
    Replace,
    /// It is an error, before anything is fetched.
    Refuse,
    /// It is kept if it has the length that the server says; else it is replaced.
    SkipSameSize,
    /// It is kept if it has the checksum that is expected or that the server says; else it is replaced.
    SkipSameChecksum,
}

/// Whether an unfinished file of an earlier run is gone on with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Resume {
    /// Where it is certain to be of the same content.
    #[default]
    WhenSafe,
    /// Never.
    Never,
}

impl Download {
    /// A download of `url` to the file `target`.
    ///
    /// # Errors
    /// [`FailureKind::Usage`] when the URL is not `http` or `https`, or has user info.
    pub fn new(url: Url, target: impl Into<PathBuf>) -> Result<Self, TransferError> {
        let download = Self::without_target(url)?;
        Ok(Self { target: Some(target.into()), ..download })
    }

    /// A download of `url` to no file, for [`Downloader::download_to`](super::Downloader::download_to).
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn without_target(url: Url) -> Result<Self, TransferError> {
        check_url(&url)?;
        Ok(Self {
            number: FileNumber(0),
            sources: vec![url],
            target: None,
            checksum: Checksum::default(),
            length: None,
            existing: Existing::default(),
            resume: Resume::default(),
            pages: WebPages::default(),
        })
    }

    /// Adds another address of the same content. When one fails, the next goes on where it stopped, if a digest
    /// shows that their contents are the same.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn with_mirror(mut self, url: Url) -> Result<Self, TransferError> {
        check_url(&url)?;
        self.sources.push(url);
        Ok(self)
    }

    /// What must be true of the content.
    pub fn with_checksum(mut self, checksum: Checksum) -> Self {
        self.checksum = checksum;
        self
    }

    /// How long the content must be.
    pub fn with_length(mut self, length: u64) -> Self {
        self.length = Some(length);
        self
    }

    /// What happens to a file that is there already.
    pub fn with_existing(mut self, existing: Existing) -> Self {
        self.existing = existing;
        self
    }

    /// Whether an unfinished file is gone on with.
    pub fn with_resume(mut self, resume: Resume) -> Self {
        self.resume = resume;
        self
    }

    /// Whether a web page may come in place of data.
    pub fn with_web_pages(mut self, pages: WebPages) -> Self {
        self.pages = pages;
        self
    }

    /// The number that this file's events have.
    pub fn with_number(mut self, number: FileNumber) -> Self {
        self.number = number;
        self
    }

    /// The first address.
    pub fn url(&self) -> &Url {
        &self.sources[0]
    }

    /// The file that it will become, if it will.
    pub fn target(&self) -> Option<&Path> {
        self.target.as_deref()
    }

    /// The number that this file's events have.
    pub fn number(&self) -> FileNumber {
        self.number
    }
}

/// Only what has an origin can be fetched. User info would end up in logs and would beat the token.
pub(super) fn check_url(url: &Url) -> Result<(), TransferError> {
    let refuse = |what: &str, hint: &str| {
        let message = format!("`{}` {what}", SafeUrl::new(url));
        Err(TransferError::new(FailureKind::Usage, Remedy::Nothing, message).with_hint(hint))
    };
    if Origin::try_from(url).is_err() {
        return refuse(
            "is no `http` or `https` address",
            "`davs://` is `https://`, and `root://` needs `xrdcp`",
        );
    }
    if !url.username().is_empty() || url.password().is_some() {
        return refuse("has a user name or password in it", "remove them; a token is found by itself");
    }
    Ok(())
}

/// How a file was verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verification {
    /// The content has this checksum, and should.
    Verified(Digest),
    /// Nobody said what the checksum should be. The length is right.
    NotAvailable,
}

/// A file that is there and right.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Downloaded {
    /// The file; `None` for a stream.
    pub path: Option<PathBuf>,
    /// Its length.
    pub length: u64,
    /// How it was verified.
    pub verification: Verification,
    /// Whether it was fetched now or was there before.
    pub outcome: Outcome,
    /// Where the data came from in the end, fit to be shown.
    pub from: String,
    /// Where the time went.
    pub timings: Timings,
}

/// Whether a file was fetched or was there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// All of it was fetched.
    Fetched,
    /// The first so many bytes were there from an earlier run.
    Resumed(u64),
    /// It was there and is right.
    Skipped,
}

/// Where the time of a transfer went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Timings {
    /// From begin to end.
    pub total: Duration,
    /// Waiting for answers to begin: name, connection, TLS, redirects, the server.
    pub answering: Duration,
    /// Waiting between attempts.
    pub pausing: Duration,
    /// Writing to the disk.
    pub writing: Duration,
    /// Finishing the checksum after the last byte.
    pub verifying: Duration,
    /// Failed attempts.
    pub failures: u32,
    /// Bytes that came over the network.
    pub fetched: u64,
}
