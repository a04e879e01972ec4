//! Verifiers: from a string to a [`VerifiedToken`](super::VerifiedToken).
//!
//! `rules` is common to all; [`OfflineVerifier`] is given its keys, [`Verifier`] fetches them.

#[cfg(feature = "jsonwebtoken")]
mod decoding_key;
mod error;
pub(super) mod fetch;
mod issuer_keys;
mod offline;
mod rules;
mod verified_tokens;
mod verifier;

pub use error::{KeysError, VerifyError};
pub use offline::OfflineVerifier;
pub use rules::KidPolicy;
pub use verifier::{Verifier, VerifierBuilder};
