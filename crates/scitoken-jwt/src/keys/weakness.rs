//! Keys that are shorter than their algorithm asks for.

use super::Algorithm;

/// Why a key is weaker than its algorithm asks for.
///
/// Such a key still verifies and signs unless the caller refuses it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Weakness {
    /// A secret shorter than the hash it is used with (RFC 7518 section 3.2).
    #[error(
        "the HMAC secret has {bytes} bytes; {algorithm} requires at least {wanted} (RFC 7518 section 3.2)"
    )]
    ShortSecret {
        /// The algorithm.
        algorithm: Algorithm,
        /// The length of the secret.
        bytes: usize,
        /// The required length.
        wanted: usize,
    },
    /// An RSA key of fewer than 2048 bits (NIST SP 800-131A).
    #[error("the RSA key has {bits} bits; at least 2048 are required (NIST SP 800-131A)")]
    ShortRsa {
        /// The size of the modulus.
        bits: usize,
    },
}
