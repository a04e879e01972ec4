//! Evaluates the status and the headers of a response.

use std::ops::Range;
use std::time::{Duration, SystemTime};

use http::header::{CONTENT_RANGE, DATE, RETRY_AFTER};
use http::{HeaderMap, StatusCode, Version};
use url::Url;

use crate::error::{FailureKind, RetryAction, TransferError};
use crate::exchange::content_range::ContentRange;
use crate::exchange::framing::{BodyLength, Framing};
use crate::exchange::transport_error;
use scitoken_types::RetryAfter;

/// The head of a response.
#[derive(Debug)]
pub(crate) struct ResponseHead<'a> {
    /// What was asked for.
    pub(crate) url: &'a Url,
    /// What answered: another URL where the server redirects.
    pub(crate) from: &'a Url,
    pub(crate) status: StatusCode,
    pub(crate) version: Version,
    pub(crate) headers: &'a HeaderMap,
}

/// Which part of the file a body is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BodyExtent {
    /// The position of the body's first byte in the file.
    pub(crate) start: u64,
    /// The position behind the body's last byte, if known.
    pub(crate) end: Option<u64>,
    /// The length of the whole file, if known.
    pub(crate) total: Option<u64>,
    /// Whether the end of the body differs from a broken connection.
    pub(crate) framing: Framing,
}

/// Evaluates the response to a request for the whole file (`None`) or for a range.
///
/// # Errors
/// The response does not fit, or reports a failure.
pub(crate) fn evaluate(
    asked: Option<&Range<u64>>,
    head: &ResponseHead<'_>,
    now: SystemTime,
) -> Result<BodyExtent, TransferError> {
    match (head.status, asked) {
        (StatusCode::OK, _) if is_part(head) => Err(TransferError::invalid_answer(
            head.url,
            RetryAction::WithoutRanges,
            "answered `200` with a `Content-Range` of a part",
        )
        .with_status(head.status)),
        (StatusCode::OK, _) => {
            let length = BodyLength::of(head.version, head.headers);
            Ok(BodyExtent { start: 0, end: length.bytes, total: length.bytes, framing: length.framing })
        }
        (StatusCode::PARTIAL_CONTENT, Some(asked)) => partial(asked, head),
        (StatusCode::PARTIAL_CONTENT, None) => Err(TransferError::invalid_answer(
            head.url,
            RetryAction::Retry,
            "answered with a part of the file without being asked",
        )
        .with_status(head.status)),
        (StatusCode::RANGE_NOT_SATISFIABLE, Some(_)) => Err(TransferError::invalid_answer(
            head.url,
            RetryAction::Changed,
            "reports that the range is outside of the file: the file changed, or the server does not support ranges",
        )
        .with_status(head.status)),
        (StatusCode::RANGE_NOT_SATISFIABLE, None) => Err(TransferError::invalid_answer(
            head.url,
            RetryAction::Retry,
            "reports an unsatisfiable range without being asked",
        )
        .with_status(head.status)),
        _ if asked.is_some() && refuses_ranges(head.status) => {
            Err(refused(head, now).with_retry_action(RetryAction::WithoutRanges))
        }
        _ => Err(refused(head, now)),
    }
}

/// Returns whether a status may be the answer to the mere question for a range, which is advisory (RFC 9110 section 14.2).
/// Not `403`: that is about the token, and the bytes that were fetched are kept for the next one.
fn refuses_ranges(status: StatusCode) -> bool {
    matches!(status.as_u16(), 400 | 405 | 501)
}

/// Returns whether `Content-Range` says that the body is less than the whole file. It has no meaning in a `200` (RFC 9110
/// section 14.4), but then the answer contradicts itself.
fn is_part(head: &ResponseHead<'_>) -> bool {
    let value = head.headers.get(CONTENT_RANGE).and_then(|value| value.to_str().ok());
    value.and_then(ContentRange::parse).is_some_and(|content| {
        content.range.start > 0 || content.total.is_some_and(|total| total > content.range.end)
    })
}

fn partial(asked: &Range<u64>, head: &ResponseHead<'_>) -> Result<BodyExtent, TransferError> {
    let wrong = |what: &str| {
        TransferError::invalid_answer(head.url, RetryAction::WithoutRanges, format_args!("answered {what}"))
            .with_status(head.status)
    };
    let value = head.headers.get(CONTENT_RANGE).and_then(|value| value.to_str().ok());
    let content =
        value.and_then(ContentRange::parse).ok_or_else(|| wrong("`206` without one valid range"))?;
    if content.range.start != asked.start || content.range.end > asked.end {
        return Err(wrong("with another range than requested"));
    }
    // XRootD 5.5.3 promises 991 bytes of a range that it then does not send.
    let length = BodyLength::of(head.version, head.headers);
    if length.bytes.is_some_and(|length| length != content.range.end - content.range.start) {
        return Err(wrong("with a length that is not that of the range"));
    }
    Ok(BodyExtent {
        start: content.range.start,
        end: Some(content.range.end),
        total: content.total,
        framing: Framing::Proven,
    })
}

/// Classifies an error status.
pub(crate) fn refused(head: &ResponseHead<'_>, now: SystemTime) -> TransferError {
    let status = head.status;
    let (kind, mut retry_action) = classify_status(status);
    // The server still prepares the data (RFC 9110 section 15.3.3), is overloaded (15.5.14), or another client writes the file.
    let may_pass = matches!(status.as_u16(), 202 | 409 | 413 | 423);
    if may_pass && head.headers.contains_key(RETRY_AFTER) {
        retry_action = RetryAction::Retry;
    }
    let reason = status.canonical_reason().map(|reason| format!(" {reason}")).unwrap_or_default();
    let wait = retry_after(head.headers, now);
    let asks = asks_to_wait(wait);
    let who = transport_error::place(head.url, Some(head.from));
    let who = if who.contains(", ") { format!("{who},") } else { who };
    let message = format!("{who} answered {}{reason}{asks}", status.as_u16());
    TransferError::new(kind, retry_action, message)
        .with_status(status)
        .with_asked_url(head.url)
        .with_retry_after(wait)
}

/// Returns the kind of an error status, and what another attempt needs.
pub(crate) fn classify_status(status: StatusCode) -> (FailureKind, RetryAction) {
    match status.as_u16() {
        401 | 403 => (FailureKind::Refused, RetryAction::OtherToken),
        404 | 410 => (FailureKind::NotFound, RetryAction::OtherSource),
        408 | 504 => (FailureKind::Timeout, RetryAction::Retry),
        // No request of ours is conditional.
        304 | 501 | 505 | 200..=299 => (FailureKind::Server, RetryAction::OtherSource),
        425 | 429 | 500..=599 => (FailureKind::Server, RetryAction::Retry),
        300..=399 => (FailureKind::Redirect, RetryAction::OtherSource),
        _ => (FailureKind::Rejected, RetryAction::OtherSource),
    }
}

/// Says how long the server asks to wait.
pub(crate) fn asks_to_wait(wait: Option<Duration>) -> String {
    wait.map(|wait| format!(" and asks to wait {} s", wait.as_secs())).unwrap_or_default()
}

/// Returns the wait that the server asks for. A date is compared with the server's own `Date`, whatever our clock says.
pub(crate) fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let date = headers.get(DATE).and_then(|value| value.to_str().ok());
    let now = date.and_then(|date| httpdate::parse_http_date(date).ok()).unwrap_or(now);
    RetryAfter::from_headers(headers).map(|retry_after| retry_after.delay(now))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn evaluated(
        status: u16,
        asked: Option<&Range<u64>>,
        lines: &[(&'static str, &'static str)],
    ) -> Result<BodyExtent, TransferError> {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, HeaderValue::from_static(value));
        }
        let url = "https://h/f?authz=secret".parse().unwrap();
        let status = StatusCode::from_u16(status).unwrap();
        let head =
            ResponseHead { url: &url, from: &url, status, version: Version::HTTP_11, headers: &headers };
        evaluate(asked, &head, SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777))
    }

    #[test]
    fn a_whole_file_starts_at_zero_even_when_a_range_was_asked_for() {
        for asked in [None, Some(&(6..16))] {
            let extent = evaluated(200, asked, &[("content-length", "16")]).unwrap();
            assert_eq!((extent.start, extent.end, extent.total), (0, Some(16), Some(16)));
            assert_eq!(extent.framing, Framing::Proven);
        }
    }

    #[test]
    fn a_body_that_ends_with_its_connection_proves_nothing() {
        assert_eq!(evaluated(200, None, &[]).unwrap().framing, Framing::ByClose);
        for (coding, expected) in [
            ("chunked", Framing::Proven),
            ("Chunked", Framing::Proven),
            ("gzip", Framing::ByClose),
            ("chunked, gzip", Framing::ByClose),
            ("gzip, chunked", Framing::ByClose),
        ] {
            let extent = evaluated(200, None, &[("transfer-encoding", coding)]).unwrap();
            assert_eq!(extent.framing, expected, "{coding}");
        }
    }

    #[test]
    fn a_part_must_be_the_part_that_was_asked_for() {
        let good =
            evaluated(206, Some(&(6..16)), &[("content-range", "bytes 6-15/16"), ("content-length", "10")]);
        assert_eq!(good.unwrap().total, Some(16));
        let shorter = evaluated(206, Some(&(6..16)), &[("content-range", "bytes 6-9/16")]).unwrap();
        assert_eq!((shorter.start, shorter.end), (6, Some(10)));
        for lines in [
            // XRootD 5.5.3 for an open range
            &[("content-range", "bytes 6--1/16"), ("content-length", "0")][..],
            &[("content-range", "bytes 0-15/16")],
            &[("content-range", "bytes 6-19/20")],
            &[("content-range", "bytes 6-15/16"), ("content-length", "11")],
            &[("content-type", "multipart/byteranges; boundary=123456")],
        ] {
            let failure = evaluated(206, Some(&(6..16)), lines).unwrap_err();
            assert_eq!(
                (failure.kind(), failure.retry_action()),
                (FailureKind::Server, RetryAction::WithoutRanges),
                "{lines:?}"
            );
        }
    }

    #[test]
    fn a_200_that_calls_itself_a_part_is_not_the_file() {
        for asked in [None, Some(&(6..16))] {
            for value in ["bytes 0-4/11", "bytes 1000-2047/2048", "bytes 6-15/16"] {
                let failure = evaluated(200, asked, &[("content-range", value)]).unwrap_err();
                assert_eq!(failure.retry_action(), RetryAction::WithoutRanges, "{value}");
            }
        }
        assert!(
            evaluated(200, None, &[("content-range", "bytes 0-10/11"), ("content-length", "11")]).is_ok()
        );
    }

    #[test]
    fn an_unrequested_part_is_not_the_file() {
        assert!(evaluated(206, None, &[("content-range", "bytes 0-15/16")]).is_err());
    }

    #[test]
    fn a_refused_range_is_not_asked_for_again() {
        for (status, retry_action) in [
            (400, RetryAction::WithoutRanges),
            (405, RetryAction::WithoutRanges),
            (501, RetryAction::WithoutRanges),
            (403, RetryAction::OtherToken),
            (404, RetryAction::OtherSource),
            (503, RetryAction::Retry),
        ] {
            assert_eq!(
                evaluated(status, Some(&(6..16)), &[]).unwrap_err().retry_action(),
                retry_action,
                "{status}"
            );
        }
    }

    #[test]
    fn every_status_has_its_kind_and_remedy() {
        for (status, kind, retry_action) in [
            (401, FailureKind::Refused, RetryAction::OtherToken),
            (403, FailureKind::Refused, RetryAction::OtherToken),
            (404, FailureKind::NotFound, RetryAction::OtherSource),
            (410, FailureKind::NotFound, RetryAction::OtherSource),
            (408, FailureKind::Timeout, RetryAction::Retry),
            (425, FailureKind::Server, RetryAction::Retry),
            (429, FailureKind::Server, RetryAction::Retry),
            (500, FailureKind::Server, RetryAction::Retry),
            (503, FailureKind::Server, RetryAction::Retry),
            (501, FailureKind::Server, RetryAction::OtherSource),
            (400, FailureKind::Rejected, RetryAction::OtherSource),
            (204, FailureKind::Server, RetryAction::OtherSource),
            (302, FailureKind::Redirect, RetryAction::OtherSource),
        ] {
            let failure = evaluated(status, None, &[]).unwrap_err();
            assert_eq!((failure.kind(), failure.retry_action()), (kind, retry_action), "{status}");
        }
        assert_eq!(evaluated(416, Some(&(1..2)), &[]).unwrap_err().retry_action(), RetryAction::Changed);
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
            let failure = evaluated(503, None, &[("retry-after", value)]).unwrap_err();
            assert_eq!(failure.retry_after().map(|wait| wait.as_secs()), expected, "{value}");
        }
    }

    #[test]
    fn the_message_shows_the_url_without_its_credentials() {
        let failure = evaluated(403, None, &[]).unwrap_err();
        assert_eq!(failure.to_string(), "`https://h/f?authz=…` answered 403 Forbidden");
    }

    #[test]
    fn a_chunked_body_has_no_length_whatever_content_length_says() {
        let lines = [("content-length", "3"), ("transfer-encoding", "chunked")];
        let extent = evaluated(200, None, &lines).unwrap();
        assert_eq!((extent.end, extent.total, extent.framing), (None, None, Framing::Proven));
        let part =
            [("content-range", "bytes 6-15/16"), ("content-length", "3"), ("transfer-encoding", "chunked")];
        assert_eq!(evaluated(206, Some(&(6..16)), &part).unwrap().end, Some(16));
    }

    #[test]
    fn a_retry_date_is_measured_by_the_server_s_clock() {
        for (date, retry_at, expected) in [
            ("Sun, 06 Nov 1994 08:59:37 GMT", "Sun, 06 Nov 1994 08:59:47 GMT", 10),
            ("Sun, 06 Nov 1994 07:00:00 GMT", "Sun, 06 Nov 1994 07:00:05 GMT", 5),
            ("soon", "Sun, 06 Nov 1994 08:50:37 GMT", 60),
        ] {
            let failure = evaluated(503, None, &[("date", date), ("retry-after", retry_at)]).unwrap_err();
            assert_eq!(failure.retry_after(), Some(Duration::from_secs(expected)), "{date}");
        }
    }

    #[test]
    fn a_202_is_waited_for_only_if_it_says_how_long() {
        let waited = evaluated(202, None, &[("retry-after", "3")]).unwrap_err();
        assert_eq!(
            (waited.retry_action(), waited.retry_after()),
            (RetryAction::Retry, Some(Duration::from_secs(3)))
        );
        assert_eq!(evaluated(202, None, &[]).unwrap_err().retry_action(), RetryAction::OtherSource);
    }
}
