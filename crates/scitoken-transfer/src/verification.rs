//! How a file was verified.

use std::fmt;

use serde::{Serialize, Serializer};

use crate::digest::value::Digest;

/// How a file was verified.
///
/// Serialized it is the checksum as text, or `null`.
///
/// ```
/// use scitoken_transfer::Verification;
///
/// let verification = Verification::Verified("adler32:355f0612".parse()?);
/// assert_eq!(verification.to_string(), "verified by adler32:355f0612");
/// assert_eq!(serde_json::to_string(&verification)?, r#""adler32:355f0612""#);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verification {
    /// The content has this checksum, which is the expected one.
    Verified(Digest),
    /// No checksum was available to compare with. The length is right.
    NotAvailable,
    /// The server shows neither the length nor a checksum of what it stored: a token may permit writing and not reading.
    NotShown,
}

impl Verification {
    /// Returns the checksum that was compared.
    pub fn digest(&self) -> Option<&Digest> {
        match self {
            Self::Verified(digest) => Some(digest),
            Self::NotAvailable | Self::NotShown => None,
        }
    }
}

impl fmt::Display for Verification {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Verified(digest) => write!(f, "verified by {digest}"),
            Self::NotAvailable => f.write_str("no checksum to compare with"),
            Self::NotShown => f.write_str("the server does not show what it stored"),
        }
    }
}

impl Serialize for Verification {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.digest().map(ToString::to_string).serialize(serializer)
    }
}
