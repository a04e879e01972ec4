//! Integration tests.

#[cfg(feature = "aws-lc-rs")]
mod keys;
#[cfg(feature = "aws-lc-rs")]
mod keys_fetch;
#[cfg(feature = "aws-lc-rs")]
mod scitokens;
