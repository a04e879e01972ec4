//! Recursive listing.

use std::path::PathBuf;
use std::pin::Pin;

use url::Url;

use crate::downloader::Downloader;
use crate::error::{FailureKind, RetryAction, TransferError};
use crate::name::file_name::safe_name;
use crate::webdav::entry::{EntryKind, RemoteEntry};
use crate::webdav::spool::{Spool, SpooledEntries};
use percent_encoding::percent_decode_str;
use scitoken_types::{SafeUrl, redact};

/// The deepest level: a deeper tree is taken for a loop.
const DEEPEST: usize = 100;

/// A file or directory below a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WalkEntry {
    /// The file or directory.
    pub entry: RemoteEntry,
    /// Its path below the directory, of safe names only, unless the walk is [with any names](Walk::with_any_names).
    pub path: PathBuf,
}

/// The reading of one listing, with the failures of single entries.
pub(crate) type Reading<'d> =
    Pin<Box<dyn Future<Output = Result<SpooledEntries, TransferError>> + Send + 'd>>;

/// Walks a directory tree, one listing at a time. Memory grows by a few bytes for each file in a directory, so that a
/// listing that breaks off goes on.
pub struct Walk<'d> {
    read: Box<dyn Fn(Url) -> Reading<'d> + Send + Sync + 'd>,
    pending: Vec<(Url, PathBuf, usize)>,
    current: SpooledEntries,
    /// The path of the current directory, and its depth.
    path: PathBuf,
    depth: usize,
    has_any_names: bool,
}

impl Downloader {
    /// Returns a walk over all files and directories below a directory, each directory before its contents.
    ///
    /// ```no_run
    /// # async fn example(downloader: scitoken_transfer::Downloader) -> Result<(), Box<dyn std::error::Error>> {
    /// let mut walk = downloader.walk("https://h/d/".parse()?);
    /// while let Some(found) = walk.next().await {
    ///     println!("{}", found?.path.display());
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn walk(&self, directory: Url) -> Walk<'_> {
        Walk::reading(directory, |url| Box::pin(self.read_listing(url)))
    }

    /// Reads a whole listing, the failures of single entries included.
    async fn read_listing(&self, url: Url) -> Result<SpooledEntries, TransferError> {
        let mut listing = self.open_listing(&url).await?;
        let mut spool = Spool::default();
        while let Some(entry) = listing.next().await {
            spool.add(entry)?;
        }
        spool.finish()
    }
}

impl std::fmt::Debug for Walk<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Walk").field("pending", &self.pending).finish_non_exhaustive()
    }
}

impl<'d> Walk<'d> {
    /// Returns a walk whose listings are read by `read`.
    pub(crate) fn reading(directory: Url, read: impl Fn(Url) -> Reading<'d> + Send + Sync + 'd) -> Self {
        let pending = vec![(directory, PathBuf::new(), 0)];
        Self {
            read: Box::new(read),
            pending,
            current: SpooledEntries::default(),
            path: PathBuf::new(),
            depth: 0,
            has_any_names: false,
        }
    }

    /// Also returns what no local file could be called, for those who only look or use the URLs: paths are then the server's
    /// names, for display.
    pub fn with_any_names(mut self) -> Self {
        self.has_any_names = true;
        self
    }

    /// Returns the next file or directory; `None` at the end. A directory that cannot be listed, or an unsafe name, is an error of its
    /// own, and the walk continues.
    pub async fn next(&mut self) -> Option<Result<WalkEntry, TransferError>> {
        loop {
            if let Some(entry) = self.current.next() {
                return Some(entry.and_then(|entry| self.classify(entry)));
            }
            let (url, path, depth) = self.pending.pop()?;
            (self.path, self.depth) = (path, depth);
            match (self.read)(url).await {
                Ok(entries) => self.current = entries,
                Err(failure) => return Some(Err(failure)),
            }
        }
    }

    fn classify(&mut self, entry: RemoteEntry) -> Result<WalkEntry, TransferError> {
        let name = entry.url.path().trim_end_matches('/').rsplit('/').next().unwrap_or_default();
        let path = if self.has_any_names {
            // Joined as text: a name that is absolute or a prefix is a name all the same.
            let shown = redact::text(&percent_decode_str(name).decode_utf8_lossy());
            let above = self.path.to_string_lossy();
            PathBuf::from(if above.is_empty() { shown } else { format!("{above}/{shown}") })
        } else {
            self.path.join(safe_name(name).map_err(|error| {
                let message = format!("skipped `{}`", SafeUrl::new(&entry.url));
                TransferError::new(FailureKind::Server, RetryAction::GiveUp, message).with_source(error)
            })?)
        };
        if entry.kind == EntryKind::Directory {
            if self.depth == DEEPEST {
                let what = "is nested too deeply";
                return Err(TransferError::invalid_answer(&entry.url, RetryAction::GiveUp, what));
            }
            self.pending.push((entry.url.clone(), path.clone(), self.depth + 1));
        }
        Ok(WalkEntry { entry, path })
    }
}
