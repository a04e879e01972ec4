//! The entries that the samples hold.

use scitoken_storage::TokenStorageData;

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
