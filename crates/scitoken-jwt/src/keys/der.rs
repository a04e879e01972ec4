//! The part of DER (X.690) that tells the kinds of keys apart and finds their parts.
//!
//! The cryptographic library parses and checks the keys themselves.

use super::{KeyError, KeyKind};

pub(super) const INTEGER: u8 = 0x02;
pub(super) const BIT_STRING: u8 = 0x03;
pub(super) const OCTET_STRING: u8 = 0x04;
pub(super) const OBJECT_IDENTIFIER: u8 = 0x06;
pub(super) const SEQUENCE: u8 = 0x30;
/// `[0]`: the version of a certificate, or the curve of a SEC 1 key.
pub(super) const CONTEXT_0: u8 = 0xa0;

const RSA_ENCRYPTION: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];
const EC_PUBLIC_KEY: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
const ED25519: &[u8] = &[0x2b, 0x65, 0x70];
/// The ways to encrypt a private key: PKCS#5 (RFC 8018 appendix A) and PKCS#12 (RFC 7292 appendix C).
const ENCRYPTIONS: [&[u8]; 2] = [
    &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x05],
    &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x0c, 0x01],
];
const CURVES: [(&[u8], KeyKind); 4] = [
    (&[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07], KeyKind::P256),
    (&[0x2b, 0x81, 0x04, 0x00, 0x22], KeyKind::P384),
    (&[0x2b, 0x81, 0x04, 0x00, 0x23], KeyKind::P521),
    (&[0x2b, 0x81, 0x04, 0x00, 0x0a], KeyKind::Secp256k1),
];

/// A sequence of DER values, read one after the other.
#[derive(Clone, Copy)]
pub(super) struct Der<'a>(&'a [u8]);

impl<'a> Der<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// Returns the content of the only value in these bytes.
    pub(super) fn whole(bytes: &'a [u8], tag: u8) -> Option<Self> {
        let mut outer = Self(bytes);
        let content = outer.take(tag)?;
        outer.0.is_empty().then_some(Self(content))
    }

    /// Returns the tag of the next value.
    pub(super) fn peek(&self) -> Option<u8> {
        self.0.first().copied()
    }

    /// Returns the content of the next value, if it has this tag.
    pub(super) fn take(&mut self, tag: u8) -> Option<&'a [u8]> {
        let (&found, rest) = self.0.split_first()?;
        let (&first, mut rest) = rest.split_first()?;
        if found != tag {
            return None;
        }
        let length = if first < 0x80 {
            usize::from(first)
        } else {
            let digits = usize::from(first & 0x7f);
            if !(1..=4).contains(&digits) || rest.len() < digits {
                return None;
            }
            let (length, after) = rest.split_at(digits);
            rest = after;
            length.iter().fold(0, |sum, &digit| sum << 8 | usize::from(digit))
        };
        let (content, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some(content)
    }

    /// Returns the values inside the next one.
    pub(super) fn enter(&mut self, tag: u8) -> Option<Self> {
        self.take(tag).map(Self)
    }

    /// Returns a non-negative integer without leading zeros.
    pub(super) fn unsigned(&mut self) -> Option<&'a [u8]> {
        let bytes = self.take(INTEGER)?;
        let zeros = bytes.iter().take_while(|&&byte| byte == 0).count();
        Some(&bytes[zeros..])
    }
}

/// Reads an `AlgorithmIdentifier` (RFC 5280 section 4.1.1.2) as a kind of key.
pub(super) fn algorithm_identifier(mut identifier: Der<'_>) -> Result<KeyKind, KeyError> {
    let oid = identifier.take(OBJECT_IDENTIFIER).ok_or(KeyError::NotDer)?;
    match oid {
        RSA_ENCRYPTION => Ok(KeyKind::Rsa),
        ED25519 => Ok(KeyKind::Ed25519),
        oid if ENCRYPTIONS.iter().any(|family| oid.starts_with(family)) => Err(KeyError::Encrypted),
        EC_PUBLIC_KEY => curve(identifier.take(OBJECT_IDENTIFIER).ok_or(KeyError::NotDer)?),
        other => Err(KeyError::unsupported_kind(&dotted(other))),
    }
}

/// Returns the kind of key on a named curve.
pub(super) fn curve(oid: &[u8]) -> Result<KeyKind, KeyError> {
    CURVES
        .iter()
        .find(|(known, _)| *known == oid)
        .map(|(_, kind)| *kind)
        .ok_or_else(|| KeyError::unsupported_kind(&dotted(oid)))
}

/// Returns the key inside a PKCS#8 document (RFC 5208 section 5): for RSA, its PKCS#1.
pub(crate) fn pkcs8_content(pkcs8: &[u8]) -> Option<&[u8]> {
    let mut outer = Der::whole(pkcs8, SEQUENCE)?;
    outer.take(INTEGER)?;
    outer.take(SEQUENCE)?;
    outer.take(OCTET_STRING)
}

/// Reads a `SubjectPublicKeyInfo`: the kind of key, and the content of its bit string.
pub(super) fn public_key_info(mut info: Der<'_>) -> Result<(KeyKind, &[u8]), KeyError> {
    let kind = algorithm_identifier(info.enter(SEQUENCE).ok_or(KeyError::NotDer)?)?;
    match (info.take(BIT_STRING), info.peek()) {
        (Some([0, key @ ..]), None) => Ok((kind, key)),
        _ => Err(KeyError::NotDer),
    }
}

/// Writes an object identifier with dots: `1.3.101.113`.
fn dotted(oid: &[u8]) -> String {
    let mut numbers: Vec<String> = Vec::new();
    let mut number: u64 = 0;
    for byte in oid {
        number = number << 7 | u64::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            if numbers.is_empty() {
                let first = (number / 40).min(2);
                numbers.push(first.to_string());
                number -= first * 40;
            }
            numbers.push(number.to_string());
            number = 0;
        }
    }
    numbers.join(".")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_beyond_the_end_are_refused() {
        assert!(Der::new(&[SEQUENCE, 5, 0]).enter(SEQUENCE).is_none());
        assert!(Der::new(&[SEQUENCE, 0x84, 0xff, 0xff, 0xff, 0xff]).enter(SEQUENCE).is_none());
        assert!(Der::new(&[SEQUENCE, 0x80]).enter(SEQUENCE).is_none());
        assert!(Der::whole(&[SEQUENCE, 0, 0], SEQUENCE).is_none());
    }

    #[test]
    fn an_unknown_algorithm_is_named_by_its_number() {
        let ed448 = [SEQUENCE, 5, OBJECT_IDENTIFIER, 3, 0x2b, 0x65, 0x71];
        let mut der = Der::new(&ed448);
        assert_eq!(
            algorithm_identifier(der.enter(SEQUENCE).unwrap()),
            Err(KeyError::UnsupportedKind { name: "1.3.101.113".to_owned() })
        );
    }
}
