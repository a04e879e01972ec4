//! A stream that two attempts may write to, as long as the first one wrote nothing.

use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// A stream that knows whether it was written to. Clones write to the same stream.
#[derive(Debug)]
pub(crate) struct SharedStream<W> {
    stream: Arc<Mutex<W>>,
    is_written: Arc<AtomicBool>,
}

impl<W> SharedStream<W> {
    pub(crate) fn new(stream: W) -> Self {
        Self { stream: Arc::new(Mutex::new(stream)), is_written: Arc::default() }
    }

    pub(crate) fn is_written(&self) -> bool {
        self.is_written.load(Ordering::Relaxed)
    }
}

impl<W> Clone for SharedStream<W> {
    fn clone(&self) -> Self {
        Self { stream: Arc::clone(&self.stream), is_written: Arc::clone(&self.is_written) }
    }
}

impl<W: Write> Write for SharedStream<W> {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        self.is_written.store(true, Ordering::Relaxed);
        self.stream.lock().unwrap_or_else(PoisonError::into_inner).write(data)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.lock().unwrap_or_else(PoisonError::into_inner).flush()
    }
}
