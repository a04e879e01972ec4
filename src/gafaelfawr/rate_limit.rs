//! How often a user may ask, and when again.

use std::time::{Duration, SystemTime};

use http::HeaderMap;
use http::header::RETRY_AFTER;

/// How much of its requests a user has used up, by the headers `X-RateLimit-…`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RateLimit {
    limit: u64,
    used: Option<u64>,
    remaining: Option<u64>,
    reset: Option<SystemTime>,
    resource: Option<String>,
}

impl RateLimit {
    /// Requests that are allowed in a window.
    pub fn limit(&self) -> u64 {
        self.limit
    }

    /// Requests that were made in this window.
    pub fn used(&self) -> Option<u64> {
        self.used
    }

    /// Requests that are left in this window.
    pub fn remaining(&self) -> Option<u64> {
        self.remaining
    }

    /// When the next window starts.
    pub fn reset(&self) -> Option<SystemTime> {
        self.reset
    }

    /// The service that the limit is for.
    pub fn resource(&self) -> Option<&str> {
        self.resource.as_deref()
    }

    pub(super) fn of(headers: &HeaderMap) -> Option<Self> {
        let text = |name: &str| headers.get(name)?.to_str().ok();
        let number = |name: &str| text(name)?.trim().parse::<u64>().ok();
        Some(Self {
            limit: number("x-ratelimit-limit")?,
            used: number("x-ratelimit-used"),
            remaining: number("x-ratelimit-remaining"),
            reset: number("x-ratelimit-reset")
                .and_then(|seconds| SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds))),
            resource: text("x-ratelimit-resource").map(str::to_owned),
        })
    }
}

/// The header `Retry-After` (RFC 9110 section 10.2.3). Gafaelfawr writes a date.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RetryAfter {
    At(SystemTime),
    In(Duration),
}

impl RetryAfter {
    pub(super) fn of(headers: &HeaderMap) -> Option<Self> {
        let value = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
        match value.parse() {
            Ok(seconds) => Some(Self::In(Duration::from_secs(seconds))),
            Err(_) => httpdate::parse_http_date(value).ok().map(Self::At),
        }
    }

    /// The time that is meant by an answer that came `now`.
    pub(super) fn time(self, now: SystemTime) -> Option<SystemTime> {
        match self {
            Self::At(time) => Some(time),
            Self::In(wait) => now.checked_add(wait),
        }
    }
}
