//! `scitoken jwt`.

mod answer;
mod decode;
mod encode;
mod header;
mod input;

use clap::{Args, Subcommand};

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;

/// Make, verify and show JSON Web Tokens
#[derive(Debug, Args)]
pub(crate) struct Jwt {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Encode(encode::Encode),
    Decode(Box<decode::Decode>),
    Header(header::Header),
}

impl Jwt {
    pub(crate) fn run(&self, context: &Context) -> Result<Exit, Failure> {
        match &self.command {
            Command::Encode(encode) => encode.run(context),
            Command::Decode(decode) => decode.run(context),
            Command::Header(header) => header.run(context),
        }
    }
}
