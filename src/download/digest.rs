//! Checksums as values: their names, their spellings, and how two of them are compared.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};

use crate::redact;

/// A checksum algorithm that science storage speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum DigestAlgorithm {
    /// Adler-32, the default of WLCG storage.
    Adler32,
    /// CRC-32 as in zip and gzip (ISO-HDLC). What XRootD calls `crc32` is another one, that of POSIX `cksum`;
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
    /// All of them, weakest first.
    pub const ALL: [Self; 7] =
        [Self::Adler32, Self::Crc32, Self::Crc32c, Self::Md5, Self::Sha1, Self::Sha256, Self::Sha512];

    /// The name that people and RFC 3230 headers use.
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

    /// How many bytes its values have.
    pub fn length(self) -> usize {
        match self {
            Self::Adler32 | Self::Crc32 | Self::Crc32c => 4,
            Self::Md5 => 16,
            Self::Sha1 => 20,
            Self::Sha256 => 32,
            Self::Sha512 => 64,
        }
    }

    /// Whether it is computed as fast as memory is read, so that nobody has to make room for it.
    pub(crate) fn is_cheap(self) -> bool {
        matches!(self, Self::Adler32 | Self::Crc32 | Self::Crc32c)
    }
}

impl fmt::Display for DigestAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A text that names no checksum, or none that is known.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidDigest {
    /// The algorithm is not one of ours.
    #[error("`{0}` is no known checksum algorithm (adler32, crc32, crc32c, md5, sha, sha-256, sha-512)")]
    UnknownAlgorithm(String),
    /// The value has the wrong length or characters.
    #[error("`{value}` is no {algorithm} value ({} hex digits, or base64)", algorithm.length() * 2)]
    Value {
        /// The algorithm that it should be a value of.
        algorithm: DigestAlgorithm,
        /// The text, fit to be shown.
        value: String,
    },
    /// There is no colon between algorithm and value.
    #[error("a checksum is written `ALGORITHM:VALUE`")]
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

/// The checksum of some data: an algorithm and the value that it gave.
///
/// ```
/// use reqwest_scitokens::download::Digest;
///
/// // StoRM drops leading zeros; XRootD before 5.8.1 writes crc32c in base64.
/// assert_eq!("adler32:9600001".parse::<Digest>()?, "adler32:09600001".parse()?);
/// assert_eq!("crc32c:OiCTpw==".parse::<Digest>()?, "crc32c:3a2093a7".parse()?);
/// # Ok::<(), reqwest_scitokens::download::InvalidDigest>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Digest {
    algorithm: DigestAlgorithm,
    value: Box<[u8]>,
}

impl Digest {
    /// A value that was computed; `None` when its length is not the algorithm's.
    pub fn from_bytes(algorithm: DigestAlgorithm, value: impl Into<Box<[u8]>>) -> Option<Self> {
        let value = value.into();
        (value.len() == algorithm.length()).then_some(Self { algorithm, value })
    }

    /// Reads a value as servers and people write it: hex in either case, with or without leading zeros where the
    /// value is a number, or base64 with or without padding.
    ///
    /// # Errors
    /// [`InvalidDigest::Value`] when it is none of these.
    pub fn parse_value(algorithm: DigestAlgorithm, text: &str) -> Result<Self, InvalidDigest> {
        let text = text.trim();
        let value = from_hex(algorithm, text).or_else(|| from_base64(algorithm, text));
        value
            .map(|value| Self { algorithm, value })
            .ok_or_else(|| InvalidDigest::Value { algorithm, value: redact::text(text) })
    }

    /// The algorithm.
    pub fn algorithm(&self) -> DigestAlgorithm {
        self.algorithm
    }

    /// The value's bytes, most significant first.
    pub fn as_bytes(&self) -> &[u8] {
        &self.value
    }

    /// The value in hex, all digits, lower case.
    pub fn to_hex(&self) -> String {
        use fmt::Write as _;
        let mut hex = String::with_capacity(self.value.len() * 2);
        for byte in &self.value {
            let _ = write!(hex, "{byte:02x}");
        }
        hex
    }

    /// The value in base64 with padding.
    pub fn to_base64(&self) -> String {
        STANDARD.encode(&self.value)
    }
}

/// Hex first: eight digits of a four-byte value are valid base64 too, but base64 of four bytes ends in `==`, and
/// unpadded it has six characters, which servers don't send.
fn from_hex(algorithm: DigestAlgorithm, text: &str) -> Option<Box<[u8]>> {
    let wanted = algorithm.length() * 2;
    let text = text.strip_prefix("0x").unwrap_or(text);
    let complete =
        text.len() == wanted || (algorithm.length() == 4 && !text.is_empty() && text.len() < wanted);
    if !complete || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    let padded = format!("{text:0>wanted$}");
    (0..algorithm.length()).map(|n| u8::from_str_radix(&padded[2 * n..2 * n + 2], 16).ok()).collect()
}

fn from_base64(algorithm: DigestAlgorithm, text: &str) -> Option<Box<[u8]>> {
    let decoded = STANDARD.decode(text).or_else(|_| STANDARD_NO_PAD.decode(text)).ok()?;
    (decoded.len() == algorithm.length()).then(|| decoded.into_boxed_slice())
}

impl FromStr for Digest {
    type Err = InvalidDigest;

    /// Reads `ALGORITHM:VALUE`.
    fn from_str(text: &str) -> Result<Self, InvalidDigest> {
        let (algorithm, value) = text.split_once(':').ok_or(InvalidDigest::NoColon)?;
        Self::parse_value(algorithm.trim().parse()?, value)
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.algorithm, self.to_hex())
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// What is known and demanded about a file's checksum.
///
/// As a text: `none`, `auto`, `require`, an algorithm such as `sha-256`, or `ALGORITHM:VALUE`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Checksum {
    /// The server is not asked.
    None,
    /// The server is asked, and what it says must agree; a server that says nothing is fine.
    #[default]
    Auto,
    /// As [`Auto`](Self::Auto), but a server that says nothing is an error.
    Require,
    /// As [`Require`](Self::Require), with this algorithm and no other.
    RequireAlgorithm(DigestAlgorithm),
    /// The value is known beforehand. The server is asked too, and must not contradict.
    Expect(Digest),
}

impl Checksum {
    /// Whether a file that cannot be compared with anything is an error.
    pub(super) fn is_required(&self) -> bool {
        matches!(self, Self::Require | Self::RequireAlgorithm(_) | Self::Expect(_))
    }
}

impl FromStr for Checksum {
    type Err = InvalidDigest;

    fn from_str(text: &str) -> Result<Self, InvalidDigest> {
        match text {
            "none" => Ok(Self::None),
            "auto" => Ok(Self::Auto),
            "require" => Ok(Self::Require),
            _ if text.contains(':') => text.parse().map(Self::Expect),
            _ => text.parse().map(Self::RequireAlgorithm),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(text: &str) -> Digest {
        text.parse().unwrap()
    }

    #[test]
    fn every_spelling_seen_on_real_servers_is_one_value() {
        for (one, other) in [
            ("adler32:09600001", "adler32:9600001"),
            ("adler32:355f0612", "ADLER32:355F0612"),
            ("adler32:355f0612", "adler:NV8GEg=="),
            ("crc32c:OiCTpw==", "crc32c:3a2093a7"),
            ("crc32c:OiCTpw", "crc32c:0x3a2093a7"),
            ("md5:NZtUB3klfQNVfJTuZOYWuw==", "md5:359b540779257d03557c94ee64e616bb"),
            ("adler32:1", "adler32:00000001"),
        ] {
            assert_eq!(digest(one), digest(other), "{one}");
        }
    }

    #[test]
    fn another_algorithm_is_another_digest() {
        assert_ne!(digest("crc32:3a2093a7"), digest("crc32c:3a2093a7"));
    }

    #[test]
    fn values_of_the_wrong_length_are_refused() {
        for text in [
            "adler32:",
            "adler32:123456789",
            "adler32:xyz",
            "md5:3a2093a7",
            "crc32c:359b540779257d03557c94ee64e616bb",
            "sha-256:359b540779257d03557c94ee64e616bb",
            "md5:59b540779257d03557c94ee64e616bb",
            "adler32:+1234567",
            "sha-256",
            "whirlpool:00",
        ] {
            assert!(text.parse::<Digest>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_demand_is_read_from_its_text() {
        assert_eq!("auto".parse(), Ok(Checksum::Auto));
        assert_eq!("sha256".parse(), Ok(Checksum::RequireAlgorithm(DigestAlgorithm::Sha256)));
        assert_eq!("adler32:1".parse(), Ok(Checksum::Expect(digest("adler32:00000001"))));
        assert!("maybe".parse::<Checksum>().is_err());
    }

    #[test]
    fn display_has_all_digits() {
        assert_eq!(digest("adler32:1").to_string(), "adler32:00000001");
        assert_eq!(digest("adler32:355f0612").to_base64(), "NV8GEg==");
    }
}
