//! Third-party copies between two sites.

mod failures;
mod modes;
mod remains;
mod same_file;
mod tokens;
mod trees;

use std::time::Duration;

use scitoken_test_support::copy_sites::{CopySites, Manners, TOKENS};
use scitoken_test_support::{Script, clients};
use scitoken_transfer::copy::{Copied, Copier, RemoteCopy};
use scitoken_transfer::{Downloader, RetryPolicy, TransferError, TransferLimits};

/// All pairs of sites that copy.
const PAIRS: [[Manners; 2]; 4] = [
    [Manners::XRootD5, Manners::XRootD5],
    [Manners::XRootD6, Manners::XRootD6],
    [Manners::DCache, Manners::DCache],
    [Manners::XRootD6, Manners::DCache],
];

const DATA: &[u8] = b"data of a file that is copied\n";

fn downloader() -> Downloader {
    let session = clients::session(Script::new(&["-"])).build().unwrap();
    let mut limits = TransferLimits::default();
    (limits.first_byte, limits.stall) = (Duration::from_millis(900), Duration::from_millis(900));
    let mut retry = RetryPolicy::default();
    (retry.retries, retry.first_delay) = (2, Duration::from_millis(2));
    Downloader::new(session.client().clone()).with_limits(limits).with_retry(retry)
}

/// Copies with the token of each site.
fn copier() -> Copier {
    Copier::new(&downloader())
        .with_source_token(Script::new(&[TOKENS[0]]))
        .with_destination_token(Script::new(&[TOKENS[1]]))
}

/// A copy of `/d/f` from the first site to the second.
fn job(sites: &CopySites) -> RemoteCopy {
    RemoteCopy::new(sites.url(0, "/d/f"), sites.url(1, "/d/f")).unwrap()
}

async fn sites(manners: [Manners; 2]) -> CopySites {
    let sites = CopySites::start(manners).await;
    sites.store(0, "/d/f", DATA);
    sites
}

async fn copied(sites: &CopySites) -> Result<Copied, TransferError> {
    copier().copy(&job(sites)).await
}
