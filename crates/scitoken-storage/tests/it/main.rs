//! Integration tests.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops")]

mod common;
mod entries;
mod json;
#[cfg(feature = "keyring")]
mod keyring;
mod leaks_stores;
mod processes;
mod registration;
mod renewal;
mod samples;
#[cfg(feature = "sqlite")]
mod sqlite;
