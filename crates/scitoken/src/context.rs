//! What every command is given.

use scitoken_types::sys::Env;

use crate::failure::Failure;
use crate::output::Output;
use crate::settings::Settings;

/// The environment of a run and the writer of its results.
#[derive(Clone, Debug)]
pub(crate) struct Context {
    pub(crate) env: Env,
    pub(crate) output: Output,
    /// How often `-v` was given.
    pub(crate) verbose: u8,
}

impl Context {
    /// Loads `scitoken.toml`; commands that need no settings do not fail because of them.
    pub(crate) fn settings(&self) -> Result<Settings, Failure> {
        Settings::load(self.env.clone())
    }
}
