//! Integration tests.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops")]

#[cfg(feature = "jsonwebtoken")]
mod bridge;
mod jwk_client;
mod jwt;
mod keys;
mod keys_fetch;
mod leaks_keys;
