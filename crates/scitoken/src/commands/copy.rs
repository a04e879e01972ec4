//! `scitoken copy`.

mod args;
mod local;
mod names;
mod places;
mod remote;
mod results;

use clap::Args as _;

pub(crate) use self::args::Copy;
use self::places::{CopyKind, Places};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;

impl Copy {
    /// Copies between servers; what begins or ends on this machine is an upload or a download.
    pub(crate) fn run(self, context: &Context) -> Result<Exit, Failure> {
        let places = Places::read(&self)?;
        match places.kind(&self)? {
            CopyKind::Upload { arguments } => {
                let matches = parse(super::put::Put::augment_args(clap::Command::new("put")), arguments)?;
                self.uploading(&matches)?.run(context)
            }
            CopyKind::Download { arguments } => {
                let matches = parse(super::get::Get::augment_args(clap::Command::new("get")), arguments)?;
                self.downloading(&matches)?.run(context)
            }
            CopyKind::BetweenServers { sources, destination } => {
                self.between_servers(context, &sources, &destination)
            }
        }
    }
}

/// Reads the arguments that another command would get.
fn parse(command: clap::Command, arguments: Vec<std::ffi::OsString>) -> Result<clap::ArgMatches, Failure> {
    command
        .no_binary_name(true)
        .try_get_matches_from(arguments)
        .map_err(|error| Failure::new(Exit::Usage, error.kind().to_string()))
}
