//! `scitoken completions`.

use clap::builder::PossibleValuesParser;
use clap::{Args, Command};
use clap_complete::Shell;
use serde_json::json;

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;

/// Print the completion script of a shell
///
/// It completes commands, flags, their values, and in bash and zsh the hosts that the settings name now. In bash:
/// `source <(scitoken completions bash)`.
#[derive(Debug, Args)]
pub(crate) struct Completions {
    /// Shell
    #[arg(value_enum)]
    shell: Shell,
}

impl Completions {
    pub(crate) fn run(&self, context: &Context, program: Command) -> Result<Exit, Failure> {
        // Settings that cannot be read must not leave a shell without its completions.
        let hosts = context.settings().map_or_else(|_| Vec::new(), |settings| urls(settings.hosts()));
        let mut program = with_hosts(program, &hosts);
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut program, "scitoken", &mut script);
        let script = String::from_utf8_lossy(&script);
        context.output.data(&script, json!({ "script": script }))?;
        Ok(Exit::Ok)
    }
}

/// Returns the start of the URLs of each host that the settings name without a wildcard.
fn urls(hosts: &[crate::settings::HostEntry]) -> Vec<String> {
    let names = hosts.iter().map(|host| host.pattern.to_string()).filter(|name| !name.contains('*'));
    names
        .map(|name| if name.contains("://") { format!("{name}/") } else { format!("https://{name}/") })
        .collect()
}

/// Lets every argument that is a server's URL complete to these.
fn with_hosts(command: Command, urls: &[String]) -> Command {
    if urls.is_empty() {
        return command;
    }
    let is_url = |arg: &clap::Arg| {
        arg.is_positional()
            && arg.get_value_names().is_some_and(|names| names.iter().any(|name| name == "URL"))
    };
    command
        .mut_args(
            |arg| {
                if is_url(&arg) { arg.value_parser(PossibleValuesParser::new(urls.to_vec())) } else { arg }
            },
        )
        .mut_subcommands(|command| with_hosts(command, urls))
}
