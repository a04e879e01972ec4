//! From a text to a [`VerifiedToken`](super::VerifiedToken).
//!
//! `rules` is what every verifier does; [`OfflineVerifier`] has its keys, [`Verifier`] fetches them.

mod error;
pub(super) mod fetch;
mod issuer_keys;
mod offline;
mod rules;
mod seen;
mod verifier;

pub use error::{KeysError, VerifyError};
pub use offline::OfflineVerifier;
pub use rules::KeyNames;
pub use verifier::{Verifier, VerifierBuilder};
