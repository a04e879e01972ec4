//! `scitoken`: find, show, check and make tokens, and move science data with them.
//!
//! The program holds no logic that the library could hold: it reads arguments, calls the library and reports.

mod commands;
mod connect;
mod engine;
mod events;
mod exit;
mod failure;
mod logging;
mod names;
mod print;
mod progress;
mod settings;
mod signals;
mod sources;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use reqwest_scitokens::sys::Env;

use crate::exit::Exit;
use crate::failure::Failure;
use crate::logging::Loudness;
use crate::settings::Settings;

/// Token-aware HTTP for science
///
/// It finds the bearer token that a batch system or a login left, sends it to the servers that may have it and to no
/// others, moves data with it, and says why when a server refuses. `scitoken get URL` is a beginning; `scitoken token
/// where` shows which token is found.
#[derive(Debug, Parser)]
#[command(name = "scitoken", version, max_term_width = 100, after_help = exit::TABLE)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    loudness: Loudness,
}

#[derive(Debug, Subcommand)]
enum Command {
    Get(Box<commands::get::Get>),
    Put(Box<commands::put::Put>),
    Stat(Box<commands::remote::Stat>),
    Ls(Box<commands::remote::Ls>),
    Mkdir(Box<commands::remote::Mkdir>),
    Rm(Box<commands::remote::Rm>),
    Checksum(Box<commands::remote::ChecksumOf>),
    Explain(Box<commands::explain::Explain>),
    Doctor(Box<commands::doctor::Doctor>),
    Token(Box<commands::token::Token>),
    Login(commands::login::Login),
    Logout(commands::logout::Logout),
    Store(commands::store::Store),
    Keys(Box<commands::keys::Keys>),
    Jwt(commands::jwt::Jwt),
    Gafaelfawr(commands::gafaelfawr::Gafaelfawr),
    Config(commands::config::Config),
    CondorPlugin(Box<commands::condor_plugin::CondorPlugin>),
    Completions(commands::completions::Completions),
    Man(commands::man::Man),
}

fn main() -> ExitCode {
    let cli = Cli::parse_from(names::arguments(std::env::args_os()));
    cli.loudness.begin();
    match run(cli) {
        Ok(exit) => exit.into(),
        Err(failure) => failure.report(),
    }
}

fn run(cli: Cli) -> Result<Exit, Failure> {
    let settings = || Settings::load(Env::process());
    match cli.command {
        Command::Get(command) => command.run(&settings()?, cli.loudness),
        Command::Put(command) => command.run(&settings()?, cli.loudness),
        Command::Stat(command) => command.run(&settings()?),
        Command::Ls(command) => command.run(&settings()?),
        Command::Mkdir(command) => command.run(&settings()?),
        Command::Rm(command) => command.run(&settings()?),
        Command::Checksum(command) => command.run(&settings()?),
        Command::Explain(command) => command.run(&settings()?),
        Command::Doctor(command) => command.run(&settings()?),
        Command::Config(command) => Ok(command.run(&settings()?)),
        Command::CondorPlugin(command) => command.run(settings()),
        Command::Completions(command) => command.run(),
        Command::Man(command) => command.run(),
        Command::Gafaelfawr(command) => command.run(),
        Command::Jwt(command) => command.run(),
        Command::Keys(command) => command.run(),
        Command::Login(command) => command.run(),
        Command::Logout(command) => command.run(),
        Command::Store(command) => command.run(),
        Command::Token(command) => command.run(),
    }
}
