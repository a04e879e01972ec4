//! Conversions: names into algorithms, PEM and JWK into keys and back.

use std::str::FromStr;

use aws_lc_rs::rsa;

use super::der::{self, Der};
use super::signing::PrivateNumbers;
use super::verifying::PublicNumbers;
use super::{Algorithm, Jwk, KeyError, KeyKind, SigningKey, VerifyingKey, encoding, jwk, rsa_numbers};

impl FromStr for Algorithm {
    type Err = KeyError;

    /// Parses a JOSE name; names are case-sensitive (RFC 7515 section 4.1.1).
    fn from_str(name: &str) -> Result<Self, KeyError> {
        Self::ALL
            .iter()
            .copied()
            .find(|algorithm| algorithm.name() == name)
            .ok_or_else(|| KeyError::unknown_algorithm(name))
    }
}

impl VerifyingKey {
    /// Parses PEM: `PUBLIC KEY`, `RSA PUBLIC KEY`, `CERTIFICATE`, or a private key, of which the public half is
    /// taken.
    ///
    /// # Errors
    /// [`KeyError`] names what the input holds instead.
    pub fn from_pem(text: impl AsRef<[u8]>) -> Result<Self, KeyError> {
        let labels = [encoding::PUBLIC_LABELS, encoding::PRIVATE_LABELS].concat();
        let block = encoding::pem_block(text.as_ref(), &labels, "public")?;
        if encoding::PRIVATE_LABELS.contains(&block.label.as_str()) {
            return SigningKey::from_der(&block.der).map(|key| key.verifying_key());
        }
        Self::from_der(&block.der)
    }

    /// Parses a JSON Web Key (RFC 7517): public, private or secret.
    ///
    /// # Errors
    /// [`KeyError`] names the member that is missing or invalid.
    pub fn from_jwk(json: impl AsRef<[u8]>) -> Result<Self, KeyError> {
        Jwk::parse(json)?.verifying_key().cloned()
    }

    /// Returns the key as a JWK: the public half, or for HMAC the secret itself.
    pub fn to_jwk(&self) -> Jwk {
        match self.numbers() {
            PublicNumbers::Secret(secret) => jwk::of_secret(secret),
            PublicNumbers::Rsa { n, e } => jwk::of_rsa(n, e),
            PublicNumbers::Point(kind, bytes) => jwk::of_public_bytes(kind, bytes),
        }
    }
}

impl SigningKey {
    /// Parses a JSON Web Key (RFC 7517) with its private members, or an `oct` key.
    ///
    /// # Errors
    /// [`KeyError::NotPrivate`] for a public key; else the member that is missing or invalid.
    pub fn from_jwk(json: impl AsRef<[u8]>) -> Result<Self, KeyError> {
        Jwk::parse(json)?.signing_key()
    }

    /// Returns the key as a JWK with its private members. Its `Debug` is redacted; its JSON is not.
    ///
    /// # Errors
    /// [`KeyError::Library`] if the cryptographic library does not export the numbers.
    pub fn to_jwk(&self) -> Result<Jwk, KeyError> {
        let public = self.verifying_key().to_jwk();
        self.expose_numbers(|private| match private {
            PrivateNumbers::Secret => Some(public),
            PrivateNumbers::RsaPkcs8(pkcs8) => with_rsa_private(public, pkcs8),
            PrivateNumbers::Scalar(d) => Some(jwk::with_number(public, "d", d)),
        })?
        .ok_or(KeyError::Library { doing: "write the private key" })
    }
}

impl Jwk {
    /// Returns the private key.
    ///
    /// # Errors
    /// [`KeyError::NotPrivate`] for a public key; else the member that is missing or invalid. An RSA key must have
    /// all of `p`, `q`, `dp`, `dq` and `qi`.
    pub fn signing_key(&self) -> Result<SigningKey, KeyError> {
        if self.kind() == KeyKind::Secret {
            return SigningKey::of_secret(self.number("k")?);
        }
        if !self.members().contains_key("d") {
            return Err(KeyError::NotPrivate);
        }
        if self.kind() != KeyKind::Rsa {
            return SigningKey::of_numbers(self.kind(), &self.coordinate("d")?, &self.point()?);
        }
        let strip = |number: Vec<u8>| number.into_iter().skip_while(|byte| *byte == 0).collect::<Vec<u8>>();
        let (n, e) = (strip(self.number("n")?), strip(self.number("e")?));
        rsa_numbers::check_private(&n, &e)?;
        let components = rsa::KeyPairComponents {
            public_key: rsa::PublicKeyComponents { n, e },
            d: self.number("d")?,
            p: self.number("p")?,
            q: self.number("q")?,
            dP: self.number("dp")?,
            dQ: self.number("dq")?,
            qInv: self.number("qi")?,
        };
        let pair = rsa::KeyPair::from_components(&components)
            .map_err(|_| KeyError::malformed(KeyKind::Rsa, rsa_numbers::INCONSISTENT))?;
        SigningKey::of_rsa(pair)
    }
}

/// Adds the private numbers of an RSA key from its PKCS#8.
fn with_rsa_private(mut public: Jwk, pkcs8: &[u8]) -> Option<Jwk> {
    let mut numbers = Der::whole(der::pkcs8_content(pkcs8)?, der::SEQUENCE)?;
    for _version_n_e in 0..3 {
        numbers.take(der::INTEGER)?;
    }
    for name in ["d", "p", "q", "dp", "dq", "qi"] {
        public = jwk::with_number(public, name, numbers.unsigned()?);
    }
    Some(public)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_read_back() {
        for algorithm in Algorithm::ALL {
            assert_eq!(algorithm.name().parse(), Ok(*algorithm));
        }
    }

    #[test]
    fn names_in_another_case_and_none_are_unknown() {
        for name in ["hs256", "none", "", "ES521", "Ed25519", "HS256 "] {
            assert_eq!(name.parse::<Algorithm>(), Err(KeyError::unknown_algorithm(name)), "{name}");
        }
    }
}
