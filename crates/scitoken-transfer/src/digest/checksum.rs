//! What a caller demands of a file's checksum.

use std::str::FromStr;

use crate::digest::algorithm::{DigestAlgorithm, InvalidDigest};
use crate::digest::value::Digest;

/// The checksum that a file must have, or how to obtain it.
///
/// Written as `none`, `auto`, `require`, an algorithm such as `sha-256`, or `ALGORITHM:VALUE`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Checksum {
    /// Does not ask the server.
    None,
    /// Asks the server and compares; a server that offers no checksum is accepted.
    #[default]
    Auto,
    /// As [`Auto`](Self::Auto), but a server that offers no checksum is an error.
    Require,
    /// As [`Require`](Self::Require), with this algorithm and no other.
    RequireAlgorithm(DigestAlgorithm),
    /// The value is known beforehand. The server is asked as well and must not contradict it.
    Expect(Digest),
}

impl Checksum {
    /// Returns whether a file without a checksum to compare with is an error.
    pub(crate) fn is_required(&self) -> bool {
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
            // As aria2 writes it.
            _ if text.contains('=') => text.replacen('=', ":", 1).parse().map(Self::Expect),
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
    fn a_demand_is_read_from_its_text() {
        assert_eq!("auto".parse(), Ok(Checksum::Auto));
        assert_eq!("sha256".parse(), Ok(Checksum::RequireAlgorithm(DigestAlgorithm::Sha256)));
        assert_eq!("adler32=1".parse(), "adler32:1".parse::<Checksum>());
        assert_eq!("adler32:1".parse(), Ok(Checksum::Expect(digest("adler32:00000001"))));
        assert!("maybe".parse::<Checksum>().is_err());
    }
}
