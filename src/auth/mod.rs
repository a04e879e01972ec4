//! The middleware.

mod challenge;

pub use challenge::{Challenge, ChallengeError};
