//! Events of a transfer.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde::{Serialize, Serializer};
use tokio::sync::mpsc;

use crate::digest::value::Digest;
use crate::error::FailureKind;
use crate::request_report::RequestReport;
use crate::timings::Timings;
use crate::verification::Verification;

/// Which file of a run an event is about, counted from zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct FileNumber(pub u64);

/// An event of one file.
///
/// Serialized, it is one flat object: `event` names the kind, and times are in seconds.
///
/// ```
/// use scitoken_transfer::{Event, EventKind, FileNumber};
///
/// let event = Event { file: FileNumber(0), what: EventKind::Progress { done: 5, length: Some(16) } };
/// let json = serde_json::to_string(&event)?;
/// assert_eq!(json, r#"{"file":0,"event":"progress","done":5,"length":16}"#);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Event {
    /// The file.
    pub file: FileNumber,
    /// What happened.
    #[serde(flatten)]
    pub what: EventKind,
}

/// What happened to a file. URLs are without credentials.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
#[non_exhaustive]
pub enum EventKind {
    /// The servers of an object of a federation are known; a second time where the first ones all failed.
    Located {
        /// The name of the object.
        object: String,
        /// Its URLs at the servers, in the order in which they are tried.
        servers: Vec<String>,
        /// Whether they follow from an earlier answer of the director.
        remembered: bool,
    },
    /// The transfer begins.
    Started {
        /// The URL.
        url: String,
        /// The target file; `None` for a stream.
        #[serde(serialize_with = "path")]
        target: Option<PathBuf>,
    },
    /// The server's first response arrived.
    Answered {
        /// The whole length, if the server gives it.
        length: Option<u64>,
        /// How many bytes an earlier run fetched.
        resumed_from: u64,
    },
    /// The data comes from another server.
    Redirected {
        /// The URL that it comes from.
        to: String,
    },
    /// More of the file was written.
    Progress {
        /// Bytes written so far.
        done: u64,
        /// The whole length, if known.
        length: Option<u64>,
    },
    /// Another connection was opened for the same file.
    StreamsAdded {
        /// Connections now.
        streams: usize,
    },
    /// A request for data ended; only of a reporter [with requests](Reporter::with_requests).
    Requested(Box<RequestReport>),
    /// An attempt failed and another one follows.
    Retrying {
        /// How many attempts failed in a row.
        failures: u32,
        /// The wait before the next attempt.
        #[serde(serialize_with = "crate::timings::seconds")]
        after: Duration,
        /// The kind of the failure.
        kind: FailureKind,
        /// The failure as text.
        why: String,
        /// The URL that is tried next, if it is another one.
        #[serde(skip_serializing_if = "Option::is_none")]
        next: Option<String>,
    },
    /// The data so far is discarded: it may belong to other content.
    Restarted {
        /// The reason as text.
        why: String,
    },
    /// The token was refused; the transfer tries again with a fresh one.
    TokenRefused,
    /// A request without a token was repeated with one, because the server asked for it, and succeeded.
    TokenRequested,
    /// A refused request was repeated with another token and succeeded.
    TokenRefreshed,
    /// At the current rate the token expires before the transfer ends.
    TokenEndsEarly {
        /// Until the token expires.
        #[serde(rename = "token_seconds", serialize_with = "whole_seconds")]
        token: Duration,
        /// Until the transfer ends.
        #[serde(rename = "transfer_seconds", serialize_with = "whole_seconds")]
        transfer: Duration,
    },
    /// The data has the expected checksum.
    Verified {
        /// The checksum.
        #[serde(flatten)]
        digest: Digest,
    },
    /// The file is complete under its name.
    Finished {
        /// Its length.
        length: u64,
        /// How it was verified.
        #[serde(rename = "verified")]
        verification: Verification,
        /// Where the time went.
        #[serde(flatten)]
        timings: Timings,
    },
    /// The target existed and was kept.
    Skipped {
        /// Its length.
        length: u64,
    },
    /// The transfer failed.
    Failed {
        /// The kind of the failure.
        kind: FailureKind,
        /// The failure as text.
        why: String,
        /// Whether the transfer may succeed later.
        retryable: bool,
    },
}

/// A path as text, also one that is not UTF-8.
#[expect(clippy::ref_option, reason = "serde passes the field")]
pub(crate) fn path<S: Serializer>(path: &Option<PathBuf>, serializer: S) -> Result<S::Ok, S::Error> {
    path.as_ref().map(|path| path.to_string_lossy()).serialize(serializer)
}

fn whole_seconds<S: Serializer>(time: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(time.as_secs())
}

/// Receives the events of transfers; clones have the same receiver.
///
/// ```
/// use std::sync::atomic::{AtomicU64, Ordering};
/// use scitoken_transfer::{EventKind, Reporter};
///
/// static DONE: AtomicU64 = AtomicU64::new(0);
/// let reporter = Reporter::from_fn(|event| {
///     if let EventKind::Progress { done, .. } = event.what {
///         DONE.store(done, Ordering::Relaxed);
///     }
/// });
/// # let _ = reporter;
/// ```
#[derive(Clone, Debug, Default)]
pub struct Reporter {
    receiver: Receiver,
    /// Whether requests are reported.
    requests: bool,
}

#[derive(Clone, Default)]
enum Receiver {
    #[default]
    None,
    Channel(mpsc::Sender<Event>),
    Callback(Arc<dyn Fn(Event) + Send + Sync>),
}

impl fmt::Debug for Receiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "None",
            Self::Channel(_) => "Channel",
            Self::Callback(_) => "Callback",
        })
    }
}

/// The stream of events.
#[derive(Debug)]
pub struct Events(mpsc::Receiver<Event>);

/// Creates a reporter and the stream of its events.
///
/// The stream must be read: when it is full, a transfer waits, except with [`EventKind::Progress`], which is dropped.
pub fn events() -> (Reporter, Events) {
    let (sender, receiver) = mpsc::channel(1_024);
    (Reporter::new(Receiver::Channel(sender)), Events(receiver))
}

impl Events {
    /// Returns the next event; `None` when all reporters are dropped.
    pub async fn next(&mut self) -> Option<Event> {
        self.0.recv().await
    }

    /// Returns the next event, if one is queued.
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
    /// Creates a reporter that discards all events.
    pub fn none() -> Self {
        Self::new(Receiver::None)
    }

    /// Creates a reporter that calls a function with each event, on the thread of the transfer: it should return soon.
    pub fn from_fn(callback: impl Fn(Event) + Send + Sync + 'static) -> Self {
        Self::new(Receiver::Callback(Arc::new(callback)))
    }

    fn new(receiver: Receiver) -> Self {
        Self { receiver, requests: false }
    }

    /// Reports each request for data too ([`EventKind::Requested`]).
    pub fn with_requests(mut self) -> Self {
        self.requests = true;
        self
    }

    /// Returns whether requests are reported, and something receives the reports.
    pub(crate) fn reports_requests(&self) -> bool {
        self.requests && self.is_listened_to()
    }

    /// Sends an event, as transfers do: for the tests of a program that receives them.
    ///
    /// ```
    /// use scitoken_transfer::{Event, EventKind, FileNumber, events};
    ///
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// let (reporter, mut stream) = events();
    /// let event = Event { file: FileNumber(0), what: EventKind::TokenRefused };
    /// reporter.report(event.clone()).await;
    /// assert_eq!(stream.next().await, Some(event));
    /// # });
    /// ```
    pub async fn report(&self, event: Event) {
        match &self.receiver {
            Receiver::None => {}
            // An error means that the receiver was dropped.
            Receiver::Channel(sender) => drop(sender.send(event).await),
            Receiver::Callback(callback) => callback(event),
        }
    }

    pub(crate) async fn send(&self, file: FileNumber, what: EventKind) {
        self.report(Event { file, what }).await;
    }

    pub(crate) fn try_send(&self, file: FileNumber, what: EventKind) {
        let event = Event { file, what };
        match &self.receiver {
            Receiver::None => {}
            Receiver::Channel(sender) => drop(sender.try_send(event)),
            Receiver::Callback(callback) => callback(event),
        }
    }

    pub(crate) fn is_listened_to(&self) -> bool {
        match &self.receiver {
            Receiver::None => false,
            Receiver::Channel(sender) => !sender.is_closed(),
            Receiver::Callback(_) => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn serialized(what: EventKind) -> serde_json::Value {
        serde_json::to_value(Event { file: FileNumber(3), what }).unwrap()
    }

    #[test]
    fn each_event_is_one_flat_object() {
        let digest: Digest = "adler32:355f0612".parse().unwrap();
        let mut timings = Timings::default();
        (timings.total, timings.answering, timings.fetched) =
            (Duration::from_millis(1500), Duration::from_millis(250), 16);
        for (what, expected) in [
            (
                EventKind::Started { url: "https://h/f".to_owned(), target: Some("d/f".into()) },
                json!({ "file": 3, "event": "started", "url": "https://h/f", "target": "d/f" }),
            ),
            (
                EventKind::Retrying {
                    failures: 1,
                    after: Duration::from_millis(500),
                    kind: FailureKind::NotFound,
                    why: "gone".to_owned(),
                    next: None,
                },
                json!({
                    "file": 3, "event": "retrying", "failures": 1, "after": 0.5, "kind": "not-found", "why": "gone",
                }),
            ),
            (
                EventKind::Located {
                    object: "osdf:///ns/f".to_owned(),
                    servers: vec!["https://c/ns/f".to_owned()],
                    remembered: false,
                },
                json!({
                    "file": 3, "event": "located", "object": "osdf:///ns/f", "servers": ["https://c/ns/f"],
                    "remembered": false,
                }),
            ),
            (
                EventKind::Requested(Box::default()),
                json!({
                    "file": 3, "event": "requested", "url": "", "bytes": 0, "answered_after": null,
                    "seconds": 0.0, "server": null, "age": null, "failure": null,
                }),
            ),
            (EventKind::TokenRefused, json!({ "file": 3, "event": "token_refused" })),
            (
                EventKind::TokenEndsEarly { token: Duration::from_secs(5), transfer: Duration::from_secs(9) },
                json!({ "file": 3, "event": "token_ends_early", "token_seconds": 5, "transfer_seconds": 9 }),
            ),
            (
                EventKind::Verified { digest: digest.clone() },
                json!({ "file": 3, "event": "verified", "algorithm": "adler32", "value": "355f0612" }),
            ),
            (
                EventKind::Finished { length: 16, verification: Verification::Verified(digest), timings },
                json!({
                    "file": 3, "event": "finished", "length": 16, "verified": "adler32:355f0612",
                    "seconds": 1.5, "answering": 0.25, "pausing": 0.0, "limited": 0.0, "writing": 0.0,
                    "verifying": 0.0, "failures": 0, "fetched": 16,
                }),
            ),
        ] {
            assert_eq!(serialized(what), expected);
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_path_that_is_not_utf_8_does_not_stop_the_events() {
        use std::os::unix::ffi::OsStrExt as _;
        let target = std::ffi::OsStr::from_bytes(b"a\xff");
        let event = serialized(EventKind::Started { url: String::new(), target: Some(target.into()) });
        assert_eq!(event["target"], "a\u{fffd}");
    }

    #[test]
    fn a_callback_gets_every_event_and_a_dropped_stream_none() {
        let count = Arc::new(std::sync::Mutex::new(Vec::new()));
        let seen = Arc::clone(&count);
        let reporter = Reporter::from_fn(move |event| seen.lock().unwrap().push(event.file));
        assert!(reporter.is_listened_to());
        reporter.try_send(FileNumber(1), EventKind::TokenRefused);
        reporter.try_send(FileNumber(2), EventKind::TokenRefused);
        assert_eq!(*count.lock().unwrap(), [FileNumber(1), FileNumber(2)]);
        let (reporter, stream) = events();
        drop(stream);
        assert!(!reporter.is_listened_to() && !Reporter::none().is_listened_to());
    }
}
