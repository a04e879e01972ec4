//! `scitoken jwt header`.

use std::path::PathBuf;

use clap::Args;

use super::answer::refused;
use super::input::read_token;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;

/// Show a token's header, without verifying the token
#[derive(Debug, Args)]
pub(super) struct Header {
    /// File with the token, or `-` for standard input
    #[arg(value_name = "FILE", default_value = "-")]
    token: PathBuf,
}

impl Header {
    pub(super) fn run(&self, context: &Context) -> Result<Exit, Failure> {
        match scitoken_jwt::unverified_header(read_token(&self.token)?) {
            Ok(header) => {
                let json = format!(r#"{{"header":{header}}}"#);
                context.output.data_json(&header.to_string(), &json)?;
                Ok(Exit::Ok)
            }
            Err(error) => refused(context, &error, None),
        }
    }
}
