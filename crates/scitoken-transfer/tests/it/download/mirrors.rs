//! Several servers for one file, when all of them are in trouble.

use std::time::Duration;

use scitoken_transfer::{Download, Downloader, FailureKind, RetryBudget, RetryPolicy};

use scitoken_test_support::chaos_server::{ChaosServer, Reply};

fn downloader(retries: u32, first_delay: Duration) -> Downloader {
    let client = reqwest::Client::builder().no_proxy().build().expect("a client");
    let mut retry = RetryPolicy::default();
    (retry.retries, retry.first_delay) = (retries, first_delay);
    Downloader::new(reqwest_middleware::ClientBuilder::new(client).build()).with_retry(retry)
}

async fn broken() -> ChaosServer {
    ChaosServer::start(|_| Reply::sized("503 Service Unavailable", &[], "")).await
}

fn mirrored(servers: &[ChaosServer], directory: &tempfile::TempDir) -> Download {
    let job = Download::new(servers[0].url("f"), directory.path().join("f")).unwrap();
    servers[1..].iter().fold(job, |job, server| job.with_mirror(server.url("f")).unwrap())
}

/// Each mirror is asked at once; then the waits are those of one server, however many there are.
#[tokio::test]
async fn mirrors_that_all_fail_are_left_alone_longer_and_longer() {
    let servers = [broken().await, broken().await, broken().await];
    let directory = tempfile::tempdir().unwrap();
    let downloader = downloader(1_000, Duration::from_millis(400));
    let job = mirrored(&servers, &directory);
    let running = tokio::time::timeout(Duration::from_secs(3), downloader.download(job)).await;
    assert!(running.is_err(), "it goes on");
    let asked: usize = servers.iter().map(|server| server.seen().len()).sum();
    // The waits are random, up to 1.6 s, 3.2 s and so on: a handful on average, and never a hundred.
    assert!((3..40).contains(&asked), "{asked} requests in 3 s");
}

#[tokio::test]
async fn mirrors_that_all_fail_cost_no_more_tries_than_one_server() {
    let servers = [broken().await, broken().await, broken().await];
    let directory = tempfile::tempdir().unwrap();
    let failure = downloader(6, Duration::from_millis(1)).download(mirrored(&servers, &directory)).await;
    assert_eq!(failure.unwrap_err().kind(), FailureKind::Server);
    let asked: Vec<_> = servers.iter().map(|server| server.seen().len()).collect();
    assert_eq!(asked.iter().sum::<usize>(), 7, "the first try and six more: {asked:?}");
    assert!(asked.iter().all(|asked| *asked >= 2), "in turn: {asked:?}");
}

/// A server that sends one byte each time is no progress that could go on for ever.
#[tokio::test]
async fn mirrors_that_break_off_at_the_same_byte_end() {
    let server = || async {
        ChaosServer::start(|asked| {
            let reply = Reply::honest(asked, &[7; 1000], &[("ETag", "\"v\"")]);
            let left = asked.range().map_or(500, |range| 500_usize.saturating_sub(range.start));
            reply.cut_after(left)
        })
        .await
    };
    let servers = [server().await, server().await];
    let directory = tempfile::tempdir().unwrap();
    let downloader = downloader(4, Duration::from_millis(1)).with_budget(RetryBudget::new(100));
    let failure = downloader.download(mirrored(&servers, &directory)).await.unwrap_err();
    assert_eq!(failure.kind(), FailureKind::Incomplete);
    let asked: usize = servers.iter().map(|server| server.seen().len()).sum();
    assert!(asked < 20, "{asked}");
    assert!(!directory.path().join("f").exists());
}

#[tokio::test]
async fn a_mirror_that_failed_once_is_asked_again_after_the_other_refused_for_good() {
    let good = ChaosServer::start(|asked| match asked.number {
        0 => Reply::sized("503 Service Unavailable", &[], ""),
        _ => Reply::honest(asked, b"hello", &[]),
    })
    .await;
    let bad = ChaosServer::start(|_| Reply::sized("404 Not Found", &[], "")).await;
    let directory = tempfile::tempdir().unwrap();
    let servers = [good, bad];
    let file =
        downloader(3, Duration::from_millis(1)).download(mirrored(&servers, &directory)).await.unwrap();
    let [good, bad] = servers;
    assert_eq!(file.length, 5);
    assert_eq!((good.seen().len(), bad.seen().len()), (2, 1), "the refusal is not asked for again");
}
