//! Tests against real servers and against the libraries that others use.
//!
//! Each test says which peer it needs. A peer that is not installed is a skip, unless `SCITOKEN_INTEROP=required`
//! says that it is a failure.

#[cfg(all(unix, feature = "cli", feature = "oauth"))]
mod oauth;
mod python;
#[cfg(feature = "sqlite")]
mod storage;
mod support;
