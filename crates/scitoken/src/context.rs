//! What every command is given.

use scitoken_types::sys::Env;

use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Output;
use crate::settings::Settings;
use crate::storage::StorageAddress;

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

    /// Returns where tokens of federations are stored: the storage of the flag, or that of the settings.
    pub(crate) fn federation_storage(
        &self,
        named: Option<&StorageAddress>,
    ) -> Result<StorageAddress, Failure> {
        match named {
            Some(storage) => Ok(storage.clone()),
            None => self.settings()?.federation_storage()?.ok_or_else(|| {
                Failure::new(Exit::Usage, "no place for the token: `HOME` is not set")
                    .with_hint("pass `--storage json:FILE`")
            }),
        }
    }
}
