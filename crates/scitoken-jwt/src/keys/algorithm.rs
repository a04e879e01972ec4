//! Signature algorithms by their JOSE names, and the kinds of key that they take.

use std::fmt;

/// A signature algorithm of JOSE (RFC 7518 section 3.1, RFC 8037, RFC 8812).
///
/// `none` is not among them: a token without a signature never verifies.
///
/// ```
/// use scitoken_jwt::keys::Algorithm;
///
/// let algorithm: Algorithm = "ES256".parse()?;
/// assert_eq!(algorithm, Algorithm::Es256);
/// assert_eq!(algorithm.to_string(), "ES256");
/// assert!("none".parse::<Algorithm>().is_err());
/// # Ok::<(), scitoken_jwt::keys::KeyError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Algorithm {
    /// HMAC with SHA-256.
    Hs256,
    /// HMAC with SHA-384.
    Hs384,
    /// HMAC with SHA-512.
    Hs512,
    /// RSA PKCS#1 v1.5 with SHA-256.
    Rs256,
    /// RSA PKCS#1 v1.5 with SHA-384.
    Rs384,
    /// RSA PKCS#1 v1.5 with SHA-512.
    Rs512,
    /// RSA PSS with SHA-256.
    Ps256,
    /// RSA PSS with SHA-384.
    Ps384,
    /// RSA PSS with SHA-512.
    Ps512,
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// ECDSA on P-384 with SHA-384.
    Es384,
    /// ECDSA on P-521 with SHA-512.
    Es512,
    /// ECDSA on secp256k1 with SHA-256 (RFC 8812).
    Es256K,
    /// Ed25519 (RFC 8037).
    EdDsa,
}

impl Algorithm {
    /// All algorithms, in the order of this list.
    pub const ALL: &'static [Self] = &[
        Self::Hs256,
        Self::Hs384,
        Self::Hs512,
        Self::Rs256,
        Self::Rs384,
        Self::Rs512,
        Self::Ps256,
        Self::Ps384,
        Self::Ps512,
        Self::Es256,
        Self::Es384,
        Self::Es512,
        Self::Es256K,
        Self::EdDsa,
    ];

    /// Returns the name in a token's `alg` header.
    pub fn name(self) -> &'static str {
        match self {
            Self::Hs256 => "HS256",
            Self::Hs384 => "HS384",
            Self::Hs512 => "HS512",
            Self::Rs256 => "RS256",
            Self::Rs384 => "RS384",
            Self::Rs512 => "RS512",
            Self::Ps256 => "PS256",
            Self::Ps384 => "PS384",
            Self::Ps512 => "PS512",
            Self::Es256 => "ES256",
            Self::Es384 => "ES384",
            Self::Es512 => "ES512",
            Self::Es256K => "ES256K",
            Self::EdDsa => "EdDSA",
        }
    }

    /// Returns the kind of key that the algorithm takes.
    pub fn key_kind(self) -> KeyKind {
        match self {
            Self::Hs256 | Self::Hs384 | Self::Hs512 => KeyKind::Secret,
            Self::Rs256 | Self::Rs384 | Self::Rs512 | Self::Ps256 | Self::Ps384 | Self::Ps512 => KeyKind::Rsa,
            Self::Es256 => KeyKind::P256,
            Self::Es384 => KeyKind::P384,
            Self::Es512 => KeyKind::P521,
            Self::Es256K => KeyKind::Secp256k1,
            Self::EdDsa => KeyKind::Ed25519,
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// The kind of a key.
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
    /// Returns the algorithms that take such a key, the most common one first.
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

    /// Returns the `kty` of its JWK.
    pub(super) fn kty(self) -> &'static str {
        match self {
            Self::Secret => "oct",
            Self::Rsa => "RSA",
            Self::P256 | Self::P384 | Self::P521 | Self::Secp256k1 => "EC",
            Self::Ed25519 => "OKP",
        }
    }

    /// Returns the `crv` of its JWK.
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

    /// Returns the length of a coordinate on the elliptic curve, in bytes (RFC 7518 section 6.2.1.2).
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
