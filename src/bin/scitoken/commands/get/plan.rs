//! From the command line to the files that are to be downloaded.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::Duration;

use reqwest_scitokens::SafeUrl;
use reqwest_scitokens::download::{
    Below, Checksum, Download, Downloader, Existing, FileNumber, List, ListEntry, ListError, Resume, Stopper,
    TransferError, WebPages, file_name,
};
use url::Url;

use super::targets::Targets;
use super::{Get, SkipBy};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::print;
use crate::settings::{self, Settings};
use crate::transfer::{Engine, Tries, block_on, graver};

/// What holds for every file of a run.
#[derive(Clone, Debug)]
struct Rules {
    directory: PathBuf,
    checksum: Checksum,
    existing: Existing,
    resume: Resume,
    pages: WebPages,
}

/// The files of a run.
#[derive(Debug)]
pub(super) struct Plan {
    rules: Rules,
    files: What,
    targets: Targets,
    is_stream: bool,
}

#[derive(Debug)]
enum What {
    /// Known one by one.
    Named(Vec<Download>),
    /// What a list names, and what was named besides.
    Listed(PathBuf, Vec<Download>),
    /// Everything below these directories.
    Below(Vec<Url>),
}

/// Told of an entry that cannot be downloaded at all: its number and why.
pub(super) type Refused<'r> = dyn Fn(u64, Failure) + Sync + 'r;

impl Plan {
    /// Checks everything that can be checked before the network is touched.
    pub(super) fn new(get: &Get, settings: &Settings) -> Result<Self, Failure> {
        let rules = Rules::new(get, settings)?;
        let is_stream = get.output.as_deref() == Some(Path::new("-"));
        if is_stream && super::stdout_is_terminal() {
            return Err(Failure::new(Exit::Usage, "data would go to the terminal")
                .with_hint("redirect the output, or name a file with `-o FILE`"));
        }
        if get.output.is_some() && get.urls.len() != 1 {
            return Err(Failure::new(Exit::Usage, "`-o` names one file, so it takes one URL")
                .with_hint("use `-P DIR` for several; for addresses of the same file use `--mirror`"));
        }
        if !get.mirror.is_empty() && get.urls.len() != 1 {
            return Err(Failure::new(Exit::Usage, "`--mirror` belongs to one URL"));
        }
        if let Checksum::Expect(_) = rules.checksum
            && (get.urls.len() != 1 || get.recursive || get.input.is_some())
        {
            return Err(Failure::new(Exit::Usage, "a checksum's value belongs to one file")
                .with_hint("put the checksums of several files into a list, `-i LIST`"));
        }
        if !is_stream {
            rules.prepare(get.create_dirs, get.dry_run)?;
        }
        let urls = get.urls.iter().map(|text| parse_url(text)).collect::<Result<Vec<_>, _>>()?;
        let mut targets = Targets::default();
        let files = if get.recursive {
            What::Below(urls)
        } else {
            let named =
                urls.into_iter().enumerate().map(|(n, url)| rules.named(get, url, n as u64, is_stream));
            let named = named.collect::<Result<Vec<_>, _>>()?;
            targets = Targets::of(&named)?;
            match &get.input {
                Some(list) => What::Listed(list.clone(), named),
                None => What::Named(named),
            }
        };
        Ok(Self { rules, files, targets, is_stream })
    }

    /// How many files there are, where that is known.
    pub(super) fn expected(&self) -> Option<u64> {
        match &self.files {
            What::Named(files) => Some(files.len() as u64),
            _ => None,
        }
    }

    /// Whether the data goes to standard output.
    pub(super) fn is_stream(&self) -> bool {
        self.is_stream
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
    ) -> Result<Box<dyn Iterator<Item = Download> + Send + 'p>, Failure> {
        let mut targets = self.targets.clone();
        let mut take = move |download: Download| targets.take(&download).map(|()| download);
        match &self.files {
            What::Named(files) => Ok(Box::new(files.iter().cloned())),
            What::Listed(list, named) => {
                let first = named.len() as u64;
                let listed = read_ahead(list, engine.downloader.stopper())?.enumerate().filter_map(
                    move |(n, entry)| {
                        let number = first + n as u64;
                        let made = match entry {
                            Ok(entry) => self.rules.listed(entry, number),
                            Err(error) => {
                                Err(Failure::new(Exit::Usage, format!("`{}`: {error}", list.display())))
                            }
                        };
                        made.and_then(&mut take).map_err(|failure| refused(number, failure)).ok()
                    },
                );
                Ok(Box::new(named.iter().cloned().chain(listed)))
            }
            What::Below(roots) => {
                let found = walk(&engine.downloader, &engine.connector, roots.clone())?;
                let made = found.into_iter().enumerate().filter_map(move |(n, found)| {
                    let number = n as u64;
                    let made = match found {
                        Ok(below) => self.rules.below(&below, number),
                        Err(failure) => Err(tries.failure(&failure)),
                    };
                    made.and_then(&mut take).map_err(|failure| refused(number, failure)).ok()
                });
                Ok(Box::new(made))
            }
        }
    }

    /// Tells what would be done.
    pub(super) fn tell(&self, engine: &Engine) -> Result<Exit, Failure> {
        let exit = std::sync::Mutex::new(Exit::Ok);
        let refused = |_, failure: Failure| {
            let _ = failure.report();
            let mut worst = exit.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            *worst = graver(*worst, failure.exit());
        };
        let tries_failure =
            |failure: &TransferError| Failure::from_error(crate::transfer::exit_of(failure.kind()), failure);
        let mut targets = self.targets.clone();
        let mut take = move |download: Download| targets.take(&download).map(|()| download);
        let files: Box<dyn Iterator<Item = Result<Download, Failure>>> = match &self.files {
            What::Below(roots) => {
                let found = walk(&engine.downloader, &engine.connector, roots.clone())?;
                Box::new(found.into_iter().enumerate().map(move |(n, found)| match found {
                    Ok(below) => self.rules.target_below(&below, n as u64).and_then(&mut take),
                    Err(failure) => Err(tries_failure(&failure)),
                }))
            }
            What::Named(files) => Box::new(files.iter().cloned().map(Ok)),
            What::Listed(list, named) => {
                let first = named.len() as u64;
                let listed = List::new(open_list(list)?).enumerate().map(move |(n, entry)| match entry {
                    Ok(entry) => self.rules.target_listed(entry, first + n as u64).and_then(&mut take),
                    Err(error) => Err(Failure::new(Exit::Usage, error.to_string())),
                });
                Box::new(named.iter().cloned().map(Ok).chain(listed))
            }
        };
        for file in files {
            match file {
                Ok(file) => {
                    let target =
                        file.target().map_or("standard output".into(), |target| target.display().to_string());
                    let there = file.target().is_some_and(Path::exists);
                    let note = if there { "  (is there)" } else { "" };
                    print::line(&format!("{}  ->  {target}{note}", SafeUrl::new(file.url())));
                }
                Err(failure) => refused(0, failure),
            }
        }
        Ok(exit.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner))
    }
}

impl Rules {
    fn new(get: &Get, settings: &Settings) -> Result<Self, Failure> {
        let existing = match (get.no_clobber, get.skip_existing) {
            (true, _) => Existing::Refuse,
            (_, Some(SkipBy::Size)) => Existing::SkipSameSize,
            (_, Some(SkipBy::Checksum)) => Existing::SkipSameChecksum,
            _ => Existing::Replace,
        };
        Ok(Self {
            directory: get.directory.clone().unwrap_or_default(),
            checksum: settings.choose(get.checksum.clone(), settings::CHECKSUM)?.unwrap_or_default(),
            existing,
            resume: if get.no_resume { Resume::Never } else { Resume::WhenSafe },
            pages: if get.allow_html { WebPages::Welcome } else { WebPages::ByName },
        })
    }

    /// The directory must be there before the network is touched.
    fn prepare(&self, create: bool, dry_run: bool) -> Result<(), Failure> {
        if self.directory.as_os_str().is_empty() || self.directory.is_dir() {
            return Ok(());
        }
        if !create {
            let message = format!("`{}` is no directory", self.directory.display());
            return Err(
                Failure::new(Exit::Local, message).with_hint("make it, or let `--create-dirs` make it")
            );
        }
        if dry_run {
            return Ok(());
        }
        fs_err::create_dir_all(&self.directory).map_err(|error| Failure::from_error(Exit::Local, &error))
    }

    fn apply(&self, download: Download, number: u64) -> Download {
        download
            .with_number(FileNumber(number))
            .with_checksum(self.checksum.clone())
            .with_existing(self.existing)
            .with_resume(self.resume)
            .with_web_pages(self.pages)
    }

    fn named(&self, get: &Get, url: Url, number: u64, is_stream: bool) -> Result<Download, Failure> {
        let download = match &get.output {
            _ if is_stream => Download::without_target(url),
            Some(output) => {
                if get.create_dirs
                    && !get.dry_run
                    && let Some(parent) = output.parent()
                {
                    fs_err::create_dir_all(parent)
                        .map_err(|error| Failure::from_error(Exit::Local, &error))?;
                }
                Download::new(url, output)
            }
            None => {
                let name = name_of(&url)?;
                Download::new(url, self.directory.join(name))
            }
        };
        let mut download = download.map_err(|error| usage(&error))?;
        for mirror in &get.mirror {
            download = download.with_mirror(parse_url(mirror)?).map_err(|error| usage(&error))?;
        }
        Ok(self.apply(download, number))
    }

    fn target_listed(&self, entry: ListEntry, number: u64) -> Result<Download, Failure> {
        let mut urls = entry.urls.into_iter();
        let url = urls
            .next()
            .ok_or_else(|| Failure::new(Exit::Usage, format!("line {} has no URL", entry.line)))?;
        let target = match &entry.out {
            Some(out) => self.directory.join(out),
            None => self.directory.join(name_of(&url)?),
        };
        let mut download = Download::new(url, target).map_err(|error| usage(&error))?;
        for mirror in urls {
            download = download.with_mirror(mirror).map_err(|error| usage(&error))?;
        }
        let download = self.apply(download, number);
        Ok(match entry.checksum {
            Some(checksum) => download.with_checksum(checksum),
            None => download,
        })
    }

    fn listed(&self, entry: ListEntry, number: u64) -> Result<Download, Failure> {
        let download = self.target_listed(entry, number)?;
        make_parent(&download)?;
        Ok(download)
    }

    fn target_below(&self, below: &Below, number: u64) -> Result<Download, Failure> {
        let target = self.directory.join(&below.path);
        let download = Download::new(below.entry.url.clone(), target).map_err(|error| usage(&error))?;
        Ok(self.apply(download, number))
    }

    fn below(&self, below: &Below, number: u64) -> Result<Download, Failure> {
        let download = self.target_below(below, number)?;
        make_parent(&download)?;
        Ok(download)
    }
}

fn name_of(url: &Url) -> Result<String, Failure> {
    file_name(url).map_err(|error| {
        Failure::new(Exit::Usage, format!("`{}`: {error}", SafeUrl::new(url)))
            .with_hint("name the file with `-o FILE`; for a directory use `--recursive`")
    })
}

fn make_parent(download: &Download) -> Result<(), Failure> {
    let parent = download.target().and_then(Path::parent).filter(|parent| !parent.as_os_str().is_empty());
    match parent {
        Some(parent) if !parent.is_dir() => {
            fs_err::create_dir_all(parent).map_err(|error| Failure::from_error(Exit::Local, &error))
        }
        _ => Ok(()),
    }
}

/// Looks for files on a thread of its own, a little ahead of who downloads them.
fn walk(
    downloader: &Downloader,
    connector: &crate::connect::Connector,
    roots: Vec<Url>,
) -> Result<mpsc::Receiver<Result<Below, TransferError>>, Failure> {
    let (sender, receiver) = mpsc::sync_channel(256);
    let downloader = downloader.with_client(connector.client()?);
    let walking = move || {
        let walked = block_on(async {
            for root in roots {
                let mut walk = downloader.walk(root);
                while let Some(found) = walk.next().await {
                    if sender.send(found).is_err() {
                        return;
                    }
                }
            }
        });
        drop(walked);
    };
    std::thread::Builder::new()
        .name("walk".to_owned())
        .spawn(walking)
        .map_err(|error| Failure::from_error(Exit::Local, &error))?;
    Ok(receiver)
}

/// Reads a list on a thread of its own, a little ahead of who downloads the files. A list may never end and say nothing
/// for hours, as standard input can; who is told to stop does not wait for that.
fn read_ahead(
    list: &Path,
    stopper: &Stopper,
) -> Result<impl Iterator<Item = Result<ListEntry, ListError>> + Send + use<>, Failure> {
    const LOOK_UP: Duration = Duration::from_millis(50);
    let (sender, receiver) = mpsc::sync_channel(256);
    let opened = open_list(list)?;
    let reading = move || {
        for entry in List::new(opened) {
            if sender.send(entry).is_err() {
                return;
            }
        }
    };
    std::thread::Builder::new()
        .name("list".to_owned())
        .spawn(reading)
        .map_err(|error| Failure::from_error(Exit::Local, &error))?;
    let stopper = stopper.clone();
    Ok(std::iter::from_fn(move || {
        while !stopper.is_stopped() {
            match receiver.recv_timeout(LOOK_UP) {
                Ok(entry) => return Some(entry),
                Err(mpsc::RecvTimeoutError::Timeout) => {}
                Err(mpsc::RecvTimeoutError::Disconnected) => return None,
            }
        }
        None
    }))
}

fn open_list(list: &Path) -> Result<Box<dyn BufRead + Send>, Failure> {
    if list == Path::new("-") {
        return Ok(Box::new(BufReader::new(io::stdin())));
    }
    let file = File::open(list).map_err(|error| {
        Failure::new(Exit::Local, format!("cannot read the list `{}`: {error}", list.display()))
    })?;
    Ok(Box::new(BufReader::new(file)))
}

/// `davs://` and `dav://` are WebDAV's names for what `https` and `http` are.
pub(in crate::commands) fn parse_url(text: &str) -> Result<Url, Failure> {
    let plain = match text.split_once("://") {
        Some(("davs", rest)) => format!("https://{rest}"),
        Some(("dav", rest)) => format!("http://{rest}"),
        _ => text.to_owned(),
    };
    plain.parse().map_err(|error| {
        let shown: String = SafeUrl::unparsed(text).chars().take(100).collect();
        Failure::new(Exit::Usage, format!("`{shown}` is no URL: {error}"))
            .with_hint("write `https://host/path`")
    })
}

fn usage(error: &TransferError) -> Failure {
    let failure = Failure::from_error(Exit::Usage, error);
    match error.hint() {
        Some(hint) => failure.with_hint(hint),
        None => failure,
    }
}
