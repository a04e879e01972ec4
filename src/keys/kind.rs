//! Kinds of keys, and what each can do.

use std::fmt;

use super::Algorithm;

/// What sort of key something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum KeyKind {
    /// A shared secret for HMAC (`oct`).
    Secret,
    /// RSA.
    Rsa,
    /// The elliptic curve P-256 of NIST.
    P256,
    /// The elliptic curve P-384 of NIST.
    P384,
    /// The elliptic curve P-521 of NIST.
    P521,
    /// The elliptic curve secp256k1.
    Secp256k1,
    /// Ed25519.
    Ed25519,
}

impl KeyKind {
    /// The algorithms that take such a key, the usual one first.
    pub fn algorithms(self) -> &'static [Algorithm] {
        match self {
            Self::Secret => &[Algorithm::Hs256, Algorithm::Hs384, Algorithm::Hs512],
            Self::Rsa => &[
                Algorithm::Rs256,
                Algorithm::Rs384,
                Algorithm::Rs512,
                Algorithm::Ps256,
                Algorithm::Ps384,
                Algorithm::Ps512,
            ],
            Self::P256 => &[Algorithm::Es256],
            Self::P384 => &[Algorithm::Es384],
            Self::P521 => &[Algorithm::Es512],
            Self::Secp256k1 => &[Algorithm::Es256K],
            Self::Ed25519 => &[Algorithm::EdDsa],
        }
    }

    /// The `kty` of its JWK.
    pub(super) fn kty(self) -> &'static str {
        match self {
            Self::Secret => "oct",
            Self::Rsa => "RSA",
            Self::P256 | Self::P384 | Self::P521 | Self::Secp256k1 => "EC",
            Self::Ed25519 => "OKP",
        }
    }

    /// The `crv` of its JWK.
    pub(super) fn crv(self) -> Option<&'static str> {
        match self {
            Self::Secret | Self::Rsa => None,
            Self::P256 => Some("P-256"),
            Self::P384 => Some("P-384"),
            Self::P521 => Some("P-521"),
            Self::Secp256k1 => Some("secp256k1"),
            Self::Ed25519 => Some("Ed25519"),
        }
    }

    /// The length of a coordinate on an elliptic curve, in bytes (RFC 7518 section 6.2.1.2).
    pub(super) fn coordinate_length(self) -> Option<usize> {
        match self {
            Self::Secret | Self::Rsa => None,
            Self::P256 | Self::Secp256k1 | Self::Ed25519 => Some(32),
            Self::P384 => Some(48),
            Self::P521 => Some(66),
        }
    }
}

impl fmt::Display for KeyKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Secret => "shared secret",
            Self::Rsa => "RSA key",
            Self::P256 => "P-256 key",
            Self::P384 => "P-384 key",
            Self::P521 => "P-521 key",
            Self::Secp256k1 => "secp256k1 key",
            Self::Ed25519 => "Ed25519 key",
        })
    }
}

/// Why a key is weaker than its algorithm asks for.
///
/// It verifies and signs all the same; who minds, refuses it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Weakness {
    /// A secret shorter than the hash it is used with (RFC 7518 section 3.2).
    #[error(
        "the HMAC secret has {bytes} bytes, {algorithm} asks for {wanted} or more (RFC 7518 section 3.2)"
    )]
    ShortSecret {
        /// The algorithm.
        algorithm: Algorithm,
        /// How long the secret is.
        bytes: usize,
        /// How long it should be.
        wanted: usize,
    },
    /// An RSA key of fewer than 2048 bits (NIST SP 800-131A).
    #[error("the RSA key has {bits} bits, 2048 or more are asked for (NIST SP 800-131A)")]
    ShortRsa {
        /// The size of the modulus.
        bits: usize,
    },
}
