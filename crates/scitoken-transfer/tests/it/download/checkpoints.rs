//! The state that a killed process leaves.

use std::time::Duration;

use scitoken_test_support::chaos_server::{ChaosServer, Reply};
use scitoken_transfer::DownloadOutcome;
use serde_json::Value;
use tokio::time::{Instant, sleep};

use super::support::{content, downloader, job};

/// Returns how many bytes the state file claims.
fn claimed(directory: &tempfile::TempDir) -> u64 {
    let text = fs_err::read(directory.path().join("f.dat.part.json")).unwrap_or_default();
    let state: Value = serde_json::from_slice(&text).unwrap_or_default();
    let ranges = state["done"].as_array().cloned().unwrap_or_default();
    ranges.iter().map(|range| range[1].as_u64().unwrap() - range[0].as_u64().unwrap()).sum()
}

async fn within(directory: &tempfile::TempDir, limit: Duration, bytes: u64) -> bool {
    let begun = Instant::now();
    while begun.elapsed() < limit {
        if claimed(directory) >= bytes {
            return true;
        }
        sleep(Duration::from_millis(20)).await;
    }
    false
}

#[tokio::test]
async fn the_state_is_written_while_the_server_stalls_whatever_the_size() {
    for (length, arrives) in [(48 << 20, 36 << 20), (1 << 20, 700_000), (90_000, 40_000), (50_000, 20_000)] {
        let server = ChaosServer::start(move |asked| {
            let mut reply = Reply::honest(asked, &content(length), &[("ETag", "\"v\"")]);
            if asked.number == 0 {
                reply.trickle = Some((arrives, Duration::from_secs(60)));
            }
            reply
        })
        .await;
        let directory = tempfile::tempdir().unwrap();
        let task = tokio::spawn({
            let job = job(&server, &directory);
            async move { downloader().download(job).await }
        });
        let arrived = u64::try_from(arrives).unwrap();
        assert!(
            within(&directory, Duration::from_secs(20), arrived).await,
            "{length}: {}",
            claimed(&directory)
        );
        // What a killed process leaves.
        task.abort();
        let _ = task.await;
        let file = downloader().download(job(&server, &directory)).await.unwrap();
        assert_eq!(file.outcome, DownloadOutcome::Resumed(arrived));
        assert_eq!(fs_err::read(directory.path().join("f.dat")).unwrap(), content(length));
    }
}

#[tokio::test]
async fn the_state_follows_a_slow_link() {
    let server = ChaosServer::start(|asked| {
        let mut reply = Reply::honest(asked, &content(4_000_000), &[("ETag", "\"v\"")]);
        reply.trickle = Some((10_000, Duration::from_millis(100)));
        reply
    })
    .await;
    let directory = tempfile::tempdir().unwrap();
    let task = tokio::spawn({
        let job = job(&server, &directory);
        async move { downloader().download(job).await }
    });
    assert!(within(&directory, Duration::from_secs(10), 100_000).await, "{}", claimed(&directory));
    let before = claimed(&directory);
    assert!(within(&directory, Duration::from_secs(10), before + 100_000).await, "{}", claimed(&directory));
    task.abort();
}
