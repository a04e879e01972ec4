//! From one storage into another, and from an old format to the new one.

use std::path::PathBuf;

use clap::Args;
use reqwest_scitokens::storage::{DEFAULT_NAMESPACE, JsonTokenStorage, SqliteTokenStorage, TokenStorage};

use super::place::{Kind, Place, failed, lock};
use super::{print, warn_of_unreadable};
use crate::exit::Exit;
use crate::failure::Failure;

/// Copy all entries of another storage into this one
///
/// An entry that this storage has already is replaced. Entries that cannot be understood are left out, told on
/// standard error, and make the exit code 3.
#[derive(Debug, Args)]
pub(super) struct Import {
    #[command(flatten)]
    from: From,
    /// The part of the other storage to take
    #[arg(long, value_name = "NS", default_value = DEFAULT_NAMESPACE)]
    from_namespace: String,
    #[command(flatten)]
    place: Place,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct From {
    /// Take them from a JSON file
    #[arg(id = "from_json", long = "from-json", value_name = "FILE")]
    json: Option<PathBuf>,
    /// Take them from an SQLite database
    #[arg(id = "from_sqlite", long = "from-sqlite", value_name = "FILE")]
    sqlite: Option<PathBuf>,
    /// Take them from the system's keyring
    #[arg(id = "from_keyring", long = "from-keyring")]
    keyring: bool,
}

/// Bring a storage to the format that is written today
///
/// A JSON file of format 1.0 becomes 2.0. A database of schema 1 is used as it is, by the Globus SDK too, so there is
/// nothing to do for it.
#[derive(Debug, Args)]
pub(super) struct Migrate {
    #[command(flatten)]
    place: Place,
}

impl Import {
    pub(super) fn run(&self) -> Result<Exit, Failure> {
        let source = match (&self.from.json, &self.from.sqlite) {
            (Some(path), _) | (None, Some(path)) if !path.exists() => {
                return Err(Failure::new(Exit::Local, format!("`{}` does not exist", path.display())));
            }
            (json, sqlite) => Kind { json: json.clone(), sqlite: sqlite.clone(), keyring: self.from.keyring },
        }
        .open(&self.from_namespace)?;
        let tokens = source.get_token_data_by_resource_server().map_err(|error| failed(&error))?;
        if !tokens.is_empty() {
            let target = self.place.open()?;
            let _lock = lock(&*target)?;
            target.store_token_data_by_resource_server(&tokens).map_err(|error| failed(&error))?;
        }
        print(&format!("imported {}\n", tokens.len()))?;
        Ok(warn_of_unreadable(&tokens))
    }
}

impl Migrate {
    pub(super) fn run(&self) -> Result<Exit, Failure> {
        let done = match (&self.place.kind().json, &self.place.kind().sqlite) {
            (Some(path), _) => {
                if JsonTokenStorage::new(path).migrate().map_err(|error| failed(&error))? {
                    "migrated from format 1.0 to 2.0\n"
                } else {
                    "nothing to migrate\n"
                }
            }
            (None, Some(path)) => {
                // Looks whether it is a database that we know.
                let storage = SqliteTokenStorage::new(path).map_err(|error| failed(&error))?;
                storage.iter_namespaces().map_err(|error| failed(&error))?;
                "nothing to migrate\n"
            }
            (None, None) => "nothing to migrate\n",
        };
        print(done)?;
        Ok(Exit::Ok)
    }
}
