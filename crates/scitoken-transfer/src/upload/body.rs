//! A file as the body of a request.

use std::fs::File;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::time::{Instant, Sleep, sleep, sleep_until};

use crate::bandwidth_limit::BandwidthLimit;
use crate::disk::positioned_io::read_at;

/// The smallest upload that sends `Expect: 100-continue`, in bytes, as in curl.
pub(super) const WORTH_ASKING: u64 = 1024 * 1024;

/// The size of one chunk, in bytes.
const PIECE: usize = 256 * 1024;
/// How long to wait for a refusal or a redirect before sending data. hyper does not report `100 Continue`, so the wait
/// cannot end earlier; curl waits one second.
const TIME_TO_REFUSE: Duration = Duration::from_millis(300);

/// A request body of a file, up to the length that it had at first.
#[derive(Debug)]
pub(crate) struct FileBody {
    file: Arc<File>,
    at: u64,
    length: u64,
    hold: Option<Pin<Box<Sleep>>>,
    rate: Option<BandwidthLimit>,
    /// The size of the next chunk, once its turn is waited for.
    next: Option<usize>,
    sent: Arc<SentBytes>,
}

/// How much of a body was sent.
#[derive(Debug, Default)]
pub(crate) struct SentBytes {
    bytes: AtomicU64,
    /// Whether the next bytes wait for the rate limit, and not for the server.
    is_limited: AtomicBool,
    /// Why the file could not be read to its end.
    failure: OnceLock<io::Error>,
}

impl SentBytes {
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    pub(crate) fn is_limited(&self) -> bool {
        self.is_limited.load(Ordering::Relaxed)
    }

    /// Returns why the file could not be read to its end.
    pub(crate) fn failure(&self) -> Option<io::Error> {
        let failure = self.failure.get()?;
        Some(io::Error::new(failure.kind(), failure.to_string()))
    }

    fn fail(&self, error: io::Error) -> io::Error {
        let shown = io::Error::new(error.kind(), error.to_string());
        let _ = self.failure.set(error);
        shown
    }
}

impl FileBody {
    /// Creates a body that counts its sent bytes in `sent`. One of at least `patient_from` bytes waits for a refusal before
    /// it begins.
    pub(crate) fn new(file: Arc<File>, length: u64, patient_from: u64, sent: &Arc<SentBytes>) -> Self {
        let hold = (length >= patient_from).then(|| Box::pin(sleep(TIME_TO_REFUSE)));
        Self { file, at: 0, length, hold, rate: None, next: None, sent: Arc::clone(sent) }
    }

    /// Sends at no more than this rate.
    pub(crate) fn with_bandwidth_limit(mut self, rate: Option<BandwidthLimit>) -> Self {
        self.rate = rate;
        self
    }

    /// Returns the size of the next chunk, and makes it wait for its turn.
    fn plan_chunk(&mut self) -> usize {
        let most = self.rate.as_ref().map_or(PIECE, |rate| rate.piece(PIECE));
        let size = usize::try_from(self.length - self.at).unwrap_or(most).min(most);
        if let Some(rate) = &self.rate {
            self.hold = Some(Box::pin(sleep_until(rate.count(size as u64, Instant::now()))));
            self.sent.is_limited.store(true, Ordering::Relaxed);
        }
        size
    }
}

impl Body for FileBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        if self.at == self.length {
            return Poll::Ready(None);
        }
        let wanted = loop {
            if let Some(hold) = &mut self.hold {
                ready!(hold.as_mut().poll(context));
                self.hold = None;
            }
            match self.next.take() {
                Some(wanted) => break wanted,
                None => self.next = Some(self.plan_chunk()),
            }
        };
        self.sent.is_limited.store(false, Ordering::Relaxed);
        let mut piece = vec![0; wanted];
        let got = match read_at(&self.file, &mut piece, self.at) {
            Ok(0) => {
                let error = io::Error::other("the file was truncated during the upload");
                return Poll::Ready(Some(Err(self.sent.fail(error))));
            }
            Ok(got) => got,
            Err(error) => return Poll::Ready(Some(Err(self.sent.fail(error)))),
        };
        piece.truncate(got);
        self.at += got as u64;
        self.sent.bytes.fetch_add(got as u64, Ordering::Relaxed);
        Poll::Ready(Some(Ok(Frame::data(Bytes::from(piece)))))
    }

    fn is_end_stream(&self) -> bool {
        self.at == self.length
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.length - self.at)
    }
}
