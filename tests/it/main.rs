//! Integration tests.

#[cfg(feature = "download")]
mod chaos;
#[cfg(feature = "download")]
mod chaos_server;
#[cfg(feature = "download")]
mod download;
#[cfg(feature = "download")]
mod download_many;
