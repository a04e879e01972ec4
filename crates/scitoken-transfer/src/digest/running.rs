//! A checksum that is computed while the data passes.

use crate::digest::algorithm::DigestAlgorithm;
use crate::digest::hasher::Hasher;
use crate::digest::value::Digest;

/// A checksum in progress, for data that arrives in pieces.
///
/// ```
/// use scitoken_transfer::{DigestAlgorithm, RunningDigest};
///
/// let mut running = RunningDigest::new(DigestAlgorithm::Adler32);
/// running.update(b"12345");
/// running.update(b"6789");
/// assert_eq!(running.finish().to_hex(), "091e01de");
/// ```
#[derive(Debug)]
pub struct RunningDigest(Hasher);

impl RunningDigest {
    /// Starts with no data.
    pub fn new(algorithm: DigestAlgorithm) -> Self {
        Self(Hasher::new(algorithm))
    }

    /// Adds the next piece.
    pub fn update(&mut self, data: &[u8]) {
        self.0.update(data);
    }

    /// Returns the checksum of all pieces.
    pub fn finish(self) -> Digest {
        self.0.finish()
    }
}
