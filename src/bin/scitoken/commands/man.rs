//! `scitoken man`.

use std::io;
use std::path::PathBuf;

use clap::{Args, CommandFactory as _};

use crate::Cli;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::print;

/// Write the manual page to standard output, or the pages of all commands into a directory
#[derive(Debug, Args)]
pub(crate) struct Man {
    /// Write `scitoken.1`, `scitoken-get.1` and so on here
    #[arg(long, value_name = "DIR")]
    directory: Option<PathBuf>,
}

impl Man {
    pub(crate) fn run(&self) -> Result<Exit, Failure> {
        let local = |error: io::Error| Failure::from_error(Exit::Local, &error);
        if let Some(directory) = &self.directory {
            fs_err::create_dir_all(directory).map_err(local)?;
            clap_mangen::generate_to(Cli::command(), directory).map_err(local)?;
            return Ok(Exit::Ok);
        }
        let mut page = Vec::new();
        clap_mangen::Man::new(Cli::command()).render(&mut page).map_err(local)?;
        print::bytes(&page)
    }
}
