//! `scitoken keys`.

mod cache;
mod files;
mod generate;
mod jwks;

use clap::{Args, Subcommand};

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;

/// Make and publish keys, and manage the key cache
#[derive(Debug, Args)]
pub(crate) struct Keys {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Generate(generate::Generate),
    Jwks(jwks::Jwks),
    Cache(cache::Cache),
}

impl Keys {
    pub(crate) fn run(&self, context: &Context) -> Result<Exit, Failure> {
        match &self.command {
            Command::Generate(generate) => generate.run(context),
            Command::Jwks(jwks) => jwks.run(context),
            Command::Cache(cache) => cache.run(context),
        }
    }
}
