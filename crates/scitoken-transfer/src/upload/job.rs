//! What to upload, and its result.

use std::path::PathBuf;

use serde::Serialize;
use url::Url;

use crate::address::check_url;
use crate::digest::algorithm::DigestAlgorithm;
use crate::error::TransferError;
use crate::event::FileNumber;
use crate::overwrite::Overwrite;
use crate::verification::Verification;

/// A file to upload.
///
/// ```
/// use scitoken_transfer::{Overwrite, Upload};
///
/// let upload = Upload::new("run1.root", "https://data.example.org/run1.root".parse()?)?
///     .with_overwrite(Overwrite::Refuse);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Upload {
    pub(super) file: PathBuf,
    pub(super) url: Url,
    pub(super) algorithm: Option<DigestAlgorithm>,
    pub(super) existing: Overwrite,
    pub(super) number: FileNumber,
    /// What events call the file.
    pub(super) name: Option<PathBuf>,
}

/// An uploaded file. Serialized, it has `length` and `verified`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Uploaded {
    /// Its length.
    pub length: u64,
    /// How it was verified.
    #[serde(rename = "verified")]
    pub verification: Verification,
}

impl Uploaded {
    /// Describes an uploaded file, for the tests of code that takes one.
    pub fn new(length: u64, verification: Verification) -> Self {
        Self { length, verification }
    }
}

impl Upload {
    /// Creates an upload of a file to a URL, verified by adler32 where the server offers it.
    ///
    /// # Errors
    /// [`FailureKind::Usage`](crate::FailureKind::Usage) as for a [`Download`](crate::Download).
    pub fn new(file: impl Into<PathBuf>, url: Url) -> Result<Self, TransferError> {
        check_url(&url)?;
        let (file, algorithm) = (file.into(), Some(DigestAlgorithm::Adler32));
        let (existing, number) = (Overwrite::default(), FileNumber(0));
        Ok(Self { file, url, algorithm, existing, number, name: None })
    }

    /// Returns the same upload to another URL.
    pub(crate) fn at(&self, url: Url) -> Self {
        Self { url, ..self.clone() }
    }

    /// Returns the number by which events name this file.
    pub(crate) fn number(&self) -> FileNumber {
        self.number
    }

    /// Sets the number by which events name this file.
    pub fn with_number(mut self, number: FileNumber) -> Self {
        self.number = number;
        self
    }

    /// Sets what events call the file, where its own name says nothing: a copy of standard input, for instance.
    pub fn with_name(mut self, name: impl Into<PathBuf>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Sets the checksum to compute, to send and to compare with the server's; `None` for none.
    pub fn with_algorithm(mut self, algorithm: Option<DigestAlgorithm>) -> Self {
        self.algorithm = algorithm;
        self
    }

    /// Sets whether it may replace an existing file.
    pub fn with_overwrite(mut self, existing: Overwrite) -> Self {
        self.existing = existing;
        self
    }
}
