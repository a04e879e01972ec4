//! Tests against real servers and against the libraries that others use.
//!
//! Each test says which peer it needs. A peer that is not installed is a skip, unless `SCITOKEN_INTEROP=required`
//! says that it is a failure. The README beside this file tells what is needed and how it is run.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops")]

#[cfg(target_os = "linux")]
mod client;
mod condor;
#[cfg(target_os = "linux")]
mod facts;
mod federation;
#[cfg(target_os = "linux")]
mod formats;
mod gafaelfawr;
mod gafaelfawr_values;
mod jwt;
#[cfg(target_os = "linux")]
mod lab;
#[cfg(unix)]
mod oauth;
#[cfg(target_os = "linux")]
mod object_store;
mod python;
mod scitokens;
mod storage;
mod support;
mod tokens;
