//! The key for one token, with or without an algorithm of its own.

use crate::keys::{Algorithm, Jwk, KeyError, KeyKind, VerifyingKey};

use super::JwtError;

/// A key bound to one algorithm: `PyJWK`.
///
/// A JWK says in `alg` what it is for; where it does not, its type does: `RS256` for RSA, `HS256` for a secret. A
/// token with another algorithm is refused, also where the [`Validation`](super::Validation) allows it.
#[derive(Clone, Debug)]
pub struct BoundKey {
    key: VerifyingKey,
    algorithm: Algorithm,
}

impl BoundKey {
    /// Binds a key to an algorithm.
    ///
    /// # Errors
    /// [`JwtError::InvalidKey`] when the key cannot do it.
    pub fn new(key: VerifyingKey, algorithm: Algorithm) -> Result<Self, JwtError> {
        if !key.supports(algorithm) {
            return Err(JwtError::InvalidKey(KeyError::WrongKind { algorithm, kind: key.kind() }));
        }
        Ok(Self { key, algorithm })
    }

    /// Reads a JWK.
    ///
    /// # Errors
    /// [`JwtError::Jwk`] when its `alg` is not known; [`JwtError::InvalidKey`] when its numbers make no key, or no
    /// key for this `alg`.
    pub fn from_jwk(jwk: &Jwk) -> Result<Self, JwtError> {
        let algorithm = match jwk.algorithm_name().filter(|name| !name.is_empty()) {
            Some(name) => name.parse().map_err(JwtError::Jwk)?,
            None => usual(jwk.kind()),
        };
        Self::new(jwk.verifying_key().map_err(JwtError::InvalidKey)?.clone(), algorithm)
    }

    /// The algorithm.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The key.
    pub fn verifying_key(&self) -> &VerifyingKey {
        &self.key
    }
}

fn usual(kind: KeyKind) -> Algorithm {
    kind.algorithms().first().copied().unwrap_or(Algorithm::Hs256)
}

/// What a token's signature is verified with: a [`VerifyingKey`], a [`BoundKey`], or nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Key<'a> {
    pub(super) key: Option<&'a VerifyingKey>,
    pub(super) bound_to: Option<Algorithm>,
}

impl Key<'_> {
    /// No key, with which nothing ever verifies: `key=""`.
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
