//! `scitoken token`: tokens of SciTokens' and WLCG's kind.

mod acls;
mod check;
mod create;
mod enforce;
mod input;
mod locate;
mod report;
mod show;
mod trust;
mod verify;

use clap::{Args, Subcommand};

pub(crate) use trust::keys_failure;

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
    Where(locate::Locate),
    Check(check::Check),
}

impl Token {
    pub(crate) fn run(&self) -> Result<Exit, Failure> {
        match &self.command {
            Command::Verify(verify) => verify.run(),
            Command::Enforce(enforce) => enforce.run(),
            Command::Acls(acls) => acls.run(),
            Command::Create(create) => create.run(),
            Command::Show(show) => show.run(),
            Command::Where(locate) => locate.run(),
            Command::Check(check) => check.run(),
        }
    }
}
