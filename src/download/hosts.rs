//! What one run has learnt about its servers: who asked for a pause, and who is down.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use url::Url;

use super::error::{FailureKind, Remedy, TransferError};
use crate::Origin;

/// After so many files in a row that were given up, a server counts as down.
const GIVEN_UP: u32 = 5;
/// For so long nobody else tries a server that is down; then one file may.
const COOL_DOWN: Duration = Duration::from_secs(30);

/// The state of all servers of a run, shared by all of its files.
#[derive(Debug, Default)]
pub(super) struct Hosts(Mutex<HashMap<Origin, Host>>);

#[derive(Debug, Default)]
struct Host {
    paused_until: Option<Instant>,
    given_up: u32,
    closed_until: Option<Instant>,
}

impl Hosts {
    fn with<T>(&self, url: &Url, f: impl FnOnce(&mut Host) -> T) -> Option<T> {
        let origin = Origin::try_from(url).ok()?;
        let mut hosts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Some(f(hosts.entry(origin).or_default()))
    }

    /// How long everybody has to leave this server alone.
    pub(super) fn pause(&self, url: &Url, now: Instant) -> Duration {
        self.with(url, |host| host.paused_until.map(|until| until.saturating_duration_since(now)))
            .flatten()
            .unwrap_or_default()
    }

    /// The server asked for a pause (`Retry-After`).
    pub(super) fn ask_for_pause(&self, url: &Url, until: Instant) {
        self.with(url, |host| {
            host.paused_until = Some(host.paused_until.map_or(until, |known| known.max(until)));
        });
    }

    /// A file came through.
    pub(super) fn succeeded(&self, url: &Url) {
        self.with(url, |host| (host.given_up, host.closed_until) = (0, None));
    }

    /// A file was given up because of the server.
    pub(super) fn gave_up(&self, url: &Url, now: Instant) {
        self.with(url, |host| {
            host.given_up += 1;
            if host.given_up >= GIVEN_UP {
                host.closed_until = Some(now + COOL_DOWN);
            }
        });
    }

    /// Whether a file may be tried there.
    ///
    /// # Errors
    /// The server is down: it took [`GIVEN_UP`] files in a row with it.
    pub(super) fn admit(&self, url: &Url, now: Instant) -> Result<(), TransferError> {
        let closed = self.with(url, |host| match host.closed_until {
            Some(until) if now < until => true,
            // One file may look whether it is back; the others wait for what it finds.
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
        let message = format!("`{origin}` is left alone: the last {GIVEN_UP} files from there failed");
        Err(TransferError::new(FailureKind::Server, Remedy::Again, message).with_hint(
            "run the same command again later; what is done is skipped with `--skip-existing=size`",
        ))
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
        let (hosts, now) = (Hosts::default(), Instant::now());
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
        let (hosts, now) = (Hosts::default(), Instant::now());
        hosts.ask_for_pause(&url(), now + Duration::from_secs(9));
        hosts.ask_for_pause(&url(), now + Duration::from_secs(3));
        assert_eq!(hosts.pause(&"https://h:8443/g".parse().unwrap(), now), Duration::from_secs(9));
        assert_eq!(hosts.pause(&url(), now + Duration::from_secs(10)), Duration::ZERO);
    }
}
