//! `scitoken mkdir`.

use clap::Args;
use scitoken_types::SafeUrl;
use serde_json::json;

use super::remote::{for_each, make_directory};
use crate::args::{ConnectionArgs, RetryArgs, parse_url};
use crate::context::Context;
use crate::engine::Engine;
use crate::exit::Exit;
use crate::failure::Failure;

/// Create remote directories (WebDAV)
///
/// Exit code 15: the name already exists.
#[derive(Debug, Args)]
pub(crate) struct Mkdir {
    /// Directories
    #[arg(value_name = "URL", required = true)]
    urls: Vec<String>,
    /// Also create missing parents, and accept existing directories
    #[arg(short, long)]
    parents: bool,
    #[command(flatten)]
    retry: RetryArgs,
    #[command(flatten)]
    connection: ConnectionArgs,
}

impl Mkdir {
    pub(crate) fn run(&self, context: &Context) -> Result<Exit, Failure> {
        let engine = Engine::new(context, &self.retry, &self.connection, 1)?;
        for_each(context, &self.urls, |text| {
            let url = parse_url(text)?;
            let created = make_directory(&self.retry, &engine, &url, self.parents)?;
            let members = json!({ "url": SafeUrl::new(&url).to_string(), "created": created });
            Ok(context.output.object(true, members)?)
        })
    }
}
