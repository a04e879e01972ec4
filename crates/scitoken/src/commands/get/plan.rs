//! From the command line to the downloads of a run.

use std::io::{self, IsTerminal as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use scitoken_transfer::federation::{Federation, FederationUrl};
use scitoken_transfer::{Checksum, Download, EntryKind};
use scitoken_types::SafeUrl;
use serde_json::json;
use url::Url;

use super::args::Get;
use super::prefetch;
use super::rules::{Collection, DownloadRules, TargetNaming};
use crate::args::{RetryArgs, parse_location, parse_url};
use crate::context::Context;
use crate::engine::Engine;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::sanitize;
use crate::settings::Settings;
use crate::targets::Targets;

/// The files of a run.
#[derive(Debug)]
pub(super) struct Plan {
    rules: DownloadRules,
    files: Selection,
    targets: Targets,
}

#[derive(Debug)]
enum Selection {
    /// Data for standard output.
    Stream(Box<Download>),
    /// Files with known names.
    Named(Vec<Download>),
    /// Files that their servers name.
    Unnamed(Vec<Url>),
    /// The files of a list, and those of the command line.
    Listed(PathBuf, Vec<Download>),
    /// Everything below these directories.
    Below(Vec<Collection>),
}

/// One file of a run: its number, and its download or why there is none.
type Planned = (u64, Result<Download, Failure>);

/// Called with the number of an entry that cannot be downloaded, and why.
pub(super) type Refused<'r> = dyn Fn(u64, Failure) + Sync + 'r;

/// Parses a URL, or the name of an object, read directly from its origin if that is set.
fn located(text: &str, direct: bool) -> Result<Url, Failure> {
    let mut url = parse_location(text)?;
    let is_name = direct && FederationUrl::has_scheme(text);
    if is_name && url.query_pairs().any(|(name, _)| name == "prefercached") {
        return Err(Failure::new(Exit::Usage, "`--direct` and `?prefercached` exclude each other")
            .with_hint("leave one of them out"));
    }
    if is_name && !url.query_pairs().any(|(name, _)| name == "directread") {
        url.query_pairs_mut().append_key_only("directread");
    }
    Ok(url)
}

/// Returns whether the names of objects ask for everything below them (`?recursive`).
fn asks_recursively(get: &Get, urls: &[Url]) -> Result<bool, Failure> {
    let asks = |url: &&Url| FederationUrl::try_from(*url).is_ok_and(|name| name.is_recursive());
    let count = urls.iter().filter(asks).count();
    let usage = |message: &str| {
        Err(Failure::new(Exit::Usage, message).with_hint("use `-P DIR`, and one command for each kind"))
    };
    if count == 0 {
        Ok(false)
    } else if count < urls.len() {
        usage("some names ask for everything below them (`?recursive`) and some do not")
    } else if get.output.is_some() || get.input.is_some() || get.remote_header_name || !get.mirror.is_empty()
    {
        usage("`?recursive` downloads a directory, which `-o`, `-i`, `-J` and `--mirror` do not")
    } else {
        Ok(true)
    }
}

impl Plan {
    /// Checks everything that can be checked without a request.
    pub(super) fn new(get: &Get, settings: &Settings) -> Result<Self, Failure> {
        let rules = DownloadRules::new(get, settings)?;
        check(get, &rules)?;
        let parse = |text: &String| located(text, get.transfer.federation.direct);
        let urls = get.urls.iter().map(|text| {
            parse(text).map_err(|failure| match path_hint(text, &get.urls) {
                Some(hint) => failure.with_hint(hint),
                None => failure,
            })
        });
        let urls = urls.collect::<Result<Vec<_>, _>>()?;
        let is_recursive = get.recursive || asks_recursively(get, &urls)?;
        let mirrors = get.mirror.iter().map(|text| parse_url(text)).collect::<Result<Vec<_>, _>>()?;
        let mut targets = Targets::default();
        let mut name = |urls: Vec<Url>| -> Result<Vec<Download>, Failure> {
            let place = get.output.as_deref().map_or(TargetNaming::ByUrl, TargetNaming::File);
            let named = (0..).zip(urls).map(|(number, url)| rules.named(url, &mirrors, number, place));
            let named = named.collect::<Result<Vec<_>, _>>()?;
            targets = Targets::of(&named)?;
            Ok(named)
        };
        let files = match (&get.input, urls.first()) {
            (None, Some(url)) if get.is_stream() => {
                Selection::Stream(Box::new(rules.named(url.clone(), &mirrors, 0, TargetNaming::Stream)?))
            }
            _ if is_recursive => {
                let collections = urls.into_iter().map(|url| Collection::new(url, get));
                Selection::Below(collections.collect::<Result<_, _>>()?)
            }
            _ if get.remote_header_name => Selection::Unnamed(urls),
            (Some(list), _) => Selection::Listed(list.clone(), name(urls)?),
            (None, _) => Selection::Named(name(urls)?),
        };
        if !matches!(files, Selection::Stream(_)) {
            rules.prepare(get.output.as_deref())?;
        }
        Ok(Self { rules, files, targets })
    }

    /// Returns the number of files, if it is known.
    pub(super) fn expected(&self) -> Option<u64> {
        match &self.files {
            Selection::Stream(_) => Some(1),
            Selection::Named(files) => Some(files.len() as u64),
            Selection::Unnamed(urls) => Some(urls.len() as u64),
            Selection::Listed(..) | Selection::Below(_) => None,
        }
    }

    /// Returns the download for standard output, if there is one.
    pub(super) fn stream(&self) -> Option<&Download> {
        match &self.files {
            Selection::Stream(download) => Some(download),
            _ => None,
        }
    }

    /// Returns the download, if it is the only one.
    pub(super) fn single(&self) -> Option<Download> {
        match &self.files {
            Selection::Named(files) if files.len() == 1 => files.first().cloned(),
            _ => None,
        }
    }

    /// Returns the downloads, as they become known.
    pub(super) fn downloads<'p>(
        &'p self,
        engine: &'p Engine,
        retry: &'p RetryArgs,
        federation: Option<&'p Federation>,
        refused: &'p Refused<'p>,
    ) -> Result<impl Iterator<Item = Download> + Send + 'p, Failure> {
        Ok(self
            .planned(engine, retry, federation)?
            .filter_map(move |(number, file)| file.map_err(|failure| refused(number, failure)).ok()))
    }

    /// Shows what would be downloaded.
    pub(super) fn show(
        &self,
        context: &Context,
        engine: &Engine,
        retry: &RetryArgs,
        federation: Option<&Federation>,
    ) -> Result<Exit, Failure> {
        if let Selection::Unnamed(urls) = &self.files {
            for url in urls {
                let url = SafeUrl::new(url).to_string();
                context.output.text(&format!("{url}  ->  (named by the server)"))?;
                context.output.object(true, json!({ "url": url, "target": null, "exists": false }))?;
            }
            return Ok(Exit::Ok);
        }
        let mut exit = Exit::Ok;
        for (_, file) in self.planned(engine, retry, federation)? {
            match file {
                Ok(file) => {
                    let target =
                        file.target().map_or("standard output".into(), |target| target.display().to_string());
                    let url = SafeUrl::new(file.url()).to_string();
                    let exists = file.target().is_some_and(Path::exists);
                    let note = if exists { "  (exists)" } else { "" };
                    context.output.text(&format!("{url}  ->  {target}{note}"))?;
                    let target = file.target().map(Path::to_string_lossy);
                    context.output.object(true, json!({ "url": url, "target": target, "exists": exists }))?;
                }
                Err(failure) => {
                    exit = exit.more_severe(failure.report(context.output));
                }
            }
        }
        Ok(exit)
    }

    /// Returns all files, in the order in which they become known, no two with the same target.
    fn planned<'p>(
        &'p self,
        engine: &'p Engine,
        retry: &'p RetryArgs,
        federation: Option<&'p Federation>,
    ) -> Result<Box<dyn Iterator<Item = Planned> + Send + 'p>, Failure> {
        let mut targets = self.targets.clone();
        let mut claim_target = move |number: u64, file: Result<Download, Failure>| {
            (number, file.and_then(|file| targets.claim(&file).map(|()| file)))
        };
        let known = |files: &'p [Download]| (0..).zip(files.iter().cloned().map(Ok));
        Ok(match &self.files {
            Selection::Stream(download) => Box::new(known(std::slice::from_ref(download))),
            Selection::Named(files) => Box::new(known(files)),
            Selection::Unnamed(urls) => {
                let targets = Arc::new(Mutex::new(self.targets.clone()));
                let files = (0..).zip(urls.iter().cloned()).map(move |(number, url)| {
                    (number, self.rules.unnamed(url, number, Arc::clone(&targets)))
                });
                Box::new(files)
            }
            Selection::Listed(list, named) => {
                let entries =
                    prefetch::list(list, engine.downloader.cancellation_token(), |origin, entry| {
                        (origin, entry)
                    })?;
                let listed = (named.len() as u64..).zip(entries).map(move |(number, (origin, entry))| {
                    let entry = entry.map_err(|problem| {
                        Failure::new(Exit::Usage, format!("`{}`: {problem}", list.display()))
                    });
                    claim_target(number, entry.and_then(|entry| self.rules.listed(entry, origin, number)))
                });
                Box::new(known(named).chain(listed))
            }
            Selection::Below(collections) => {
                let roots = collections.iter().map(|collection| collection.url.clone()).collect();
                let found = prefetch::walk(engine, federation, roots)?;
                let found = found.filter_map(move |(n, below)| match below {
                    // Directories are created, empty ones included.
                    Ok(below) if below.entry.kind == EntryKind::Directory => {
                        self.rules.make_directory(&collections[n], &below).err().map(Err)
                    }
                    below => Some(below.map(|below| (n, below)).map_err(|failure| retry.failure(&failure))),
                });
                let files = (0..).zip(found).map(move |(number, found)| {
                    let file = found.and_then(|(n, below)| self.rules.below(&collections[n], &below, number));
                    claim_target(number, file)
                });
                Box::new(files)
            }
        })
    }
}

/// Returns what to type for a path among the URLs: other programs name the target so, or the file to upload.
fn path_hint(text: &str, all: &[String]) -> Option<String> {
    let is_url = |text: &String| text.contains("://") && !text.starts_with("file:");
    let url = all.iter().find(|text| is_url(text))?;
    let path = text.strip_prefix("file://").unwrap_or(text);
    if text.contains("://") && path.len() == text.len() {
        return None;
    }
    let (url, shown) = (SafeUrl::unparsed(url), sanitize::line(path));
    if all.first().is_some_and(|first| first == text) {
        return Some(format!("write `scitoken put {shown} {url}` to upload the file"));
    }
    let flag = if path == "." || path.ends_with('/') || Path::new(path).is_dir() { "-P" } else { "-o" };
    Some(format!(
        "write `{flag} {shown}` for the place to write to; `scitoken copy {url} {shown}` takes it as it is"
    ))
}

/// Checks combinations of flags.
fn check(get: &Get, rules: &DownloadRules) -> Result<(), Failure> {
    let usage = |message: &str| Failure::new(Exit::Usage, message);
    if get.is_stream() && get.device().is_none() && io::stdout().is_terminal() {
        return Err(usage("binary data would be written to the terminal")
            .with_hint("redirect the output, or pass `-o FILE`"));
    }
    if get.output.as_ref().is_some_and(|output| output.to_string_lossy().ends_with('/')) {
        return Err(usage("`-o` names a file, not a directory").with_hint("use `-P DIR` for a directory"));
    }
    if get.output.is_some() && get.urls.len() != 1 {
        return Err(usage("`-o` needs exactly one URL")
            .with_hint("use `-P DIR` for several files, and `--mirror` for other URLs of the same file"));
    }
    if !get.mirror.is_empty() && get.urls.len() != 1 {
        return Err(usage("`--mirror` needs exactly one URL"));
    }
    if matches!(rules.checksum(), Checksum::Expect(_))
        && (get.urls.len() != 1 || get.recursive || get.input.is_some())
    {
        return Err(usage("a checksum value needs exactly one file")
            .with_hint("for several files, put the checksums into a list (`-i LIST`)"));
    }
    Ok(())
}
