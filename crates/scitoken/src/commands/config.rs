//! `scitoken config`.

use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::settings::{ALL, SettingProblem, SettingSource, Settings};

/// Show the settings of `scitoken.toml` and of the environment
///
/// The file is `$SCITOKEN_CONFIG`, else `$XDG_CONFIG_HOME/scitoken/scitoken.toml`, else
/// `~/.config/scitoken/scitoken.toml`. A flag beats the environment, the environment beats the file. The tables
/// `[host."PATTERN"]` say where the tokens for matching servers come from: a file, a command, a token storage, or
/// oidc-agent.
#[derive(Debug, Args)]
pub(crate) struct Config {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show every setting, its value, and where the value comes from
    ///
    /// Invalid settings are listed with their lines; the exit code is then 2.
    Show,
}

impl Config {
    pub(crate) fn run(&self, context: &Context) -> Result<Exit, Failure> {
        let Command::Show = self.command;
        let (settings, mut problems) = Settings::inspect(context.env.clone())?;
        problems.extend(settings.invalid_values());
        let output = context.output;
        let file = settings.file().map(|path| path.display().to_string());
        output.text(&match &file {
            Some(path) => format!("# settings from `{path}`"),
            None => "# no settings file".to_owned(),
        })?;
        let mut members = Map::new();
        for key in ALL {
            let (value, source) = settings.text(*key);
            let is_set = value.is_some();
            let value = value.unwrap_or_else(|| key.default.to_owned());
            let note = match source {
                SettingSource::Default => format!("default; `{}`", key.variable),
                other => other.to_string(),
            };
            let name = key.to_string();
            output.text(&format!("{name:<26} = {value:<24} # {note}"))?;
            members.insert(name, json!({ "value": value, "set": is_set, "from": note }));
        }
        let mut hosts = Vec::new();
        for host in settings.hosts() {
            let from = file.as_ref().map(|path| format!("file `{path}`")).unwrap_or_default();
            output.text(&format!("host.\"{}\" = {}  # {from}", host.pattern, host.token))?;
            hosts.push(json!({ "pattern": host.pattern.to_string(), "token": host.token.to_string() }));
        }
        let shown = json!({ "file": file, "settings": Value::Object(members), "hosts": hosts });
        let Some(failure) = SettingProblem::failure(&problems) else {
            output.object(true, shown)?;
            return Ok(Exit::Ok);
        };
        if !output.json {
            return Err(failure);
        }
        let problems: Vec<Value> = problems.iter().map(SettingProblem::as_json).collect();
        let mut members = failure.members();
        members.extend([("problems".to_owned(), problems.into())]);
        members.extend(shown.as_object().cloned().unwrap_or_default());
        output.object(false, members.into())?;
        Ok(failure.exit())
    }
}
