//! `scitoken store`.

mod entries;
mod import;
mod migrate;

use clap::{Args, Subcommand};

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;

/// Show and change token storages
///
/// The files are those of the Globus SDK for Python, which reads and writes the same formats.
#[derive(Debug, Args)]
pub(crate) struct Store {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    List(entries::ListEntries),
    Get(entries::GetEntry),
    Put(entries::PutEntry),
    Remove(entries::RemoveEntry),
    Import(import::Import),
    Migrate(migrate::Migrate),
}

impl Store {
    pub(crate) fn run(&self, context: &Context) -> Result<Exit, Failure> {
        match &self.command {
            Command::List(list) => list.run(context),
            Command::Get(get) => get.run(context),
            Command::Put(put) => put.run(context),
            Command::Remove(remove) => remove.run(context),
            Command::Import(import) => import.run(context),
            Command::Migrate(migrate) => migrate.run(context),
        }
    }
}
