//! The result of a download.

use std::fmt;
use std::path::PathBuf;

use serde::Serialize;

use crate::timings::Timings;
use crate::verification::Verification;

/// A downloaded and verified file.
///
/// ```
/// use scitoken_transfer::{DownloadOutcome, Downloaded};
///
/// // For the tests of code that takes one.
/// let mut file = Downloaded::new("run1.root", 16);
/// file.outcome = DownloadOutcome::Resumed(5);
/// assert_eq!(file.outcome.to_string(), "resumed after 5 bytes");
/// let json = serde_json::to_value(&file)?;
/// assert_eq!((&json["outcome"], &json["kept"]), (&"resumed".into(), &5.into()));
/// # Ok::<(), serde_json::Error>(())
/// ```
///
/// Serialized, it is one flat object: `path`, `length`, `verified`, `outcome`, `kept` bytes of an earlier run, `from`, and
/// the [`Timings`] in seconds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Downloaded {
    /// The file's path; `None` for a stream.
    #[serde(serialize_with = "crate::event::path")]
    pub path: Option<PathBuf>,
    /// Its length in bytes.
    pub length: u64,
    /// How it was verified.
    #[serde(rename = "verified")]
    pub verification: Verification,
    /// Whether it was fetched, resumed or skipped.
    #[serde(flatten)]
    pub outcome: DownloadOutcome,
    /// The URL that the data came from, without credentials.
    pub from: String,
    /// Where the time went.
    #[serde(flatten)]
    pub timings: Timings,
}

impl Downloaded {
    /// Describes a fetched file that was compared with no checksum.
    pub fn new(path: impl Into<PathBuf>, length: u64) -> Self {
        Self {
            path: Some(path.into()),
            length,
            verification: Verification::NotAvailable,
            outcome: DownloadOutcome::Fetched,
            from: String::new(),
            timings: Timings::default(),
        }
    }
}

/// How much of a file was fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "outcome", content = "kept", rename_all = "snake_case")]
#[non_exhaustive]
pub enum DownloadOutcome {
    /// The whole file was fetched.
    Fetched,
    /// This many bytes were kept from an earlier run.
    Resumed(u64),
    /// The target existed and was kept.
    Skipped,
}

impl fmt::Display for DownloadOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fetched => f.write_str("fetched"),
            Self::Resumed(bytes) => write!(f, "resumed after {bytes} bytes"),
            Self::Skipped => f.write_str("skipped"),
        }
    }
}
