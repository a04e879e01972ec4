//! What to copy, and how.

use std::fmt;

use http::{HeaderName, HeaderValue};
use serde::{Serialize, Serializer};
use url::Url;

use crate::address::check_url;
use crate::digest::checksum::Checksum;
use crate::error::{FailureKind, RetryAction, TransferError};
use crate::event::FileNumber;
use crate::overwrite::Overwrite;
use crate::resource_name::ResourceName;
use crate::verification::Verification;
use reqwest_scitokens::SharedTokenSource;
use scitoken_types::SafeUrl;

/// A file to copy from one server to another.
///
/// ```
/// use scitoken_transfer::copy::{CopyMode, RemoteCopy};
/// use scitoken_transfer::Overwrite;
///
/// let copy = RemoteCopy::new("https://a.example.org/f".parse()?, "https://b.example.org/f".parse()?)?
///     .with_mode(CopyMode::Pull)
///     .with_overwrite(Overwrite::Refuse);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct RemoteCopy {
    pub(crate) source: Url,
    pub(crate) destination: Url,
    pub(crate) mode: CopyMode,
    pub(crate) streaming: Streaming,
    pub(crate) overwrite: Overwrite,
    pub(crate) checksum: Checksum,
    pub(crate) transfer_headers: Vec<(HeaderName, HeaderValue)>,
    pub(crate) source_token: Option<SharedTokenSource>,
    pub(crate) destination_token: Option<SharedTokenSource>,
    pub(crate) number: FileNumber,
}

/// Which server moves the data.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum CopyMode {
    /// The destination fetches the file; if it cannot copy, the source sends it.
    #[default]
    Auto,
    /// The destination fetches the file, and gets the source's token for that.
    Pull,
    /// The source sends the file, and gets the destination's token for that.
    Push,
}

/// Whether a file may pass through this machine when neither server can copy it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Streaming {
    /// The copy fails.
    #[default]
    Never,
    /// The file is downloaded into a temporary file and uploaded from there.
    Allowed,
}

/// A copied file. Serialized, it has `length`, `verified` and `mode`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Copied {
    /// Its length.
    pub length: u64,
    /// How the destination's file was compared with the source's.
    #[serde(rename = "verified")]
    pub verification: Verification,
    /// How the data went.
    #[serde(rename = "mode")]
    pub route: CopyRoute,
}

impl Copied {
    /// Describes a copied file, for the tests of code that takes one.
    pub fn new(length: u64, verification: Verification, route: CopyRoute) -> Self {
        Self { length, verification, route }
    }
}

/// How the data of a copied file went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CopyRoute {
    /// The destination fetched it.
    Pulled,
    /// The source sent it.
    Pushed,
    /// Through this machine.
    Streamed,
    /// Not at all: the destination had the file already, which may be the source under another name.
    Unneeded,
}

impl CopyRoute {
    /// Returns `pull`, `push`, `stream` or `none`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pulled => "pull",
            Self::Pushed => "push",
            Self::Streamed => "stream",
            Self::Unneeded => "none",
        }
    }

    /// Returns the server that is asked for the copy, and the other one.
    pub(crate) fn servers(self, copy: &RemoteCopy) -> (&Url, &Url) {
        match self {
            Self::Pushed => (&copy.source, &copy.destination),
            Self::Pulled | Self::Streamed | Self::Unneeded => (&copy.destination, &copy.source),
        }
    }
}

impl Serialize for CopyRoute {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl fmt::Display for CopyRoute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl RemoteCopy {
    /// Creates a copy that replaces an existing file and compares the checksums that both servers offer.
    ///
    /// # Errors
    /// [`FailureKind::Usage`] when a URL is not `http` or `https`, has user info, or when both [name the same file](ResourceName).
    pub fn new(source: Url, destination: Url) -> Result<Self, TransferError> {
        check_url(&source)?;
        check_url(&destination)?;
        if ResourceName::of(&source) == ResourceName::of(&destination) {
            let message = format!("`{}` is both source and destination", SafeUrl::new(&source));
            return Err(TransferError::new(FailureKind::Usage, RetryAction::GiveUp, message));
        }
        Ok(Self {
            source,
            destination,
            mode: CopyMode::default(),
            streaming: Streaming::default(),
            overwrite: Overwrite::Allow,
            checksum: Checksum::default(),
            transfer_headers: Vec::new(),
            source_token: None,
            destination_token: None,
            number: FileNumber(0),
        })
    }

    /// Returns the URL of the source.
    pub fn source(&self) -> &Url {
        &self.source
    }

    /// Returns the URL of the destination.
    pub fn destination(&self) -> &Url {
        &self.destination
    }

    /// Sets which server moves the data.
    pub fn with_mode(mut self, mode: CopyMode) -> Self {
        self.mode = mode;
        self
    }

    /// Sets whether the file may pass through this machine.
    pub fn with_streaming(mut self, streaming: Streaming) -> Self {
        self.streaming = streaming;
        self
    }

    /// Sets whether it may replace an existing file.
    pub fn with_overwrite(mut self, overwrite: Overwrite) -> Self {
        self.overwrite = overwrite;
        self
    }

    /// Sets the checksum that both files must have.
    pub fn with_checksum(mut self, checksum: Checksum) -> Self {
        self.checksum = checksum;
        self
    }

    /// Adds a header that the active server sends to the other one (`TransferHeaderNAME`).
    pub fn with_transfer_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.transfer_headers.push((name, value));
        self
    }

    /// Sets the token for the source of this file, in place of the [`Copier`](crate::copy::Copier)'s.
    pub fn with_source_token(mut self, token: impl Into<SharedTokenSource>) -> Self {
        self.source_token = Some(token.into());
        self
    }

    /// Sets the token for the destination of this file, in place of the [`Copier`](crate::copy::Copier)'s.
    pub fn with_destination_token(mut self, token: impl Into<SharedTokenSource>) -> Self {
        self.destination_token = Some(token.into());
        self
    }

    /// Sets the number by which events name this file.
    pub fn with_number(mut self, number: FileNumber) -> Self {
        self.number = number;
        self
    }
}
