//! Keys that sign.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::encoding::{AsBigEndian, AsDer, Curve25519SeedBin, EcPrivateKeyBin, Pkcs8V1Der};
use aws_lc_rs::rand::{self, SystemRandom};
use aws_lc_rs::rsa::{self, KeySize};
use aws_lc_rs::signature::{self, EcdsaKeyPair, EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair, RsaEncoding};

use super::encoding::{self, PrivateForm};
use super::secret::Secret;
use super::{Algorithm, KeyError, KeyKind, VerifyingKey, der, rsa_numbers};

/// A key that signs: a private key, or the shared secret of HMAC.
///
/// Clones share it. `Debug` shows its kind only.
///
/// ```
/// use scitoken_jwt::keys::{Algorithm, KeyKind, SigningKey};
///
/// let key = SigningKey::generate(KeyKind::Ed25519)?;
/// let signature = key.sign(Algorithm::EdDsa, b"message")?;
/// key.verifying_key().verify(Algorithm::EdDsa, b"message", &signature)?;
/// assert_eq!(format!("{key:?}"), "SigningKey(Ed25519 key)");
/// # Ok::<(), scitoken_jwt::keys::KeyError>(())
/// ```
#[derive(Clone)]
pub struct SigningKey(Arc<Inner>);

struct Inner {
    private: Private,
    public: VerifyingKey,
}

enum Private {
    Secret(Arc<Secret>),
    Rsa(rsa::KeyPair),
    Ec(KeyKind, EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

/// The size of a new RSA key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum RsaSize {
    /// 2048 bits: supported everywhere, and acceptable until 2030 (NIST SP 800-57).
    #[default]
    Bits2048,
    /// 3072 bits.
    Bits3072,
    /// 4096 bits.
    Bits4096,
}

impl SigningKey {
    /// Parses PEM: `PRIVATE KEY` (PKCS#8), `RSA PRIVATE KEY` (PKCS#1) or `EC PRIVATE KEY` (SEC 1).
    ///
    /// # Errors
    /// [`KeyError`] names what the input holds instead, and what to do about it.
    pub fn from_pem(text: impl AsRef<[u8]>) -> Result<Self, KeyError> {
        let text = text.as_ref();
        match encoding::pem_block(text, &encoding::PRIVATE_LABELS, "private") {
            Ok(block) => Self::from_der(&block.der),
            Err(KeyError::OtherPem { label, .. }) if encoding::PUBLIC_LABELS.contains(&label.as_str()) => {
                Err(KeyError::NotPrivate)
            }
            Err(error) => Err(error),
        }
    }

    /// Parses the DER of a PKCS#8, PKCS#1 or SEC 1 private key.
    ///
    /// # Errors
    /// [`KeyError`] if the input is none of them, or its type is not supported; [`KeyError::TooWeak`] for an RSA key of
    /// fewer than 2048 bits.
    pub fn from_der(der: impl AsRef<[u8]>) -> Result<Self, KeyError> {
        let der = der.as_ref();
        let (form, kind) = encoding::private_from_der(der)?;
        let rejected = |_| KeyError::malformed(kind, "the cryptographic library rejects it");
        let private = match (kind, form) {
            (KeyKind::Rsa, PrivateForm::Pkcs1) => {
                rsa_numbers::check_pkcs1_private(der)?;
                Private::Rsa(rsa::KeyPair::from_der(der).map_err(inconsistent)?)
            }
            (KeyKind::Rsa, _) => {
                rsa_numbers::check_pkcs1_private(der::pkcs8_content(der).ok_or(KeyError::NotDer)?)?;
                Private::Rsa(rsa::KeyPair::from_pkcs8(der).map_err(inconsistent)?)
            }
            (KeyKind::Ed25519, _) => {
                Private::Ed25519(Ed25519KeyPair::from_pkcs8_maybe_unchecked(der).map_err(rejected)?)
            }
            (kind, _) => {
                let algorithm = ecdsa(kind).ok_or(KeyError::NotDer)?;
                Private::Ec(kind, EcdsaKeyPair::from_private_key_der(algorithm, der).map_err(rejected)?)
            }
        };
        Self::new(private)
    }

    /// Takes the shared secret of HMAC.
    ///
    /// # Errors
    /// As [`VerifyingKey::from_secret`].
    pub fn from_secret(secret: impl AsRef<[u8]>) -> Result<Self, KeyError> {
        Self::new(Private::Secret(Arc::new(Secret::checked(secret.as_ref())?)))
    }

    /// Generates a key; an RSA key has 2048 bits, a shared secret 64 bytes.
    ///
    /// # Errors
    /// [`KeyError::Library`] if there is no entropy.
    pub fn generate(kind: KeyKind) -> Result<Self, KeyError> {
        let private = match kind {
            KeyKind::Rsa => return Self::generate_rsa(RsaSize::default()),
            KeyKind::Secret => {
                let mut bytes = vec![0; 64];
                rand::fill(&mut bytes).map_err(|_| KeyError::Library { doing: "obtain entropy" })?;
                Private::Secret(Arc::new(Secret::known(bytes)?))
            }
            KeyKind::Ed25519 => Private::Ed25519(Ed25519KeyPair::generate().map_err(no_key)?),
            KeyKind::P256 | KeyKind::P384 | KeyKind::P521 | KeyKind::Secp256k1 => {
                let algorithm = ecdsa(kind).ok_or(KeyError::NotDer)?;
                Private::Ec(kind, EcdsaKeyPair::generate(algorithm).map_err(no_key)?)
            }
        };
        Self::new(private)
    }

    /// Generates an RSA key of this size.
    ///
    /// # Errors
    /// [`KeyError::Library`] if there is no entropy.
    pub fn generate_rsa(size: RsaSize) -> Result<Self, KeyError> {
        let size = match size {
            RsaSize::Bits2048 => KeySize::Rsa2048,
            RsaSize::Bits3072 => KeySize::Rsa3072,
            RsaSize::Bits4096 => KeySize::Rsa4096,
        };
        Self::new(Private::Rsa(rsa::KeyPair::generate(size).map_err(no_key)?))
    }

    pub(super) fn of_secret(secret: Vec<u8>) -> Result<Self, KeyError> {
        Self::new(Private::Secret(Arc::new(Secret::known(secret)?)))
    }

    pub(super) fn of_rsa(pair: rsa::KeyPair) -> Result<Self, KeyError> {
        Self::new(Private::Rsa(pair))
    }

    /// Takes the private number and the public point of an elliptic curve, both of the curve's length.
    pub(super) fn of_numbers(kind: KeyKind, private: &[u8], public: &[u8]) -> Result<Self, KeyError> {
        let unlike = |_| KeyError::malformed(kind, "its private and public halves do not match");
        Self::new(match ecdsa(kind) {
            Some(algorithm) => Private::Ec(
                kind,
                EcdsaKeyPair::from_private_key_and_public_key(algorithm, private, public).map_err(unlike)?,
            ),
            None => {
                Private::Ed25519(Ed25519KeyPair::from_seed_and_public_key(private, public).map_err(unlike)?)
            }
        })
    }

    fn new(private: Private) -> Result<Self, KeyError> {
        let public = match &private {
            Private::Secret(secret) => VerifyingKey::of_secret(Arc::clone(secret)),
            Private::Rsa(pair) => VerifyingKey::from_public_bytes(KeyKind::Rsa, pair.public_key().as_ref())?,
            Private::Ec(kind, pair) => VerifyingKey::from_public_bytes(*kind, pair.public_key().as_ref())?,
            Private::Ed25519(pair) => {
                VerifyingKey::from_public_bytes(KeyKind::Ed25519, pair.public_key().as_ref())?
            }
        };
        Ok(Self(Arc::new(Inner { private, public })))
    }

    /// Returns the kind of key.
    pub fn kind(&self) -> KeyKind {
        self.0.public.kind()
    }

    /// Returns the algorithms that the key supports, the most common one first.
    pub fn algorithms(&self) -> &'static [Algorithm] {
        self.kind().algorithms()
    }

    /// Returns the public half; for HMAC the secret itself.
    pub fn verifying_key(&self) -> VerifyingKey {
        self.0.public.clone()
    }

    #[cfg(feature = "jsonwebtoken")]
    pub(crate) fn verifying_key_ref(&self) -> &VerifyingKey {
        &self.0.public
    }

    /// Signs a message.
    ///
    /// ECDSA signatures have the fixed form of JOSE (RFC 7518 section 3.4), not DER.
    ///
    /// # Errors
    /// [`KeyError::WrongKind`] if the key does not support the algorithm.
    pub fn sign(&self, algorithm: Algorithm, message: &[u8]) -> Result<Vec<u8>, KeyError> {
        let wrong_kind = || KeyError::WrongKind { algorithm, kind: self.kind() };
        let failed = |_| KeyError::Library { doing: "sign" };
        if algorithm.key_kind() != self.kind() {
            return Err(wrong_kind());
        }
        match &self.0.private {
            Private::Secret(secret) => {
                let key = secret.key(algorithm).ok_or_else(wrong_kind)?;
                Ok(aws_lc_rs::hmac::sign(key, message).as_ref().to_vec())
            }
            Private::Rsa(pair) => {
                let padding = rsa_encoding(algorithm).ok_or_else(wrong_kind)?;
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(padding, &SystemRandom::new(), message, &mut signature).map_err(failed)?;
                Ok(signature)
            }
            Private::Ec(_, pair) => {
                pair.sign(&SystemRandom::new(), message).map(|sig| sig.as_ref().to_vec()).map_err(failed)
            }
            Private::Ed25519(pair) => pair.try_sign(message).map(|sig| sig.as_ref().to_vec()).map_err(failed),
        }
    }

    /// Returns the private key as PEM (`PRIVATE KEY`, PKCS#8, unencrypted).
    ///
    /// # Errors
    /// [`KeyError::NoPem`] for a shared secret.
    pub fn expose_pem(&self) -> Result<String, KeyError> {
        let der = self.pkcs8()?;
        let block = pem::Pem::new("PRIVATE KEY", der);
        let config = pem::EncodeConfig::new().set_line_ending(pem::LineEnding::LF);
        Ok(pem::encode_config(&block, config))
    }

    pub(crate) fn pkcs8(&self) -> Result<Vec<u8>, KeyError> {
        let failed = |_| KeyError::Library { doing: "write the private key" };
        match &self.0.private {
            Private::Secret(_) => Err(KeyError::NoPem),
            Private::Rsa(pair) => {
                let der: Pkcs8V1Der<'_> = pair.as_der().map_err(failed)?;
                Ok(der.as_ref().to_vec())
            }
            Private::Ec(_, pair) => pair.to_pkcs8v1().map(|der| der.as_ref().to_vec()).map_err(failed),
            // Version 1: OpenSSL and Python's cryptography do not read version 2.
            Private::Ed25519(pair) => pair.to_pkcs8v1().map(|der| der.as_ref().to_vec()).map_err(failed),
        }
    }

    /// Passes the private numbers to a function.
    pub(crate) fn expose_numbers<T>(
        &self,
        take: impl FnOnce(PrivateNumbers<'_>) -> T,
    ) -> Result<T, KeyError> {
        let failed = |_| KeyError::Library { doing: "write the private key" };
        Ok(match &self.0.private {
            Private::Secret(_) => take(PrivateNumbers::Secret),
            Private::Rsa(_) => take(PrivateNumbers::RsaPkcs8(&self.pkcs8()?)),
            Private::Ec(_, pair) => {
                let number: EcPrivateKeyBin<'_> = pair.private_key().as_be_bytes().map_err(failed)?;
                take(PrivateNumbers::Scalar(number.as_ref()))
            }
            Private::Ed25519(pair) => {
                let scalar: Curve25519SeedBin<'_> =
                    pair.seed().and_then(|seed| seed.as_be_bytes()).map_err(failed)?;
                take(PrivateNumbers::Scalar(scalar.as_ref()))
            }
        })
    }
}

/// The private numbers of a [`SigningKey`].
pub(crate) enum PrivateNumbers<'a> {
    /// The shared secret, which is the public half as well.
    Secret,
    /// The PKCS#8 of an RSA key.
    RsaPkcs8(&'a [u8]),
    /// The private number of an elliptic curve, or the 32 bytes of Ed25519.
    Scalar(&'a [u8]),
}

fn inconsistent(_: aws_lc_rs::error::KeyRejected) -> KeyError {
    KeyError::malformed(KeyKind::Rsa, rsa_numbers::INCONSISTENT)
}

fn no_key(_: aws_lc_rs::error::Unspecified) -> KeyError {
    KeyError::Library { doing: "generate a key" }
}

fn ecdsa(kind: KeyKind) -> Option<&'static EcdsaSigningAlgorithm> {
    match kind {
        KeyKind::P256 => Some(&signature::ECDSA_P256_SHA256_FIXED_SIGNING),
        KeyKind::P384 => Some(&signature::ECDSA_P384_SHA384_FIXED_SIGNING),
        KeyKind::P521 => Some(&signature::ECDSA_P521_SHA512_FIXED_SIGNING),
        KeyKind::Secp256k1 => Some(&signature::ECDSA_P256K1_SHA256_FIXED_SIGNING),
        KeyKind::Secret | KeyKind::Rsa | KeyKind::Ed25519 => None,
    }
}

fn rsa_encoding(algorithm: Algorithm) -> Option<&'static dyn RsaEncoding> {
    Some(match algorithm {
        Algorithm::Rs256 => &signature::RSA_PKCS1_SHA256,
        Algorithm::Rs384 => &signature::RSA_PKCS1_SHA384,
        Algorithm::Rs512 => &signature::RSA_PKCS1_SHA512,
        Algorithm::Ps256 => &signature::RSA_PSS_SHA256,
        Algorithm::Ps384 => &signature::RSA_PSS_SHA384,
        Algorithm::Ps512 => &signature::RSA_PSS_SHA512,
        _ => return None,
    })
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({})", self.kind())
    }
}
