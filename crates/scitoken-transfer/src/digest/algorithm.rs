//! Checksum algorithms and their names.

use std::fmt;
use std::str::FromStr;

use scitoken_types::redact;

/// A checksum algorithm that science storage uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum DigestAlgorithm {
    /// Adler-32, the default of WLCG storage.
    Adler32,
    /// CRC-32 as in zip and gzip (ISO-HDLC). XRootD's `crc32` is a different one, that of POSIX `cksum`;
    /// therefore a server's `crc32` is not used.
    Crc32,
    /// CRC-32C (Castagnoli), the default of Pelican and of object stores.
    Crc32c,
    /// MD5.
    Md5,
    /// SHA-1.
    Sha1,
    /// SHA-256.
    Sha256,
    /// SHA-512.
    Sha512,
}

impl DigestAlgorithm {
    /// All algorithms, weakest first.
    pub const ALL: [Self; 7] =
        [Self::Adler32, Self::Crc32, Self::Crc32c, Self::Md5, Self::Sha1, Self::Sha256, Self::Sha512];

    /// Returns the name as in RFC 3230 headers.
    pub fn name(self) -> &'static str {
        match self {
            Self::Adler32 => "adler32",
            Self::Crc32 => "crc32",
            Self::Crc32c => "crc32c",
            Self::Md5 => "md5",
            Self::Sha1 => "sha",
            Self::Sha256 => "sha-256",
            Self::Sha512 => "sha-512",
        }
    }

    /// Returns the length of a value in bytes.
    pub fn length(self) -> usize {
        match self {
            Self::Adler32 | Self::Crc32 | Self::Crc32c => 4,
            Self::Md5 => 16,
            Self::Sha1 => 20,
            Self::Sha256 => 32,
            Self::Sha512 => 64,
        }
    }

    /// Returns whether it is computed about as fast as memory is read, so that it needs no thread.
    pub(crate) fn is_cheap(self) -> bool {
        matches!(self, Self::Adler32 | Self::Crc32 | Self::Crc32c)
    }
}

impl fmt::Display for DigestAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A text that is not a checksum, or names an unknown algorithm.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidDigest {
    /// The algorithm is unknown.
    #[error("unknown checksum algorithm `{0}` (adler32, crc32, crc32c, md5, sha, sha-256, sha-512)")]
    UnknownAlgorithm(String),
    /// The value has the wrong length or characters.
    #[error("`{value}` is not a value of {algorithm} ({} hex digits, or base64)", algorithm.length() * 2)]
    Value {
        /// The algorithm.
        algorithm: DigestAlgorithm,
        /// The text, redacted.
        value: String,
    },
    /// The colon between algorithm and value is missing.
    #[error("expected a checksum as `ALGORITHM:VALUE`")]
    NoColon,
}

impl FromStr for DigestAlgorithm {
    type Err = InvalidDigest;

    fn from_str(name: &str) -> Result<Self, InvalidDigest> {
        match name.to_ascii_lowercase().as_str() {
            // `adler` is the name in XRootD's RFC 9530 answers.
            "adler32" | "adler" | "adler-32" => Ok(Self::Adler32),
            "crc32" | "crc-32" => Ok(Self::Crc32),
            "crc32c" | "crc-32c" => Ok(Self::Crc32c),
            "md5" | "md-5" => Ok(Self::Md5),
            "sha" | "sha1" | "sha-1" => Ok(Self::Sha1),
            "sha256" | "sha-256" => Ok(Self::Sha256),
            "sha512" | "sha-512" => Ok(Self::Sha512),
            _ => Err(InvalidDigest::UnknownAlgorithm(redact::text(name))),
        }
    }
}
