//! The data of a response body, and its trailers.

use std::future::poll_fn;
use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use http::header::TRAILER;
use http::{HeaderMap, Version};
use http_body::Body as _;
use reqwest::{Body, Response};

use crate::error::{FailureKind, RetryAction, TransferError};
use crate::exchange::framing;
use scitoken_types::{SafeUrl, redact};

/// What XRootD sends behind a body that it could not send well: `500: cannot read on`; behind a good one `200: OK`.
///
/// It does so only when asked (`TE: trailers` and `X-Transfer-Status: true`), and then sends chunks instead of a
/// length. This crate does not ask: a length that is not reached shows the same, and progress, preallocation and
/// parallel ranges need it. A trailer that comes unasked is read.
const STATUS: &str = "x-transfer-status";

/// How long the end of chunks is waited for once all data is there.
const LAST_CHUNK: Duration = Duration::from_secs(2);

/// The body of a response, chunk by chunk.
#[derive(Debug)]
pub(crate) struct BodyFrames {
    body: BodySource,
    refused: Option<String>,
    /// Whether the server reported that it sent all of the body.
    is_confirmed: bool,
    /// Whether the server announced its report, and has not sent it.
    lacks_status: bool,
}

#[derive(Debug)]
enum BodySource {
    /// Nothing can come behind a body with a length.
    Plain(Box<Response>),
    WithTrailers(Body),
}

impl BodyFrames {
    pub(crate) fn of(response: Response) -> Self {
        let may_have_trailers =
            response.version() >= Version::HTTP_2 || framing::is_chunked(response.headers());
        let lacks_status = may_have_trailers && announces_status(response.headers());
        let body = if may_have_trailers {
            BodySource::WithTrailers(http::Response::<Body>::from(response).into_body())
        } else {
            BodySource::Plain(Box::new(response))
        };
        Self { body, refused: None, is_confirmed: false, lacks_status }
    }

    /// Returns the next chunk of data.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>, reqwest::Error> {
        let body = match &mut self.body {
            BodySource::Plain(response) => return response.chunk().await,
            BodySource::WithTrailers(body) => body,
        };
        while let Some(frame) = poll_fn(|context| Pin::new(&mut *body).poll_frame(context)).await {
            match frame?.into_data() {
                Ok(data) => return Ok(Some(data)),
                Err(other) => {
                    if let Ok(trailers) = other.into_trailers() {
                        self.refused = refusal(&trailers);
                        self.is_confirmed = self.refused.is_none() && trailers.contains_key(STATUS);
                        self.lacks_status &= !trailers.contains_key(STATUS);
                    }
                }
            }
        }
        Ok(None)
    }

    /// Reads what may follow the complete data. Returns whether that is more data.
    pub(crate) async fn read_trailers(&mut self) -> bool {
        if matches!(self.body, BodySource::Plain(_)) {
            return false;
        }
        // A broken end does not invalidate the data before it.
        let next = tokio::time::timeout(LAST_CHUNK, self.next()).await;
        matches!(next, Ok(Ok(Some(data))) if !data.is_empty())
    }

    /// Returns whether the report that the server announced (`Trailer: X-Transfer-Status`) did not come.
    pub(crate) fn lacks_announced_status(&self) -> bool {
        self.lacks_status
    }

    /// Returns whether the server reported after the data that this is all of it.
    pub(crate) fn is_confirmed(&self) -> bool {
        self.is_confirmed
    }

    /// Checks whether the server reported a failure after the data.
    ///
    /// # Errors
    /// [`FailureKind::Incomplete`]: the server reports a failure, so any of the bytes may be wrong.
    pub(crate) fn check(&self, url: &url::Url) -> Result<(), TransferError> {
        let Some(why) = &self.refused else { return Ok(()) };
        let message = format!("`{}` reported `{why}` after the data", SafeUrl::new(url));
        Err(TransferError::new(FailureKind::Incomplete, RetryAction::Restart, message))
    }
}

fn announces_status(headers: &HeaderMap) -> bool {
    let values =
        headers.get_all(TRAILER).into_iter().flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
    values.into_iter().any(|name| name.trim_ascii().eq_ignore_ascii_case(STATUS.as_bytes()))
}

/// Returns the failure that the trailers report.
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
