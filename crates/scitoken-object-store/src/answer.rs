//! What a server must answer to a `GET` so that its bytes are those of the object.

use std::ops::Range;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, RANGE};
use http::response::Parts;
use http::{HeaderMap, HeaderValue, StatusCode};
use http_body::{Body, Frame, SizeHint};
use object_store::client::{HttpError, HttpErrorKind};
use scitoken_transfer::foreign_coding;
use scitoken_types::{ErrorChain, redact};
use url::Url;

use crate::error::http_error;

/// A longer object cannot be held by any program.
const LONGEST: u64 = i64::MAX.unsigned_abs();

/// An answer whose bytes are not those that were asked for.
#[derive(Debug, thiserror::Error)]
enum WrongAnswer {
    #[error("the server answered {0} instead of the object")]
    Status(StatusCode),
    #[error("the server answered with a part of the object (206), and the whole was asked for")]
    Part,
    #[error("the server answered one range in several parts (multipart/byteranges)")]
    Multipart,
    #[error("the server answered with a part of the object and no `Content-Range`")]
    NoContentRange,
    #[error("the server answered `{asked}` with `{answered}`")]
    Range { asked: String, answered: String },
    #[error("the server sends {sent} bytes for a range of {range}")]
    RangeLength { sent: u64, range: u64 },
    #[error("the server tells no length of the object")]
    NoLength,
    #[error("the server says that the object has {0} bytes")]
    TooLarge(u64),
    #[error("the server answered with the content coding `{0}`, which was not asked for")]
    Coding(String),
    #[error("the server ended the data after {received} of {length} bytes")]
    TooShort { received: u64, length: u64 },
    #[error("the server sent more than the {0} bytes that it announced")]
    TooLong(u64),
}

/// In the extensions of a request: the length of the object, which the server did not tell in an answer in chunks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct KnownLength(pub(crate) u64);

/// What the answer to a `GET` must be.
#[derive(Debug)]
pub(crate) struct Expected {
    range: Option<HeaderValue>,
    length: Option<u64>,
    /// Whether it is an object of a store of ours: without a content coding, and with a length.
    is_object: bool,
}

impl Expected {
    /// Reads it from the head of the request.
    pub(crate) fn by(request: &mut http::request::Parts, is_object: bool) -> Self {
        let length = request.extensions.remove::<KnownLength>().map(|KnownLength(length)| length);
        Self { range: request.headers.get(RANGE).cloned(), length, is_object }
    }

    /// Checks the head of a successful answer, and returns the body, which ends with an error where it has another length.
    pub(crate) fn check(
        &self,
        asked: &Url,
        parts: &mut Parts,
        body: reqwest::Body,
    ) -> Result<ObjectBody, HttpError> {
        let coding = if self.is_object { foreign_coding(asked, &parts.headers) } else { None };
        let length = match coding {
            Some(coding) => Err(WrongAnswer::Coding(coding)),
            None => self.length_of(parts, body.size_hint().exact()),
        };
        let length = length.map_err(|wrong| HttpError::new(HttpErrorKind::Unknown, wrong))?;
        // Where another request told the length, only the end of the answer proves that it is the same object.
        let needs_end = self.range.is_none() && body.size_hint().exact().is_none();
        if let Some(length) = length {
            // `object_store` reads it, and an answer in chunks, or of a part, may not have it.
            parts.headers.entry(CONTENT_LENGTH).or_insert_with(|| length.into());
        }
        Ok(ObjectBody { needs_end, ..ObjectBody::new(body, length) })
    }

    /// Returns the length of the data, where the head tells it.
    fn length_of(&self, parts: &Parts, sent: Option<u64>) -> Result<Option<u64>, WrongAnswer> {
        match (parts.status, &self.range) {
            (StatusCode::PARTIAL_CONTENT, None) => Err(WrongAnswer::Part),
            (StatusCode::PARTIAL_CONTENT, Some(asked)) => {
                let range = part(asked, &parts.headers)?;
                let range = range.end - range.start;
                match sent.filter(|sent| *sent != range) {
                    Some(sent) => Err(WrongAnswer::RangeLength { sent, range }),
                    None => Ok(Some(range)),
                }
            }
            (StatusCode::OK | StatusCode::NON_AUTHORITATIVE_INFORMATION, None) => {
                match sent.or(self.length) {
                    Some(length) if length > LONGEST => Err(WrongAnswer::TooLarge(length)),
                    None if self.is_object => Err(WrongAnswer::NoLength),
                    length => Ok(length),
                }
            }
            // `object_store` says that the server does not support ranges.
            (_, Some(_)) => Ok(sent),
            (status, None) => Err(WrongAnswer::Status(status)),
        }
    }
}

/// Returns whether a read failed only because the server told no length of the object.
pub(crate) fn is_without_length(error: &object_store::Error) -> bool {
    ErrorChain::new(error).iter().any(|cause| matches!(cause.downcast_ref(), Some(WrongAnswer::NoLength)))
}

/// Returns the range of a partial answer (RFC 9110 section 14.4), which lies in the one that was asked for.
fn part(asked: &HeaderValue, headers: &HeaderMap) -> Result<Range<u64>, WrongAnswer> {
    let Some(answered) = headers.get(CONTENT_RANGE) else {
        let kind = headers.get(CONTENT_TYPE).map_or(&b""[..], HeaderValue::as_bytes);
        let is_multipart = kind.get(..10).is_some_and(|kind| kind.eq_ignore_ascii_case(b"multipart/"));
        return Err(if is_multipart { WrongAnswer::Multipart } else { WrongAnswer::NoContentRange });
    };
    let range = answered.to_str().ok().and_then(content_range);
    let range = range.filter(|range| match asked.to_str().ok().and_then(bounds) {
        Some((first, last)) => range.start == first && range.end - 1 <= last,
        None => true,
    });
    let shown = |value: &HeaderValue| redact::text(&String::from_utf8_lossy(value.as_bytes()));
    range.ok_or_else(|| WrongAnswer::Range { asked: shown(asked), answered: shown(answered) })
}

/// Reads a `Content-Range` that tells the object's length.
fn content_range(text: &str) -> Option<Range<u64>> {
    let (range, size) = text.trim().strip_prefix("bytes ")?.split_once('/')?;
    let (first, last) = range.split_once('-')?;
    let (first, last): (u64, u64) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
    let size = size.trim().parse::<u64>().ok()?;
    (first <= last && last < size).then(|| first..last + 1)
}

/// Reads a `Range` with both ends.
fn bounds(text: &str) -> Option<(u64, u64)> {
    let (first, last) = text.strip_prefix("bytes=")?.split_once('-')?;
    Some((first.parse().ok()?, last.parse().ok()?))
}

/// The data of an answer: no less and no more than its head announced.
#[derive(Debug)]
pub(crate) struct ObjectBody {
    body: reqwest::Body,
    length: Option<u64>,
    received: u64,
    /// Whether the data must end as its framing says, and not only have its length.
    needs_end: bool,
}

impl ObjectBody {
    /// Returns a body that must have a length, if there is one.
    pub(crate) fn new(body: reqwest::Body, length: Option<u64>) -> Self {
        Self { body, length, received: 0, needs_end: false }
    }
}

impl Body for ObjectBody {
    type Data = Bytes;
    type Error = HttpError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, HttpError>>> {
        let frame = std::task::ready!(Pin::new(&mut self.body).poll_frame(context));
        let Some(length) = self.length else {
            return Poll::Ready(frame.map(|frame| frame.map_err(|error| http_error(error.into()))));
        };
        Poll::Ready(match frame {
            Some(Ok(frame)) => {
                self.received += frame.data_ref().map_or(0, |data| data.len() as u64);
                if self.received > length {
                    Some(Err(HttpError::new(HttpErrorKind::Unknown, WrongAnswer::TooLong(length))))
                } else {
                    Some(Ok(frame))
                }
            }
            // All of it came.
            None if self.received == length => None,
            Some(Err(_)) if self.received == length && !self.needs_end => None,
            None => {
                let wrong = WrongAnswer::TooShort { received: self.received, length };
                Some(Err(HttpError::new(HttpErrorKind::Interrupted, wrong)))
            }
            Some(Err(error)) => Some(Err(http_error(error.into()))),
        })
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream() && self.length.is_none_or(|length| length == self.received)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_content_range_has_bytes_in_their_order_and_inside_of_the_object() {
        for (text, expected) in [
            ("bytes 0-0/1", Some(0..1)),
            (" bytes 5-9/100 ", Some(5..10)),
            ("bytes 5-9/*", None),
            ("bytes */100", None),
            ("bytes 9-5/100", None),
            ("bytes 5-100/100", None),
            ("bytes 0-18446744073709551615/18446744073709551615", None),
            ("bytes 0-9/18446744073709551616", None),
            ("bytes -5/100", None),
            ("items 0-9/100", None),
            ("", None),
        ] {
            assert_eq!(content_range(text), expected, "{text}");
        }
    }

    #[test]
    fn only_a_range_with_both_ends_has_bounds() {
        assert_eq!(bounds("bytes=5-9"), Some((5, 9)));
        for text in ["bytes=5-", "bytes=-9", "bytes=1-2,5-9", "items=1-2", ""] {
            assert_eq!(bounds(text), None, "{text}");
        }
    }
}
