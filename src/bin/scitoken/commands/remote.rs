//! `scitoken stat`, `ls`, `mkdir`, `rm` and `checksum`: what can be asked and done without moving data.

use std::fmt::Write as _;

use clap::Args;
use indicatif::BinaryBytes;
use percent_encoding::percent_decode_str;
use reqwest_scitokens::SafeUrl;
use reqwest_scitokens::download::{Checksum, DigestAlgorithm, Entry, EntryKind, FailureKind};
use serde_json::{Value, json};
use url::Url;

use super::address::parse_url;
use crate::connect::Connect;
use crate::engine::{Engine, Tries, block_on, graver};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::print;
use crate::settings::Settings;

/// Describe files or directories: length, date, entity tag
#[derive(Debug, Args)]
pub(crate) struct Stat {
    /// What to describe
    #[arg(value_name = "URL", required = true)]
    urls: Vec<String>,
    /// Answer with one line of JSON for each
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    tries: Tries,
    #[command(flatten)]
    connect: Connect,
}

/// List a directory (WebDAV)
#[derive(Debug, Args)]
pub(crate) struct Ls {
    /// The directory
    #[arg(value_name = "URL")]
    url: String,
    /// Show lengths and dates
    #[arg(short, long)]
    long: bool,
    /// Answer with one line of JSON for each entry
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    tries: Tries,
    #[command(flatten)]
    connect: Connect,
}

/// Make directories (WebDAV)
///
/// The directory above must be there; `mkdir A A/B` makes both.
#[derive(Debug, Args)]
pub(crate) struct Mkdir {
    /// The directories
    #[arg(value_name = "URL", required = true)]
    urls: Vec<String>,
    #[command(flatten)]
    tries: Tries,
    #[command(flatten)]
    connect: Connect,
}

/// Remove files, or whole directories with `--recursive`
#[derive(Debug, Args)]
pub(crate) struct Rm {
    /// What to remove
    #[arg(value_name = "URL", required = true)]
    urls: Vec<String>,
    /// Remove directories, with all that is in them
    #[arg(short, long)]
    recursive: bool,
    #[command(flatten)]
    tries: Tries,
    #[command(flatten)]
    connect: Connect,
}

/// Ask a server for the checksum of a file, without fetching it
#[derive(Debug, Args)]
pub(crate) struct ChecksumOf {
    /// The files
    #[arg(value_name = "URL", required = true)]
    urls: Vec<String>,
    /// The algorithm; without it, whatever the server has
    #[arg(short, long, value_name = "NAME")]
    algorithm: Option<DigestAlgorithm>,
    /// Answer with one line of JSON for each
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    tries: Tries,
    #[command(flatten)]
    connect: Connect,
}

impl Stat {
    pub(crate) fn run(&self, settings: &Settings) -> Result<Exit, Failure> {
        let engine = self.tries.engine(&self.connect, settings, 1)?;
        for_each(&self.urls, |text| {
            let url = parse_url(text)?;
            let entry = wait(&self.tries, engine.downloader.stat(&url))?;
            print::line(&if self.json { as_json(&entry).to_string() } else { described(&entry) });
            Ok(())
        })
    }
}

impl Ls {
    pub(crate) fn run(&self, settings: &Settings) -> Result<Exit, Failure> {
        let engine = self.tries.engine(&self.connect, settings, 1)?;
        let url = parse_url(&self.url)?;
        for entry in wait(&self.tries, engine.downloader.list(&url))? {
            print::line(&match (self.json, self.long) {
                (true, _) => as_json(&entry).to_string(),
                (_, true) => in_columns(&entry),
                _ => name(&entry),
            });
        }
        Ok(Exit::Ok)
    }
}

impl Mkdir {
    pub(crate) fn run(&self, settings: &Settings) -> Result<Exit, Failure> {
        let engine = self.tries.engine(&self.connect, settings, 1)?;
        for_each(&self.urls, |text| {
            let url = parse_url(text)?;
            wait(&self.tries, engine.downloader.make_directory(&url)).map_err(failure_of_mkdir)
        })
    }
}

impl Rm {
    pub(crate) fn run(&self, settings: &Settings) -> Result<Exit, Failure> {
        let engine = self.tries.engine(&self.connect, settings, 1)?;
        for_each(&self.urls, |text| {
            let url = parse_url(text)?;
            if !self.recursive {
                self.refuse_directory(&url, &engine)?;
            }
            wait(&self.tries, engine.downloader.remove(&url))
        })
    }

    /// `DELETE` takes a directory with all that is in it (RFC 4918 section 9.6.1), which nobody expects of `rm`.
    fn refuse_directory(&self, url: &Url, engine: &Engine) -> Result<(), Failure> {
        let is_directory = match block_on(engine.downloader.stat(url))? {
            Ok(entry) => entry.kind == EntryKind::Directory,
            // A token to remove with need not allow a look.
            Err(failure) if matches!(failure.kind(), FailureKind::Refused | FailureKind::Rejected) => {
                url.path().ends_with('/')
            }
            Err(failure) => return Err(self.tries.failure(&failure)),
        };
        if is_directory {
            let message = format!("`{}` is a directory", SafeUrl::new(url));
            return Err(Failure::new(Exit::Usage, message)
                .with_hint("`--recursive` removes it with all that is in it"));
        }
        Ok(())
    }
}

impl ChecksumOf {
    pub(crate) fn run(&self, settings: &Settings) -> Result<Exit, Failure> {
        let engine = self.tries.engine(&self.connect, settings, 1)?;
        let checksum = self.algorithm.map_or(Checksum::Auto, Checksum::RequireAlgorithm);
        for_each(&self.urls, |text| {
            let url = parse_url(text)?;
            let digest = wait(&self.tries, engine.downloader.checksum(&url, &checksum))?;
            let shown = SafeUrl::new(&url);
            print::line(&if self.json {
                let algorithm = digest.algorithm().name();
                json!({ "url": shown.to_string(), "algorithm": algorithm, "value": digest.to_hex() })
                    .to_string()
            } else {
                format!("{digest}  {shown}")
            });
            Ok(())
        })
    }
}

/// Does all of them, tells of those that failed, and ends with the gravest failure's code.
fn for_each(urls: &[String], mut each: impl FnMut(&str) -> Result<(), Failure>) -> Result<Exit, Failure> {
    let mut worst = Exit::Ok;
    for url in urls {
        match each(url) {
            Ok(()) => {}
            Err(failure) if urls.len() == 1 => return Err(failure),
            Err(failure) => {
                let _ = failure.report();
                worst = graver(worst, failure.exit());
            }
        }
    }
    Ok(worst)
}

fn wait<T>(
    tries: &Tries,
    asked: impl Future<Output = Result<T, reqwest_scitokens::download::TransferError>>,
) -> Result<T, Failure> {
    block_on(asked)?.map_err(|failure| tries.failure(&failure))
}

/// `405` is what a server says of a name that is taken.
fn failure_of_mkdir(failure: Failure) -> Failure {
    if failure.message().contains("405") {
        failure.with_hint("there is something of that name already")
    } else {
        failure
    }
}

fn kind(entry: &Entry) -> &'static str {
    if entry.kind == EntryKind::Directory { "directory" } else { "file" }
}

/// The last part of the path, fit for a terminal; directories end with a slash.
fn name(entry: &Entry) -> String {
    let last = entry.url.path().trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    let name = percent_decode_str(last).decode_utf8_lossy();
    let name: String = name.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
    if entry.kind == EntryKind::Directory { format!("{name}/") } else { name }
}

fn in_columns(entry: &Entry) -> String {
    let length = entry.length.map_or("-".to_owned(), |length| length.to_string());
    format!("{length:>14}  {:<29}  {}", entry.last_modified.as_deref().unwrap_or("-"), name(entry))
}

fn described(entry: &Entry) -> String {
    let mut text = format!("{}: {}", SafeUrl::new(&entry.url), kind(entry));
    if let Some(length) = entry.length {
        let _ = write!(text, ", {length} bytes ({})", BinaryBytes(length));
    }
    if let Some(modified) = &entry.last_modified {
        let _ = write!(text, ", changed {modified}");
    }
    if let Some(etag) = &entry.etag {
        let _ = write!(text, ", etag {etag}");
    }
    text
}

fn as_json(entry: &Entry) -> Value {
    json!({
        "url": SafeUrl::new(&entry.url).to_string(), "name": name(entry), "kind": kind(entry),
        "length": entry.length, "last_modified": entry.last_modified, "etag": entry.etag,
    })
}
