//! Copies from and to this machine: `put` and `get` with the limits, tokens and connections of the copy.

use clap::{ArgMatches, FromArgMatches as _};
use scitoken_transfer::Checksum;

use super::args::Copy;
use crate::args::ConnectionArgs;
use crate::commands::get::Get;
use crate::commands::put::Put;
use crate::commands::transfer::TransferArgs;
use crate::exit::Exit;
use crate::failure::Failure;

impl Copy {
    /// Returns the download that the arguments mean.
    pub(super) fn downloading(self, matches: &ArgMatches) -> Result<Get, Failure> {
        let mut get = Get::from_arg_matches(matches).map_err(|error| usage(&error))?;
        let connection = self.connection_for(self.source_token_file.clone());
        get.transfer = TransferArgs { connection, ..self.transfer };
        Ok(get)
    }

    /// Returns the upload that the arguments mean.
    pub(super) fn uploading(self, matches: &ArgMatches) -> Result<Put, Failure> {
        let mut put = Put::from_arg_matches(matches).map_err(|error| usage(&error))?;
        let connection = self.connection_for(self.destination_token_file.clone());
        put.transfer = TransferArgs { connection, ..self.transfer };
        Ok(put)
    }

    /// Returns the connection to the one server, with the token of its side.
    fn connection_for(&self, token_file: Option<std::path::PathBuf>) -> ConnectionArgs {
        let mut connection = self.transfer.connection.clone();
        if token_file.is_some() {
            (connection.token_file, connection.token_command) = (token_file, None);
        }
        connection
    }

    /// Returns the text of `--checksum`.
    pub(super) fn checksum_text(&self) -> Option<String> {
        Some(match self.checksum.as_ref()? {
            Checksum::None => "none".to_owned(),
            Checksum::Require => "require".to_owned(),
            Checksum::RequireAlgorithm(algorithm) => algorithm.to_string(),
            Checksum::Expect(digest) => digest.to_string(),
            _ => "auto".to_owned(),
        })
    }
}

fn usage(error: &clap::Error) -> Failure {
    Failure::new(Exit::Usage, error.kind().to_string())
}
