//! Storages that the real `globus-sdk` has written, and what they hold.

use std::path::{Path, PathBuf};

use scitoken_storage::TokenStorageData;

/// A file as `globus-sdk` 4.9.1 has written it.
pub(crate) fn sample(name: &str) -> PathBuf {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../scitoken-storage/tests/data/globus")).join(name)
}

pub(crate) fn copy_of(name: &str, directory: &Path) -> PathBuf {
    let path = directory.join(name);
    fs_err::copy(sample(name), &path).unwrap();
    path
}

pub(crate) fn small(resource_server: &str) -> TokenStorageData {
    TokenStorageData::new(resource_server, "scope", format!("AT-{resource_server}"), 1_700_000_000)
}
