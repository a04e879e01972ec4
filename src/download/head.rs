//! What to do with an answer once its status and headers are there: pure decisions.

use std::ops::Range;
use std::time::{Duration, SystemTime};

use http::header::{CONTENT_LENGTH, CONTENT_RANGE, RETRY_AFTER, TRANSFER_ENCODING};
use http::{HeaderMap, StatusCode, Version};
use url::Url;

use super::error::{FailureKind, Remedy, TransferError};
use super::ranges::ContentRange;
use crate::SafeUrl;

/// An answer's head.
#[derive(Debug)]
pub(super) struct Head<'a> {
    pub(super) url: &'a Url,
    pub(super) status: StatusCode,
    pub(super) version: Version,
    pub(super) headers: &'a HeaderMap,
}

/// What an answer carries, once it is known to be an answer to what was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Carried {
    /// Where the body's first byte belongs.
    pub(super) start: u64,
    /// Where the body ends, if the server says so.
    pub(super) end: Option<u64>,
    /// How long the whole file is, if the server says so.
    pub(super) total: Option<u64>,
    /// Whether the end of the body can be told from a broken connection.
    pub(super) framing: Framing,
}

/// How the end of a body shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    /// By a length, by chunks or by HTTP/2 frames.
    Proven,
    /// By the connection's end, as in HTTP/1.0: a broken connection looks the same.
    ByClose,
}

/// Judges an answer to a request for the whole file (`None`) or for a range.
///
/// # Errors
/// The failure, with the remedy that fits.
pub(super) fn judge(
    asked: Option<&Range<u64>>,
    head: &Head<'_>,
    now: SystemTime,
) -> Result<Carried, TransferError> {
    match (head.status, asked) {
        (StatusCode::OK, _) => {
            let total = content_length(head.headers);
            let framed = total.is_some() || head.version >= Version::HTTP_2 || is_chunked(head.headers);
            let framing = if framed { Framing::Proven } else { Framing::ByClose };
            Ok(Carried { start: 0, end: total, total, framing })
        }
        (StatusCode::PARTIAL_CONTENT, Some(asked)) => partial(asked, head),
        (StatusCode::PARTIAL_CONTENT, None) => {
            Err(TransferError::nonsense(head.url, Remedy::Again, "answered with a part of the file, unasked")
                .with_status(head.status))
        }
        (StatusCode::RANGE_NOT_SATISFIABLE, Some(_)) => Err(TransferError::nonsense(
            head.url,
            Remedy::FromStart,
            "says that the range is not in the file: the file has changed, or the server does not do ranges",
        )
        .with_status(head.status)),
        (StatusCode::RANGE_NOT_SATISFIABLE, None) => Err(TransferError::nonsense(
            head.url,
            Remedy::Again,
            "says that a range is not in the file, unasked",
        )
        .with_status(head.status)),
        _ => Err(refused(head, now)),
    }
}

fn partial(asked: &Range<u64>, head: &Head<'_>) -> Result<Carried, TransferError> {
    let wrong = |what: &str| {
        TransferError::nonsense(head.url, Remedy::WithoutRanges, format_args!("answered {what}"))
            .with_status(head.status)
    };
    let value = head.headers.get(CONTENT_RANGE).and_then(|value| value.to_str().ok());
    let content = value
        .and_then(ContentRange::parse)
        .ok_or_else(|| wrong("`206` without a range that makes sense (several ranges, or none)"))?;
    if content.range.start != asked.start || content.range.end > asked.end {
        return Err(wrong("with another range than asked for"));
    }
    // XRootD 5.5.3 promises 991 bytes of a range that it then does not send.
    if content_length(head.headers).is_some_and(|length| length != content.range.end - content.range.start) {
        return Err(wrong("with a length that is not the range's"));
    }
    Ok(Carried {
        start: content.range.start,
        end: Some(content.range.end),
        total: content.total,
        framing: Framing::Proven,
    })
}

/// What a refusal means.
pub(super) fn refused(head: &Head<'_>, now: SystemTime) -> TransferError {
    let status = head.status;
    let (kind, remedy) = match status.as_u16() {
        401 | 403 => (FailureKind::Refused, Remedy::OtherToken),
        404 | 410 => (FailureKind::NotFound, Remedy::OtherSource),
        408 | 504 => (FailureKind::Timeout, Remedy::Again),
        501 | 505 | 200..=299 => (FailureKind::Server, Remedy::OtherSource),
        425 | 429 | 500..=599 => (FailureKind::Server, Remedy::Again),
        300..=399 => (FailureKind::Redirect, Remedy::OtherSource),
        _ => (FailureKind::Rejected, Remedy::OtherSource),
    };
    let reason = status.canonical_reason().map(|reason| format!(" {reason}")).unwrap_or_default();
    let failure = TransferError::new(
        kind,
        remedy,
        format!("`{}` answered {}{reason}", SafeUrl::new(head.url), status.as_u16()),
    );
    failure.with_status(status).with_retry_after(retry_after(head.headers, now))
}

/// `Retry-After` in both of its forms (RFC 9110 section 10.2.3): seconds, or a date.
pub(super) fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let value = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit()) {
        // More digits than a number holds mean "never".
        return Some(Duration::from_secs(value.parse().unwrap_or(u64::MAX)));
    }
    let then = httpdate::parse_http_date(value).ok()?;
    Some(then.duration_since(now).unwrap_or_default())
}

/// Whether the body comes in chunks and in nothing else. Any other coding ends with the connection, or hides the data.
pub(super) fn is_chunked(headers: &HeaderMap) -> bool {
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    let is_chunked = codings.next().is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"chunked"));
    is_chunked && codings.next().is_none()
}

/// One `Content-Length` that is a number (RFC 9110 section 8.6).
pub(super) fn content_length(headers: &HeaderMap) -> Option<u64> {
    let text = headers.get(CONTENT_LENGTH)?.to_str().ok()?.trim();
    text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn judged(
        status: u16,
        asked: Option<&Range<u64>>,
        lines: &[(&'static str, &'static str)],
    ) -> Result<Carried, TransferError> {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, HeaderValue::from_static(value));
        }
        let url = "https://h/f?authz=secret".parse().unwrap();
        let status = StatusCode::from_u16(status).unwrap();
        let head = Head { url: &url, status, version: Version::HTTP_11, headers: &headers };
        judge(asked, &head, SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777))
    }

    #[test]
    fn a_whole_file_starts_at_zero_even_when_a_range_was_asked_for() {
        for asked in [None, Some(&(6..16))] {
            let carried = judged(200, asked, &[("content-length", "16")]).unwrap();
            assert_eq!((carried.start, carried.end, carried.total), (0, Some(16), Some(16)));
            assert_eq!(carried.framing, Framing::Proven);
        }
    }

    #[test]
    fn a_body_that_ends_with_its_connection_proves_nothing() {
        assert_eq!(judged(200, None, &[]).unwrap().framing, Framing::ByClose);
        for (coding, expected) in [
            ("chunked", Framing::Proven),
            ("Chunked", Framing::Proven),
            ("identity", Framing::ByClose),
            ("gzip", Framing::ByClose),
            ("chunked, gzip", Framing::ByClose),
            ("gzip, chunked", Framing::ByClose),
        ] {
            let carried = judged(200, None, &[("transfer-encoding", coding)]).unwrap();
            assert_eq!(carried.framing, expected, "{coding}");
        }
    }

    #[test]
    fn a_part_must_be_the_part_that_was_asked_for() {
        let good =
            judged(206, Some(&(6..16)), &[("content-range", "bytes 6-15/16"), ("content-length", "10")]);
        assert_eq!(good.unwrap().total, Some(16));
        let shorter = judged(206, Some(&(6..16)), &[("content-range", "bytes 6-9/16")]).unwrap();
        assert_eq!((shorter.start, shorter.end), (6, Some(10)));
        for lines in [
            // XRootD 5.5.3 for an open range
            &[("content-range", "bytes 6--1/16"), ("content-length", "0")][..],
            &[("content-range", "bytes 0-15/16")],
            &[("content-range", "bytes 6-19/20")],
            &[("content-range", "bytes 6-15/16"), ("content-length", "11")],
            &[("content-type", "multipart/byteranges; boundary=123456")],
        ] {
            let failure = judged(206, Some(&(6..16)), lines).unwrap_err();
            assert_eq!(
                (failure.kind(), failure.remedy()),
                (FailureKind::Server, Remedy::WithoutRanges),
                "{lines:?}"
            );
        }
    }

    #[test]
    fn a_part_that_nobody_asked_for_is_no_file() {
        assert!(judged(206, None, &[("content-range", "bytes 0-15/16")]).is_err());
    }

    #[test]
    fn every_status_has_its_kind_and_remedy() {
        for (status, kind, remedy) in [
            (401, FailureKind::Refused, Remedy::OtherToken),
            (403, FailureKind::Refused, Remedy::OtherToken),
            (404, FailureKind::NotFound, Remedy::OtherSource),
            (410, FailureKind::NotFound, Remedy::OtherSource),
            (408, FailureKind::Timeout, Remedy::Again),
            (425, FailureKind::Server, Remedy::Again),
            (429, FailureKind::Server, Remedy::Again),
            (500, FailureKind::Server, Remedy::Again),
            (503, FailureKind::Server, Remedy::Again),
            (501, FailureKind::Server, Remedy::OtherSource),
            (400, FailureKind::Rejected, Remedy::OtherSource),
            (204, FailureKind::Server, Remedy::OtherSource),
            (302, FailureKind::Redirect, Remedy::OtherSource),
        ] {
            let failure = judged(status, None, &[]).unwrap_err();
            assert_eq!((failure.kind(), failure.remedy()), (kind, remedy), "{status}");
        }
        assert_eq!(judged(416, Some(&(1..2)), &[]).unwrap_err().remedy(), Remedy::FromStart);
    }

    #[test]
    fn retry_after_is_read_in_both_forms() {
        for (value, expected) in [
            ("120", Some(120)),
            ("Sun, 06 Nov 1994 08:50:37 GMT", Some(60)),
            ("Sun, 06 Nov 1994 08:00:00 GMT", Some(0)),
            ("99999999999999999999999", Some(u64::MAX)),
            ("-5", None),
            ("soon", None),
            ("", None),
        ] {
            let failure = judged(503, None, &[("retry-after", value)]).unwrap_err();
            assert_eq!(failure.retry_after().map(|wait| wait.as_secs()), expected, "{value}");
        }
    }

    #[test]
    fn the_message_shows_the_url_without_its_credentials() {
        let failure = judged(403, None, &[]).unwrap_err();
        assert_eq!(failure.to_string(), "`https://h/f?authz=…` answered 403 Forbidden");
    }
}
