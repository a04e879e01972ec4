//! Answers that say when to come again, and files of which nothing is missing.

use std::io::Write as _;
use std::time::Duration;

use scitoken_transfer::{Download, DownloadOutcome, Downloader, FailureKind, RetryPolicy, Verification};
use scitoken_types::sys::{Clock as _, SystemClock};
use serde_json::{Value, json};
use tokio::time::Instant;

use scitoken_test_support::chaos_server::{ChaosServer, Reply};

fn downloader(retries: u32) -> Downloader {
    let client = reqwest::Client::builder().no_proxy().build().expect("a client");
    let mut retry = RetryPolicy::default();
    (retry.retries, retry.first_delay) = (retries, Duration::from_millis(1));
    Downloader::new(reqwest_middleware::ClientBuilder::new(client).build()).with_retry(retry)
}

#[tokio::test]
async fn a_429_with_a_date_is_waited_for_and_one_of_next_year_is_not() {
    let server = ChaosServer::start(|asked| {
        let in_time = if asked.path == "/soon" { 2 } else { 365 * 86_400 };
        let date = httpdate::fmt_http_date(SystemClock.now() + Duration::from_secs(in_time));
        match asked.number {
            0 => Reply::sized("429 Too Many Requests", &[("Retry-After", date.as_str())], ""),
            _ if asked.path == "/soon" => Reply::honest(asked, b"hello", &[]),
            _ => Reply::sized("429 Too Many Requests", &[("Retry-After", date.as_str())], ""),
        }
    })
    .await;
    let directory = tempfile::tempdir().unwrap();
    let begun = Instant::now();
    let soon = Download::new(server.url("soon"), directory.path().join("soon")).unwrap();
    downloader(3).download(soon).await.unwrap();
    // A date has whole seconds.
    assert!(begun.elapsed() >= Duration::from_millis(900), "{:?}", begun.elapsed());
    assert_eq!(server.seen().len(), 2);
    let late = Download::new(server.url("late"), directory.path().join("late")).unwrap();
    assert_eq!(downloader(3).download(late).await.unwrap_err().kind(), FailureKind::Server);
    assert_eq!(server.seen().len(), 3);
}

/// A run that was killed between its last byte and the name. Asking for what lies behind the end is a 416.
#[tokio::test]
async fn a_file_of_which_nothing_is_missing_is_named_without_a_range_behind_its_end() {
    let data: Vec<u8> = (0..100_000_u32).map(|n| n.to_le_bytes()[0]).collect();
    let digest = format!("adler32={:08x}", simd_adler32::adler32(&data.as_slice()));
    for has_digest in [true, false] {
        let (sent, digest) = (data.clone(), digest.clone());
        let server = ChaosServer::start(move |asked| {
            let mut headers = vec![("ETag", "\"v\"")];
            if has_digest {
                headers.push(("Digest", digest.as_str()));
            }
            let reply = Reply::honest(asked, &sent, &headers);
            if asked.number == 0 { reply.cut_after(60_000) } else { reply }
        })
        .await;
        let directory = tempfile::tempdir().unwrap();
        let target = directory.path().join("f");
        let job = || Download::new(server.url("f"), &target).unwrap();
        downloader(0).download(job()).await.unwrap_err();
        let (part, state) = (directory.path().join("f.part"), directory.path().join("f.part.json"));
        let there = fs_err::metadata(&part).unwrap().len();
        let done: usize = usize::try_from(there).unwrap().min(60_000);
        let mut file = std::fs::File::options().write(true).open(&part).unwrap();
        std::io::Seek::seek(&mut file, std::io::SeekFrom::Start(done as u64)).unwrap();
        file.write_all(&data[done..]).unwrap();
        let mut sidecar: Value = serde_json::from_str(&fs_err::read_to_string(&state).unwrap()).unwrap();
        assert!(sidecar["done"].to_string().contains("60000"), "{sidecar}");
        sidecar["done"] = json!([[0, data.len()]]);
        fs_err::write(&state, sidecar.to_string()).unwrap();
        let file = downloader(0).download(job()).await.unwrap();
        assert_eq!(fs_err::read(&target).unwrap(), data);
        let ranges = server.ranges();
        assert!(ranges.iter().flatten().all(|range| range.start < data.len()), "{ranges:?}");
        if has_digest {
            assert!(matches!(file.verification, Verification::Verified(_)));
            assert_eq!((file.outcome, ranges.len()), (DownloadOutcome::Resumed(data.len() as u64), 1));
        }
    }
}

#[tokio::test]
async fn a_202_with_a_wait_is_waited_for_and_a_long_wait_is_named() {
    let server = ChaosServer::start(|asked| match (asked.path.as_str(), asked.number) {
        ("/staged", 0) => Reply::sized("202 Accepted", &[("Retry-After", "1")], "staging"),
        ("/staged", _) => Reply::honest(asked, b"hello", &[]),
        ("/ahead", _) => {
            let date = |ahead| httpdate::fmt_http_date(SystemClock.now() + Duration::from_secs(ahead));
            let lines = [("Date", date(600)), ("Retry-After", date(601))];
            let lines: Vec<_> = lines.iter().map(|(name, value)| (*name, value.as_str())).collect();
            if asked.number == 2 {
                Reply::sized("503 Service Unavailable", &lines, "")
            } else {
                Reply::honest(asked, b"hello", &[])
            }
        }
        _ => Reply::sized("429 Too Many Requests", &[("Retry-After", "3600")], ""),
    })
    .await;
    let directory = tempfile::tempdir().unwrap();
    let job = |name: &str| Download::new(server.url(name), directory.path().join(name)).unwrap();
    let begun = Instant::now();
    assert_eq!(downloader(3).download(job("staged")).await.unwrap().length, 5);
    assert!(begun.elapsed() >= Duration::from_millis(990), "{:?}", begun.elapsed());
    assert_eq!(server.seen().len(), 2);
    downloader(3).download(job("ahead")).await.unwrap();
    assert_eq!(server.seen().len(), 4);
    let failure = downloader(3).download(job("never")).await.unwrap_err();
    assert!(failure.to_string().contains("asks to wait 3600 s"), "{failure}");
    assert_eq!(server.seen().len(), 5);
}
