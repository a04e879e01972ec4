//! Tokens in the making.

mod signer;
mod token;

pub use signer::TokenSigner;
pub use token::{CreateError, SciToken};
