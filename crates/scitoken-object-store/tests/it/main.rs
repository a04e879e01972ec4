//! Integration tests.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod federated;
mod formats;
mod integration;
mod reading;
mod science_files;
mod support;
mod writing;
