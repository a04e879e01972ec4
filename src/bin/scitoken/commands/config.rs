//! `scitoken config`: what is set, and where.

use clap::{Args, Subcommand};
use reqwest_scitokens::SafeUrl;
use reqwest_scitokens::storage::DEFAULT_NAMESPACE;

use super::store::visible;
use crate::exit::Exit;
use crate::print;
use crate::settings::{ALL, Account, HostToken, Settings, Source, Storage};

/// Show the settings of `scitoken.toml` and of the environment
///
/// The file is `$SCITOKEN_CONFIG`, else `$XDG_CONFIG_HOME/scitoken/scitoken.toml`, else
/// `~/.config/scitoken/scitoken.toml`. A flag beats the environment, the environment beats the file. Its tables
/// `[host."PATTERN"]` say which servers get which token: from a file, a command, what `scitoken login` stored, or
/// oidc-agent.
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
            let file = settings.file().map(|path| format!("file `{}`", path.display())).unwrap_or_default();
            print::line(&format!("host.\"{}\" = {}  # {file}", host.pattern, source_in_words(&host.token)));
        }
        Exit::Ok
    }
}

/// Where the tokens of a host come from.
pub(crate) fn source_in_words(token: &HostToken) -> String {
    match token {
        HostToken::File(file) => format!("token-file {}", file.display()),
        // A command line can hold a secret.
        HostToken::Command(_) => "token-command".to_owned(),
        HostToken::Stored(stored) => {
            let place = match &stored.storage {
                Storage::Json(path) => format!("json {}", path.display()),
                Storage::Sqlite(path) => format!("sqlite {}", path.display()),
                Storage::Keyring => "keyring".to_owned(),
            };
            let namespace = match stored.namespace.as_str() {
                DEFAULT_NAMESPACE => String::new(),
                other => format!(", namespace {}", visible(other)),
            };
            let renewed = match &stored.client {
                Some(client) => format!("renewed by {}", SafeUrl::new(&client.issuer)),
                None => "not renewed".to_owned(),
            };
            format!("{place}{namespace}, resource-server {}, {renewed}", visible(&stored.resource_server))
        }
        HostToken::Agent(agent) => {
            let (Account::Name(account) | Account::Issuer(account)) = &agent.account;
            let audience =
                agent.audience.as_ref().map(|audience| format!(", audience {}", visible(audience)));
            format!("oidc-agent {}{}", visible(account), audience.unwrap_or_default())
        }
        HostToken::None => "no-auth".to_owned(),
    }
}
