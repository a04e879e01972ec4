//! Integration tests.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops")]

#[cfg(feature = "jsonwebtoken")]
mod bridge;
#[cfg(feature = "jsonwebtoken")]
mod bridge_headers;
#[cfg(feature = "jsonwebtoken")]
mod bridge_hostile;
#[cfg(feature = "jsonwebtoken")]
mod bridge_keys;
#[cfg(feature = "jsonwebtoken")]
mod bridge_rsa;
mod jwk_client;
mod jwt;
mod keys;
mod keys_fetch;
mod leaks_keys;
