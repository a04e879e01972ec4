//! What is asked and done without fetching data: listings, descriptions, uploads.

use std::time::Duration;

use reqwest_scitokens::download::{Checksum, Downloader, FailureKind, Limits, RetryPolicy, Upload};

use crate::chaos_server::{ChaosServer, Reply};

/// Retries at once.
fn downloader() -> Downloader {
    let client = reqwest::Client::builder().no_proxy().http1_title_case_headers().build().expect("it works");
    let mut retry = RetryPolicy::default();
    retry.first_delay = Duration::from_millis(1);
    retry.longest_delay = Duration::from_millis(5);
    Downloader::new(reqwest_middleware::ClientBuilder::new(client).build()).with_retry(retry)
}

/// A listing whose entries come one byte at a time.
fn trickle() -> Reply {
    Reply {
        trickle: Some((1, Duration::from_millis(50))),
        ..Reply::sized("207 Multi-Status", &[], vec![b' '; 1_000])
    }
}

#[tokio::test]
async fn a_time_limit_holds_for_everything_that_is_asked_and_for_uploads() {
    let server = ChaosServer::start(|asked| match asked.method.as_str() {
        "PROPFIND" => trickle(),
        _ => Reply { delay: Duration::from_secs(20), ..Reply::sized("200 OK", &[], "") },
    })
    .await;
    let mut limits = Limits::default();
    limits.max_time = Some(Duration::from_millis(300));
    let downloader = downloader().with_limits(limits);
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("f");
    fs_err::write(&file, "data").unwrap();
    let url = server.url("d/");
    let upload = Upload::new(&file, server.url("d/f")).unwrap();
    let begun = tokio::time::Instant::now();
    for failure in [
        downloader.list(&url).await.unwrap_err(),
        downloader.stat(&url).await.unwrap_err(),
        downloader.probe(&url, &Checksum::None).await.unwrap_err(),
        downloader.make_directory(&url).await.unwrap_err(),
        downloader.remove(&url).await.unwrap_err(),
        downloader.upload(&upload).await.unwrap_err(),
    ] {
        assert_eq!(failure.kind(), FailureKind::Timeout, "{failure}");
        assert!(failure.to_string().contains("longer than"), "{failure}");
    }
    assert!(begun.elapsed() < Duration::from_secs(10));
}

#[tokio::test]
async fn a_listing_that_trickles_is_a_stall() {
    let server = ChaosServer::start(|_| trickle()).await;
    let mut limits = Limits::default();
    limits.stall = Duration::from_millis(300);
    let mut retry = RetryPolicy::default();
    retry.retries = 0;
    let downloader = downloader().with_limits(limits).with_retry(retry);
    let failure = downloader.list(&server.url("d/")).await.unwrap_err();
    assert_eq!(failure.kind(), FailureKind::Timeout);
    assert!(failure.to_string().contains("bytes in"), "{failure}");
}

#[tokio::test]
async fn a_server_that_fails_over_a_digest_is_asked_once_more_without() {
    let server = ChaosServer::start(|asked| match asked.headers.get("want-digest") {
        Some(_) => Reply::sized("500 Internal Server Error", &[], ""),
        None => Reply::new("200 OK", &[("Content-Length", "7")], ""),
    })
    .await;
    let probe = downloader().probe(&server.url("f"), &Checksum::Auto).await.unwrap();
    assert_eq!((probe.length, probe.digests.len()), (Some(7), 0));
    assert_eq!(server.seen().len(), 2);
}
