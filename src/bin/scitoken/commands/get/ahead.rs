//! Files that become known while others are downloaded: from lists, directories and servers.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read as _};
use std::path::Path;
use std::sync::mpsc;
use std::time::Duration;

use reqwest_scitokens::SafeUrl;
use reqwest_scitokens::download::{
    Below, Checksum, Downloader, FailureKind, List, ListEntry, Stopper, TransferError, read_metalink,
};
use tokio::runtime::Runtime;
use url::Url;

use super::rules::name_of;
use crate::engine::{Engine, Tries, block_on};
use crate::exit::Exit;
use crate::failure::Failure;

/// So many files are known before they are needed.
const AHEAD: usize = 256;

/// A Metalink is read as a whole.
const LARGEST_METALINK: u64 = 64 * 1024 * 1024;

/// Looks for files on a thread of its own, a little ahead of who downloads them.
pub(super) fn walk(
    engine: &Engine,
    roots: Vec<Url>,
) -> Result<mpsc::IntoIter<Result<Below, TransferError>>, Failure> {
    let (sender, receiver) = mpsc::sync_channel(AHEAD);
    let downloader = engine.downloader.with_client(engine.connector.client()?);
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
    begin("walk", walking)?;
    Ok(receiver.into_iter())
}

/// Reads a list on a thread of its own, a little ahead of who downloads the files. A list may never end and say nothing
/// for hours, as standard input can; who is told to stop does not wait for that.
pub(super) fn list(
    list: &Path,
    stopper: &Stopper,
) -> Result<impl Iterator<Item = Result<ListEntry, String>> + Send + use<>, Failure> {
    const LOOK_UP: Duration = Duration::from_millis(50);
    let (sender, receiver) = mpsc::sync_channel(AHEAD);
    let opened = open(list)?;
    let reading = move || {
        for entry in entries(opened) {
            if sender.send(entry).is_err() {
                return;
            }
        }
    };
    begin("list", reading)?;
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

/// The entries of a list in either form. No line of a plain one begins with `<`, and every Metalink does.
fn entries(mut list: Box<dyn BufRead + Send>) -> Box<dyn Iterator<Item = Result<ListEntry, String>>> {
    let start = list.fill_buf().unwrap_or_default();
    let start = start.strip_prefix(b"\xef\xbb\xbf").unwrap_or(start).trim_ascii_start();
    if !start.starts_with(b"<") {
        return Box::new(List::new(list).map(|entry| entry.map_err(|error| error.to_string())));
    }
    let mut text = String::new();
    let read = list.take(LARGEST_METALINK + 1).read_to_string(&mut text);
    let files = match read {
        Err(error) => Err(format!("cannot read on: {error}")),
        Ok(length) if length as u64 > LARGEST_METALINK => Err("it is larger than 64 MiB".to_owned()),
        Ok(_) => read_metalink(text.trim_start_matches('\u{feff}')).map_err(|error| error.to_string()),
    };
    match files {
        Ok(files) => Box::new(files.into_iter().map(Ok)),
        Err(problem) => Box::new(std::iter::once(Err(problem))),
    }
}

fn open(list: &Path) -> Result<Box<dyn BufRead + Send>, Failure> {
    if list == Path::new("-") {
        return Ok(Box::new(BufReader::new(io::stdin())));
    }
    let file = File::open(list).map_err(|error| {
        Failure::new(Exit::Local, format!("cannot read the list `{}`: {error}", list.display()))
    })?;
    Ok(Box::new(BufReader::new(file)))
}

fn begin(name: &str, work: impl FnOnce() + Send + 'static) -> Result<(), Failure> {
    let thread = std::thread::Builder::new().name(name.to_owned()).spawn(work);
    thread.map(drop).map_err(|error| Failure::from_error(Exit::Local, &error))
}

/// Asks servers what they call their files.
#[derive(Debug)]
pub(super) struct Names {
    runtime: Runtime,
    downloader: Downloader,
}

impl Names {
    pub(super) fn new(engine: &Engine) -> Result<Self, Failure> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| Failure::from_error(Exit::Local, &error))?;
        let downloader = engine.downloader.with_client(engine.connector.client()?);
        Ok(Self { runtime, downloader })
    }

    /// The name that the server gives the file, else the one that its address has.
    pub(super) fn ask(&mut self, url: &Url, tries: &Tries) -> Result<String, Failure> {
        match self.runtime.block_on(self.downloader.probe(url, &Checksum::None)) {
            Ok(probe) => match probe.file_name {
                Some(Ok(name)) => Ok(name),
                Some(Err(error)) => {
                    let message = format!("the server gives `{}` a bad name: {error}", SafeUrl::new(url));
                    Err(Failure::new(Exit::Usage, message).with_hint("name the file with `-o FILE`"))
                }
                None => name_of(url),
            },
            // A server that answers no `HEAD` may answer the `GET`.
            Err(failure) if failure.kind() == FailureKind::Rejected => name_of(url),
            Err(failure) => Err(tries.failure(&failure)),
        }
    }
}
