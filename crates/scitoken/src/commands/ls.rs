//! `scitoken ls`.

use clap::Args;
use scitoken_transfer::{EntryKind, RemoteEntry, Walk, WalkEntry};
use url::Url;

use super::remote::{as_json, name, named, object_name, wait};
use crate::args::{ConnectionArgs, FederationArgs, RetryArgs, parse_url};
use crate::context::Context;
use crate::engine::Engine;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::runtime::block_on;

/// List a remote directory (WebDAV)
#[derive(Debug, Args)]
pub(crate) struct Ls {
    /// Directory
    #[arg(value_name = "URL")]
    url: String,
    /// Also show lengths and dates
    #[arg(short, long)]
    long: bool,
    /// Also list names that begin with a dot, which is the default
    #[arg(short, long)]
    all: bool,
    /// Also list everything below
    #[arg(short, long)]
    recursive: bool,
    #[command(flatten)]
    retry: RetryArgs,
    #[command(flatten)]
    federation: FederationArgs,
    #[command(flatten)]
    connection: ConnectionArgs,
}

impl Ls {
    pub(crate) fn run(&self, context: &Context) -> Result<Exit, Failure> {
        let engine = Engine::new(context, &self.retry, &self.connection, 1)?;
        if let Some(object) = object_name(&self.url)? {
            let federation = engine.federation(context, &self.federation)?;
            if self.recursive || object.is_recursive() {
                return self.walk(context, federation.walk(&engine.downloader, &object));
            }
            let entries = wait(&self.retry, federation.list(&engine.downloader, &object))?;
            for (object, entry) in entries {
                let entry = named(&object, entry);
                self.show(context, &entry, &name(&entry))?;
            }
            return Ok(Exit::Ok);
        }
        let url = parse_url(&self.url)?;
        if self.recursive {
            self.walk(context, engine.downloader.walk(url))
        } else {
            self.list(context, &engine, &url)
        }
    }

    /// Lists a directory while the listing arrives; an entry that fails does not end it.
    fn list(&self, context: &Context, engine: &Engine, url: &Url) -> Result<Exit, Failure> {
        let mut exit = Exit::Ok;
        let listed = async {
            let listing = engine.downloader.open_listing(url).await;
            let mut listing = listing.map_err(|error| self.retry.failure(&error))?;
            while let Some(found) = listing.next().await {
                match found {
                    Ok(entry) => self.show(context, &entry, &name(&entry))?,
                    Err(error) => {
                        exit = exit.more_severe(self.retry.failure(&error).report(context.output));
                    }
                }
            }
            Ok(exit)
        };
        block_on(listed)?
    }

    /// Lists everything below a directory.
    fn walk(&self, context: &Context, walk: Walk<'_>) -> Result<Exit, Failure> {
        let mut walk = walk.with_any_names();
        let mut exit = Exit::Ok;
        let walked = async {
            while let Some(found) = walk.next().await {
                match found {
                    Ok(WalkEntry { entry, path }) => {
                        let slash = if entry.kind == EntryKind::Directory { "/" } else { "" };
                        self.show(context, &entry, &format!("{}{slash}", path.display()))?;
                    }
                    Err(error) => {
                        exit = exit.more_severe(self.retry.failure(&error).report(context.output));
                    }
                }
            }
            Ok(exit)
        };
        block_on(walked)?
    }

    fn show(&self, context: &Context, entry: &RemoteEntry, name: &str) -> Result<(), Failure> {
        let text = if self.long { in_columns(entry, name) } else { name.to_owned() };
        Ok(context.output.result(&text, as_json(entry))?)
    }
}

fn in_columns(entry: &RemoteEntry, name: &str) -> String {
    let length = entry.length.map_or("-".to_owned(), |length| length.to_string());
    format!("{length:>14}  {:<29}  {}", entry.last_modified.as_deref().unwrap_or("-"), name)
}
