//! What one copy knows about its destination, over all its attempts.

use std::sync::{Mutex, OnceLock, PoisonError};

use scitoken_types::SafeUrl;
use url::Url;

use crate::error::TransferError;
use crate::webdav::entry::RemoteEntry;

/// What a name at the destination stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum DestinationFile {
    Absent,
    Present(Box<RemoteEntry>),
    /// The token does not permit to look.
    Unknown,
}

/// What the requests of a copy may have written, the greater the more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Writes {
    /// Nothing: no request was sent, or the server refused each of them.
    #[default]
    None,
    /// A server took a request, and has ended it.
    Ended,
    /// A server may have taken a request whose answer was lost, and may write still.
    Unknown,
}

/// What a failed copy leaves at the destination.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Remains {
    #[default]
    None,
    /// A file of the copy that could not be removed.
    Incomplete,
    /// It cannot be found out.
    Unknown,
}

/// What was at the destination before the first attempt, and what the copy has done there since: it may remove only what
/// its own requests may have written.
#[derive(Debug, Default)]
pub(crate) struct DestinationRecord {
    before: OnceLock<DestinationFile>,
    writes: Mutex<Writes>,
    remains: Mutex<Remains>,
}

impl DestinationRecord {
    /// Returns what was there before the first attempt; `None` until it was looked at.
    pub(crate) fn before(&self) -> Option<&DestinationFile> {
        self.before.get()
    }

    /// Keeps what was found, if it is the first finding.
    pub(crate) fn found(&self, file: DestinationFile) {
        self.before.get_or_init(|| file);
    }

    pub(crate) fn writes(&self) -> Writes {
        *self.writes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds what a request may have written.
    pub(crate) fn add(&self, writes: Writes) {
        let mut all = self.writes.lock().unwrap_or_else(PoisonError::into_inner);
        *all = writes.max(*all);
    }

    /// Keeps what a removal has left. After one that left nothing, only a request whose answer was lost may write again.
    pub(crate) fn set_remains(&self, remains: Remains) {
        *self.remains.lock().unwrap_or_else(PoisonError::into_inner) = remains;
        let mut writes = self.writes.lock().unwrap_or_else(PoisonError::into_inner);
        if remains == Remains::None && *writes == Writes::Ended {
            *writes = Writes::None;
        }
    }

    /// Adds to the failure of a copy what it leaves.
    pub(crate) fn name_remains(&self, destination: &Url, failure: TransferError) -> TransferError {
        let shown = SafeUrl::new(destination);
        match *self.remains.lock().unwrap_or_else(PoisonError::into_inner) {
            Remains::None => failure,
            Remains::Incomplete => {
                failure.with_consequence(&format!("an incomplete file is left at `{shown}`"))
            }
            Remains::Unknown => {
                failure.with_consequence(&format!("an incomplete file may be left at `{shown}`"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_found_first_counts_for_all_attempts() {
        let record = DestinationRecord::default();
        record.found(DestinationFile::Absent);
        record.found(DestinationFile::Unknown);
        assert_eq!(record.before(), Some(&DestinationFile::Absent));
    }

    #[test]
    fn a_removal_ends_what_a_server_has_ended_and_not_what_it_may_still_write() {
        for (writes, remains, left) in [
            (&[Writes::None][..], Remains::None, Writes::None),
            (&[Writes::Ended], Remains::None, Writes::None),
            (&[Writes::Ended, Writes::None], Remains::None, Writes::None),
            (&[Writes::Ended], Remains::Incomplete, Writes::Ended),
            (&[Writes::Ended], Remains::Unknown, Writes::Ended),
            (&[Writes::Unknown, Writes::Ended], Remains::None, Writes::Unknown),
        ] {
            let record = DestinationRecord::default();
            for request in writes {
                record.add(*request);
            }
            record.set_remains(remains);
            assert_eq!(record.writes(), left, "{writes:?} {remains:?}");
        }
    }
}
