//! The lines of `scitoken.toml` with which other commands use a stored token.

use std::path::Path;

use scitoken_storage::DEFAULT_NAMESPACE;
use url::Url;

use super::audience::origin_pattern;
use crate::args::OptionalStorageArgs;
use crate::context::Context;
use crate::failure::Failure;
use crate::storage::StorageAddress;
use crate::{output, settings};

/// Shows the lines of `scitoken.toml` with which the transfer commands use the stored token. A server has one source, so the
/// other tokens of the answer are comments.
pub(super) fn show_settings<'n>(
    storage: &OptionalStorageArgs,
    name: &str,
    others: impl Iterator<Item = &'n str>,
    issuer: &Url,
    client_id: &str,
    client_secret_file: Option<&Path>,
    audience: Option<&str>,
) {
    let Some(address) = &storage.storage else { return };
    let host = audience.and_then(origin_pattern);
    let quoted = |text: &str| settings::quote(text);
    let mut lines = format!("[host.{}]\n", quoted(host.as_deref().unwrap_or("HOST")));
    let mut add = |key: &str, value: String| lines.extend([key, " = ", &value, "\n"]);
    let absolute = |path: &Path| quoted(&absolute(path));
    match address {
        StorageAddress::Json(path) => add("json", absolute(path)),
        StorageAddress::Sqlite(path) => add("sqlite", absolute(path)),
        StorageAddress::Keyring => add("keyring", "true".to_owned()),
    }
    if storage.namespace != DEFAULT_NAMESPACE {
        add("namespace", quoted(&storage.namespace));
    }
    add("resource-server", quoted(name));
    add("issuer", quoted(issuer.as_str()));
    add("client-id", quoted(client_id));
    if let Some(file) = client_secret_file {
        add("client-secret-file", absolute(file));
    }
    for other in others {
        let server = "# For the server of this token, the same lines with `resource-server = ";
        lines.extend([server, &quoted(other), "`\n"]);
    }
    output::remark(&format!("\nTo use the token, add these lines to `scitoken.toml`:\n\n{lines}"));
}

/// Shows the lines of `scitoken.toml` with which commands look for tokens of federations in this storage.
pub(super) fn show_federation_settings(context: &Context, storage: &StorageAddress) -> Result<(), Failure> {
    if context.settings()?.federation_storage()?.as_ref() == Some(storage) {
        return Ok(());
    }
    let address = match storage {
        StorageAddress::Json(path) => format!("json:{}", absolute(path)),
        StorageAddress::Sqlite(path) => format!("sqlite:{}", absolute(path)),
        StorageAddress::Keyring => "keyring".to_owned(),
    };
    output::remark(&format!(
        "\nTo use the token, add these lines to `scitoken.toml`:\n\n[federation]\nstorage = {}\n",
        settings::quote(&address)
    ));
    Ok(())
}

pub(super) fn absolute(path: &Path) -> String {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned()).to_string_lossy().into_owned()
}
