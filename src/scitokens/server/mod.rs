//! For servers: a tower layer that lets in who has a token for it.

mod challenge;
mod demand;
mod layer;

pub use demand::Demand;
pub use layer::{AnyVerifier, Authorize, AuthorizeLayer};
