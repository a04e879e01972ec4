//! A body's data, and what its server says behind it.

use std::future::poll_fn;
use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Version};
use http_body::Body as _;
use reqwest::{Body, Response};

use super::error::{FailureKind, Remedy, TransferError};
use super::head;
use crate::{SafeUrl, redact};

/// What XRootD sends behind a body that it could not send well: `500: cannot read on`; behind a good one `200: OK`.
///
/// It does so only when asked (`TE: trailers` and `X-Transfer-Status: true`), and then sends chunks instead of a
/// length. Nobody asks here: a length that is not reached tells the same, and progress, preallocation and parallel
/// ranges need it. Who sends chunks and a trailer all the same is listened to.
const STATUS: &str = "x-transfer-status";

/// How long the end of chunks is waited for once all data is there.
const LAST_CHUNK: Duration = Duration::from_secs(2);

/// The data of an answer, piece by piece.
#[derive(Debug)]
pub(super) struct Frames {
    body: Frame,
    refused: Option<String>,
}

#[derive(Debug)]
enum Frame {
    /// Nothing can come behind a body with a length.
    Plain(Box<Response>),
    WithTrailers(Body),
}

impl Frames {
    pub(super) fn of(response: Response) -> Self {
        let may_have_trailers = response.version() >= Version::HTTP_2 || head::is_chunked(response.headers());
        let body = if may_have_trailers {
            Frame::WithTrailers(http::Response::<Body>::from(response).into_body())
        } else {
            Frame::Plain(Box::new(response))
        };
        Self { body, refused: None }
    }

    /// The next piece of data.
    pub(super) async fn next(&mut self) -> Result<Option<Bytes>, reqwest::Error> {
        let body = match &mut self.body {
            Frame::Plain(response) => return response.chunk().await,
            Frame::WithTrailers(body) => body,
        };
        while let Some(frame) = poll_fn(|context| Pin::new(&mut *body).poll_frame(context)).await {
            match frame?.into_data() {
                Ok(data) => return Ok(Some(data)),
                Err(other) => {
                    if let Ok(trailers) = other.into_trailers() {
                        self.refused = refusal(&trailers);
                    }
                }
            }
        }
        Ok(None)
    }

    /// Takes in what may stand behind data that is all there.
    pub(super) async fn conclude(&mut self) {
        if matches!(self.body, Frame::WithTrailers(_)) {
            // More data is for somebody else, and a broken end says nothing about what came before it.
            let _ = tokio::time::timeout(LAST_CHUNK, self.next()).await;
        }
    }

    /// Whether the server says that it sent what it should.
    ///
    /// # Errors
    /// [`FailureKind::Incomplete`]: nobody knows which of the bytes are right.
    pub(super) fn check(&self, url: &url::Url) -> Result<(), TransferError> {
        let Some(why) = &self.refused else { return Ok(()) };
        let message = format!("`{}` failed on the way and says `{why}` behind the data", SafeUrl::new(url));
        Err(TransferError::new(FailureKind::Incomplete, Remedy::FromStart, message))
    }
}

/// What the server says went wrong; `None` for a success, and for silence.
fn refusal(trailers: &HeaderMap) -> Option<String> {
    let status = String::from_utf8_lossy(trailers.get(STATUS)?.as_bytes());
    let code: u16 = status.split(':').next().and_then(|code| code.trim().parse().ok()).unwrap_or_default();
    (!(200..300).contains(&code)).then(|| redact::text(status.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_success_is_one() {
        let said = |text: &'static str| {
            let mut trailers = HeaderMap::new();
            trailers.insert(STATUS, http::HeaderValue::from_static(text));
            refusal(&trailers)
        };
        assert_eq!((said("200: OK"), said("206"), refusal(&HeaderMap::new())), (None, None, None));
        assert_eq!(said("500: cannot read on").as_deref(), Some("500: cannot read on"));
        assert!(said("").is_some() && said("OK").is_some());
    }
}
