//! Integration tests.

#[cfg(feature = "aws-lc-rs")]
mod jwk_client;
#[cfg(feature = "aws-lc-rs")]
mod jwt;
#[cfg(feature = "cli")]
mod jwt_cli;
#[cfg(feature = "aws-lc-rs")]
mod keys;
#[cfg(feature = "aws-lc-rs")]
mod keys_fetch;
#[cfg(feature = "aws-lc-rs")]
mod scitokens;
#[cfg(feature = "tower")]
mod scitokens_server;
#[cfg(feature = "cli")]
mod token_cli;
