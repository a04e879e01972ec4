//! What a run knows about its servers: requested pauses, and which are down.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use url::Url;

use crate::error::{FailureKind, RetryAction, TransferError};
use crate::hint::TransferHint;
use scitoken_types::Origin;

/// How many transfers in a row must fail before a server counts as down.
const GIVEN_UP: u32 = 5;
/// How long a server that is down is not tried; then one transfer may.
const COOL_DOWN: Duration = Duration::from_secs(30);

/// The state of all servers of a run.
#[derive(Debug, Default)]
pub(crate) struct ServerHealth(Mutex<HashMap<Origin, ServerRecord>>);

#[derive(Debug, Default)]
struct ServerRecord {
    paused_until: Option<Instant>,
    /// Until when it asks not to be asked, where that is too long to wait for.
    left_until: Option<Instant>,
    given_up: u32,
    closed_until: Option<Instant>,
    /// Whether requests that ask for a digest were refused, and others not.
    without_digests: bool,
}

impl ServerHealth {
    fn with<T>(&self, url: &Url, f: impl FnOnce(&mut ServerRecord) -> T) -> Option<T> {
        let origin = Origin::try_from(url).ok()?;
        let mut hosts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Some(f(hosts.entry(origin).or_default()))
    }

    /// Returns how long to wait before the next request to this server.
    pub(crate) fn pause(&self, url: &Url, now: Instant) -> Duration {
        self.with(url, |host| host.paused_until.map(|until| until.saturating_duration_since(now)))
            .flatten()
            .unwrap_or_default()
    }

    /// Records a requested pause (`Retry-After`).
    pub(crate) fn pause_until(&self, url: &Url, until: Instant) {
        self.with(url, |host| {
            host.paused_until = Some(host.paused_until.map_or(until, |known| known.max(until)));
        });
    }

    /// Records a requested pause that is too long to wait for.
    pub(crate) fn leave_until(&self, url: &Url, until: Instant) {
        self.with(url, |host| host.left_until = Some(until));
    }

    /// Returns whether the server asks for a longer wait than is allowed.
    pub(crate) fn is_left(&self, url: &Url, now: Instant) -> bool {
        self.with(url, |host| host.left_until.is_some_and(|until| now < until)) == Some(true)
    }

    /// Records that the server refuses requests that ask for a digest.
    pub(crate) fn without_digests(&self, url: &Url) {
        self.with(url, |server| server.without_digests = true);
    }

    /// Returns whether the server refuses requests that ask for a digest.
    pub(crate) fn is_without_digests(&self, url: &Url) -> bool {
        self.with(url, |server| server.without_digests) == Some(true)
    }

    /// Records a successful transfer.
    pub(crate) fn succeeded(&self, url: &Url) {
        self.with(url, |host| (host.given_up, host.closed_until) = (0, None));
    }

    /// Records a transfer that failed because of the server.
    pub(crate) fn gave_up(&self, url: &Url, now: Instant) {
        self.with(url, |host| {
            host.given_up += 1;
            if host.given_up >= GIVEN_UP {
                host.closed_until = Some(now + COOL_DOWN);
            }
        });
    }

    /// Admits a transfer.
    ///
    /// # Errors
    /// The server is down: the last [`GIVEN_UP`] transfers with it failed.
    pub(crate) fn admit(&self, url: &Url, now: Instant) -> Result<(), TransferError> {
        let closed = self.with(url, |host| match host.closed_until {
            Some(until) if now < until => true,
            // One transfer may try whether it is back; the others wait for the result.
            Some(_) => {
                host.closed_until = Some(now + COOL_DOWN);
                false
            }
            None => false,
        });
        if closed != Some(true) {
            return Ok(());
        }
        let origin = Origin::try_from(url).map(|origin| origin.to_string()).unwrap_or_default();
        let message =
            format!("`{origin}` is not tried for now: the last {GIVEN_UP} transfers with it failed");
        Err(TransferError::new(FailureKind::Server, RetryAction::Retry, message)
            .with_hint(TransferHint::RetryServerLater))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url() -> Url {
        "https://h:8443/f".parse().unwrap()
    }

    #[tokio::test]
    async fn a_server_that_took_five_files_with_it_is_left_alone_for_a_while() {
        let (hosts, now) = (ServerHealth::default(), Instant::now());
        for _ in 0..4 {
            hosts.gave_up(&url(), now);
        }
        assert!(hosts.admit(&url(), now).is_ok());
        hosts.gave_up(&url(), now);
        assert!(hosts.admit(&url(), now).is_err());
        assert!(hosts.admit(&"https://other/f".parse().unwrap(), now).is_ok());
        let later = now + COOL_DOWN;
        assert!(hosts.admit(&url(), later).is_ok(), "one file looks");
        assert!(hosts.admit(&url(), later).is_err(), "the others wait");
        hosts.succeeded(&url());
        assert!(hosts.admit(&url(), later).is_ok());
    }

    #[tokio::test]
    async fn a_pause_holds_for_every_file_of_the_server() {
        let (hosts, now) = (ServerHealth::default(), Instant::now());
        hosts.pause_until(&url(), now + Duration::from_secs(9));
        hosts.pause_until(&url(), now + Duration::from_secs(3));
        assert_eq!(hosts.pause(&"https://h:8443/g".parse().unwrap(), now), Duration::from_secs(9));
        assert_eq!(hosts.pause(&url(), now + Duration::from_secs(10)), Duration::ZERO);
    }
}
