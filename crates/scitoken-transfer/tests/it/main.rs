//! Integration tests.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops")]

mod bandwidth_limit;
mod copy;
mod download;
mod federation;
mod upload_chaos;
mod webdav;
mod xrootd;
