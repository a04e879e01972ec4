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
        let key = match key.family() {
            AlgorithmFamily::Hmac => return Ok(Self::from_secret(bytes)?),
            family => (family, raw_kind(family, bytes)),
        };
        match key {
            (_, Some(kind)) => Ok(Self::from_public_bytes(kind, bytes)?),
            (family, None) => {
                let key = Self::from_der(bytes)?;
                check_family(family, key.kind())?;
                Ok(key)
            }
        }
    }
}

/// Returns the kind of a key that is a point or, for Ed25519, 32 bytes, and not in a document that names it.
fn raw_kind(family: AlgorithmFamily, bytes: &[u8]) -> Option<KeyKind> {
    match (family, bytes.first()?, bytes.len()) {
        (AlgorithmFamily::Ec, 4, 65) | (AlgorithmFamily::Ec, 2 | 3, 33) => Some(KeyKind::P256),
        (AlgorithmFamily::Ec, 4, 97) | (AlgorithmFamily::Ec, 2 | 3, 49) => Some(KeyKind::P384),
        (AlgorithmFamily::Ec, 4, 133) | (AlgorithmFamily::Ec, 2 | 3, 67) => Some(KeyKind::P521),
        (AlgorithmFamily::Ed, _, 32) => Some(KeyKind::Ed25519),
        _ => None,
    }
}

/// `jsonwebtoken` keeps for which algorithms a key was made, and refuses it for others.
fn check_family(family: AlgorithmFamily, kind: KeyKind) -> Result<(), BridgeError> {
    let own = match kind {
        KeyKind::Secret => AlgorithmFamily::Hmac,
        KeyKind::Rsa => AlgorithmFamily::Rsa,
        KeyKind::P256 | KeyKind::P384 | KeyKind::P521 | KeyKind::Secp256k1 => AlgorithmFamily::Ec,
        KeyKind::Ed25519 => AlgorithmFamily::Ed,
    };
    if own == family { Ok(()) } else { Err(BridgeError::OtherFamily { family: format!("{family:?}"), kind }) }
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
            family => {
                let key = Self::from_der(key.as_bytes())?;
                check_family(family, key.kind())?;
                key
            }
        })
    }
}

/// Returns the PKCS#1 inside a PKCS#8, which is what `jsonwebtoken` keeps of an RSA key.
fn rsa_pkcs1(pkcs8: &[u8]) -> Option<&[u8]> {
    crate::keys::pkcs8_content(pkcs8)
}
