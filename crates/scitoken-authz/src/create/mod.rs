//! Issuing tokens.

mod signer;
mod token;

pub use signer::TokenSigner;
pub use token::{CreateError, SciToken};
