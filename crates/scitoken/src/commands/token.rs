//! `scitoken token`.

mod acls;
mod answer;
mod check;
mod create;
mod enforce;
mod input;
mod locations;
mod object_tokens;
mod server;
mod show;
mod trust;
mod verify;

use clap::{Args, Subcommand};

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;

/// Find, show, check, verify, enforce and make tokens
#[derive(Debug, Args)]
pub(crate) struct Token {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Verify(verify::Verify),
    Enforce(Box<enforce::Enforce>),
    Acls(acls::Acls),
    Create(Box<create::Create>),
    Show(show::Show),
    Where(locations::Where),
    Check(Box<check::Check>),
}

impl Token {
    pub(crate) fn run(&self, context: &Context) -> Result<Exit, Failure> {
        match &self.command {
            Command::Verify(verify) => verify.run(context),
            Command::Enforce(enforce) => enforce.run(context),
            Command::Acls(acls) => acls.run(context),
            Command::Create(create) => create.run(context),
            Command::Show(show) => show.run(context),
            Command::Where(command) => match command.object()? {
                Some(object) => object_tokens::rank(context, &object),
                None => command.run(context),
            },
            Command::Check(check) => check.run(context),
        }
    }
}
