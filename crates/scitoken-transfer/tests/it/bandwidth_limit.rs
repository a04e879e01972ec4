//! The rate that transfers reach together. The clock stands still but for timers, so that the tests count and do not wait.

use std::num::NonZeroU64;
use std::time::Duration;

use scitoken_test_support::chaos_server::{ChaosServer, Reply};
use scitoken_transfer::{BandwidthLimit, Download, Downloader, TransferLimits, Upload};
use tokio::time::Instant;

use crate::download::support::{client, content};

const FILE: usize = 60_000;

fn downloader(rate: u64, streams: usize) -> Downloader {
    let mut limits = TransferLimits::default();
    limits.streams = streams;
    let rate = BandwidthLimit::new(NonZeroU64::new(rate).unwrap());
    Downloader::new(client()).with_limits(limits).with_bandwidth_limit(rate)
}

async fn server() -> ChaosServer {
    ChaosServer::start(|asked| match asked.method.as_str() {
        "PUT" => Reply::sized("201 Created", &[], ""),
        "HEAD" => Reply::new("200 OK", &[("Content-Length", &FILE.to_string())], ""),
        _ => Reply::honest(asked, &content(FILE), &[("ETag", "\"1\"")]),
    })
    .await
}

#[tokio::test(start_paused = true)]
async fn downloads_that_run_at_once_share_one_rate() {
    let server = server().await;
    let directory = tempfile::tempdir().unwrap();
    for (streams, files) in [(1, 1), (1, 3), (4, 1), (2, 2)] {
        let downloader = downloader(1_000, streams);
        let started = Instant::now();
        let downloads = (0..files).map(|n| {
            let target = directory.path().join(format!("{streams}-{files}-{n}"));
            let (downloader, url) = (downloader.clone(), server.url("f"));
            tokio::spawn(async move { downloader.download(Download::new(url, target).unwrap()).await })
        });
        for download in downloads.collect::<Vec<_>>() {
            let file = download.await.unwrap().unwrap();
            assert_eq!(fs_err::read(file.path.unwrap()).unwrap(), content(FILE));
            assert!(file.timings.limited <= file.timings.total, "{:?}", file.timings);
        }
        let least = Duration::from_millis(files * FILE as u64 - 100);
        assert!(started.elapsed() >= least, "{streams} streams, {files} files: {:?}", started.elapsed());
    }
}

#[tokio::test(start_paused = true)]
async fn a_limited_transfer_does_not_count_as_stalled() {
    let server = server().await;
    let directory = tempfile::tempdir().unwrap();
    // Far below the lowest rate that is accepted of a server.
    let downloader = downloader(10, 1);
    let started = Instant::now();
    let download = Download::new(server.url("f"), directory.path().join("f")).unwrap();
    let file = downloader.download(download).await.unwrap();
    assert_eq!((file.length, file.timings.failures), (FILE as u64, 0));
    assert!(started.elapsed() >= Duration::from_secs(FILE as u64 / 10 - 1));
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn uploads_share_the_rate_and_do_not_stall() {
    let server = server().await;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("f");
    fs_err::write(&path, content(FILE)).unwrap();
    for rate in [80, 5_000] {
        let downloader = downloader(rate, 1);
        let started = Instant::now();
        let uploads = ["a", "b"].map(|name| {
            let (downloader, upload) = (downloader.clone(), Upload::new(&path, server.url(name)).unwrap());
            tokio::spawn(async move { downloader.upload(&upload).await })
        });
        for upload in uploads {
            assert_eq!(upload.await.unwrap().unwrap().length, FILE as u64);
        }
        let least = Duration::from_millis(2_000 * FILE as u64 / rate - 100);
        assert!(started.elapsed() >= least, "{rate}: {:?}", started.elapsed());
    }
    let bodies: Vec<_> = server.seen().into_iter().filter(|asked| asked.method == "PUT").collect();
    assert_eq!(bodies.len(), 4);
    assert!(bodies.iter().all(|put| put.body == content(FILE)));
}

#[tokio::test(start_paused = true)]
async fn a_limited_transfer_can_be_cancelled() {
    let server = server().await;
    let directory = tempfile::tempdir().unwrap();
    let downloader = downloader(1, 1);
    let token = downloader.cancellation_token().clone();
    let download = Download::new(server.url("f"), directory.path().join("f")).unwrap();
    let task = tokio::spawn(async move { downloader.download(download).await });
    tokio::time::sleep(Duration::from_secs(30)).await;
    token.cancel();
    assert!(task.await.unwrap().unwrap_err().is_worth_retrying());
}
