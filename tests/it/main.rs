//! Integration tests.
mod gafaelfawr;
mod gafaelfawr_challenges;
#[cfg(feature = "cli")]
mod gafaelfawr_cli;
mod gafaelfawr_client;
