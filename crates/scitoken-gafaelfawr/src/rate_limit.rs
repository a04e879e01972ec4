//! The headers `X-RateLimit-…`.

use std::time::{Duration, SystemTime};

use http::HeaderMap;

/// The state of a user's rate limit, from the headers `X-RateLimit-…`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RateLimit {
    limit: u64,
    used: Option<u64>,
    remaining: Option<u64>,
    reset: Option<SystemTime>,
    resource: Option<String>,
}

impl RateLimit {
    /// Returns the number of requests allowed in a window.
    pub fn limit(&self) -> u64 {
        self.limit
    }

    /// Returns the number of requests made in this window.
    pub fn used(&self) -> Option<u64> {
        self.used
    }

    /// Returns the number of requests left in this window.
    pub fn remaining(&self) -> Option<u64> {
        self.remaining
    }

    /// Returns the start of the next window.
    pub fn reset(&self) -> Option<SystemTime> {
        self.reset
    }

    /// Returns the service that the limit applies to.
    pub fn resource(&self) -> Option<&str> {
        self.resource.as_deref()
    }

    pub(crate) fn from_headers(headers: &HeaderMap) -> Option<Self> {
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
