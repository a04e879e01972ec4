//! `scitoken config`: what is set, and where.

use clap::{Args, Subcommand};

use crate::exit::Exit;
use crate::print;
use crate::settings::{ALL, HostToken, Settings, Source};

/// Show the settings of `scitoken.toml` and of the environment
///
/// The file is `$SCITOKEN_CONFIG`, else `$XDG_CONFIG_HOME/scitoken/scitoken.toml`. A flag beats the environment, the
/// environment beats the file.
#[derive(Debug, Args)]
pub(crate) struct Config {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show every setting, its value, and where the value comes from
    Show,
}

impl Config {
    pub(crate) fn run(&self, settings: &Settings) -> Exit {
        let Command::Show = self.command;
        match settings.file() {
            Some(path) => print::line(&format!("# settings from `{}`", path.display())),
            None => print::line("# no settings file"),
        }
        for key in ALL {
            let (value, source) = settings.text(*key);
            let value = value.unwrap_or_else(|| key.default.to_owned());
            let note = match source {
                Source::Default => format!("default; `{}`", key.variable),
                other => other.to_string(),
            };
            print::line(&format!("{:<26} = {value:<24} # {note}", format!("{}.{}", key.table, key.name)));
        }
        for host in settings.hosts() {
            let token = match &host.token {
                HostToken::File(file) => format!("token-file {}", file.display()),
                // A command line can hold a secret.
                HostToken::Command(_) => "token-command".to_owned(),
                HostToken::None => "no-auth".to_owned(),
            };
            print::line(&format!("host.\"{}\" = {token}", host.pattern));
        }
        Exit::Ok
    }
}
