//! `scitoken rm`.

use clap::Args;
use scitoken_transfer::federation::FederationUrl;
use scitoken_types::SafeUrl;
use serde_json::json;
use url::Url;

use super::remote::{for_each, wait};
use crate::args::{ConnectionArgs, FederationArgs, RetryArgs, parse_location};
use crate::context::Context;
use crate::engine::Engine;
use crate::exit::Exit;
use crate::failure::Failure;

/// Remove remote files, or directories with `--recursive`
#[derive(Debug, Args)]
pub(crate) struct Rm {
    /// Files or directories
    #[arg(value_name = "URL", required = true)]
    urls: Vec<String>,
    /// Remove directories with their contents
    #[arg(short, long)]
    recursive: bool,
    /// Succeed if a file does not exist
    #[arg(short, long)]
    force: bool,
    #[command(flatten)]
    retry: RetryArgs,
    #[command(flatten)]
    federation: FederationArgs,
    #[command(flatten)]
    connection: ConnectionArgs,
}

impl Rm {
    pub(crate) fn run(&self, context: &Context) -> Result<Exit, Failure> {
        let engine = Engine::new(context, &self.retry, &self.connection, 1)?;
        for_each(context, &self.urls, |text| {
            let url = parse_location(text)?;
            let removed = match self.remove(context, &url, &engine) {
                Err(failure) if self.force && failure.exit() == Exit::NotFound => false,
                removed => removed.map(|()| true)?,
            };
            let members = json!({ "url": SafeUrl::new(&url).to_string(), "removed": removed });
            Ok(context.output.object(true, members)?)
        })
    }

    fn remove(&self, context: &Context, url: &Url, engine: &Engine) -> Result<(), Failure> {
        if let Ok(name) = FederationUrl::try_from(url) {
            let federation = engine.federation(context, &self.federation)?;
            if self.recursive {
                wait(&self.retry, federation.remove_recursively(&engine.downloader, &name))
            } else {
                wait(&self.retry, federation.remove(&engine.downloader, &name))
            }
        } else if self.recursive {
            wait(&self.retry, engine.downloader.remove_recursively(url))
        } else {
            wait(&self.retry, engine.downloader.remove_file(url))
        }
    }
}
