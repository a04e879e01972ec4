//! `scitoken store import`.

use clap::Args;
use scitoken_storage::DEFAULT_NAMESPACE;
use serde_json::json;

use crate::args::StorageArgs;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::storage::{StorageAddress, failure, lock, warn_of_unreadable};

/// Copy all entries of another storage into this one
///
/// Replaces entries of the same resource server. Entries that cannot be read are skipped and reported on standard error;
/// the exit code is then 3.
#[derive(Debug, Args)]
pub(super) struct Import {
    /// Storage to copy from: `json:FILE`, `sqlite:FILE` or `keyring`
    #[arg(long, value_name = "STORAGE")]
    from: StorageAddress,
    /// Namespace to copy from
    #[arg(long, value_name = "NAME", default_value = DEFAULT_NAMESPACE)]
    from_namespace: String,
    #[command(flatten)]
    storage: StorageArgs,
}

impl Import {
    pub(super) fn run(&self, context: &Context) -> Result<Exit, Failure> {
        self.from.require_file()?;
        let source = self.from.open(&self.from_namespace)?;
        let tokens = source.get_token_data_by_resource_server().map_err(|error| failure(&error))?;
        if !tokens.is_empty() {
            let target = self.storage.open()?;
            let _lock = lock(&*target)?;
            target.store_token_data_by_resource_server(&tokens).map_err(|error| failure(&error))?;
        }
        context.output.result(&format!("imported {}", tokens.len()), json!({ "imported": tokens.len() }))?;
        Ok(warn_of_unreadable(&tokens))
    }
}
