//! The key for one token, with or without an algorithm that it is bound to.

use crate::keys::{Algorithm, Jwk, KeyError, KeyKind, VerifyingKey};

use super::JwtError;

/// A key bound to one algorithm: `PyJWK`.
///
/// A JWK names its algorithm in `alg`; without it, the key type implies one: `RS256` for RSA, `HS256` for a secret. A
/// token with another algorithm is refused, even if the [`Validation`](super::Validation) allows it.
///
/// ```
/// use scitoken_jwt::BoundKey;
/// use scitoken_jwt::keys::{Algorithm, Jwk};
///
/// let jwk = Jwk::parse(r#"{"kty":"oct","k":"MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY","alg":"HS256"}"#)?;
/// assert_eq!(BoundKey::from_jwk(&jwk)?.algorithm(), Algorithm::Hs256);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct BoundKey {
    key: VerifyingKey,
    algorithm: Algorithm,
}

impl BoundKey {
    /// Binds a key to an algorithm.
    ///
    /// # Errors
    /// [`JwtError::InvalidKey`] if the key does not support the algorithm.
    pub fn new(key: VerifyingKey, algorithm: Algorithm) -> Result<Self, JwtError> {
        if !key.supports(algorithm) {
            return Err(JwtError::InvalidKey(KeyError::WrongKind { algorithm, kind: key.kind() }));
        }
        Ok(Self { key, algorithm })
    }

    /// Binds a JWK to its algorithm.
    ///
    /// # Errors
    /// [`JwtError::Jwk`] if its `alg` is unknown; [`JwtError::InvalidKey`] if its numbers do not form a key for this
    /// `alg`.
    pub fn from_jwk(jwk: &Jwk) -> Result<Self, JwtError> {
        let algorithm = match jwk.algorithm_name().filter(|name| !name.is_empty()) {
            Some(name) => name.parse().map_err(JwtError::Jwk)?,
            None => usual(jwk.kind()),
        };
        Self::new(jwk.verifying_key().map_err(JwtError::InvalidKey)?.clone(), algorithm)
    }

    /// Returns the algorithm.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Returns the key.
    pub fn verifying_key(&self) -> &VerifyingKey {
        &self.key
    }
}

fn usual(kind: KeyKind) -> Algorithm {
    kind.algorithms().first().copied().unwrap_or(Algorithm::Hs256)
}

/// The key that a signature is verified with: a [`VerifyingKey`], a [`BoundKey`], or none.
///
/// ```
/// use scitoken_jwt::Key;
/// use scitoken_jwt::keys::VerifyingKey;
///
/// let verifying = VerifyingKey::from_secret("0123456789abcdef0123456789abcdef")?;
/// let key = Key::from(&verifying);
/// # let _ = key;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Key<'a> {
    pub(super) key: Option<&'a VerifyingKey>,
    pub(super) bound_to: Option<Algorithm>,
}

impl Key<'_> {
    /// Returns no key, with which nothing verifies: `key=""`.
    pub fn none() -> Self {
        Self::default()
    }
}

impl<'a> From<&'a VerifyingKey> for Key<'a> {
    fn from(key: &'a VerifyingKey) -> Self {
        Self { key: Some(key), bound_to: None }
    }
}

impl<'a> From<&'a BoundKey> for Key<'a> {
    fn from(key: &'a BoundKey) -> Self {
        Self { key: Some(&key.key), bound_to: Some(key.algorithm) }
    }
}
