//! Pauses that servers ask for (`Retry-After`, RFC 9110 section 10.2.3), which `object_store` does not know.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use http::header::DATE;
use http::{HeaderMap, StatusCode};
use scitoken_types::{Origin, RetryAfter};
use tokio::time::Instant;
use url::Url;

/// A longer pause is an error.
const LONGEST: Duration = Duration::from_secs(60);

/// Requests that waited are sent within this time, so that the first one can find out that the server is still busy.
const SPREAD: Duration = Duration::from_millis(250);

/// Until when which servers are not asked.
#[derive(Debug, Default)]
pub(crate) struct Pauses(Mutex<Vec<(Origin, Instant)>>);

/// A server that asks for a longer pause than a read waits for.
#[derive(Debug, thiserror::Error)]
#[error("server returned {status} and asks to be left alone for {} s", wait.as_secs())]
pub(crate) struct TooLong {
    status: StatusCode,
    wait: Duration,
}

impl Pauses {
    /// Waits until the server may be asked.
    pub(crate) async fn wait(&self, url: &Url) {
        // Another request may have been told to wait longer in the meantime.
        while let Some(until) = self.until(url) {
            tokio::time::sleep_until(until + SPREAD.mul_f64(fastrand::f64())).await;
        }
    }

    /// Returns whether the server is not to be asked now.
    pub(crate) fn is_paused(&self, url: &Url) -> bool {
        self.until(url).is_some()
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

    /// Records the pause that a refusal asks for, which concerns the server that sent it: a server that redirected to it is asked
    /// as before.
    ///
    /// # Errors
    /// It is too long, so that the request is not to be repeated.
    pub(crate) fn record(
        &self,
        asked: &Url,
        answered: &Url,
        status: StatusCode,
        headers: &HeaderMap,
    ) -> Result<(), TooLong> {
        if !is_busy(status) {
            return Ok(());
        }
        let Some(wait) = requested(headers) else { return Ok(()) };
        if wait > LONGEST {
            return Err(TooLong { status, wait });
        }
        let (Ok(origin), Ok(sender)) = (Origin::try_from(asked), Origin::try_from(answered)) else {
            return Ok(());
        };
        if origin != sender {
            return Ok(());
        }
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

/// Whether a server refused a request since it is busy (RFC 6585 section 4, RFC 9110 section 15.6.4).
pub(crate) fn is_busy(status: StatusCode) -> bool {
    matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE)
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
        pauses.record(&url, &url, StatusCode::NOT_FOUND, &after("30")).unwrap();
        assert_eq!(pauses.until(&url), None);
        pauses.record(&url, &other, busy, &after("30")).unwrap();
        assert!(pauses.until(&url).is_none() && pauses.until(&other).is_none(), "a redirect");
        pauses.record(&url, &url, busy, &after("30")).unwrap();
        assert!(pauses.until(&url).is_some() && pauses.until(&other).is_none());
        let error = pauses.record(&other, &other, busy, &after("3600")).unwrap_err();
        assert!(error.to_string().contains("3600 s"), "{error}");
    }

    #[tokio::test]
    async fn a_request_that_waited_waits_again_where_the_server_asked_for_more() {
        let pauses = std::sync::Arc::new(Pauses::default());
        let url: Url = "https://h/d/f".parse().unwrap();
        let busy = StatusCode::SERVICE_UNAVAILABLE;
        let after = |value| headers(&[(http::header::RETRY_AFTER, value)]);
        pauses.record(&url, &url, busy, &after("1")).unwrap();
        let begun = Instant::now();
        let (waiting, asked) = (std::sync::Arc::clone(&pauses), url.clone());
        let waiting = tokio::spawn(async move { waiting.wait(&asked).await });
        // It sleeps now, until the end of the pause that it knows.
        tokio::task::yield_now().await;
        pauses.record(&url, &url, busy, &after("2")).unwrap();
        waiting.await.unwrap();
        assert!(begun.elapsed() >= Duration::from_millis(1_950), "{:?}", begun.elapsed());
    }

    #[tokio::test]
    async fn requests_that_waited_do_not_start_at_once() {
        let pauses = Pauses::default();
        let url: Url = "https://h/d/f".parse().unwrap();
        let after = headers(&[(http::header::RETRY_AFTER, "1")]);
        pauses.record(&url, &url, StatusCode::SERVICE_UNAVAILABLE, &after).unwrap();
        let wait = || async {
            pauses.wait(&url).await;
            Instant::now()
        };
        let ends = futures_util::future::join_all((0..50).map(|_| wait())).await;
        let (first, last) = (ends.iter().min().unwrap(), ends.iter().max().unwrap());
        assert!(*last - *first >= SPREAD / 4, "{:?}", *last - *first);
    }
}
