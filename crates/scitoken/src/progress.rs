//! Progress of transfers: a bar, lines in a log, or JSON events.

mod display;
mod fit;
mod format;
mod options;
mod tally;

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::thread::JoinHandle;

use scitoken_transfer::Events;

use self::display::ProgressDisplay;
pub(crate) use self::options::{FinalLines, ProgressMode, ProgressOptions};

/// A thread that shows events until the last reporter is dropped.
#[derive(Debug)]
pub(crate) struct ProgressThread {
    thread: JoinHandle<()>,
    refused: Arc<AtomicU64>,
}

impl ProgressThread {
    /// Starts to show events of `expected` files, if their number is known.
    pub(crate) fn start(
        events: Events,
        options: ProgressOptions,
        expected: Option<u64>,
    ) -> std::io::Result<Self> {
        let refused = Arc::<AtomicU64>::default();
        let counted = Arc::clone(&refused);
        let thread = std::thread::Builder::new().name("progress".to_owned()).spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
            if let Ok(runtime) = runtime {
                runtime.block_on(ProgressDisplay::new(options, expected, counted).follow(events));
            }
        })?;
        Ok(Self { thread, refused })
    }

    /// Returns the count of files that could not begin, which have no events.
    pub(crate) fn refused(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.refused)
    }

    /// Waits until every event is shown. All reporters must have been dropped.
    pub(crate) fn join(self) {
        let _ = self.thread.join();
    }
}
