//! The entries of one directory, read before the first is used.

use std::collections::HashSet;
use std::fs::File;
use std::hash::{BuildHasher, RandomState};
use std::io::{self, BufRead, BufReader, BufWriter, Seek as _, Write as _};

use serde::{Deserialize, Serialize};

use crate::error::{FailureKind, RetryAction, TransferError};
use crate::hint::TransferHint;
use crate::webdav::entry::{EntryKind, RemoteEntry};

/// The most entries that are kept in memory; the others go to a temporary file.
pub(crate) const MOST_IN_MEMORY: usize = 4096;

/// The most failures of single entries that are kept; the others are counted.
const MOST_FAILURES: usize = 100;

/// The entries of a directory.
///
/// A server does not wait for as long as the files of a large directory take, so the listing is read to its end first. Up to
/// [`MOST_IN_MEMORY`] entries are sorted; more keep the server's order.
#[derive(Debug, Default)]
pub(crate) struct Spool {
    kept: Vec<RemoteEntry>,
    rest: Option<BufWriter<File>>,
    seen: HashSet<u64>,
    hasher: RandomState,
    failures: Vec<TransferError>,
    more_failures: u64,
}

/// The entries of a [`Spool`] in turn, failures last.
#[derive(Debug, Default)]
pub(crate) struct SpooledEntries {
    kept: std::vec::IntoIter<RemoteEntry>,
    rest: Option<BufReader<File>>,
    failures: std::vec::IntoIter<TransferError>,
}

/// An entry as a line of the temporary file.
#[derive(Debug, Deserialize, Serialize)]
struct Line {
    url: String,
    is_directory: bool,
    length: Option<u64>,
    last_modified: Option<String>,
    etag: Option<String>,
}

impl Spool {
    /// Adds an entry; one that is listed twice counts once.
    pub(crate) fn add(&mut self, entry: Result<RemoteEntry, TransferError>) -> Result<(), TransferError> {
        let entry = match entry {
            Ok(entry) => entry,
            Err(failure) if self.failures.len() < MOST_FAILURES => {
                self.failures.push(failure);
                return Ok(());
            }
            Err(_) => {
                self.more_failures += 1;
                return Ok(());
            }
        };
        if !self.seen.insert(self.hasher.hash_one(&entry.url)) {
            return Ok(());
        }
        if self.rest.is_none() && self.kept.len() < MOST_IN_MEMORY {
            self.kept.push(entry);
            return Ok(());
        }
        self.write(entry).map_err(failed)
    }

    fn write(&mut self, entry: RemoteEntry) -> io::Result<()> {
        let file = match &mut self.rest {
            Some(file) => file,
            None => self.rest.insert(BufWriter::new(tempfile::tempfile()?)),
        };
        let is_directory = entry.kind == EntryKind::Directory;
        let RemoteEntry { url, length, last_modified, etag, .. } = entry;
        serde_json::to_writer(
            &mut *file,
            &Line { url: url.into(), is_directory, length, last_modified, etag },
        )?;
        file.write_all(b"\n")
    }

    /// Ends the listing.
    pub(crate) fn finish(mut self) -> Result<SpooledEntries, TransferError> {
        if self.rest.is_none() {
            self.kept.sort_by(|one, other| one.url.path().cmp(other.url.path()));
        }
        if self.more_failures > 0 {
            let message = format!("{} more entries of the directory failed", self.more_failures);
            self.failures.push(TransferError::new(FailureKind::Server, RetryAction::OtherSource, message));
        }
        let rest = self.rest.map(|rest| {
            let mut file = rest.into_inner().map_err(io::IntoInnerError::into_error)?;
            file.rewind()?;
            Ok(BufReader::new(file))
        });
        Ok(SpooledEntries {
            kept: self.kept.into_iter(),
            rest: rest.transpose().map_err(failed)?,
            failures: self.failures.into_iter(),
        })
    }
}

impl SpooledEntries {
    fn read(&mut self) -> io::Result<Option<RemoteEntry>> {
        let Some(file) = &mut self.rest else { return Ok(None) };
        let mut line = String::new();
        if file.read_line(&mut line)? == 0 {
            self.rest = None;
            return Ok(None);
        }
        let Line { url, is_directory, length, last_modified, etag } = serde_json::from_str(&line)?;
        let kind = if is_directory { EntryKind::Directory } else { EntryKind::File };
        let url = url.parse().map_err(io::Error::other)?;
        Ok(Some(RemoteEntry { url, kind, length, last_modified, etag }))
    }
}

impl Iterator for SpooledEntries {
    type Item = Result<RemoteEntry, TransferError>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(entry) = self.kept.next() {
            return Some(Ok(entry));
        }
        match self.read() {
            Ok(Some(entry)) => Some(Ok(entry)),
            Ok(None) => self.failures.next().map(Err),
            Err(error) => {
                self.rest = None;
                Some(Err(failed(error)))
            }
        }
    }
}

fn failed(error: io::Error) -> TransferError {
    let is_full = error.kind() == io::ErrorKind::StorageFull;
    let message = "failed to keep a listing in a temporary file";
    let failure = TransferError::new(FailureKind::Local, RetryAction::GiveUp, message).with_source(error);
    if is_full { failure.with_hint(TransferHint::FreeDiskSpace) } else { failure }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(number: usize) -> RemoteEntry {
        RemoteEntry {
            url: format!("https://h/d/f{number:06}").parse().unwrap(),
            kind: if number.is_multiple_of(100) { EntryKind::Directory } else { EntryKind::File },
            length: Some(number as u64),
            last_modified: None,
            etag: Some(format!("\"{number}\"")),
        }
    }

    #[test]
    fn a_large_directory_is_kept_on_disk_and_a_small_one_is_sorted() {
        for count in [3, MOST_IN_MEMORY, 3 * MOST_IN_MEMORY] {
            let mut spool = Spool::default();
            for number in (0..count).rev() {
                spool.add(Ok(entry(number))).unwrap();
                spool.add(Ok(entry(number))).unwrap();
            }
            assert!(spool.kept.len() <= MOST_IN_MEMORY);
            let mut found: Vec<_> = spool.finish().unwrap().map(Result::unwrap).collect();
            if count > MOST_IN_MEMORY {
                found.reverse();
            }
            assert!(found.iter().enumerate().all(|(number, found)| *found == entry(number)), "{count}");
            assert_eq!(found.len(), count, "each entry once");
        }
    }

    #[test]
    fn failures_come_last_and_are_counted_beyond_a_hundred() {
        let mut spool = Spool::default();
        for number in 0..150 {
            spool.add(Err(TransferError::new(FailureKind::Refused, RetryAction::GiveUp, "no"))).unwrap();
            spool.add(Ok(entry(number))).unwrap();
        }
        let found: Vec<_> = spool.finish().unwrap().collect();
        assert!(found[..150].iter().all(Result::is_ok) && found[150..].iter().all(Result::is_err));
        let last = found.last().unwrap().as_ref().unwrap_err().to_string();
        assert_eq!((found.len(), last.as_str()), (251, "50 more entries of the directory failed"));
    }
}
