//! `scitoken`: finds, shows, checks and makes tokens, and moves science data with them.
//!
//! The program reads arguments, calls the library and reports; logic that a library could hold is in the library.

mod args;
mod argv;
mod authorities;
mod commands;
mod context;
mod engine;
mod exit;
mod failure;
mod files;
mod habits;
mod hints;
mod json_events;
mod key_failure;
mod key_session;
mod oauth;
mod obtaining;
mod open_session;
mod output;
#[cfg(test)]
mod pages;
mod panics;
mod progress;
mod runtime;
mod sanitize;
mod sessions;
mod settings;
mod signals;
mod sources;
mod storage;
mod targets;
mod time;
mod token_source;
mod transfer_error;
mod usage;
mod verbosity;
mod wire;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand};
use scitoken_types::sys::Env;

use crate::context::Context;
use crate::exit::{Exit, exit_table};
use crate::failure::Failure;
use crate::output::Output;
use crate::verbosity::Verbosity;

/// A request makes some hundred small allocations; this allocator takes a third of the time of the C library's.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Token-aware HTTP for science
///
/// Finds the bearer token that a batch system or a login left, sends it to the servers that may receive it, moves data
/// with it, and explains why a server refuses. Start with `scitoken get URL`; `scitoken token where` shows which token
/// is found.
#[derive(Debug, Parser)]
#[command(name = "scitoken", version, max_term_width = 100, after_help = AFTER_HELP, args_override_self = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    verbosity: Verbosity,
}

/// The end of `scitoken --help`.
const AFTER_HELP: &str = concat!(
    "Examples:\n",
    "  scitoken get https://data.example.org/vo/run1.root\n",
    "  scitoken put result.root https://data.example.org/vo/results/\n",
    "  scitoken explain https://data.example.org/vo/run1.root\n\n",
    exit_table!()
);

#[derive(Debug, Subcommand)]
enum Command {
    Get(Box<commands::get::Get>),
    Put(Box<commands::put::Put>),
    Copy(Box<commands::copy::Copy>),
    Stat(Box<commands::stat::Stat>),
    Ls(Box<commands::ls::Ls>),
    Mkdir(Box<commands::mkdir::Mkdir>),
    Rm(Box<commands::rm::Rm>),
    Mv(Box<commands::mv::Mv>),
    Checksum(Box<commands::checksum::Checksum>),
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
    panics::end_the_process(&Env::process());
    let arguments = habits::complete_offset(argv::normalize(std::env::args_os()));
    let cli = match parse(&arguments) {
        Ok(cli) => cli,
        Err(exit) => return exit.into(),
    };
    cli.verbosity.init();
    let output = cli.verbosity.output(hints::recommended_command(&arguments));
    let context = Context { env: Env::process(), output, verbose: cli.verbosity.level() };
    signals::start(&context.env);
    let ended = cli.command.run(&context);
    obtaining::finish(&context.env, obtaining::FINISH_TIMEOUT);
    let exit = match ended {
        Ok(exit) => exit,
        Err(failure) if failure.is_closed_pipe() => {
            signals::die_of_closed_pipe();
            Exit::Ok
        }
        Err(failure) => failure.report(context.output),
    };
    signals::die_if_interrupted();
    exit.into()
}

/// Parses the command line; a failure is reported, as JSON if the command line asks for it.
fn parse(arguments: &[OsString]) -> Result<Cli, Exit> {
    let texts: Vec<String> =
        arguments.iter().skip(1).map(|text| text.to_string_lossy().into_owned()).collect();
    let output = Output { json: texts.iter().any(|text| text == "--json"), ..Output::default() };
    output::hide_inputs(&texts, &Env::process(), settings::variables());
    let shown = if matches!(texts.as_slice(), [flag] if flag == "--version" || flag == "-V") {
        // Without the tables of all commands, which take most of the time.
        output::bytes(VERSION.as_bytes()).map(|()| None)
    } else {
        let program = Cli::command();
        if let Some((message, hint)) = habits::misread(&texts, &program) {
            return Err(Failure::new(Exit::Usage, message).with_hint(hint).report(output));
        }
        match parse_with(program, arguments) {
            Ok(cli) => return Ok(cli),
            Err(error) => usage::failure(&error, &Cli::command()),
        }
    };
    Err(match shown {
        Ok(None) => Exit::Ok,
        Ok(Some(failure)) => {
            commands::condor_plugin::report_to_condor(&texts, &failure);
            failure.report(output)
        }
        Err(error) => {
            let failure = Failure::from(error);
            if failure.is_closed_pipe() {
                signals::die_of_closed_pipe();
            }
            failure.report(output)
        }
    })
}

/// What `--version` prints.
const VERSION: &str = concat!("scitoken ", env!("CARGO_PKG_VERSION"), "\n");

/// As `Cli::try_parse_from`, with tables that have been made already.
fn parse_with(program: clap::Command, arguments: &[OsString]) -> Result<Cli, clap::Error> {
    let mut matches = program.try_get_matches_from(arguments)?;
    Cli::from_arg_matches_mut(&mut matches).map_err(|error| error.format(&mut Cli::command()))
}

impl Command {
    fn run(self, context: &Context) -> Result<Exit, Failure> {
        match self {
            Self::Get(command) => command.run(context),
            Self::Put(command) => command.run(context),
            Self::Copy(command) => command.run(context),
            Self::Stat(command) => command.run(context),
            Self::Ls(command) => command.run(context),
            Self::Mkdir(command) => command.run(context),
            Self::Rm(command) => command.run(context),
            Self::Mv(command) => command.run(context),
            Self::Checksum(command) => command.run(context),
            Self::Explain(command) => command.run(context),
            Self::Doctor(command) => command.run(context),
            Self::Config(command) => command.run(context),
            Self::CondorPlugin(command) => command.run(context),
            Self::Completions(command) => command.run(context, Cli::command()),
            Self::Man(command) => command.run(context, Cli::command()),
            Self::Gafaelfawr(command) => command.run(context),
            Self::Jwt(command) => command.run(context),
            Self::Keys(command) => command.run(context),
            Self::Login(command) => command.run(context),
            Self::Logout(command) => command.run(context),
            Self::Store(command) => command.run(context),
            Self::Token(command) => command.run(context),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_quick_version_is_the_one_of_the_command_line() {
        assert_eq!(Cli::command().render_version(), VERSION);
    }
}
