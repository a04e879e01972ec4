//! What happens during a transfer, as a stream that any front end can draw.

use std::path::PathBuf;
use std::time::Duration;

use tokio::sync::mpsc;

use super::{Digest, FailureKind, Timings, Verification};

/// Which file of a run an event is about, counted from zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileNumber(pub u64);

/// Something that happened to one file.
#[derive(Clone, Debug)]
pub struct Event {
    /// The file.
    pub file: FileNumber,
    /// What happened.
    pub what: EventKind,
}

/// What can happen to a file. URLs come without their credentials.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum EventKind {
    /// The transfer begins.
    Started {
        /// The address, fit to be shown.
        url: String,
        /// The file that it will become; `None` for a stream.
        target: Option<PathBuf>,
    },
    /// The server's first answer is there.
    Answered {
        /// The whole length, if the server says it.
        length: Option<u64>,
        /// How many bytes were there already.
        resumed_from: u64,
    },
    /// The data comes from another server than the one that was named.
    Redirected {
        /// Where it comes from, fit to be shown.
        to: String,
    },
    /// More of the file is there.
    Progress {
        /// Bytes that are there.
        done: u64,
        /// The whole length, if known.
        length: Option<u64>,
    },
    /// Another connection was opened for the same file.
    Widened {
        /// Connections now.
        streams: usize,
    },
    /// An attempt failed and another one follows.
    Retrying {
        /// How many failures there were.
        failures: u32,
        /// The wait before the next attempt.
        after: Duration,
        /// What failed.
        kind: FailureKind,
        /// What failed, in words.
        why: String,
    },
    /// What was there is thrown away, because it may be of other content.
    Restarted {
        /// Why, in words.
        why: String,
    },
    /// The token was refused on the way, or before; the transfer tries again with the one that the source has then.
    TokenRefused,
    /// A request that was refused has been sent again with another token, and went through.
    TokenRefreshed,
    /// The token will end before the transfer does, at the rate of now.
    TokenEndsEarly {
        /// Until the token ends.
        token: Duration,
        /// Until the transfer will be done.
        transfer: Duration,
    },
    /// The data was compared with a checksum.
    Verified {
        /// The checksum.
        digest: Digest,
    },
    /// The file is there under its name.
    Finished {
        /// Its length.
        length: u64,
        /// How it was verified.
        verification: Verification,
        /// Where the time went.
        timings: Timings,
    },
    /// The file was there before and is right.
    Skipped {
        /// Its length.
        length: u64,
    },
    /// The transfer failed.
    Failed {
        /// The sort of failure.
        kind: FailureKind,
        /// What failed, in words.
        why: String,
        /// Whether it is worth trying again later.
        retryable: bool,
    },
}

/// Where transfers send their events; clones send to the same stream.
#[derive(Clone, Debug, Default)]
pub struct Reporter(Option<mpsc::Sender<Event>>);

/// The stream of events.
#[derive(Debug)]
pub struct Events(mpsc::Receiver<Event>);

/// A reporter and the stream of what it reports.
///
/// The stream must be read: a transfer waits for room for everything but [`EventKind::Progress`], which is dropped
/// where there is no room.
pub fn events() -> (Reporter, Events) {
    let (sender, receiver) = mpsc::channel(1_024);
    (Reporter(Some(sender)), Events(receiver))
}

impl Events {
    /// The next event; `None` when all reporters are gone.
    pub async fn next(&mut self) -> Option<Event> {
        self.0.recv().await
    }

    /// The next event, if it is there already.
    pub fn try_next(&mut self) -> Option<Event> {
        self.0.try_recv().ok()
    }

    /// As [`next`](Self::next), for a thread without a runtime.
    ///
    /// # Panics
    /// Within an async runtime.
    pub fn next_blocking(&mut self) -> Option<Event> {
        self.0.blocking_recv()
    }
}

impl Reporter {
    /// A reporter that nobody listens to.
    pub fn none() -> Self {
        Self(None)
    }

    pub(super) async fn send(&self, file: FileNumber, what: EventKind) {
        if let Some(sender) = &self.0 {
            // Nobody listens any more: then nobody misses it.
            let _ = sender.send(Event { file, what }).await;
        }
    }

    pub(super) fn send_if_room(&self, file: FileNumber, what: EventKind) {
        if let Some(sender) = &self.0 {
            let _ = sender.try_send(Event { file, what });
        }
    }

    pub(super) fn is_listened_to(&self) -> bool {
        self.0.as_ref().is_some_and(|sender| !sender.is_closed())
    }
}
