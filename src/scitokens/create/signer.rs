//! The key that an issuer signs its tokens with.

use crate::keys::{Algorithm, KeyError, KeyKind, SigningKey};

/// A private key, the algorithm that is used with it, and the name that verifiers know it by.
///
/// ```
/// use reqwest_scitokens::keys::{Algorithm, KeyKind, SigningKey};
/// use reqwest_scitokens::scitokens::TokenSigner;
///
/// let signer = TokenSigner::new(SigningKey::generate(KeyKind::P256)?)?.with_key_id("2026-11");
/// assert_eq!(signer.algorithm(), Algorithm::Es256);
/// # Ok::<(), reqwest_scitokens::keys::KeyError>(())
/// ```
#[derive(Clone, Debug)]
pub struct TokenSigner {
    key: SigningKey,
    algorithm: Algorithm,
    key_id: Option<String>,
}

impl TokenSigner {
    /// Takes a key, and the algorithm that is usual for it: `RS256` for RSA, `ES256` for P-256.
    ///
    /// # Errors
    /// [`KeyError::WrongKind`] for a shared secret, which no issuer of scientific tokens signs with.
    pub fn new(key: SigningKey) -> Result<Self, KeyError> {
        match key.algorithms() {
            [usual, ..] if key.kind() != KeyKind::Secret => Ok(Self { algorithm: *usual, key, key_id: None }),
            _ => Err(KeyError::WrongKind { algorithm: Algorithm::Es256, kind: key.kind() }),
        }
    }

    /// Signs with another algorithm of the key's.
    ///
    /// # Errors
    /// [`KeyError::WrongKind`] when the key cannot do it.
    pub fn with_algorithm(mut self, algorithm: Algorithm) -> Result<Self, KeyError> {
        if !self.key.algorithms().contains(&algorithm) {
            return Err(KeyError::WrongKind { algorithm, kind: self.key.kind() });
        }
        self.algorithm = algorithm;
        Ok(self)
    }

    /// Names the key in every token (`kid`).
    pub fn with_key_id(mut self, key_id: impl Into<String>) -> Self {
        self.key_id = Some(key_id.into());
        self
    }

    /// The algorithm.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The name of the key, if it has one.
    pub fn key_id(&self) -> Option<&str> {
        self.key_id.as_deref()
    }

    pub(super) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, KeyError> {
        self.key.sign(self.algorithm, message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_algorithm_is_the_keys() {
        let signer = TokenSigner::new(SigningKey::generate(KeyKind::P256).unwrap()).unwrap();
        assert_eq!(signer.algorithm(), Algorithm::Es256);
        assert!(matches!(signer.with_algorithm(Algorithm::Rs256), Err(KeyError::WrongKind { .. })));
        let secret = SigningKey::generate(KeyKind::Secret).unwrap();
        assert!(matches!(TokenSigner::new(secret), Err(KeyError::WrongKind { .. })));
    }
}
