//! What was logged while a test ran, down to TRACE.

use std::cell::RefCell;
use std::io;
use std::sync::{Arc, Mutex, Once, PoisonError};

use tracing_subscriber::Layer as _;
use tracing_subscriber::filter::dynamic_filter_fn;
use tracing_subscriber::fmt::format::FmtSpan;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

thread_local! {
    /// Where this thread's logs go, if a test of this thread listens.
    static LISTENER: RefCell<Option<Sink>> = const { RefCell::new(None) };
}

/// Everything that this thread logs while the value lives.
pub struct Logs {
    text: Sink,
}

#[derive(Clone, Default)]
struct Sink(Arc<Mutex<Vec<u8>>>);

impl io::Write for Sink {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(data);
        Ok(data.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Logs {
    /// Begins to listen, on this thread (tests run their futures on the thread that they began on).
    pub fn capture() -> Self {
        install();
        let text = Sink::default();
        LISTENER.with_borrow_mut(|listener| *listener = Some(text.clone()));
        Self { text }
    }

    /// What was logged so far.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.text.0.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
    }
}

impl Drop for Logs {
    fn drop(&mut self) {
        LISTENER.set(None);
    }
}

/// The listener of this thread, also asked for by destructors at the thread's end, when there is none any more.
fn listener() -> Option<Sink> {
    LISTENER.try_with(|listener| listener.borrow().clone()).ok().flatten()
}

/// Makes the one subscriber of the process, which asks each thread for its listener.
///
/// A subscriber per test would miss events: `tracing` decides once per call site whether it interests the subscriber
/// of the thread that reaches it first, and another test's thread has none.
fn install() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        let layer = tracing_subscriber::fmt::layer()
            .with_span_events(FmtSpan::FULL)
            .with_ansi(false)
            .with_writer(|| listener().unwrap_or_default())
            .with_filter(dynamic_filter_fn(|_, _| listener().is_some()));
        tracing_subscriber::registry().with(layer).init();
    });
    // A call site that was reached while the subscriber was being installed is asked again.
    tracing::callsite::rebuild_interest_cache();
}
