//! Keys in files: PEM (RFC 7468) and DER.

use super::der::{self, Der};
use super::{KeyError, KeyKind};

/// The key in a DER document.
pub(super) struct PublicDer<'a> {
    pub(super) kind: KeyKind,
    /// PKCS#1 of an RSA key, point on an elliptic curve, or the 32 bytes of Ed25519.
    pub(super) bytes: &'a [u8],
}

/// The wrapping of a private key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PrivateForm {
    /// PKCS#8 (RFC 5208, RFC 5958).
    Pkcs8,
    /// PKCS#1 (RFC 8017 appendix A.1.2).
    Pkcs1,
    /// SEC 1 (RFC 5915).
    Sec1,
}

/// Labels of public keys.
pub(super) const PUBLIC_LABELS: [&str; 3] = ["PUBLIC KEY", "RSA PUBLIC KEY", "CERTIFICATE"];
/// Labels of private keys.
pub(super) const PRIVATE_LABELS: [&str; 3] = ["PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY"];

/// One block of PEM.
pub(super) struct Block {
    pub(super) label: String,
    pub(super) der: Vec<u8>,
}

/// Returns the first block with one of these labels.
///
/// Other blocks before it are skipped: OpenSSL writes `EC PARAMETERS` before its keys.
pub(super) fn pem_block(text: &[u8], labels: &[&str], wanted: &'static str) -> Result<Block, KeyError> {
    let blocks =
        pem::parse_many(text).map_err(|error| KeyError::DamagedPem { problem: error.to_string() })?;
    let mut other = None;
    for block in blocks {
        match block.tag() {
            "ENCRYPTED PRIVATE KEY" => return Err(KeyError::Encrypted),
            "OPENSSH PRIVATE KEY" => return Err(KeyError::OpenSsh),
            label if labels.contains(&label) => {
                if block.headers().get("Proc-Type").is_some_and(|kind| kind.contains("ENCRYPTED")) {
                    return Err(KeyError::Encrypted);
                }
                let label = label.to_owned();
                return Ok(Block { label, der: block.into_contents() });
            }
            label => other = other.or(Some(scitoken_types::redact::text(label))),
        }
    }
    Err(other.map_or_else(|| no_pem(text), |label| KeyError::OtherPem { label, wanted }))
}

/// Names what stands in the place of PEM, if it can be told.
fn no_pem(text: &[u8]) -> KeyError {
    let is_list = text.trim_ascii_start().starts_with(b"[");
    match scitoken_types::non_json_kind(text) {
        Some("PEM") => KeyError::NotPem,
        Some(instead) => KeyError::NotKey { instead },
        None if is_list => KeyError::NotKey { instead: "a JSON list" },
        None => KeyError::NotPem,
    }
}

/// Returns whether the input has the first and last line of PEM.
pub(super) fn looks_like_pem(text: &[u8]) -> bool {
    const LABELS: [&str; 16] = [
        "CERTIFICATE",
        "TRUSTED CERTIFICATE",
        "PRIVATE KEY",
        "PUBLIC KEY",
        "ENCRYPTED PRIVATE KEY",
        "OPENSSH PRIVATE KEY",
        "DSA PRIVATE KEY",
        "RSA PRIVATE KEY",
        "RSA PUBLIC KEY",
        "EC PRIVATE KEY",
        "DH PARAMETERS",
        "NEW CERTIFICATE REQUEST",
        "CERTIFICATE REQUEST",
        "SSH2 PUBLIC KEY",
        "SSH2 ENCRYPTED PRIVATE KEY",
        "X509 CRL",
    ];
    let markers = |word: &str, label: &str| positions(text, format!("{word} {label}").as_bytes());
    contains(text, b"BEGIN ")
        && LABELS.iter().any(|label| {
            let begin = markers("BEGIN", label).next();
            begin.is_some_and(|begin| markers("END", label).any(|end| begin < end))
        })
}

/// Returns the positions of `words` between dashes. Some readers of PEM take a space for the inner dash, so it counts
/// as one.
fn positions<'a>(text: &'a [u8], words: &[u8]) -> impl Iterator<Item = usize> + use<'a> {
    let words = words.to_vec();
    let length = words.len();
    (0..text.len().saturating_sub(length)).filter(move |&start| {
        let (before, rest) = text.split_at(start);
        rest.strip_prefix(words.as_slice()).is_some_and(|after| {
            (before.ends_with(b"-----") || before.ends_with(b"---- "))
                && (after.starts_with(b"-----") || after.starts_with(b" ----"))
        })
    })
}

/// Returns whether `text` contains `word`.
pub(super) fn contains(text: &[u8], word: &[u8]) -> bool {
    text.windows(word.len()).any(|window| window == word)
}

/// Parses a public key: `SubjectPublicKeyInfo`, PKCS#1, or an X.509 certificate that holds it.
///
/// The signature of the certificate is not verified: the caller vouches for it.
pub(super) fn public_from_der(bytes: &[u8]) -> Result<PublicDer<'_>, KeyError> {
    let mut outer = Der::whole(bytes, der::SEQUENCE).ok_or(KeyError::NotDer)?;
    if outer.peek() == Some(der::INTEGER) {
        let mut numbers = outer;
        return match (numbers.unsigned(), numbers.unsigned(), numbers.peek()) {
            (Some(_), Some(_), None) => Ok(PublicDer { kind: KeyKind::Rsa, bytes }),
            _ => Err(KeyError::NotDer),
        };
    }
    let info = outer;
    let mut first = outer.enter(der::SEQUENCE).ok_or(KeyError::NotDer)?;
    let info = if first.peek() == Some(der::OBJECT_IDENTIFIER) {
        info
    } else {
        // RFC 5280 section 4.1: [0] version, serial number, signature, issuer, validity, subject, the key
        if first.peek() == Some(der::CONTEXT_0) {
            first.take(der::CONTEXT_0);
        }
        first.take(der::INTEGER).ok_or(KeyError::NotDer)?;
        for _ in 0..4 {
            first.take(der::SEQUENCE).ok_or(KeyError::NotDer)?;
        }
        first.enter(der::SEQUENCE).ok_or(KeyError::NotDer)?
    };
    let (kind, bytes) = der::public_key_info(info)?;
    Ok(PublicDer { kind, bytes })
}

/// Returns the wrapping and the kind of a private key.
pub(super) fn private_from_der(bytes: &[u8]) -> Result<(PrivateForm, KeyKind), KeyError> {
    let mut outer = Der::whole(bytes, der::SEQUENCE).ok_or(KeyError::NotDer)?;
    if outer.take(der::INTEGER).is_none() {
        // RFC 5958 section 3: `EncryptedPrivateKeyInfo` starts with how it is encrypted.
        let encryption = outer.enter(der::SEQUENCE).map(der::algorithm_identifier);
        if encryption == Some(Err(KeyError::Encrypted)) {
            return Err(KeyError::Encrypted);
        }
        return Err(if public_from_der(bytes).is_ok() { KeyError::NotPrivate } else { KeyError::NotDer });
    }
    match outer.peek() {
        Some(der::SEQUENCE) => {
            let identifier = outer.enter(der::SEQUENCE).ok_or(KeyError::NotDer)?;
            Ok((PrivateForm::Pkcs8, der::algorithm_identifier(identifier)?))
        }
        Some(der::OCTET_STRING) => {
            outer.take(der::OCTET_STRING).ok_or(KeyError::NotDer)?;
            let oid = outer.enter(der::CONTEXT_0).and_then(|mut curve| curve.take(der::OBJECT_IDENTIFIER));
            let oid = oid.ok_or_else(|| KeyError::unsupported_kind("EC key without a named curve"))?;
            Ok((PrivateForm::Sec1, der::curve(oid)?))
        }
        Some(der::INTEGER) => {
            outer.take(der::INTEGER);
            // two numbers are a public key, nine a private one
            if outer.peek().is_none() {
                Err(KeyError::NotPrivate)
            } else {
                Ok((PrivateForm::Pkcs1, KeyKind::Rsa))
            }
        }
        _ => Err(KeyError::NotDer),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_pem_with_both_of_its_lines_only() {
        for text in [
            "-----BEGIN PUBLIC KEY-----\nAA\n-----END PUBLIC KEY-----",
            "x ---- BEGIN SSH2 PUBLIC KEY ----\nAA\n---- END SSH2 PUBLIC KEY ----",
            "-----BEGIN CERTIFICATE-----\n-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----",
        ] {
            assert!(looks_like_pem(text.as_bytes()), "{text}");
        }
        for text in [
            "-----BEGIN PUBLIC KEY-----",
            "-----END PUBLIC KEY----- -----BEGIN PUBLIC KEY-----",
            "-----BEGIN PUBLIC KEY-----\nAA\n-----END PRIVATE KEY-----",
            "-----BEGIN SOMETHING-----\nAA\n-----END SOMETHING-----",
            "BEGIN PUBLIC KEY END PUBLIC KEY",
        ] {
            assert!(!looks_like_pem(text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn what_stands_in_the_pem_is_said() {
        let wrong = |text: &str| pem_block(text.as_bytes(), &PRIVATE_LABELS, "private").err().unwrap();
        assert_eq!(wrong("hello"), KeyError::NotPem);
        for (text, instead) in [
            ("<!doctype html><html>", "HTML or XML"),
            ("[{\"kty\": \"EC\"}]", "a JSON list"),
            ("eyJhbGciOiJub25lIn0.e30.", "a JWT"),
            ("", "empty"),
        ] {
            assert_eq!(wrong(text), KeyError::NotKey { instead });
        }
        assert_eq!(
            wrong("-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----"),
            KeyError::OpenSsh
        );
        assert_eq!(
            wrong("-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----"),
            KeyError::Encrypted
        );
        assert_eq!(
            wrong("-----BEGIN DH PARAMETERS-----\nAAAA\n-----END DH PARAMETERS-----"),
            KeyError::OtherPem { label: "DH PARAMETERS".to_owned(), wanted: "private" }
        );
        assert!(matches!(
            wrong("-----BEGIN PRIVATE KEY-----\n*\n-----END PRIVATE KEY-----"),
            KeyError::DamagedPem { .. }
        ));
    }
}
