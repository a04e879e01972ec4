//! Checksum values and their spellings.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use serde::ser::{Serialize, SerializeStruct as _, Serializer};

use crate::digest::algorithm::{DigestAlgorithm, InvalidDigest};
use scitoken_types::redact;

/// A checksum: an algorithm and a value.
///
/// ```
/// use scitoken_transfer::Digest;
///
/// // StoRM drops leading zeros; XRootD before 5.8.1 writes crc32c in base64.
/// assert_eq!("adler32:9600001".parse::<Digest>()?, "adler32:09600001".parse()?);
/// assert_eq!("crc32c:OiCTpw==".parse::<Digest>()?, "crc32c:3a2093a7".parse()?);
/// # Ok::<(), scitoken_transfer::InvalidDigest>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Digest {
    algorithm: DigestAlgorithm,
    value: Box<[u8]>,
}

impl Digest {
    /// Creates a digest from a computed value; `None` when its length is not the algorithm's.
    pub fn from_bytes(algorithm: DigestAlgorithm, value: impl Into<Box<[u8]>>) -> Option<Self> {
        let value = value.into();
        (value.len() == algorithm.length()).then_some(Self { algorithm, value })
    }

    /// Parses a value as servers write it: hex in either case, with or without leading zeros where the
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

    /// Returns the algorithm.
    pub fn algorithm(&self) -> DigestAlgorithm {
        self.algorithm
    }

    /// Returns the value's bytes, most significant first.
    pub fn as_bytes(&self) -> &[u8] {
        &self.value
    }

    /// Returns the value in lower-case hex with all digits.
    pub fn to_hex(&self) -> String {
        use fmt::Write as _;
        let mut hex = String::with_capacity(self.value.len() * 2);
        for byte in &self.value {
            let _ = write!(hex, "{byte:02x}");
        }
        hex
    }

    /// Returns the value in base64 with padding.
    pub fn to_base64(&self) -> String {
        STANDARD.encode(&self.value)
    }
}

/// An object with the members `algorithm` and `value`, in hex.
impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_struct("Digest", 2)?;
        object.serialize_field("algorithm", self.algorithm.name())?;
        object.serialize_field("value", &self.to_hex())?;
        object.end()
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

    /// Parses `ALGORITHM:VALUE`.
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
    fn display_has_all_digits() {
        assert_eq!(digest("adler32:1").to_string(), "adler32:00000001");
        assert_eq!(digest("adler32:355f0612").to_base64(), "NV8GEg==");
    }
}
