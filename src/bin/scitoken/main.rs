//! `scitoken`: find, show, check and make tokens, and move science data with them.
//!
//! The program holds no logic that the library could hold: it reads arguments, calls the library and reports.

mod commands;
mod exit;
mod failure;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::exit::Exit;
use crate::failure::Failure;

/// Token-aware HTTP for science
#[derive(Debug, Parser)]
#[command(name = "scitoken", version, about, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Jwt(commands::jwt::Jwt),
    Gafaelfawr(commands::gafaelfawr::Gafaelfawr),
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    match run(cli) {
        Ok(exit) => exit.into(),
        Err(failure) => failure.report(),
    }
}

fn run(cli: Cli) -> Result<Exit, Failure> {
    match cli.command {
        Command::Jwt(command) => command.run(),
        Command::Gafaelfawr(command) => command.run(),
    }
}
