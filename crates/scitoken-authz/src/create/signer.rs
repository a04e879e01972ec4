//! The key that an issuer signs its tokens with.

use scitoken_jwt::keys::{Algorithm, KeyError, KeyKind, SigningKey};

/// A private key with the algorithm to sign with and the `kid` that verifiers find it by.
///
/// ```
/// use scitoken_jwt::keys::{Algorithm, KeyKind, SigningKey};
/// use scitoken_authz::TokenSigner;
///
/// let signer = TokenSigner::new(SigningKey::generate(KeyKind::P256)?)?.with_key_id("2026-11");
/// assert_eq!(signer.algorithm(), Algorithm::Es256);
/// # Ok::<(), scitoken_jwt::keys::KeyError>(())
/// ```
#[derive(Clone, Debug)]
pub struct TokenSigner {
    key: SigningKey,
    algorithm: Algorithm,
    key_id: Option<String>,
}

impl TokenSigner {
    /// Takes a key of a kind that every verifier of SciTokens accepts: RSA signs with `RS256`, P-256 with `ES256`.
    ///
    /// # Errors
    /// [`KeyError::WrongKind`] for any other key; [`with_algorithm`](Self::with_algorithm) takes those that verifiers
    /// accept only by configuration.
    pub fn new(key: SigningKey) -> Result<Self, KeyError> {
        let algorithm = if key.kind() == KeyKind::Rsa { Algorithm::Rs256 } else { Algorithm::Es256 };
        Self::with_algorithm(key, algorithm)
    }

    /// Takes a key and the algorithm to sign with. Verifiers accept algorithms other than `RS256` and `ES256` only
    /// where they are configured to.
    ///
    /// # Errors
    /// [`KeyError::WrongKind`] if the key does not support the algorithm, and for a shared secret, which never signs
    /// SciTokens.
    pub fn with_algorithm(key: SigningKey, algorithm: Algorithm) -> Result<Self, KeyError> {
        if key.kind() == KeyKind::Secret || !key.algorithms().contains(&algorithm) {
            return Err(KeyError::WrongKind { algorithm, kind: key.kind() });
        }
        Ok(Self { key, algorithm, key_id: None })
    }

    /// Sets the `kid` of every token.
    pub fn with_key_id(mut self, key_id: impl Into<String>) -> Self {
        self.key_id = Some(key_id.into());
        self
    }

    /// Returns the algorithm.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Returns the `kid`, if one is set.
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
        assert!(matches!(
            TokenSigner::with_algorithm(signer.key, Algorithm::Rs256),
            Err(KeyError::WrongKind { .. })
        ));
    }

    #[test]
    fn keys_that_no_verifier_expects_are_taken_by_name_only() {
        for (kind, algorithm) in [(KeyKind::P384, Algorithm::Es384), (KeyKind::Ed25519, Algorithm::EdDsa)] {
            let key = SigningKey::generate(kind).unwrap();
            assert!(matches!(TokenSigner::new(key.clone()), Err(KeyError::WrongKind { .. })), "{kind:?}");
            assert_eq!(TokenSigner::with_algorithm(key, algorithm).unwrap().algorithm(), algorithm);
        }
        let secret = SigningKey::generate(KeyKind::Secret).unwrap();
        assert!(matches!(TokenSigner::new(secret.clone()), Err(KeyError::WrongKind { .. })));
        let signer = TokenSigner::with_algorithm(secret, Algorithm::Hs256);
        assert!(matches!(signer, Err(KeyError::WrongKind { .. })));
    }
}
