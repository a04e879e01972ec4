//! A tower layer that authorizes HTTP requests by bearer token.

mod layer;
mod rejection;
mod requirement;
mod storage;

pub use layer::{Authorize, AuthorizeLayer, TokenVerifier};
pub use requirement::Requirement;
pub use storage::{StorageOperation, StorageRules};
