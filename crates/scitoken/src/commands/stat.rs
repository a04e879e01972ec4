//! `scitoken stat`.

use std::fmt::Write as _;

use clap::Args;
use indicatif::BinaryBytes;
use scitoken_transfer::RemoteEntry;
use scitoken_types::SafeUrl;

use super::remote::{as_json, for_each, named, object_name, wait};
use crate::args::{ConnectionArgs, FederationArgs, RetryArgs, parse_url};
use crate::context::Context;
use crate::engine::Engine;
use crate::exit::Exit;
use crate::failure::Failure;

/// Show the length, date and entity tag of remote files
#[derive(Debug, Args)]
pub(crate) struct Stat {
    /// Files or directories
    #[arg(value_name = "URL", required = true)]
    urls: Vec<String>,
    #[command(flatten)]
    retry: RetryArgs,
    #[command(flatten)]
    federation: FederationArgs,
    #[command(flatten)]
    connection: ConnectionArgs,
}

impl Stat {
    pub(crate) fn run(&self, context: &Context) -> Result<Exit, Failure> {
        let engine = Engine::new(context, &self.retry, &self.connection, 1)?;
        for_each(context, &self.urls, |text| {
            let entry = if let Some(name) = object_name(text)? {
                let federation = engine.federation(context, &self.federation)?;
                named(&name, wait(&self.retry, federation.stat(&engine.downloader, &name))?)
            } else {
                wait(&self.retry, engine.downloader.stat(&parse_url(text)?))?
            };
            Ok(context.output.result(&described(&entry), as_json(&entry))?)
        })
    }
}

fn described(entry: &RemoteEntry) -> String {
    let mut text = format!("{}: {}", SafeUrl::new(&entry.url), entry.kind);
    if let Some(length) = entry.length {
        let _ = write!(text, ", {length} bytes ({})", BinaryBytes(length));
    }
    if let Some(modified) = &entry.last_modified {
        let _ = write!(text, ", modified {modified}");
    }
    if let Some(etag) = &entry.etag {
        let _ = write!(text, ", etag {etag}");
    }
    text
}
