//! Keys in both directions.

use ::jsonwebtoken::{AlgorithmFamily, DecodingKey, DecodingKeyKind, EncodingKey};

use super::error::BridgeError;
use crate::keys::{KeyKind, PrivateNumbers, PublicNumbers, SigningKey, VerifyingKey};

impl TryFrom<&VerifyingKey> for DecodingKey {
    type Error = BridgeError;

    fn try_from(key: &VerifyingKey) -> Result<Self, BridgeError> {
        match key.numbers() {
            PublicNumbers::Secret(secret) => Ok(Self::from_secret(secret)),
            PublicNumbers::Rsa { n, e } => Ok(Self::from_rsa_raw_components(n, e)),
            PublicNumbers::Point(KeyKind::P256 | KeyKind::P384, point) => Ok(Self::from_ec_der(point)),
            PublicNumbers::Point(KeyKind::Ed25519, bytes) => Ok(Self::from_ed_der(bytes)),
            PublicNumbers::Point(kind, _) => Err(BridgeError::not_in_jsonwebtoken(kind.to_string())),
        }
    }
}

impl TryFrom<&DecodingKey> for VerifyingKey {
    type Error = BridgeError;

    fn try_from(key: &DecodingKey) -> Result<Self, BridgeError> {
        let bytes = match key.kind() {
            DecodingKeyKind::RsaModulusExponent { n, e } => return Ok(Self::from_rsa_numbers(n, e)?),
            DecodingKeyKind::SecretOrDer(bytes) => bytes.as_slice(),
        };
        Ok(match (key.family(), bytes.len()) {
            (AlgorithmFamily::Hmac, _) => Self::from_secret(bytes)?,
            (AlgorithmFamily::Ec, 65) => Self::from_public_bytes(KeyKind::P256, bytes)?,
            (AlgorithmFamily::Ec, 97) => Self::from_public_bytes(KeyKind::P384, bytes)?,
            (AlgorithmFamily::Ed, 32) => Self::from_public_bytes(KeyKind::Ed25519, bytes)?,
            (AlgorithmFamily::Rsa | AlgorithmFamily::Ec | AlgorithmFamily::Ed, _) => Self::from_der(bytes)?,
        })
    }
}

impl TryFrom<&SigningKey> for EncodingKey {
    type Error = BridgeError;

    fn try_from(key: &SigningKey) -> Result<Self, BridgeError> {
        let kind = key.kind();
        match kind {
            KeyKind::Secret => {
                let PublicNumbers::Secret(secret) = key.verifying_key_ref().numbers() else {
                    return Err(BridgeError::not_in_jsonwebtoken(kind.to_string()));
                };
                Ok(Self::from_secret(secret))
            }
            KeyKind::P521 | KeyKind::Secp256k1 => Err(BridgeError::not_in_jsonwebtoken(kind.to_string())),
            KeyKind::P256 | KeyKind::P384 => Ok(Self::from_ec_der(&key.pkcs8()?)),
            KeyKind::Ed25519 => Ok(Self::from_ed_der(&key.pkcs8()?)),
            KeyKind::Rsa => key
                .expose_numbers(|private| match private {
                    PrivateNumbers::RsaPkcs8(pkcs8) => rsa_pkcs1(pkcs8).map(Self::from_rsa_der),
                    PrivateNumbers::Secret | PrivateNumbers::Scalar(_) => None,
                })?
                .ok_or_else(|| BridgeError::not_in_jsonwebtoken(kind.to_string())),
        }
    }
}

impl TryFrom<&EncodingKey> for SigningKey {
    type Error = BridgeError;

    fn try_from(key: &EncodingKey) -> Result<Self, BridgeError> {
        Ok(match key.family() {
            AlgorithmFamily::Hmac => Self::from_secret(key.as_bytes())?,
            AlgorithmFamily::Rsa | AlgorithmFamily::Ec | AlgorithmFamily::Ed => {
                Self::from_der(key.as_bytes())?
            }
        })
    }
}

/// Returns the PKCS#1 inside a PKCS#8, which is what `jsonwebtoken` keeps of an RSA key.
fn rsa_pkcs1(pkcs8: &[u8]) -> Option<&[u8]> {
    crate::keys::pkcs8_content(pkcs8)
}
