//! A file as the body of a request.

use std::fs::File;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::time::{Sleep, sleep};

use super::position::read_at;

/// How much is read and sent at once.
const PIECE: usize = 256 * 1024;
/// How long a server has to refuse or to redirect before the data comes. hyper does not show the `100 Continue`, so
/// the wait cannot end earlier; curl waits a second.
const TIME_TO_REFUSE: Duration = Duration::from_millis(300);

/// Sends a file from its start to the length that it had.
#[derive(Debug)]
pub(super) struct FileBody {
    file: Arc<File>,
    at: u64,
    length: u64,
    hold: Option<Pin<Box<Sleep>>>,
    sent: Arc<AtomicU64>,
}

impl FileBody {
    /// A body that counts in `sent` what was taken from it. One of at least `patient_from` bytes gives the server a
    /// moment to refuse before it begins.
    pub(super) fn new(file: Arc<File>, length: u64, patient_from: u64, sent: &Arc<AtomicU64>) -> Self {
        let hold = (length >= patient_from).then(|| Box::pin(sleep(TIME_TO_REFUSE)));
        Self { file, at: 0, length, hold, sent: Arc::clone(sent) }
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
        if let Some(hold) = &mut self.hold {
            ready!(hold.as_mut().poll(context));
            self.hold = None;
        }
        let wanted = usize::try_from(self.length - self.at).unwrap_or(PIECE).min(PIECE);
        let mut piece = vec![0; wanted];
        let got = match read_at(&self.file, &mut piece, self.at) {
            Ok(0) => return Poll::Ready(Some(Err(io::Error::other("the file got shorter meanwhile")))),
            Ok(got) => got,
            Err(error) => return Poll::Ready(Some(Err(error))),
        };
        piece.truncate(got);
        self.at += got as u64;
        self.sent.fetch_add(got as u64, Ordering::Relaxed);
        Poll::Ready(Some(Ok(Frame::data(Bytes::from(piece)))))
    }

    fn is_end_stream(&self) -> bool {
        self.at == self.length
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.length - self.at)
    }
}
