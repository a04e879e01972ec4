//! Objects of a federation: names, tokens, failing servers.

mod changes;
mod chaos;
mod download;
mod listing;
mod oddities;
mod resolve;
mod stale;
mod tokens;

use std::time::Duration;

use reqwest_scitokens::SharedTokenSource;
use scitoken_test_support::chaos_server::Asked;
use scitoken_test_support::clients;
use scitoken_test_support::federation::FakeFederation;
use scitoken_test_support::federation::FederationServer::Cache;
use scitoken_transfer::federation::{Federation, FederationUrl};
use scitoken_transfer::{Downloaded, Downloader, RetryPolicy, TransferError, TransferLimits};

/// A retry policy that waits a few milliseconds.
fn quick(retries: u32) -> RetryPolicy {
    let mut retry = RetryPolicy::default();
    (retry.retries, retry.first_delay) = (retries, Duration::from_millis(2));
    retry.longest_delay = Duration::from_secs(3);
    retry
}

/// A handle that trusts the authority of the tests, and a downloader with the same tokens.
fn clients_with(source: impl Into<SharedTokenSource>) -> (Federation, Downloader) {
    let source = source.into();
    let http = clients::foreign().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let session = clients::session(source.clone()).build().unwrap();
    let mut limits = TransferLimits::default();
    (limits.first_byte, limits.stall) = (Duration::from_millis(700), Duration::from_millis(700));
    let federation =
        Federation::new(http).with_token_source(source).with_retry(quick(5)).with_limits(limits.clone());
    (federation, Downloader::new(session.client().clone()).with_retry(quick(3)).with_limits(limits))
}

/// Clients without any token.
fn clients_without_tokens() -> (Federation, Downloader) {
    clients_with(scitoken_test_support::Script::new(&["-"]))
}

fn url(federation: &FakeFederation, path: &str) -> FederationUrl {
    federation.name(path).parse().unwrap()
}

/// A federation with one object, and what fetches it into a directory.
struct Run {
    fake: FakeFederation,
    federation: Federation,
    downloader: Downloader,
    directory: tempfile::TempDir,
}

impl Run {
    async fn new(path: &str, data: &[u8]) -> Self {
        let fake = FakeFederation::start(&[(path, data)]).await;
        let (federation, downloader) = clients_without_tokens();
        Self { fake, federation, downloader, directory: tempfile::tempdir().unwrap() }
    }

    async fn fetch(&self, path: &str) -> Result<Downloaded, TransferError> {
        let target = self.directory.path().join("f");
        let name = url(&self.fake, path);
        self.federation.download(&self.downloader, &name, target, |download| download).await
    }

    fn file(&self) -> Vec<u8> {
        fs_err::read(self.directory.path().join("f")).unwrap()
    }

    fn files(&self) -> usize {
        fs_err::read_dir(self.directory.path()).unwrap().count()
    }

    fn gets(&self, cache: usize) -> Vec<Option<std::ops::Range<usize>>> {
        let seen = self.fake.seen(Cache(cache));
        seen.iter().filter(|asked| asked.method == "GET").map(Asked::range).collect()
    }
}

/// Bytes that differ from each other.
fn content(length: usize) -> Vec<u8> {
    (0..length).map(|n| u8::try_from(n * 7 % 251).unwrap()).collect()
}
