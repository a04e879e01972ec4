//! Integration tests.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod copying;
mod examples;
mod federated;
mod federated_servers;
mod formats;
mod hostile;
mod hostile_changes;
mod integration;
mod reading;
mod refusals;
mod science_files;
mod support;
mod writing;
