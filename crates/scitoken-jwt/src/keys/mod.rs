//! Keys, signatures and key sets.
//!
//! * [`SigningKey`] signs and [`VerifyingKey`] verifies, with the [`Algorithm`]s of JOSE. A key is parsed once and
//!   determines which algorithms it supports; a token cannot change that.
//! * [`Jwk`] and [`JwkSet`] are keys as issuers publish them.
//! * [`fetch`](crate::fetch) gets metadata and key sets over HTTP, within limits.
//!
//! The cryptography is that of AWS-LC; this is the only module of the workspace that uses it. Nothing here decides
//! which issuer to trust: that is left to the callers.

mod algorithm;
mod convert;
mod der;
mod digest;
mod encoding;
mod error;
mod jwk;
mod purpose;
mod rsa_numbers;
mod secret;
mod set;
mod signing;
mod verifying;
mod weakness;

pub use algorithm::{Algorithm, KeyKind};
#[cfg(feature = "jsonwebtoken")]
pub(crate) use der::pkcs8_content;
pub use digest::sha256;
#[cfg(feature = "jsonwebtoken")]
pub(crate) use digest::{Sha2, digest, sha256_of_parts};
pub use error::KeyError;
pub use jwk::Jwk;
pub use set::JwkSet;
#[cfg(feature = "jsonwebtoken")]
pub(crate) use signing::PrivateNumbers;
pub use signing::{RsaSize, SigningKey};
#[cfg(feature = "jsonwebtoken")]
pub(crate) use verifying::PublicNumbers;
pub use verifying::VerifyingKey;
pub use weakness::Weakness;
