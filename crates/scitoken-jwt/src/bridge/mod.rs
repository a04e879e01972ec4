//! Conversions to and from the crate `jsonwebtoken`, and this crate's cryptography as its provider.
//!
//! | scitoken-jwt | `jsonwebtoken` |
//! |---|---|
//! | [`Algorithm`](crate::keys::Algorithm) | [`Algorithm`](::jsonwebtoken::Algorithm) |
//! | [`VerifyingKey`](crate::keys::VerifyingKey) | [`DecodingKey`](::jsonwebtoken::DecodingKey) |
//! | [`SigningKey`](crate::keys::SigningKey) | [`EncodingKey`](::jsonwebtoken::EncodingKey) |
//! | [`Jwk`](crate::keys::Jwk), [`JwkSet`](crate::keys::JwkSet) | [`jwk::Jwk`](::jsonwebtoken::jwk::Jwk), [`jwk::JwkSet`](::jsonwebtoken::jwk::JwkSet) |
//!
//! Each is a `TryFrom` in both directions. `jsonwebtoken` has no ES512 and no ES256K; [`BridgeError`] names what has no
//! counterpart.
//!
//! ```
//! use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
//! use scitoken_jwt::keys::{KeyKind, SigningKey};
//!
//! scitoken_jwt::bridge::install_default()?;
//! let key = SigningKey::generate(KeyKind::P256)?;
//! let claims = serde_json::json!({"sub": "me", "exp": 4102444800_u64});
//! let token = jsonwebtoken::encode(&Header::new(Algorithm::ES256), &claims, &EncodingKey::try_from(&key)?)?;
//!
//! let key = DecodingKey::try_from(&key.verifying_key())?;
//! let read = jsonwebtoken::decode::<serde_json::Value>(&token, &key, &Validation::new(Algorithm::ES256))?;
//! assert_eq!(read.claims["sub"], "me");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod algorithm;
mod error;
mod jwk;
mod keys;
mod provider;
mod recent;
mod verified;

pub use error::BridgeError;
pub use provider::{AlreadyInstalled, PROVIDER, install_default};
pub use verified::verify_once;
