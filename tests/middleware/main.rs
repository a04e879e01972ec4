//! Integration tests.
#![expect(clippy::unwrap_used, reason = "a test that cannot continue panics")]

mod attach;
mod bad_input;
#[cfg(feature = "blocking")]
mod blocking;
mod challenge;
mod choice;
mod compat;
mod concurrency;
mod discovery;
mod leaks;
mod manners;
mod netrc;
mod redirects;
mod rotation;
mod session;
mod test_servers;
mod xrootd;
