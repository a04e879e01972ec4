//! Pauses that servers ask for (`Retry-After`, RFC 9110 section 10.2.3), which `object_store` does not know.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use http::header::DATE;
use http::{HeaderMap, StatusCode};
use object_store::client::{HttpError, HttpErrorKind};
use scitoken_types::{Origin, RetryAfter};
use tokio::time::Instant;
use url::Url;

/// A longer pause is an error.
const LONGEST: Duration = Duration::from_secs(60);

/// Until when which servers are not asked.
#[derive(Debug, Default)]
pub(crate) struct Pauses(Mutex<Vec<(Origin, Instant)>>);

/// A server that asks for a longer pause than a read waits for.
#[derive(Debug, thiserror::Error)]
#[error("server returned {status} and asks to be left alone for {} s", wait.as_secs())]
struct TooLong {
    status: StatusCode,
    wait: Duration,
}

impl Pauses {
    /// Waits until the server may be asked.
    pub(crate) async fn wait(&self, url: &Url) {
        let Some(until) = self.until(url) else { return };
        tokio::time::sleep_until(until).await;
    }

    fn until(&self, url: &Url) -> Option<Instant> {
        let mut pauses = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if pauses.is_empty() {
            return None;
        }
        let now = Instant::now();
        pauses.retain(|(_, until)| *until > now);
        let origin = Origin::try_from(url).ok()?;
        pauses.iter().find(|(paused, _)| *paused == origin).map(|(_, until)| *until)
    }

    /// Records the pause that a refusal asks for.
    ///
    /// # Errors
    /// It is too long, so that the request is not to be repeated.
    pub(crate) fn record(&self, url: &Url, status: StatusCode, headers: &HeaderMap) -> Result<(), HttpError> {
        if !matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE) {
            return Ok(());
        }
        let Some(wait) = requested(headers) else { return Ok(()) };
        if wait > LONGEST {
            return Err(HttpError::new(HttpErrorKind::Unknown, TooLong { status, wait }));
        }
        let Ok(origin) = Origin::try_from(url) else { return Ok(()) };
        let until = Instant::now() + wait;
        let mut pauses = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match pauses.iter_mut().find(|(paused, _)| *paused == origin) {
            Some((_, known)) => *known = until.max(*known),
            None => pauses.push((origin, until)),
        }
        drop(pauses);
        Ok(())
    }
}

/// Returns the pause that a response asks for; a date counts from that of the response.
fn requested(headers: &HeaderMap) -> Option<Duration> {
    match RetryAfter::from_headers(headers)? {
        delay @ RetryAfter::Delay(_) => Some(delay.delay(SystemTime::UNIX_EPOCH)),
        date @ RetryAfter::Date(_) => match RetryAfter::parse(headers.get(DATE)?.to_str().ok()?)? {
            RetryAfter::Date(now) => Some(date.delay(now)),
            RetryAfter::Delay(_) => None,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[(http::HeaderName, &'static str)]) -> HeaderMap {
        lines.iter().map(|(name, value)| (name.clone(), http::HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn a_pause_is_a_number_of_seconds_or_a_date_after_that_of_the_response() {
        use http::header::RETRY_AFTER;
        let (now, later) = ("Sun, 06 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 08:49:42 GMT");
        for (lines, expected) in [
            (&[(RETRY_AFTER, "7")][..], Some(7)),
            (&[(RETRY_AFTER, later), (DATE, now)], Some(5)),
            (&[(RETRY_AFTER, now), (DATE, later)], Some(0)),
            (&[(RETRY_AFTER, later)], None),
            (&[(RETRY_AFTER, "soon")], None),
            (&[], None),
        ] {
            assert_eq!(requested(&headers(lines)).map(|wait| wait.as_secs()), expected, "{lines:?}");
        }
    }

    #[tokio::test]
    async fn only_the_server_that_asked_for_it_is_paused_and_not_for_hours() {
        let pauses = Pauses::default();
        let (url, other): (Url, Url) = ("https://h/d/f".parse().unwrap(), "https://i/d/f".parse().unwrap());
        let busy = StatusCode::SERVICE_UNAVAILABLE;
        let after = |value| headers(&[(http::header::RETRY_AFTER, value)]);
        pauses.record(&url, StatusCode::NOT_FOUND, &after("30")).unwrap();
        assert_eq!(pauses.until(&url), None);
        pauses.record(&url, busy, &after("30")).unwrap();
        assert!(pauses.until(&url).is_some() && pauses.until(&other).is_none());
        let error = pauses.record(&other, busy, &after("3600")).unwrap_err();
        assert!(error.to_string().contains("3600 s"), "{error}");
    }
}
