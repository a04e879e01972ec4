//! Scope requirements, and the errors of validators.

mod error;
mod requirement;

pub use error::{IdentityValidationError, TokenValidationError};
pub use requirement::{InvalidScopeRequirement, ScopeRequirement};
