//! What to download, and how.

use std::path::{Path, PathBuf};

use tokio::time::Instant;
use url::Url;

use crate::address::check_url;
use crate::digest::checksum::Checksum;
use crate::download::naming::Naming;
use crate::download::root::DownloadRoot;
use crate::download::target::Target;
use crate::error::TransferError;
use crate::event::FileNumber;
use crate::object_name::url::FederationUrl;

/// A file to download: its URLs, its target, and what its content must be.
///
/// ```
/// use scitoken_transfer::{Checksum, Download};
///
/// let download = Download::new("https://h/run1.root".parse()?, "run1.root")?
///     .with_mirror("https://mirror/run1.root".parse()?)?
///     .with_checksum("adler32:355f0612".parse()?);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Download {
    pub(crate) number: FileNumber,
    pub(crate) sources: Vec<Url>,
    pub(crate) target: Option<Target>,
    /// How the target is chosen when the answer arrives.
    pub(crate) naming: Option<Naming>,
    pub(crate) checksum: Checksum,
    pub(crate) length: Option<u64>,
    pub(crate) existing: IfExists,
    pub(crate) resume: Resume,
    pub(crate) pages: WebPages,
    /// Whether the URLs are servers of one federation, of which the last knows what is missing.
    pub(crate) is_federated: bool,
    /// The name of the object in a federation, of which the URLs are servers.
    pub(crate) object: Option<Url>,
    /// How many of the first URLs are of origins, which know what exists.
    pub(crate) origins: usize,
    /// When the operation began that this download is a part of, if not with it.
    pub(crate) begun: Option<Instant>,
}

/// What to do when the target already exists.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum IfExists {
    /// Replaces it atomically once the new file is verified.
    #[default]
    Replace,
    /// Fails before anything is fetched.
    Refuse,
    /// Keeps it if it has the server's length; replaces it otherwise.
    SkipSameSize,
    /// Keeps it if it has the expected checksum or the server's; replaces it otherwise.
    SkipSameChecksum,
}

/// Whether to resume an unfinished file of an earlier run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Resume {
    /// Resumes where the content is proven to be the same.
    #[default]
    WhenSafe,
    /// Fetches everything again.
    Never,
}

/// Whether a web page, or a short error message of the server in JSON or XML, is accepted in place of data.
///
/// What the server has a digest of is data, unless its type is that of a web page.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum WebPages {
    /// Accepts one where the file's name has the suffix of a page: `.html`, `.htm`, `.xhtml`, `.xht`, `.shtml`,
    /// or for a message `.json` or `.xml`.
    #[default]
    ByName,
    /// Accepts any.
    Allowed,
}

impl Download {
    /// Creates a download of `url` to the file `target`.
    ///
    /// # Errors
    /// [`FailureKind::Usage`](crate::FailureKind::Usage) when the URL is not `http`, `https` or the [name](FederationUrl) of an object in a federation,
    /// or has user info. A name is downloaded by [`Federation`](crate::federation::Federation) only.
    pub fn new(url: Url, target: impl Into<PathBuf>) -> Result<Self, TransferError> {
        let download = Self::without_target(url)?;
        Ok(Self { target: Some(Target::Path(target.into())), ..download })
    }

    /// Creates a download of `url` to a file below a root, whose name comes from others. Its directories are created when
    /// the download begins.
    ///
    /// # Errors
    /// As [`new`](Self::new), and when the name leads out of the root or begins with a dot where the root existed.
    pub fn below(url: Url, root: &DownloadRoot, name: impl Into<PathBuf>) -> Result<Self, TransferError> {
        let download = Self::without_target(url)?;
        Ok(Self { target: Some(Target::below(root, name.into())?), ..download })
    }

    /// Creates a download without a target, for [`Downloader::download_to`](crate::Downloader::download_to).
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn without_target(url: Url) -> Result<Self, TransferError> {
        if FederationUrl::try_from(&url).is_err() {
            check_url(&url)?;
        }
        Ok(Self {
            number: FileNumber(0),
            sources: vec![url],
            target: None,
            naming: None,
            checksum: Checksum::default(),
            length: None,
            existing: IfExists::default(),
            resume: Resume::default(),
            pages: WebPages::default(),
            is_federated: false,
            object: None,
            origins: 0,
            begun: None,
        })
    }

    /// Creates a download whose server names the file: by the `Content-Disposition` of the answer that brings the data, else by
    /// the URL to which redirects led, else by `url`.
    ///
    /// `choose` gets the name, without a path, and returns the target. It may refuse, for example a name that another
    /// file of the run has. To replace no file, use [`IfExists::Refuse`].
    ///
    /// ```
    /// use scitoken_transfer::{Download, IfExists};
    ///
    /// let download = Download::named_by_server("https://h/get?id=7".parse()?, |name| Ok(name.into()))?
    ///     .with_if_exists(IfExists::Refuse);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn named_by_server(
        url: Url,
        choose: impl Fn(&str) -> Result<PathBuf, Box<dyn std::error::Error + Send + Sync>> + Send + Sync + 'static,
    ) -> Result<Self, TransferError> {
        let download = Self::without_target(url)?;
        Ok(Self { naming: Some(Naming::new(choose)), ..download })
    }

    /// Creates a download whose server names the file, as [`named_by_server`](Self::named_by_server), below a root: what
    /// `choose` returns is the name there.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn named_by_server_below(
        url: Url,
        root: &DownloadRoot,
        choose: impl Fn(&str) -> Result<PathBuf, Box<dyn std::error::Error + Send + Sync>> + Send + Sync + 'static,
    ) -> Result<Self, TransferError> {
        let download = Self::without_target(url)?;
        Ok(Self { naming: Some(Naming::new(choose).below(root.clone())), ..download })
    }

    /// Adds another URL of the same content. When one fails, the next resumes where it stopped, if a digest proves that
    /// both have the same content.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn with_mirror(mut self, url: Url) -> Result<Self, TransferError> {
        check_url(&url)?;
        self.sources.push(url);
        Ok(self)
    }

    /// Sets the checksum that the content must have.
    pub fn with_checksum(mut self, checksum: Checksum) -> Self {
        self.checksum = checksum;
        self
    }

    /// Sets the length that the content must have, in bytes.
    pub fn with_length(mut self, length: u64) -> Self {
        self.length = Some(length);
        self
    }

    /// Sets what to do when the target already exists.
    pub fn with_if_exists(mut self, existing: IfExists) -> Self {
        self.existing = existing;
        self
    }

    /// Sets whether to resume an unfinished file.
    pub fn with_resume(mut self, resume: Resume) -> Self {
        self.resume = resume;
        self
    }

    /// Sets whether a web page is accepted.
    pub fn with_web_pages(mut self, pages: WebPages) -> Self {
        self.pages = pages;
        self
    }

    /// Sets the number that this file's events carry.
    pub fn with_number(mut self, number: FileNumber) -> Self {
        self.number = number;
        self
    }

    /// Returns the first URL.
    pub fn url(&self) -> &Url {
        &self.sources[0]
    }

    /// Returns the target file; `None` for a stream.
    pub fn target(&self) -> Option<&Path> {
        self.target.as_ref().map(Target::path)
    }

    /// Returns the number that this file's events carry.
    pub fn number(&self) -> FileNumber {
        self.number
    }
}
