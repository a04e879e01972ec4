//! HMAC secrets, and input that only looks like one.

use std::sync::OnceLock;

use aws_lc_rs::hmac;
use secrecy::{ExposeSecret, SecretSlice};
use serde_json::Value;

use super::{Algorithm, KeyError, Weakness, der, encoding};

/// An HMAC secret, with its three prepared keys.
pub(super) struct Secret {
    bytes: SecretSlice<u8>,
    prepared: [OnceLock<hmac::Key>; 3],
}

/// The first words of OpenSSH's public keys.
const SSH: [&[u8]; 6] = [
    b"ssh-ed25519",
    b"ssh-rsa",
    b"ssh-dss",
    b"ecdsa-sha2-nistp256",
    b"ecdsa-sha2-nistp384",
    b"ecdsa-sha2-nistp521",
];

impl Secret {
    /// Takes a known secret, such as the `k` of a JWK.
    pub(super) fn known(bytes: Vec<u8>) -> Result<Self, KeyError> {
        if bytes.is_empty() {
            return Err(KeyError::EmptySecret);
        }
        Ok(Self { bytes: SecretSlice::from(bytes), prepared: Default::default() })
    }

    /// Takes a secret that a user gave, unless it is a key.
    ///
    /// A public key is not secret: if it were used as the secret of `HS256`, anyone could sign.
    pub(super) fn checked(bytes: &[u8]) -> Result<Self, KeyError> {
        const AS_KEY: &str = "read it as a key, and use an algorithm of its kind";
        let not = |what, hint| Err(KeyError::NotSecret { what, hint });
        if encoding::looks_like_pem(bytes) {
            return not("a PEM key or certificate", AS_KEY);
        }
        if SSH.iter().any(|start| bytes.starts_with(start)) {
            return not("an OpenSSH public key", AS_KEY);
        }
        if is_der_key(bytes) {
            return not("a DER key or certificate", AS_KEY);
        }
        if is_jwk(bytes) {
            return not("a JWK", "read it as a JWK");
        }
        Self::known(bytes.to_vec())
    }

    pub(super) fn expose(&self) -> &[u8] {
        self.bytes.expose_secret()
    }

    /// Returns the prepared key for an HS algorithm.
    pub(super) fn key(&self, algorithm: Algorithm) -> Option<&hmac::Key> {
        let (place, hash) = match algorithm {
            Algorithm::Hs256 => (0, hmac::HMAC_SHA256),
            Algorithm::Hs384 => (1, hmac::HMAC_SHA384),
            Algorithm::Hs512 => (2, hmac::HMAC_SHA512),
            _ => return None,
        };
        Some(self.prepared[place].get_or_init(|| hmac::Key::new(hash, self.expose())))
    }

    pub(super) fn weakness(&self, algorithm: Algorithm) -> Option<Weakness> {
        let wanted = self.key(algorithm)?.algorithm().tag_len();
        let bytes = self.expose().len();
        (bytes < wanted).then_some(Weakness::ShortSecret { algorithm, bytes, wanted })
    }
}

fn is_der_key(bytes: &[u8]) -> bool {
    bytes.first() == Some(&der::SEQUENCE) && encoding::public_from_der(bytes).is_ok()
}

/// Returns whether the bytes are JSON with a `kty` at any depth: a JWK, a JWK set, or one within another document.
fn is_jwk(bytes: &[u8]) -> bool {
    fn has_kty(value: &Value) -> bool {
        match value {
            Value::Object(members) => members.contains_key("kty") || members.values().any(has_kty),
            Value::Array(items) => items.iter().any(has_kty),
            _ => false,
        }
    }
    let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes).trim_ascii_start();
    if !matches!(text.first(), Some(b'{' | b'[')) {
        return false;
    }
    match serde_json::from_slice::<Value>(text) {
        Ok(value) => has_kty(&value),
        // Too deep or out of range for this parser, but another one may read it.
        Err(_) => encoding::contains(text, b"\"kty\""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(bytes: &[u8]) -> bool {
        matches!(Secret::checked(bytes), Err(KeyError::NotSecret { .. }))
    }

    #[test]
    fn the_text_of_a_key_is_no_secret() {
        assert!(refused(b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"));
        assert!(refused(b"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI me@home"));
        assert!(refused(br#" {"kty":"oct","k":"AAAA"}"#));
        assert!(refused(br#"{"keys":[{"kty":"RSA"}]}"#));
        let deep = format!("{}{{\"kty\":1}}{}", "[".repeat(5_000), "]".repeat(5_000));
        assert!(refused(deep.as_bytes()));
    }

    #[test]
    fn ordinary_secrets_are_taken_whatever_they_look_like() {
        for bytes in [&b"{\"a\":1}"[..], b"{", b"0", b"-----BEGIN", b"ssh-", b"\xff\x00", b" "] {
            assert!(Secret::checked(bytes).is_ok(), "{bytes:?}");
        }
        assert_eq!(Secret::checked(b"").err(), Some(KeyError::EmptySecret));
    }

    #[test]
    fn a_secret_should_be_as_long_as_its_hash() {
        let secret = Secret::checked(&[7; 31]).unwrap();
        assert_eq!(
            secret.weakness(Algorithm::Hs256),
            Some(Weakness::ShortSecret { algorithm: Algorithm::Hs256, bytes: 31, wanted: 32 })
        );
        let secret = Secret::checked(&[7; 32]).unwrap();
        assert_eq!(secret.weakness(Algorithm::Hs256), None);
        assert!(secret.weakness(Algorithm::Hs384).is_some());
    }
}
