//! The requests of each transfer, for the result ads.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use scitoken_transfer::{EventKind, FileNumber, Reporter, RequestReport};
use scitoken_types::sys::{Clock as _, SystemClock};

/// The requests so far, by the number of their file, each with the time of its end.
#[derive(Clone, Debug, Default)]
pub(super) struct Requests(Arc<Mutex<HashMap<FileNumber, Vec<EndedRequest>>>>);

/// A request, and when it ended.
#[derive(Clone, Debug)]
pub(super) struct EndedRequest {
    pub(super) report: RequestReport,
    pub(super) at: SystemTime,
}

impl Requests {
    /// Returns what collects the requests of an engine.
    pub(super) fn reporter(&self) -> Reporter {
        let requests = Arc::clone(&self.0);
        Reporter::from_fn(move |event| {
            if let EventKind::Requested(report) = event.what {
                let ended = EndedRequest { report: *report, at: SystemClock.now() };
                let mut requests = requests.lock().unwrap_or_else(PoisonError::into_inner);
                requests.entry(event.file).or_default().push(ended);
            }
        })
        .with_requests()
    }

    /// Removes and returns the requests of a file.
    pub(super) fn take(&self, file: FileNumber) -> Vec<EndedRequest> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&file).unwrap_or_default()
    }
}
