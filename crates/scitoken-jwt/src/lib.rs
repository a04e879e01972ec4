//! JSON Web Tokens with the semantics of PyJWT, and the keys to sign and verify them.
//!
//! The same tokens are accepted as by PyJWT 2.15, and others are refused for the same reason in the same order of checks.
//! What [`encode`] writes is what PyJWT writes, byte for byte. Verified and unverified tokens are different types, and a key
//! determines which algorithms it supports, so a token cannot choose how it is verified.
//!
//! | item | what it is |
//! |---|---|
//! | [`encode`], [`Encoder`] | signs claims |
//! | [`decode`], [`decode_complete`], [`Validation`] | verify a token and check its claims |
//! | [`decode_unverified`], [`unverified_header`] | read a token without verifying it |
//! | [`verify`] | verifies a signature over any payload (JWS) |
//! | [`keys`] | [`SigningKey`](keys::SigningKey), [`VerifyingKey`](keys::VerifyingKey), [`Jwk`](keys::Jwk), [`JwkSet`](keys::JwkSet) |
//! | [`JwkClient`] | fetches and caches the key set of an issuer |
//! | [`fetch`] | fetches metadata and key sets within limits |
//! | [`JwtError`] | every exception of PyJWT |
//!
//! ```
//! use scitoken_jwt::Validation;
//! use scitoken_jwt::keys::{Algorithm, KeyKind, SigningKey};
//! use serde_json::json;
//!
//! let key = SigningKey::generate(KeyKind::P256)?;
//! let token = scitoken_jwt::encode(&json!({"sub": "me", "aud": "you", "exp": 4102444800_u64}), &key, Algorithm::Es256)?;
//!
//! let validation = Validation::new().allow(Algorithm::Es256).audience("you");
//! let claims = scitoken_jwt::decode(&token, &key.verifying_key(), &validation)?;
//! assert_eq!(claims.text("sub"), Some("me"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! With the feature `jsonwebtoken` (on by default), `bridge` converts keys and algorithms to and from that crate and
//! provides its cryptography.
//!
//! `docs/migration/pyjwt.md` in the repository lists PyJWT's names with their equivalents here.
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(feature = "jsonwebtoken")]
#[cfg_attr(docsrs, doc(cfg(feature = "jsonwebtoken")))]
pub mod bridge;
mod claims;
mod client;
mod decode;
mod encode;
mod error;
pub mod fetch;
mod json;
mod key;
pub mod keys;
mod number;
mod object;
mod segments;
mod validation;

pub use client::JwkClient;
pub use decode::{
    Decoded, Signed, Unverified, decode, decode_complete, decode_unverified, decode_with, unverified_header,
    verify,
};
pub use encode::{Encoder, encode, encode_unsecured};
pub use error::JwtError;
pub use key::{BoundKey, Key};
pub use object::Object;
pub use validation::{ClaimCheck, Validation};

/// The `alg` of a token without a signature (RFC 7518 section 3.6).
const UNSECURED: &str = "none";

/// The examples of the Markdown pages, compiled as those of the docs are.
#[cfg(doctest)]
mod pages {
    #[doc = include_str!("../README.md")]
    struct Readme;
    #[doc = include_str!("../../../docs/migration/pyjwt.md")]
    struct PyJwt;
}
