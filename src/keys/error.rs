//! What can be wrong with keys and signatures.

use super::{Algorithm, KeyKind, Weakness};
use crate::redact;

/// A key cannot be read or used, or a signature is not its own.
///
/// No message ever holds key material.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// The signature was not made by this key over this message.
    #[error("the signature does not belong to this message and key")]
    BadSignature,
    /// The name is that of no algorithm known here.
    #[error("the algorithm `{name}` is not supported")]
    UnknownAlgorithm {
        /// The name, fit for showing.
        name: String,
    },
    /// The key is of another kind than the algorithm takes.
    #[error("`{algorithm}` is not for this sort of key ({kind}), but for another ({})", algorithm.key_kind())]
    WrongKind {
        /// The algorithm that was asked for.
        algorithm: Algorithm,
        /// What the key is.
        kind: KeyKind,
    },
    /// The key is too weak for its algorithm to be had at all.
    #[error(transparent)]
    TooWeak(Weakness),
    /// The text holds no PEM block.
    #[error("the text is no PEM; such a key starts with a line like `-----BEGIN PUBLIC KEY-----`")]
    NotPem,
    /// The PEM text is damaged.
    #[error("the PEM text is damaged: {problem}")]
    DamagedPem {
        /// What is wrong with it.
        problem: String,
    },
    /// The PEM text holds something, but no key that can be used here.
    #[error("the PEM text holds a `{label}`, not a {wanted} key")]
    OtherPem {
        /// What its first line says.
        label: String,
        /// `private` or `public`.
        wanted: &'static str,
    },
    /// The private key is encrypted.
    #[error("the private key is encrypted; decrypt it first, with `openssl pkey -in key.pem -out plain.pem`")]
    Encrypted,
    /// The private key is in OpenSSH's own format.
    #[error("the private key has OpenSSH's own format; convert it with `ssh-keygen -p -m PKCS8 -f key`")]
    OpenSsh,
    /// A public key stands where a private one is needed.
    #[error("this is a public key; only a private key can sign")]
    NotPrivate,
    /// A shared secret has no PEM form.
    #[error("a shared secret has no PEM form; a JWK can hold it")]
    NoPem,
    /// The type or curve of the key is not supported.
    #[error("keys of the type `{name}` are not supported")]
    UnsupportedKind {
        /// `kty`, `crv` or object identifier of the key, fit for showing.
        name: String,
    },
    /// The key's bytes make no sense.
    #[error("the {kind} is malformed: {problem}")]
    Malformed {
        /// What the key claims to be.
        kind: KeyKind,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// The bytes are no DER of a key or certificate.
    #[error("the bytes are no DER of a key")]
    NotDer,
    /// The text is no JSON Web Key.
    #[error("the JWK cannot be read: {problem}")]
    NotJwk {
        /// What is wrong with it.
        problem: String,
    },
    /// A member of the JWK is absent or of a wrong type.
    #[error("the JWK has no usable `{member}`")]
    JwkMember {
        /// The member's name.
        member: &'static str,
    },
    /// The text is no JWK set.
    #[error("the key set cannot be read: {problem}")]
    NotJwkSet {
        /// What is wrong with it.
        problem: String,
    },
    /// There are more keys, or more bytes, than are ever accepted.
    #[error("the key set is too large: more than {limit} {unit}")]
    TooLarge {
        /// How many are accepted.
        limit: usize,
        /// `keys` or `bytes`.
        unit: &'static str,
    },
    /// An empty HMAC secret.
    #[error("the HMAC secret is empty")]
    EmptySecret,
    /// The text of a key or certificate stands where an HMAC secret is needed.
    ///
    /// Whoever verifies `HS256` with the text of a public key accepts what anybody can make.
    #[error("{what} is not an HMAC secret; {hint}")]
    NotSecret {
        /// What it looks like.
        what: &'static str,
        /// What to do instead.
        hint: &'static str,
    },
    /// The cryptographic library failed, for want of memory or entropy.
    #[error("the cryptographic library failed to {doing}")]
    Library {
        /// What it should have done.
        doing: &'static str,
    },
}

impl KeyError {
    pub(super) fn unknown_algorithm(name: &str) -> Self {
        Self::UnknownAlgorithm { name: redact::text(name) }
    }

    pub(super) fn unsupported_kind(name: &str) -> Self {
        Self::UnsupportedKind { name: redact::text(name) }
    }

    pub(super) fn malformed(kind: KeyKind, problem: &'static str) -> Self {
        Self::Malformed { kind, problem }
    }
}
