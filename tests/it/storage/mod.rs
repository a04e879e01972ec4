//! Token storages against files that the real `globus-sdk` has written, and against each other.

mod common;
mod json;
#[cfg(feature = "keyring")]
mod keyring;
mod processes;
#[cfg(feature = "cli")]
mod program;
#[cfg(feature = "oauth")]
mod renewal;
#[cfg(feature = "sqlite")]
mod sqlite;

use std::path::{Path, PathBuf};

use reqwest_scitokens::storage::TokenStorageData;

/// A file as `globus-sdk` 4.9.1 has written it.
pub(crate) fn sample(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/globus").join(name)
}

pub(crate) fn copy_of(name: &str, directory: &Path) -> PathBuf {
    let path = directory.join(name);
    fs_err::copy(sample(name), &path).unwrap();
    path
}

pub(crate) const IDENTITY: &str = "11111111-2222-3333-4444-555555555555";

/// The entry that `v2.json` and `v2.db` hold.
pub(crate) fn transfer() -> TokenStorageData {
    TokenStorageData::new(
        "transfer.api.globus.org",
        "urn:globus:auth:scope:transfer.api.globus.org:all",
        "AT-transfer.api.globus.org",
        1_700_000_000,
    )
    .with_identity_id(IDENTITY)
    .with_token_type("Bearer")
}

/// The entry that was stored into `v1.json` to make `v1-migrated.json`.
pub(crate) fn auth() -> TokenStorageData {
    TokenStorageData::new("auth.globus.org", "openid", "AT-auth.globus.org", 1_700_000_000)
        .with_identity_id(IDENTITY)
        .with_token_type("Bearer")
}

pub(crate) fn small(resource_server: &str) -> TokenStorageData {
    TokenStorageData::new(resource_server, "scope", format!("AT-{resource_server}"), 1_700_000_000)
}
