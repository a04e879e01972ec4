//! The errors of keys and signatures.

use super::{Algorithm, KeyKind, Weakness};
use scitoken_types::redact;

/// A key cannot be parsed or used, or a signature does not verify.
///
/// No message contains key material.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// The signature was not made with this key over this message.
    #[error("the signature does not verify with this key")]
    BadSignature,
    /// The algorithm is unknown.
    #[error("the algorithm `{name}` is not supported")]
    UnknownAlgorithm {
        /// The name, cleaned for a message.
        name: String,
    },
    /// The key does not support the algorithm.
    #[error("`{algorithm}` requires another kind of key ({}) than this one ({kind})", algorithm.key_kind())]
    WrongKind {
        /// The requested algorithm.
        algorithm: Algorithm,
        /// The kind of the key.
        kind: KeyKind,
    },
    /// The key is too weak for its algorithm.
    #[error(transparent)]
    TooWeak(Weakness),
    /// The input has no PEM block.
    #[error("not PEM: a PEM key starts with a line like `-----BEGIN PUBLIC KEY-----`")]
    NotPem,
    /// The input is no key at all.
    #[error("not a key: it is {instead}")]
    NotKey {
        /// What it is.
        instead: &'static str,
    },
    /// The input is a set of keys.
    #[error("it is a set of keys, and one key is required")]
    IsSet,
    /// The PEM is damaged.
    #[error("damaged PEM: {problem}")]
    DamagedPem {
        /// What is wrong with it.
        problem: String,
    },
    /// The PEM holds something other than the required key.
    #[error("the PEM holds a `{label}`, not a {wanted} key")]
    OtherPem {
        /// The label in its first line.
        label: String,
        /// `private` or `public`.
        wanted: &'static str,
    },
    /// The private key is encrypted.
    #[error("the private key is encrypted; decrypt it first, with `openssl pkey -in key.pem -out plain.pem`")]
    Encrypted,
    /// The private key is in OpenSSH's own format.
    #[error("the private key is in OpenSSH's format; convert it with `ssh-keygen -p -m PKCS8 -f key`")]
    OpenSsh,
    /// The key is public, and a private one is required.
    #[error("this is a public key; only a private key can sign")]
    NotPrivate,
    /// The key is private, and a public one is required.
    #[error("this is a private key; a public one is required")]
    NotPublic,
    /// A shared secret has no PEM form.
    #[error("a shared secret has no PEM form; a JWK can hold it")]
    NoPem,
    /// The type or curve of the key is not supported.
    #[error("keys of the type `{name}` are not supported")]
    UnsupportedKind {
        /// `kty`, `crv` or object identifier of the key, cleaned for a message.
        name: String,
    },
    /// The bytes do not form a key.
    #[error("the {kind} is malformed: {problem}")]
    Malformed {
        /// The kind that the key claims to have.
        kind: KeyKind,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// The bytes are not the DER of a key or certificate.
    #[error("not the DER of a key or certificate")]
    NotDer,
    /// The input is not a JSON Web Key.
    #[error("invalid JWK: {problem}")]
    NotJwk {
        /// What is wrong with it.
        problem: String,
    },
    /// A member of the JWK is missing or has a wrong type.
    #[error("the JWK has no usable `{member}`")]
    JwkMember {
        /// The name of the member.
        member: &'static str,
    },
    /// The JWK has its key in a certificate only; RFC 7517 section 4.7 requires the numbers as well.
    #[error("the JWK has only a certificate (`x5c`), and `{member}` is required")]
    OnlyCertificate {
        /// The first member that is missing.
        member: &'static str,
    },
    /// The input is not a JWK set.
    #[error("invalid key set: {problem}")]
    NotJwkSet {
        /// What is wrong with it.
        problem: String,
    },
    /// The set has more keys or bytes than are accepted.
    #[error("the key set is too large: more than {limit} {unit}")]
    TooLarge {
        /// The limit.
        limit: usize,
        /// `keys` or `bytes`.
        unit: &'static str,
    },
    /// The HMAC secret is empty.
    #[error("the HMAC secret is empty")]
    EmptySecret,
    /// A key or certificate was given as an HMAC secret.
    ///
    /// A verifier that uses a public key as the secret of `HS256` accepts forged tokens.
    #[error("{what} is not an HMAC secret; {hint}")]
    NotSecret {
        /// What the input looks like.
        what: &'static str,
        /// What to do instead.
        hint: &'static str,
    },
    /// The cryptographic library failed, for lack of memory or entropy.
    #[error("the cryptographic library failed to {doing}")]
    Library {
        /// The operation that failed.
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
