//! JSON Web Tokens as users of PyJWT know them.
//!
//! The semantics are those of PyJWT 2.15: the same tokens are accepted, and what is refused is refused for the same
//! reason, in the same order of checks. What [`encode`] writes is what PyJWT writes, byte for byte. Verified and
//! unverified tokens are different types, and a key knows which algorithms it can do, so the classic mistakes cannot
//! be written down.
//!
//! ```
//! use reqwest_scitokens::jwt::{self, Validation};
//! use reqwest_scitokens::keys::{Algorithm, KeyKind, SigningKey};
//! use serde_json::json;
//!
//! let key = SigningKey::generate(KeyKind::P256)?;
//! let token = jwt::encode(&json!({"sub": "me", "aud": "you", "exp": 4102444800_u64}), &key, Algorithm::Es256)?;
//!
//! let validation = Validation::new().allow(Algorithm::Es256).audience("you");
//! let claims = jwt::decode(&token, &key.verifying_key(), &validation)?;
//! assert_eq!(claims.text("sub"), Some("me"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # From PyJWT to here
//!
//! | PyJWT | here |
//! |---|---|
//! | `jwt.encode(payload, key, algorithm)` | [`encode`] |
//! | `jwt.encode(.., headers=..)` | [`Encoder::key_id`], [`token_type`](Encoder::token_type), [`headers`](Encoder::headers), then [`Encoder::encode`] |
//! | `jwt.encode(.., algorithm="none")` | [`encode_unsecured`] |
//! | `jwt.encode(.., json_encoder=..)` | `serde::Serialize` of your claims |
//! | `jwt.encode(.., sort_headers=False)` | not there: headers are always sorted |
//! | `datetime` in `exp`, `nbf`, `iat` | your own `Serialize`; whole seconds |
//! | `jwt.decode(token, key, algorithms=[..])` | [`decode`] with [`Validation::allow`] |
//! | `jwt.decode_complete` | [`decode_complete`] |
//! | `jwt.decode(.., options={"verify_signature": False})`, in 1.x `verify=False` | [`decode_unverified`] |
//! | `jwt.get_unverified_header` | [`unverified_header`] |
//! | `jwt.api_jws.encode`, `.decode`, `.decode_complete` | [`Encoder::encode_bytes`], [`verify`] |
//! | `is_payload_detached`, `detached_payload` | [`Encoder::detached`], [`Validation::detached_payload`] |
//! | `audience` one or many | [`Validation::audience`], [`audiences`](Validation::audiences) |
//! | `issuer` one or many | [`Validation::issuer`], [`issuers`](Validation::issuers) |
//! | `subject` | [`Validation::subject`] |
//! | `leeway` | [`Validation::leeway`], [`leeway_seconds`](Validation::leeway_seconds) |
//! | options `require=[..]` | [`Validation::require`] |
//! | options `verify_exp`, `verify_nbf`, `verify_iat`, `verify_aud`, `verify_iss`, `verify_sub`, `verify_jti` | [`Validation::skip`] and [`check`](Validation::check) with a [`Check`] |
//! | options `strict_aud` | [`Validation::strict_audience`] |
//! | options `enforce_minimum_key_length` | [`Validation::enforce_key_strength`], [`Encoder::enforce_key_strength`] |
//! | options `require_exp`, `require_iat`, `require_nbf` (1.x) | [`Validation::require`]`("exp")` |
//! | `verify_expiration=False` (1.x) | [`Validation::skip`]`(`[`Check::Expiry`]`)` |
//! | key as PEM text | [`SigningKey::from_pem`], [`VerifyingKey::from_pem`] |
//! | key as secret text | [`SigningKey::from_secret`], [`VerifyingKey::from_secret`] |
//! | `PyJWK` | [`BoundKey`] |
//! | `PyJWKSet` | [`JwkSet`] |
//! | `Algorithm.to_jwk`, `.from_jwk` | [`SigningKey::to_jwk`], [`Jwk::parse`] |
//! | `PyJWKClient` | [`JwkClient`] |
//! | `get_jwk_set`, `get_signing_keys` | [`JwkClient::key_set`] |
//! | `get_signing_key` | [`JwkClient::signing_key`] |
//! | `get_signing_key_from_jwt` | [`JwkClient::signing_key_of_token`] |
//! | `register_algorithm`, `unregister_algorithm` | not there: the algorithms are those of [`Algorithm`] |
//! | `get_algorithm_by_name` | `name.parse::<`[`Algorithm`]`>()` |
//! | `PyJWTError` | [`JwtError`], or [`KeyError`](crate::keys::KeyError) where only a key is at hand |
//! | `InvalidTokenError`, `DecodeError` and all that derive from them | a variant each; [`JwtError::is_invalid_token`], [`JwtError::is_decode`] for the base classes |
//! | `MissingRequiredClaimError.claim` | [`JwtError::MissingRequiredClaim`], [`JwtError::claim`] |
//! | `InsecureKeyLengthWarning` | a warning through `tracing`; [`VerifyingKey::weakness`] |
//!
//! # Where the two differ, on purpose
//!
//! * There is no `ES521` (an old name of `ES512` that no RFC has) and no Ed448.
//! * RSA keys under 2048 bits do not sign, and verify `RS256` and `RS512` only, from 1024 bits on.
//! * A private RSA key as JWK must have all its numbers; they are not worked out from `d`.
//! * Coordinates in a JWK may have lost their leading zeros, and keys may come as certificates.
//! * Keys in OpenSSH's own form are not read.
//! * Tokens are at most 1 MiB long, and their JSON is nested at most 990 deep.
//! * `headers` cannot set an empty `alg`.
//! * A [`JwkClient`] whose issuer is out of reach goes on with the last good keys for a while.
//!
//! [`SigningKey::from_pem`]: crate::keys::SigningKey::from_pem
//! [`SigningKey::from_secret`]: crate::keys::SigningKey::from_secret
//! [`SigningKey::to_jwk`]: crate::keys::SigningKey::to_jwk
//! [`VerifyingKey::from_pem`]: crate::keys::VerifyingKey::from_pem
//! [`VerifyingKey::from_secret`]: crate::keys::VerifyingKey::from_secret
//! [`VerifyingKey::weakness`]: crate::keys::VerifyingKey::weakness
//! [`Jwk::parse`]: crate::keys::Jwk::parse
//! [`JwkSet`]: crate::keys::JwkSet
//! [`Algorithm`]: crate::keys::Algorithm

mod claims;
mod client;
mod decode;
mod encode;
mod error;
mod json;
mod key;
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
pub use validation::{Check, Validation};

/// The name of the algorithm that is none (RFC 7518 section 3.6).
const UNSECURED: &str = "none";
