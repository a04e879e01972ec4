//! `scitoken completions` and `scitoken man`: the program about itself.

use std::io::{self, Write as _};
use std::path::PathBuf;

use clap::{Args, CommandFactory as _};
use clap_complete::Shell;

use crate::Cli;
use crate::exit::Exit;
use crate::failure::Failure;

/// Write the completions of a shell to standard output
#[derive(Debug, Args)]
pub(crate) struct Completions {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

/// Write the manual page to standard output, or the pages of all commands into a directory
#[derive(Debug, Args)]
pub(crate) struct Man {
    /// Write `scitoken.1`, `scitoken-get.1` and so on here
    #[arg(long, value_name = "DIR")]
    directory: Option<PathBuf>,
}

impl Completions {
    pub(crate) fn run(&self) -> Result<Exit, Failure> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "scitoken", &mut script);
        write(&script)
    }
}

impl Man {
    pub(crate) fn run(&self) -> Result<Exit, Failure> {
        let local = |error: io::Error| Failure::from_error(Exit::Local, &error);
        if let Some(directory) = &self.directory {
            clap_mangen::generate_to(Cli::command(), directory).map_err(local)?;
            return Ok(Exit::Ok);
        }
        let mut page = Vec::new();
        clap_mangen::Man::new(Cli::command()).render(&mut page).map_err(local)?;
        write(&page)
    }
}

fn write(text: &[u8]) -> Result<Exit, Failure> {
    match io::stdout().write_all(text) {
        // `scitoken man | head` has what it wants.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(Exit::Ok),
        result => result.map(|()| Exit::Ok).map_err(|error| Failure::from_error(Exit::Local, &error)),
    }
}
