//! Integration tests.

#[cfg(feature = "jsonwebtoken")]
mod decoding_keys;
mod examples;
mod reasons;
mod scitokens;
mod scitokens_properties;
mod scitokens_server;
mod storage_server;
