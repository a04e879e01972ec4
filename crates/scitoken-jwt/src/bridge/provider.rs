//! This crate's cryptography as the `CryptoProvider` of `jsonwebtoken`.

use std::sync::{LazyLock, Mutex, PoisonError};

use ::jsonwebtoken::crypto::{CryptoProvider, JwtSigner, JwtVerifier, KeyUtils};
use ::jsonwebtoken::errors::{Error, ErrorKind};
use ::jsonwebtoken::jwk::{EllipticCurve, ThumbprintHash};
use ::jsonwebtoken::signature::{self, Signer, Verifier};
use ::jsonwebtoken::{Algorithm as Theirs, AlgorithmFamily, DecodingKey, DecodingKeyKind, EncodingKey};

use super::error::BridgeError;
use super::recent::Recent;
use super::verified::is_verified;
use crate::keys::{
    Algorithm, KeyKind, PublicNumbers, Sha2, SigningKey, VerifyingKey, digest, sha256_of_parts,
};

/// The provider: the verdicts are those of [`VerifyingKey::verify`], and keys are parsed once.
///
/// Unlike the providers of `jsonwebtoken`, it does not panic on keys that are too short, and it refuses RSA keys under
/// 2048 bits except for RS256 and RS512.
///
/// [`install_default`] installs it; after `PROVIDER.install_default()`, which works as well, that is an error.
pub static PROVIDER: CryptoProvider = CryptoProvider {
    signer_factory: |algorithm, key| signer(*algorithm, key),
    verifier_factory: |algorithm, key| verifier(*algorithm, key),
    key_utils: KeyUtils {
        rsa_pub_components_from_private_key: |der| rsa_numbers(&signing_key(der)?.verifying_key()),
        rsa_pub_components_from_public_key: |der| rsa_numbers(&VerifyingKey::from_der(der).map_err(failed)?),
        ec_pub_components_from_private_key: |der, algorithm| {
            ec_numbers(&signing_key(der)?.verifying_key(), algorithm)
        },
        ed_pub_components_from_private_key: |der, _| ed_number(&signing_key(der)?.verifying_key()),
        compute_digest: |data, hash| compute_digest(data, &hash),
    },
};

/// Another provider was installed, or used for a token, before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "another CryptoProvider of jsonwebtoken was installed or used before; install this one at the start of `main`"
)]
pub struct AlreadyInstalled;

/// Installs [`PROVIDER`] for the whole process. Call it at the start of `main`; calls after the first do nothing.
///
/// With it, a build in which other crates chose several backends of `jsonwebtoken`, or none, does not panic. Without it such a
/// build panics at the first token (`Could not automatically determine the process-level CryptoProvider`), and no
/// provider can be installed afterwards.
///
/// ```
/// scitoken_jwt::bridge::install_default()?; // once, at the start of `main`
/// # Ok::<(), scitoken_jwt::bridge::AlreadyInstalled>(())
/// ```
///
/// # Errors
/// [`AlreadyInstalled`] if another provider was installed or used before.
pub fn install_default() -> Result<(), AlreadyInstalled> {
    static INSTALLED: LazyLock<Result<(), AlreadyInstalled>> =
        LazyLock::new(|| PROVIDER.install_default().map_err(|_| AlreadyInstalled));
    *INSTALLED
}

struct BridgeSigner {
    key: SigningKey,
    algorithm: (Algorithm, Theirs),
}

impl Signer<Vec<u8>> for BridgeSigner {
    fn try_sign(&self, message: &[u8]) -> Result<Vec<u8>, signature::Error> {
        self.key.sign(self.algorithm.0, message).map_err(signature::Error::from_source)
    }
}

impl JwtSigner for BridgeSigner {
    fn algorithm(&self) -> Theirs {
        self.algorithm.1
    }
}

struct BridgeVerifier {
    key: VerifyingKey,
    algorithm: (Algorithm, Theirs),
}

impl Verifier<Vec<u8>> for BridgeVerifier {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> Result<(), signature::Error> {
        if is_verified(&self.key, self.algorithm.0, message, signature) {
            return Ok(());
        }
        self.key.verify(self.algorithm.0, message, signature).map_err(signature::Error::from_source)
    }
}

impl JwtVerifier for BridgeVerifier {
    fn algorithm(&self) -> Theirs {
        self.algorithm.1
    }
}

fn signer(algorithm: Theirs, key: &EncodingKey) -> Result<Box<dyn JwtSigner>, Error> {
    let ours = Algorithm::try_from(algorithm).map_err(failed)?;
    let key = SigningKey::try_from(key).map_err(failed)?;
    if !key.algorithms().contains(&ours) {
        return Err(ErrorKind::InvalidAlgorithm.into());
    }
    Ok(Box::new(BridgeSigner { key, algorithm: (ours, algorithm) }))
}

fn verifier(algorithm: Theirs, key: &DecodingKey) -> Result<Box<dyn JwtVerifier>, Error> {
    let ours = Algorithm::try_from(algorithm).map_err(failed)?;
    let key = parsed(key).map_err(failed)?;
    if !key.supports(ours) {
        return Err(ErrorKind::InvalidAlgorithm.into());
    }
    Ok(Box::new(BridgeVerifier { key, algorithm: (ours, algorithm) }))
}

/// Public keys that were parsed before, by the SHA-256 of their bytes.
static PARSED: LazyLock<Mutex<Recent<VerifyingKey>>> = LazyLock::new(|| Mutex::new(Recent::new(MOST_PARSED)));
const MOST_PARSED: usize = 256;

/// Parses a key once. A secret is not kept: it costs nothing to parse.
fn parsed(key: &DecodingKey) -> Result<VerifyingKey, BridgeError> {
    let Some(name) = fingerprint(key) else { return VerifyingKey::try_from(key) };
    let recent = || PARSED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(key) = recent().get(&name) {
        return Ok(key);
    }
    let key = VerifyingKey::try_from(key)?;
    recent().put(name, key.clone());
    Ok(key)
}

/// Returns the SHA-256 of a public key. If two keys had one, the first to be seen would verify the tokens of both.
fn fingerprint(key: &DecodingKey) -> Option<[u8; 32]> {
    let (n, e) = match key.kind() {
        DecodingKeyKind::SecretOrDer(bytes) => (bytes.as_slice(), &[][..]),
        DecodingKeyKind::RsaModulusExponent { n, e } => (n.as_slice(), e.as_slice()),
    };
    let family = match key.family() {
        AlgorithmFamily::Hmac => return None,
        AlgorithmFamily::Rsa => 1,
        AlgorithmFamily::Ec => 2,
        AlgorithmFamily::Ed => 3,
    };
    let is_rsa_numbers = matches!(key.kind(), DecodingKeyKind::RsaModulusExponent { .. });
    Some(sha256_of_parts(&[&[family, u8::from(is_rsa_numbers)], n, e]))
}

fn signing_key(der: &[u8]) -> Result<SigningKey, Error> {
    SigningKey::from_der(der).map_err(failed)
}

fn rsa_numbers(key: &VerifyingKey) -> Result<(Vec<u8>, Vec<u8>), Error> {
    match key.numbers() {
        PublicNumbers::Rsa { n, e } => Ok((n.to_vec(), e.to_vec())),
        _ => Err(ErrorKind::InvalidKeyFormat.into()),
    }
}

fn ec_numbers(key: &VerifyingKey, algorithm: Theirs) -> Result<(EllipticCurve, Vec<u8>, Vec<u8>), Error> {
    let (curve, point) = match (algorithm, key.numbers()) {
        (Theirs::ES256, PublicNumbers::Point(KeyKind::P256, [4, point @ ..])) => (EllipticCurve::P256, point),
        (Theirs::ES384, PublicNumbers::Point(KeyKind::P384, [4, point @ ..])) => (EllipticCurve::P384, point),
        _ => return Err(ErrorKind::InvalidEcdsaKey.into()),
    };
    let (x, y) = point.split_at(point.len() / 2);
    Ok((curve, x.to_vec(), y.to_vec()))
}

fn ed_number(key: &VerifyingKey) -> Result<Vec<u8>, Error> {
    match key.numbers() {
        PublicNumbers::Point(KeyKind::Ed25519, bytes) => Ok(bytes.to_vec()),
        _ => Err(ErrorKind::InvalidEddsaKey.into()),
    }
}

fn compute_digest(data: &[u8], hash: &ThumbprintHash) -> Result<Vec<u8>, Error> {
    let hash = match hash {
        ThumbprintHash::SHA256 => Sha2::Sha256,
        ThumbprintHash::SHA384 => Sha2::Sha384,
        ThumbprintHash::SHA512 => Sha2::Sha512,
        _ => return Err(ErrorKind::UnsupportedAlgorithm.into()),
    };
    Ok(digest(hash, data))
}

#[expect(clippy::needless_pass_by_value, reason = "the form that `map_err` takes")]
fn failed(error: impl ToString) -> Error {
    ErrorKind::Provider(error.to_string()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_keys_have_one_fingerprint() {
        let (n, longer) = ([0xc1; 256], [&[0xc1; 256][..], b"e\x01"].concat());
        let keys = [
            DecodingKey::from_rsa_raw_components(&longer, b"\x03"),
            DecodingKey::from_rsa_raw_components(&n, b"\x01e\x03"),
            DecodingKey::from_rsa_der(&[&n[..], b"\x01e\x03"].concat()),
            DecodingKey::from_ec_der(&n),
            DecodingKey::from_ed_der(&n),
        ];
        let names: std::collections::HashSet<_> = keys.iter().filter_map(fingerprint).collect();
        assert_eq!(names.len(), keys.len());
        assert_eq!(fingerprint(&DecodingKey::from_secret(&n)), None);
    }
}
