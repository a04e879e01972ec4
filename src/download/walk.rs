//! Whole directories: every file below one.

use std::path::PathBuf;

use url::Url;

use super::downloader::Downloader;
use super::error::{FailureKind, Remedy, TransferError};
use super::name::safe_name;
use super::webdav::{Entry, EntryKind};
use crate::SafeUrl;

/// Directories deeper than this are a circle.
const DEEPEST: usize = 100;

/// A file that was found below a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Below {
    /// The file.
    pub entry: Entry,
    /// Its path below the directory, made of safe names only.
    pub path: PathBuf,
}

/// Walks through the directories below one, a listing at a time.
#[derive(Debug)]
pub struct Walk<'d> {
    downloader: &'d Downloader,
    pending: Vec<(Url, PathBuf, usize)>,
    found: std::vec::IntoIter<Result<Below, TransferError>>,
}

impl Downloader {
    /// Finds every file below a directory.
    pub fn walk(&self, directory: Url) -> Walk<'_> {
        Walk {
            downloader: self,
            pending: vec![(directory, PathBuf::new(), 0)],
            found: Vec::new().into_iter(),
        }
    }
}

impl Walk<'_> {
    /// The next file; `None` at the end. A directory that cannot be listed, or a name that no file should have, is an
    /// error of its own, and the walk goes on after it.
    pub async fn next(&mut self) -> Option<Result<Below, TransferError>> {
        loop {
            if let Some(found) = self.found.next() {
                return Some(found);
            }
            let (url, path, depth) = self.pending.pop()?;
            match self.downloader.list(&url).await {
                Ok(entries) => self.sort_in(entries, &path, depth),
                Err(failure) => return Some(Err(failure)),
            }
        }
    }

    fn sort_in(&mut self, entries: Vec<Entry>, path: &std::path::Path, depth: usize) {
        let mut found = Vec::new();
        for entry in entries {
            let name = entry.url.path().trim_end_matches('/').rsplit('/').next().unwrap_or_default();
            match (safe_name(name), entry.kind) {
                (Err(error), _) => {
                    let message = format!("`{}` is left out", SafeUrl::new(&entry.url));
                    let failure = TransferError::new(FailureKind::Usage, Remedy::Nothing, message);
                    found.push(Err(failure.with_source(error)));
                }
                (Ok(_), EntryKind::Directory) if depth == DEEPEST => {
                    found.push(Err(TransferError::nonsense(
                        &entry.url,
                        Remedy::Nothing,
                        "lies deeper than a directory should",
                    )));
                }
                (Ok(name), EntryKind::Directory) => {
                    self.pending.push((entry.url, path.join(name), depth + 1));
                }
                (Ok(name), EntryKind::File) => found.push(Ok(Below { path: path.join(name), entry })),
            }
        }
        self.found = found.into_iter();
    }
}
