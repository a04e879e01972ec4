//! `scitoken store migrate`.

use clap::Args;
use scitoken_storage::{JsonTokenStorage, SqliteTokenStorage};
use serde_json::json;

use crate::args::StorageArgs;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::storage::{StorageAddress, failure};

/// Convert a storage to the current format
///
/// Converts a JSON file of format 1.0 to 2.0. A database of schema 1 is current, for the Globus SDK too.
#[derive(Debug, Args)]
pub(super) struct Migrate {
    #[command(flatten)]
    storage: StorageArgs,
}

impl Migrate {
    pub(super) fn run(&self, context: &Context) -> Result<Exit, Failure> {
        self.storage.storage.require_file()?;
        let is_migrated = match &self.storage.storage {
            StorageAddress::Json(path) => {
                JsonTokenStorage::new(path).migrate().map_err(|error| failure(&error))?
            }
            StorageAddress::Sqlite(path) => {
                // Fails if the file is not such a database.
                let storage = SqliteTokenStorage::new(path).map_err(|error| failure(&error))?;
                storage.iter_namespaces().map_err(|error| failure(&error))?;
                false
            }
            StorageAddress::Keyring => false,
        };
        let text = if is_migrated { "migrated from format 1.0 to 2.0" } else { "nothing to migrate" };
        context.output.result(text, json!({ "migrated": is_migrated }))?;
        Ok(Exit::Ok)
    }
}
