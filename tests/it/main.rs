//! Integration tests.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops")]

use std::fmt::Write as _;

#[cfg(feature = "download")]
mod chaos;
#[cfg(feature = "download")]
mod chaos_server;
#[cfg(feature = "download")]
mod download;
#[cfg(feature = "download")]
mod download_answers;
#[cfg(feature = "download")]
mod download_asks;
#[cfg(feature = "cli")]
mod download_killed;
#[cfg(feature = "download")]
mod download_many;
#[cfg(feature = "download")]
mod download_mirrors;
#[cfg(feature = "download")]
mod download_trailers;
#[cfg(feature = "cli")]
mod get_cli;
#[cfg(feature = "cli")]
mod get_hosts;
#[cfg(feature = "cli")]
mod get_names;
#[cfg(feature = "cli")]
mod get_netrc;
#[cfg(feature = "cli")]
mod get_progress;
#[cfg(feature = "cli")]
mod get_walk;
#[path = "../support/mod.rs"]
mod support;

mod auth;
mod bad_input;
#[cfg(feature = "blocking")]
mod blocking;
mod challenge;
mod compat;
mod concurrency;
mod discovery;
#[cfg(feature = "cli")]
mod explain_cli;
mod gafaelfawr;
mod gafaelfawr_challenges;
#[cfg(feature = "cli")]
mod gafaelfawr_cli;
mod gafaelfawr_client;
#[cfg(feature = "aws-lc-rs")]
mod jwk_client;
#[cfg(feature = "aws-lc-rs")]
mod jwt;
#[cfg(feature = "cli")]
mod jwt_cli;
#[cfg(feature = "cli")]
mod key_cache_cli;
#[cfg(feature = "aws-lc-rs")]
mod keys;
#[cfg(feature = "aws-lc-rs")]
mod keys_fetch;
mod leaks;
#[cfg(feature = "aws-lc-rs")]
mod leaks_keys;
mod leaks_stores;
mod redirect;
#[cfg(feature = "aws-lc-rs")]
mod scitokens;
#[cfg(feature = "aws-lc-rs")]
mod scitokens_properties;
#[cfg(feature = "tower")]
mod scitokens_server;
mod servers;
mod session;
mod storage;
#[cfg(feature = "cli")]
mod token_cli;
#[cfg(feature = "cli")]
mod transfer_cli;
mod xrootd;
#[cfg(feature = "download")]
mod xrootd_files;

/// A list of texts, for comparisons in tuples.
fn texts(items: &[&str]) -> Vec<String> {
    items.iter().map(|item| (*item).to_owned()).collect()
}

/// An error and all its causes, in both forms.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = format!("{error} | {error:?}");
    let mut next = error.source();
    while let Some(cause) = next {
        let _ = write!(text, "\n{cause} | {cause:?}");
        next = cause.source();
    }
    text
}

/// Writes a token file as a careful program does: only for its owner, and whole at once.
fn write_token(path: &std::path::Path, token: &str) {
    let directory = path.parent().unwrap();
    let file = tempfile::NamedTempFile::new_in(directory).unwrap();
    fs_err::write(file.path(), token).unwrap();
    file.persist(path).unwrap();
}
