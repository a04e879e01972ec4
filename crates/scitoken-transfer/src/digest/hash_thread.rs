//! A checksum that is computed on its own thread.

use std::fs::File;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use crate::digest::algorithm::DigestAlgorithm;
use crate::digest::hasher::{READ_BACK, SequentialHasher};
use crate::digest::value::Digest;

/// Computes a checksum on its own thread, reading the file behind the writer.
#[derive(Debug)]
pub(crate) struct HashThread {
    pub(crate) shared: Arc<Watermark>,
    thread: Option<JoinHandle<io::Result<Digest>>>,
}

#[derive(Debug, Default)]
pub(crate) struct Watermark {
    state: Mutex<WatermarkState>,
    moved: Condvar,
}

#[derive(Debug, Default)]
struct WatermarkState {
    readable: u64,
    end: Option<u64>,
    abandoned: bool,
}

impl Watermark {
    fn lock(&self) -> MutexGuard<'_, WatermarkState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn advance(&self, prefix: u64) {
        /// Waking the thread for every piece would cost more than hashing it.
        const STEP: u64 = 1024 * 1024;
        let mut state = self.lock();
        let before = state.readable;
        state.readable = prefix.max(before);
        if state.readable / STEP != before / STEP {
            self.moved.notify_one();
        }
    }
}

impl HashThread {
    pub(crate) fn start(algorithm: DigestAlgorithm, file: Arc<File>) -> io::Result<Self> {
        let shared = Arc::new(Watermark::default());
        let watermark = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("checksum".to_owned())
            .spawn(move || Self::follow(algorithm, &file, &watermark))?;
        Ok(Self { shared, thread: Some(thread) })
    }

    fn follow(algorithm: DigestAlgorithm, file: &File, watermark: &Watermark) -> io::Result<Digest> {
        let mut hashing = SequentialHasher::inline(algorithm);
        loop {
            let until = {
                let mut state = watermark.lock();
                loop {
                    if state.abandoned {
                        return Err(io::Error::other("the checksum was abandoned"));
                    }
                    if state.readable > hashing.at || state.end.is_some_and(|end| end <= hashing.at) {
                        break state.readable;
                    }
                    state = watermark.moved.wait(state).unwrap_or_else(PoisonError::into_inner);
                }
            };
            if until <= hashing.at {
                return Ok(hashing.running.finish());
            }
            hashing.read_back(file, until.min(hashing.at + 16 * READ_BACK as u64))?;
        }
    }

    pub(crate) fn finish(mut self, length: u64) -> io::Result<Digest> {
        {
            let mut state = self.shared.lock();
            state.readable = length;
            state.end = Some(length);
        }
        self.shared.moved.notify_one();
        let thread = self.thread.take().ok_or_else(|| io::Error::other("the checksum was taken already"))?;
        thread.join().map_err(|_| io::Error::other("the checksum's thread panicked"))?
    }
}

impl Drop for HashThread {
    fn drop(&mut self) {
        self.shared.lock().abandoned = true;
        self.shared.moved.notify_one();
    }
}
