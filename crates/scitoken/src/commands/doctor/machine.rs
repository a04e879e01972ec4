//! The facts about this machine that a ticket should contain.

use scitoken_types::sys::Env;
use serde::Serialize;

use crate::settings::{ALL, Settings};

/// Variables, besides the program's own, that influence it.
const VARIABLES: [&str; 23] = [
    "BEARER_TOKEN",
    "BEARER_TOKEN_FILE",
    "XDG_RUNTIME_DIR",
    "SCITOKEN",
    "SCITOKEN_FILE",
    "_CONDOR_CREDS",
    "X509_CERT_DIR",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "http_proxy",
    "HTTP_PROXY",
    "https_proxy",
    "HTTPS_PROXY",
    "all_proxy",
    "ALL_PROXY",
    "no_proxy",
    "NO_PROXY",
    "REQUEST_METHOD",
    "SCITOKEN_CONFIG",
    "XDG_CONFIG_HOME",
    "HOME",
    "OIDC_SOCK",
    "X509_USER_PROXY",
];

/// Program, system and environment.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Machine {
    program: &'static str,
    version: &'static str,
    system: &'static str,
    processor: &'static str,
    settings_file: bool,
    variables: Vec<Variable>,
}

/// A variable, without its value, which may be a secret.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(super) struct Variable {
    name: &'static str,
    state: &'static str,
}

impl Machine {
    pub(super) fn of(settings: &Settings) -> Self {
        Self {
            program: "scitoken",
            version: env!("CARGO_PKG_VERSION"),
            system: std::env::consts::OS,
            processor: std::env::consts::ARCH,
            settings_file: settings.file().is_some(),
            variables: variables(settings.env()),
        }
    }

    /// Describes program and system in one line.
    pub(super) fn described(&self) -> String {
        let settings = if self.settings_file { "with a settings file" } else { "no settings file" };
        format!("{} {}, {} on {}, {settings}", self.program, self.version, self.system, self.processor)
    }

    /// Returns the names of the variables in this state, wrapped into lines.
    pub(super) fn named(&self, state: &str) -> Vec<String> {
        const WIDTH: usize = 80;
        let mut lines: Vec<String> = Vec::new();
        for Variable { name, .. } in self.variables.iter().filter(|variable| variable.state == state) {
            match lines.last_mut().filter(|line| line.len() + name.len() < WIDTH) {
                Some(line) => {
                    line.push_str(", ");
                    line.push_str(name);
                }
                None => lines.push((*name).to_owned()),
            }
        }
        lines
    }
}

fn variables(env: &Env) -> Vec<Variable> {
    let own = ALL.iter().map(|key| key.variable);
    let state = |name: &str| match env.get(name) {
        None => "not set",
        Some(value) if value.is_empty() => "empty",
        Some(_) => "set",
    };
    VARIABLES.into_iter().chain(own).map(|name| Variable { name, state: state(name) }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_named_without_their_values() {
        let env =
            Env::given([("BEARER_TOKEN", "secret"), ("no_proxy", ""), ("SCITOKEN_RETRY", "3"), ("X", "y")]);
        let machine = Machine::of(&Settings::load(env).unwrap());
        assert_eq!(machine.named("set"), ["BEARER_TOKEN, SCITOKEN_RETRY"]);
        assert_eq!(machine.named("empty"), ["no_proxy"]);
        assert!(machine.named("not set").iter().all(|line| line.len() <= 80));
        assert!(!serde_json::to_string(&machine).unwrap().contains("secret"));
    }
}
