//! Signatures that were verified before `jsonwebtoken` asks about them.

use std::sync::{Mutex, OnceLock, PoisonError};

use super::recent::Recent;
use crate::keys::{Algorithm, KeyError, KeyKind, PublicNumbers, VerifyingKey, sha256_of_parts};

/// The signatures that [`verify_once`] verified, by the SHA-256 of all that the verdict depends on. A signature that is
/// found here is valid, whatever became of its key.
static VERIFIED: OnceLock<Mutex<Recent<()>>> = OnceLock::new();
const MOST_VERIFIED: usize = 4_096;

/// Verifies as [`VerifyingKey::verify`] does, once: [`PROVIDER`](super::PROVIDER) and this function then accept the same
/// signature, by the same key over the same message, without computing it again.
///
/// For programs that find out by the signature which key to pass to `jsonwebtoken::decode`. About 4,000 signatures are
/// remembered, as a SHA-256 each; HMACs are not, as they cost as little.
///
/// ```
/// use scitoken_jwt::bridge::verify_once;
/// use scitoken_jwt::keys::{Algorithm, KeyKind, SigningKey};
///
/// let signer = SigningKey::generate(KeyKind::P256)?;
/// let signature = signer.sign(Algorithm::Es256, b"message")?;
/// verify_once(&signer.verifying_key(), Algorithm::Es256, b"message", &signature)?;
/// # Ok::<(), scitoken_jwt::keys::KeyError>(())
/// ```
///
/// # Errors
/// As [`VerifyingKey::verify`]. Failures are not remembered.
pub fn verify_once(
    key: &VerifyingKey,
    algorithm: Algorithm,
    message: &[u8],
    signature: &[u8],
) -> Result<(), KeyError> {
    let Some(name) = fingerprint(key, algorithm, message, signature) else {
        return key.verify(algorithm, message, signature);
    };
    let verified = VERIFIED.get_or_init(|| Mutex::new(Recent::new(MOST_VERIFIED)));
    if is_known(verified, &name) {
        return Ok(());
    }
    key.verify(algorithm, message, signature)?;
    verified.lock().unwrap_or_else(PoisonError::into_inner).put(name, ());
    Ok(())
}

/// Returns whether [`verify_once`] verified this signature.
pub(super) fn is_verified(
    key: &VerifyingKey,
    algorithm: Algorithm,
    message: &[u8],
    signature: &[u8],
) -> bool {
    // a program that never calls `verify_once` does not pay for it
    VERIFIED.get().is_some_and(|verified| {
        let name = fingerprint(key, algorithm, message, signature);
        name.is_some_and(|name| is_known(verified, &name))
    })
}

fn is_known(verified: &Mutex<Recent<()>>, name: &[u8; 32]) -> bool {
    let is_known = verified.lock().unwrap_or_else(PoisonError::into_inner).get(name).is_some();
    if is_known {
        tracing::trace!("the signature was verified before");
    }
    is_known
}

/// Returns the SHA-256 of all that the verdict depends on; `None` for HMAC.
fn fingerprint(
    key: &VerifyingKey,
    algorithm: Algorithm,
    message: &[u8],
    signature: &[u8],
) -> Option<[u8; 32]> {
    let (kind, number, exponent): (_, _, &[u8]) = match key.numbers() {
        PublicNumbers::Secret(_) => return None,
        PublicNumbers::Rsa { n, e } => (KeyKind::Rsa, n, e),
        PublicNumbers::Point(kind, point) => (kind, point, &[]),
    };
    let kind = [kind as u8];
    Some(sha256_of_parts(&[&kind, number, exponent, algorithm.name().as_bytes(), message, signature]))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use ::jsonwebtoken::{Algorithm as Theirs, DecodingKey};

    use super::*;
    use crate::bridge::PROVIDER;
    use crate::keys::SigningKey;

    fn provider_verifies(key: &VerifyingKey, message: &[u8], signature: &[u8]) -> bool {
        let verifier =
            (PROVIDER.verifier_factory)(&Theirs::ES256, &DecodingKey::try_from(key).unwrap()).unwrap();
        verifier.verify(message, &signature.to_vec()).is_ok()
    }

    #[test]
    fn a_signature_that_was_verified_is_not_verified_again_and_no_other_one_is_taken_for_it() {
        let (key, other) =
            (SigningKey::generate(KeyKind::P256).unwrap(), SigningKey::generate(KeyKind::P256).unwrap());
        let (key, other, signature) =
            (key.verifying_key(), other.verifying_key(), key.sign(Algorithm::Es256, b"message").unwrap());
        let forged = [0x5a; 64];
        assert_eq!(verify_once(&key, Algorithm::Es256, b"message", &forged), Err(KeyError::BadSignature));
        assert!(!is_verified(&key, Algorithm::Es256, b"message", &forged), "failures are not remembered");
        verify_once(&key, Algorithm::Es256, b"message", &signature).unwrap();
        assert!(is_verified(&key, Algorithm::Es256, b"message", &signature));
        assert!(provider_verifies(&key, b"message", &signature));
        for (key, message, signature) in [
            (&other, &b"message"[..], signature.as_slice()),
            (&key, b"messagf", &signature),
            (&key, b"message", &forged),
            (&key, b"", &[b"message", signature.as_slice()].concat()),
        ] {
            assert!(!is_verified(key, Algorithm::Es256, message, signature));
            assert!(!provider_verifies(key, message, signature));
            assert!(verify_once(key, Algorithm::Es256, message, signature).is_err());
        }
        // what is remembered is believed: so the signature is not computed again
        let name = fingerprint(&key, Algorithm::Es256, b"planted", &forged).unwrap();
        VERIFIED.get().unwrap().lock().unwrap().put(name, ());
        assert!(provider_verifies(&key, b"planted", &forged));
    }

    #[test]
    fn each_part_of_the_verdict_counts_and_secrets_are_not_kept() {
        let rsa = SigningKey::generate(KeyKind::Rsa).unwrap().verifying_key();
        let ed = SigningKey::generate(KeyKind::Ed25519).unwrap().verifying_key();
        let names: HashSet<_> = [
            fingerprint(&rsa, Algorithm::Rs256, b"ab", b"c"),
            fingerprint(&rsa, Algorithm::Ps256, b"ab", b"c"),
            fingerprint(&rsa, Algorithm::Rs256, b"a", b"bc"),
            fingerprint(&rsa, Algorithm::Rs256, b"abc", b""),
            fingerprint(&ed, Algorithm::Rs256, b"ab", b"c"),
        ]
        .into_iter()
        .flatten()
        .collect();
        assert_eq!(names.len(), 5);
        let secret = SigningKey::generate(KeyKind::Secret).unwrap();
        let signature = secret.sign(Algorithm::Hs256, b"m").unwrap();
        verify_once(&secret.verifying_key(), Algorithm::Hs256, b"m", &signature).unwrap();
        assert_eq!(fingerprint(&secret.verifying_key(), Algorithm::Hs256, b"m", &signature), None);
    }
}
