//! From the command line to the files that are to be downloaded.

use std::path::{Path, PathBuf};
use std::sync::Mutex;

use reqwest_scitokens::SafeUrl;
use reqwest_scitokens::download::{Checksum, Download};
use url::Url;

use super::rules::{Place, Rules};
use super::targets::Targets;
use super::{Get, ahead};
use crate::commands::address::parse_url;
use crate::engine::{Engine, Tries, graver};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::print;
use crate::settings::Settings;

/// The files of a run.
#[derive(Debug)]
pub(super) struct Plan {
    rules: Rules,
    files: What,
    targets: Targets,
}

#[derive(Debug)]
enum What {
    /// Data for standard output.
    Stream(Download),
    /// Known one by one.
    Named(Vec<Download>),
    /// To be named by their servers.
    Unnamed(Vec<Url>),
    /// What a list names, and what was named besides.
    Listed(PathBuf, Vec<Download>),
    /// Everything below these directories.
    Below(Vec<Url>),
}

/// One file of a run: its number, and what becomes of it, or why it cannot be downloaded at all.
type Planned = (u64, Result<Download, Failure>);

/// Told of an entry that cannot be downloaded at all: its number and why.
pub(super) type Refused<'r> = dyn Fn(u64, Failure) + Sync + 'r;

impl Plan {
    /// Checks everything that can be checked before the network is touched.
    pub(super) fn new(get: &Get, settings: &Settings) -> Result<Self, Failure> {
        let rules = Rules::new(get, settings)?;
        check(get, &rules)?;
        let urls = get.urls.iter().map(|text| parse_url(text)).collect::<Result<Vec<_>, _>>()?;
        let mirrors = get.mirror.iter().map(|text| parse_url(text)).collect::<Result<Vec<_>, _>>()?;
        let mut targets = Targets::default();
        let mut name = |urls: Vec<Url>| -> Result<Vec<Download>, Failure> {
            let place = get.output.as_deref().map_or(Place::ByUrl, Place::File);
            let named = (0..).zip(urls).map(|(number, url)| rules.named(url, &mirrors, number, place));
            let named = named.collect::<Result<Vec<_>, _>>()?;
            targets = Targets::of(&named)?;
            Ok(named)
        };
        let files = match (&get.input, urls.first()) {
            (None, Some(url)) if is_stream(get) => {
                What::Stream(rules.named(url.clone(), &mirrors, 0, Place::Stream)?)
            }
            _ if get.recursive => What::Below(urls),
            _ if get.remote_header_name => What::Unnamed(urls),
            (Some(list), _) => What::Listed(list.clone(), name(urls)?),
            (None, _) => What::Named(name(urls)?),
        };
        if !matches!(files, What::Stream(_)) {
            rules.prepare(get.output.as_deref())?;
        }
        Ok(Self { rules, files, targets })
    }

    /// How many files there are, where that is known.
    pub(super) fn expected(&self) -> Option<u64> {
        match &self.files {
            What::Stream(_) => Some(1),
            What::Named(files) => Some(files.len() as u64),
            What::Unnamed(urls) => Some(urls.len() as u64),
            What::Listed(..) | What::Below(_) => None,
        }
    }

    /// What goes to standard output, if something does.
    pub(super) fn stream(&self) -> Option<&Download> {
        match &self.files {
            What::Stream(download) => Some(download),
            _ => None,
        }
    }

    /// The one file, if it is one.
    pub(super) fn single(&self) -> Option<Download> {
        match &self.files {
            What::Named(files) if files.len() == 1 => files.first().cloned(),
            _ => None,
        }
    }

    /// All files, as they become known.
    pub(super) fn downloads<'p>(
        &'p self,
        engine: &'p Engine,
        tries: &'p Tries,
        refused: &'p Refused<'p>,
    ) -> Result<impl Iterator<Item = Download> + Send + 'p, Failure> {
        Ok(self.planned(engine, tries)?.filter_map(move |(number, file)| {
            let ready = file.and_then(|file| self.rules.make_room(&file).map(|()| file));
            ready.map_err(|failure| refused(number, failure)).ok()
        }))
    }

    /// Tells what would be done.
    pub(super) fn tell(&self, engine: &Engine, tries: &Tries) -> Result<Exit, Failure> {
        if let What::Unnamed(urls) = &self.files {
            for url in urls {
                print::line(&format!("{}  ->  named by the server", SafeUrl::new(url)));
            }
            return Ok(Exit::Ok);
        }
        let worst = Mutex::new(Exit::Ok);
        for (_, file) in self.planned(engine, tries)? {
            match file {
                Ok(file) => {
                    let target =
                        file.target().map_or("standard output".into(), |target| target.display().to_string());
                    let there = file.target().is_some_and(Path::exists);
                    let note = if there { "  (is there)" } else { "" };
                    print::line(&format!("{}  ->  {target}{note}", SafeUrl::new(file.url())));
                }
                Err(failure) => {
                    let _ = failure.report();
                    let mut worst = worst.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                    *worst = graver(*worst, failure.exit());
                }
            }
        }
        Ok(worst.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner))
    }

    /// All files, in the order in which they become known, none of them at another one's place.
    fn planned<'p>(
        &'p self,
        engine: &'p Engine,
        tries: &'p Tries,
    ) -> Result<Box<dyn Iterator<Item = Planned> + Send + 'p>, Failure> {
        let mut targets = self.targets.clone();
        let mut settle = move |number: u64, file: Result<Download, Failure>| {
            (number, file.and_then(|file| targets.take(&file).map(|()| file)))
        };
        let known = |files: &'p [Download]| (0..).zip(files.iter().cloned().map(Ok));
        Ok(match &self.files {
            What::Stream(download) => Box::new(known(std::slice::from_ref(download))),
            What::Named(files) => Box::new(known(files)),
            What::Unnamed(urls) => {
                let mut names = ahead::Names::new(engine)?;
                let files = (0..).zip(urls.iter().cloned()).map(move |(number, url)| {
                    let name = names.ask(&url, tries);
                    settle(number, name.and_then(|name| self.rules.called(url, &name, number)))
                });
                Box::new(files)
            }
            What::Listed(list, named) => {
                let entries = ahead::list(list, engine.downloader.stopper())?;
                let listed = (named.len() as u64..).zip(entries).map(move |(number, entry)| {
                    let entry = entry.map_err(|problem| {
                        Failure::new(Exit::Usage, format!("`{}`: {problem}", list.display()))
                    });
                    settle(number, entry.and_then(|entry| self.rules.listed(entry, number)))
                });
                Box::new(known(named).chain(listed))
            }
            What::Below(roots) => {
                let found = ahead::walk(engine, roots.clone())?;
                let files = (0..).zip(found).map(move |(number, below)| {
                    let below = below.map_err(|failure| tries.failure(&failure));
                    settle(number, below.and_then(|below| self.rules.below(&below, number)))
                });
                Box::new(files)
            }
        })
    }
}

fn is_stream(get: &Get) -> bool {
    get.output.as_deref() == Some(Path::new("-"))
}

/// What the flags say together that they don't say alone.
fn check(get: &Get, rules: &Rules) -> Result<(), Failure> {
    let usage = |message: &str| Failure::new(Exit::Usage, message);
    if is_stream(get) && super::stdout_is_terminal() {
        return Err(usage("data would go to the terminal")
            .with_hint("redirect the output, or name a file with `-o FILE`"));
    }
    if get.output.is_some() && get.urls.len() != 1 {
        return Err(usage("`-o` names one file, so it takes one URL")
            .with_hint("use `-P DIR` for several; for addresses of the same file use `--mirror`"));
    }
    if !get.mirror.is_empty() && get.urls.len() != 1 {
        return Err(usage("`--mirror` belongs to one URL"));
    }
    if rules.expects_one_file() && (get.urls.len() != 1 || get.recursive || get.input.is_some()) {
        return Err(usage("a checksum's value belongs to one file")
            .with_hint("put the checksums of several files into a list, `-i LIST`"));
    }
    Ok(())
}

impl Rules {
    fn expects_one_file(&self) -> bool {
        matches!(self.checksum(), Checksum::Expect(_))
    }
}
