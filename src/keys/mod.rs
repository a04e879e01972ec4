//! Keys, signatures and key sets: the one place of the crate that knows cryptography, for every room.
//!
//! * [`SigningKey`] signs and [`VerifyingKey`] verifies, with the [`Algorithm`]s of JOSE. A key is parsed once and
//!   knows which algorithms it can do, so a token never chooses how its own signature is looked at.
//! * [`Jwk`] and [`JwkSet`] are keys as issuers publish them.
//! * [`fetch`] gets metadata and key sets over HTTP, within limits.
//!
//! The arithmetic is that of AWS-LC. Nothing here decides whom to trust: that is the business of the rooms which
//! call it.

mod algorithm;
mod der;
mod encoding;
mod error;
pub mod fetch;
mod jwk;
mod kind;
mod purpose;
mod secret;
mod set;
mod signing;
mod verifying;

pub use algorithm::Algorithm;
pub use error::KeyError;
pub use jwk::Jwk;
pub use kind::{KeyKind, Weakness};
pub use set::JwkSet;
pub use signing::{RsaSize, SigningKey};
pub use verifying::VerifyingKey;
