//! Keys that verify signatures.

use std::fmt;
use std::sync::{Arc, OnceLock};

use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::hmac;
use aws_lc_rs::rsa::PublicKeyComponents;
use aws_lc_rs::signature::{
    self, ParsedPublicKey, RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY as SMALL_SHA256,
    RSA_PKCS1_1024_8192_SHA512_FOR_LEGACY_USE_ONLY as SMALL_SHA512, VerificationAlgorithm,
};

use subtle::ConstantTimeEq;

use super::der::{self, Der};
use super::rsa_numbers::{self, without_zeros};
use super::secret::Secret;
use super::{Algorithm, KeyError, KeyKind, Weakness, encoding};

/// A key that verifies signatures: a public key, or the shared secret of HMAC.
///
/// It is parsed once and can be used from many threads; clones share it. The key determines which algorithms it
/// supports, never the token: an RSA key never verifies `HS256`.
///
/// ```
/// use scitoken_jwt::keys::{Algorithm, KeyKind, SigningKey, VerifyingKey};
///
/// let signer = SigningKey::generate(KeyKind::P256)?;
/// let signature = signer.sign(Algorithm::Es256, b"message")?;
///
/// let key = VerifyingKey::from_pem(signer.verifying_key().to_pem()?)?;
/// key.verify(Algorithm::Es256, b"message", &signature)?;
/// assert!(key.verify(Algorithm::Es256, b"another message", &signature).is_err());
/// # Ok::<(), scitoken_jwt::keys::KeyError>(())
/// ```
#[derive(Clone)]
pub struct VerifyingKey(Arc<Inner>);

enum Inner {
    Secret(Arc<Secret>),
    Rsa(Box<Rsa>),
    Other(KeyKind, ParsedPublicKey),
}

/// The library's parsed keys are bound to padding and hash, so an RSA key has one for each that was used.
struct Rsa {
    /// PKCS#1
    der: Box<[u8]>,
    bits: usize,
    parsed: [OnceLock<ParsedPublicKey>; 6],
}

impl VerifyingKey {
    /// Parses the DER of a `SubjectPublicKeyInfo`, a PKCS#1 public key or an X.509 certificate.
    ///
    /// # Errors
    /// [`KeyError`] if the input is none of them, or its type is not supported; [`KeyError::TooWeak`] for an RSA key
    /// of fewer than 1024 bits.
    pub fn from_der(der: impl AsRef<[u8]>) -> Result<Self, KeyError> {
        let der = der.as_ref();
        let public = match encoding::public_from_der(der) {
            Err(KeyError::NotDer) if encoding::private_from_der(der).is_ok() => {
                return Err(KeyError::NotPublic);
            }
            outcome => outcome?,
        };
        Self::from_public_bytes(public.kind, public.bytes)
    }

    /// Takes the shared secret of HMAC.
    ///
    /// # Errors
    /// [`KeyError::EmptySecret`], or [`KeyError::NotSecret`] for a key or certificate. A short secret is accepted;
    /// see [`weakness`](Self::weakness).
    pub fn from_secret(secret: impl AsRef<[u8]>) -> Result<Self, KeyError> {
        Secret::checked(secret.as_ref()).map(|secret| Self::of_secret(Arc::new(secret)))
    }

    pub(super) fn of_secret(secret: Arc<Secret>) -> Self {
        Self(Arc::new(Inner::Secret(secret)))
    }

    /// Takes PKCS#1 of an RSA key, a point of an elliptic curve (SEC 1), or the 32 bytes of Ed25519.
    pub(crate) fn from_public_bytes(kind: KeyKind, bytes: &[u8]) -> Result<Self, KeyError> {
        let algorithm: &'static dyn VerificationAlgorithm = match kind {
            KeyKind::Secret => {
                return Secret::known(bytes.to_vec()).map(|secret| Self::of_secret(Arc::new(secret)));
            }
            KeyKind::Rsa => return Rsa::new(bytes).map(|rsa| Self(Arc::new(Inner::Rsa(Box::new(rsa))))),
            KeyKind::P256 => &signature::ECDSA_P256_SHA256_FIXED,
            KeyKind::P384 => &signature::ECDSA_P384_SHA384_FIXED,
            KeyKind::P521 => &signature::ECDSA_P521_SHA512_FIXED,
            KeyKind::Secp256k1 => &signature::ECDSA_P256K1_SHA256_FIXED,
            KeyKind::Ed25519 if bytes.len() != 32 => {
                return Err(KeyError::malformed(kind, "it does not have 32 bytes"));
            }
            KeyKind::Ed25519 => &signature::ED25519,
        };
        let parse = |bytes: &[u8]| {
            ParsedPublicKey::new(algorithm, bytes)
                .map_err(|_| KeyError::malformed(kind, "it is not a point on its curve"))
        };
        let mut key = parse(bytes)?;
        if kind != KeyKind::Ed25519 && matches!(bytes, [2 | 3, ..]) {
            // A compressed point (SEC 1 section 2.3.3) has one coordinate; JWKs and comparisons need both.
            let whole: PublicKeyX509Der<'_> =
                key.as_der().map_err(|_| KeyError::Library { doing: "write the public key" })?;
            key = parse(encoding::public_from_der(whole.as_ref())?.bytes)?;
        }
        Ok(Self(Arc::new(Inner::Other(kind, key))))
    }

    pub(crate) fn from_rsa_numbers(n: &[u8], e: &[u8]) -> Result<Self, KeyError> {
        rsa_numbers::check(n, e)?;
        let no_rsa = |_| KeyError::malformed(KeyKind::Rsa, "its numbers do not form a key");
        let key = PublicKeyComponents { n: without_zeros(n), e: without_zeros(e) }
            .to_parsed_public_key(&signature::RSA_PKCS1_2048_8192_SHA256)
            .map_err(no_rsa)?;
        Self::from_der(key.as_ref())
    }

    /// Returns the kind of key.
    pub fn kind(&self) -> KeyKind {
        match &*self.0 {
            Inner::Secret(_) => KeyKind::Secret,
            Inner::Rsa(_) => KeyKind::Rsa,
            Inner::Other(kind, _) => *kind,
        }
    }

    /// Returns the algorithms that the key supports, the most common one first.
    pub fn algorithms(&self) -> &'static [Algorithm] {
        self.kind().algorithms()
    }

    /// Returns whether the key supports the algorithm.
    pub fn supports(&self, algorithm: Algorithm) -> bool {
        algorithm.key_kind() == self.kind()
    }

    /// Returns whether the key is weaker than the algorithm asks for.
    pub fn weakness(&self, algorithm: Algorithm) -> Option<Weakness> {
        match &*self.0 {
            Inner::Secret(secret) => secret.weakness(algorithm),
            Inner::Rsa(rsa) if rsa.bits < 2048 => Some(Weakness::ShortRsa { bits: rsa.bits }),
            Inner::Rsa(_) | Inner::Other(..) => None,
        }
    }

    /// Verifies that `signature` was made with this key over `message`.
    ///
    /// ECDSA signatures have the fixed form of JOSE (RFC 7518 section 3.4), not DER.
    ///
    /// # Errors
    /// [`KeyError::BadSignature`] if it was not; [`KeyError::WrongKind`] if the key does not support the algorithm;
    /// [`KeyError::TooWeak`] for RSA keys under 2048 bits with any algorithm but `RS256` and `RS512`.
    pub fn verify(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> Result<(), KeyError> {
        let wrong_kind = || KeyError::WrongKind { algorithm, kind: self.kind() };
        let outcome = match &*self.0 {
            Inner::Secret(secret) => {
                hmac::verify(secret.key(algorithm).ok_or_else(wrong_kind)?, message, signature)
            }
            Inner::Rsa(rsa) => rsa.parsed(algorithm).ok_or_else(wrong_kind)??.verify_sig(message, signature),
            Inner::Other(kind, key) if algorithm.key_kind() == *kind => key.verify_sig(message, signature),
            Inner::Other(..) => return Err(wrong_kind()),
        };
        outcome.map_err(|_| KeyError::BadSignature)
    }

    /// Returns the public key as PEM (`PUBLIC KEY`, RFC 7468 section 13).
    ///
    /// # Errors
    /// [`KeyError::NoPem`] for a shared secret.
    pub fn to_pem(&self) -> Result<String, KeyError> {
        let der: PublicKeyX509Der<'_> = match &*self.0 {
            Inner::Secret(_) => return Err(KeyError::NoPem),
            Inner::Rsa(rsa) => rsa.any()?.as_der(),
            Inner::Other(_, key) => key.as_der(),
        }
        .map_err(|_| KeyError::Library { doing: "write the public key" })?;
        let block = pem::Pem::new("PUBLIC KEY", der.as_ref());
        Ok(pem::encode_config(&block, pem::EncodeConfig::new().set_line_ending(pem::LineEnding::LF)))
    }

    /// Returns the numbers of the key.
    pub(crate) fn numbers(&self) -> PublicNumbers<'_> {
        match &*self.0 {
            Inner::Secret(secret) => PublicNumbers::Secret(secret.expose()),
            Inner::Rsa(rsa) => {
                let (n, e) = rsa.numbers();
                PublicNumbers::Rsa { n, e }
            }
            Inner::Other(kind, key) => PublicNumbers::Point(*kind, key.as_ref()),
        }
    }
}

/// The numbers of a [`VerifyingKey`].
pub(crate) enum PublicNumbers<'a> {
    /// The shared secret of HMAC.
    Secret(&'a [u8]),
    /// Modulus and exponent.
    Rsa { n: &'a [u8], e: &'a [u8] },
    /// An uncompressed point, or the 32 bytes of Ed25519.
    Point(KeyKind, &'a [u8]),
}

impl Rsa {
    fn new(pkcs1: &[u8]) -> Result<Self, KeyError> {
        let not_pkcs1 = || KeyError::malformed(KeyKind::Rsa, rsa_numbers::NOT_PKCS1);
        let mut numbers = Der::whole(pkcs1, der::SEQUENCE).ok_or_else(not_pkcs1)?;
        let (n, e) = numbers.unsigned().zip(numbers.unsigned()).ok_or_else(not_pkcs1)?;
        let bits = rsa_numbers::check(n, e)?;
        let key = Self { der: pkcs1.into(), bits, parsed: Default::default() };
        key.any()?;
        Ok(key)
    }

    /// Returns the key for `RS256`, which also serves for everything but verifying.
    fn any(&self) -> Result<&ParsedPublicKey, KeyError> {
        self.parse_once(
            0,
            if self.bits < 2048 { &SMALL_SHA256 } else { &signature::RSA_PKCS1_2048_8192_SHA256 },
        )
    }

    /// Returns the key for an algorithm; `None` for an algorithm of another family.
    fn parsed(&self, algorithm: Algorithm) -> Option<Result<&ParsedPublicKey, KeyError>> {
        let weakness = Weakness::ShortRsa { bits: self.bits };
        let is_small = self.bits < 2048;
        let (place, parameters): (_, &'static dyn VerificationAlgorithm) = match algorithm {
            Algorithm::Rs256 => return Some(self.any()),
            Algorithm::Rs512 if is_small => (2, &SMALL_SHA512),
            Algorithm::Rs384 | Algorithm::Ps256 | Algorithm::Ps384 | Algorithm::Ps512 if is_small => {
                return Some(Err(KeyError::TooWeak(weakness)));
            }
            Algorithm::Rs384 => (1, &signature::RSA_PKCS1_2048_8192_SHA384),
            Algorithm::Rs512 => (2, &signature::RSA_PKCS1_2048_8192_SHA512),
            Algorithm::Ps256 => (3, &signature::RSA_PSS_2048_8192_SHA256),
            Algorithm::Ps384 => (4, &signature::RSA_PSS_2048_8192_SHA384),
            Algorithm::Ps512 => (5, &signature::RSA_PSS_2048_8192_SHA512),
            _ => return None,
        };
        Some(self.parse_once(place, parameters))
    }

    fn parse_once(
        &self,
        place: usize,
        parameters: &'static dyn VerificationAlgorithm,
    ) -> Result<&ParsedPublicKey, KeyError> {
        let cell = &self.parsed[place];
        if let Some(key) = cell.get() {
            return Ok(key);
        }
        let key = ParsedPublicKey::new(parameters, &self.der)
            .map_err(|_| KeyError::malformed(KeyKind::Rsa, "it is not the DER of two positive numbers"))?;
        Ok(cell.get_or_init(|| key))
    }

    /// Returns modulus and exponent.
    fn numbers(&self) -> (&[u8], &[u8]) {
        let mut numbers = Der::whole(&self.der, der::SEQUENCE).unwrap_or(Der::new(&[]));
        (numbers.unsigned().unwrap_or_default(), numbers.unsigned().unwrap_or_default())
    }
}

/// Compares the numbers or the secret, whatever form they came in; secrets are compared in constant time.
impl PartialEq for VerifyingKey {
    fn eq(&self, other: &Self) -> bool {
        match (&*self.0, &*other.0) {
            (Inner::Secret(ours), Inner::Secret(theirs)) => ours.expose().ct_eq(theirs.expose()).into(),
            (Inner::Rsa(ours), Inner::Rsa(theirs)) => ours.numbers() == theirs.numbers(),
            (Inner::Other(kind, ours), Inner::Other(other, theirs)) => {
                kind == other && ours.as_ref() == theirs.as_ref()
            }
            _ => false,
        }
    }
}

impl Eq for VerifyingKey {}

/// Shows the kind of key only: the key may be a secret.
impl fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.0 {
            Inner::Rsa(rsa) => write!(f, "VerifyingKey({}, {} bits)", KeyKind::Rsa, rsa.bits),
            _ => write!(f, "VerifyingKey({})", self.kind()),
        }
    }
}
