//! Files that become known during the run: from lists and directories.

use std::io::{BufRead, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::Duration;

use scitoken_transfer::federation::{Federation, FederationUrl};
use scitoken_transfer::{
    CancellationToken, DownloadList, EntryKind, ListEntry, RemoteEntry, TransferError, WalkEntry,
    read_metalink,
};
use scitoken_types::files::{FileKind, FileProblem, open_regular};
use url::Url;

use super::rules::ListOrigin;
use crate::engine::Engine;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::files::standard_input;
use crate::runtime::block_on;

/// The number of files that are looked up in advance.
const PREFETCH: usize = 256;

/// What some editors write at the start of a file.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// The largest Metalink; it is read as a whole.
const MAX_METALINK: u64 = 64 * 1024 * 1024;

/// An entry of a list, or what is wrong with it.
type Listed = (ListOrigin, Result<ListEntry, String>);

/// What was found below one of several directories, by its index.
type Found = (usize, Result<WalkEntry, TransferError>);

/// Walks directories on a thread, a little ahead of the downloads.
pub(super) fn walk(
    engine: &Engine,
    federation: Option<&Federation>,
    roots: Vec<Url>,
) -> Result<mpsc::IntoIter<Found>, Failure> {
    let (sender, receiver) = mpsc::sync_channel(PREFETCH);
    let downloader = engine.downloader.with_client(engine.sessions.client()?);
    let federation = federation.cloned();
    let walking = move || {
        let walked = block_on(async {
            for (n, root) in roots.into_iter().enumerate() {
                let itself = directory(root.clone());
                let mut walk = match (&federation, FederationUrl::try_from(&root)) {
                    (Some(federation), Ok(name)) => federation.walk(&downloader, &name),
                    _ => downloader.walk(root),
                };
                let mut is_empty = true;
                while let Some(found) = walk.next().await {
                    is_empty = false;
                    if sender.send((n, found)).is_err() {
                        return;
                    }
                }
                // An empty directory is a result, too.
                if is_empty && sender.send((n, Ok(itself))).is_err() {
                    return;
                }
            }
        });
        drop(walked);
    };
    spawn("walk", walking)?;
    Ok(receiver.into_iter())
}

/// The directory that is walked, as an entry of itself.
fn directory(url: Url) -> WalkEntry {
    let entry =
        RemoteEntry { url, kind: EntryKind::Directory, length: None, last_modified: None, etag: None };
    WalkEntry { entry, path: PathBuf::new() }
}

/// Reads a list on a thread, a little ahead of the downloads. Standard input may block for hours, so the iterator also ends
/// when the run is cancelled. `prepare` runs on that thread.
pub(super) fn list<T, F>(
    list: &Path,
    cancellation: &CancellationToken,
    mut prepare: F,
) -> Result<impl Iterator<Item = T> + Send + use<T, F>, Failure>
where
    T: Send + 'static,
    F: FnMut(ListOrigin, Result<ListEntry, String>) -> T + Send + 'static,
{
    const POLL_INTERVAL: Duration = Duration::from_millis(50);
    let (sender, receiver) = mpsc::sync_channel(PREFETCH);
    let (opened, origin) = open(list)?;
    let reading = move || {
        for (origin, entry) in entries(opened, origin) {
            if sender.send(prepare(origin, entry)).is_err() {
                return;
            }
        }
    };
    spawn("list", reading)?;
    let cancellation = cancellation.clone();
    Ok(std::iter::from_fn(move || {
        while !cancellation.is_cancelled() {
            match receiver.recv_timeout(POLL_INTERVAL) {
                Ok(entry) => return Some(entry),
                Err(mpsc::RecvTimeoutError::Timeout) => {}
                Err(mpsc::RecvTimeoutError::Disconnected) => return None,
            }
        }
        None
    }))
}

/// Returns the entries of a list or of a Metalink, which begins with `<`.
fn entries(mut list: Box<dyn BufRead + Send>, origin: ListOrigin) -> Box<dyn Iterator<Item = Listed>> {
    if list.fill_buf().is_ok_and(|start| start.starts_with(BYTE_ORDER_MARK)) {
        list.consume(BYTE_ORDER_MARK.len());
    }
    let is_metalink = list.fill_buf().is_ok_and(|start| start.trim_ascii_start().starts_with(b"<"));
    if !is_metalink {
        let entries = DownloadList::new(list).map(|entry| entry.map_err(|error| error.to_string()));
        return Box::new(entries.map(move |entry| (origin, entry)));
    }
    let mut text = String::new();
    let read = list.take(MAX_METALINK + 1).read_to_string(&mut text);
    let files = match read {
        Err(error) => Err(format!("failed to read: {error}")),
        Ok(length) if length as u64 > MAX_METALINK => Err("larger than 64 MiB".to_owned()),
        Ok(_) => read_metalink(&text).map_err(|error| error.to_string()),
    };
    match files {
        Ok(files) => {
            let files = files.into_iter().map(|file| file.map_err(|error| error.to_string()));
            Box::new(files.map(|file| (ListOrigin::Others, file)))
        }
        Err(problem) => Box::new(std::iter::once((ListOrigin::Others, Err(problem)))),
    }
}

fn open(list: &Path) -> Result<(Box<dyn BufRead + Send>, ListOrigin), Failure> {
    if list == Path::new("-") {
        return Ok((Box::new(BufReader::new(standard_input()?)), ListOrigin::Others));
    }
    let file = open_regular(list).map_err(|error| {
        let failure = Failure::from_error(Exit::Local, &error);
        match error.problem() {
            FileProblem::NotRegular(FileKind::Fifo) => {
                failure.with_hint("read it from standard input: `-i - < FIFO`")
            }
            _ => failure,
        }
    })?;
    Ok((Box::new(BufReader::new(file)), ListOrigin::User))
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> Result<(), Failure> {
    let thread = std::thread::Builder::new().name(name.to_owned()).spawn(work);
    Ok(thread.map(drop)?)
}
