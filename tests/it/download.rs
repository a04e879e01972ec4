//! One file at a time: what is fetched, what is refused, and what is left behind.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use reqwest_middleware::ClientWithMiddleware;
use reqwest_scitokens::download::{
    Checksum, Download, Downloaded, Downloader, EventKind, Existing, FailureKind, Limits, Outcome, Resume,
    RetryPolicy, TransferError, Verification, WebPages, events,
};
use tempfile::TempDir;

use crate::chaos_server::{Asked, ChaosServer, Reply};

const HELLO: &[u8] = b"hello scitokens\n";

fn client() -> ClientWithMiddleware {
    let client = reqwest::Client::builder().no_proxy().http1_title_case_headers().build().expect("it works");
    reqwest_middleware::ClientBuilder::new(client).build()
}

/// Retries at once.
fn downloader() -> Downloader {
    let mut retry = RetryPolicy::default();
    retry.first_delay = Duration::from_millis(1);
    retry.longest_delay = Duration::from_millis(5);
    Downloader::new(client()).with_retry(retry)
}

fn content(length: usize) -> Vec<u8> {
    (0..length).map(|n| u8::try_from(n * 31 % 251).expect("a byte")).collect()
}

fn job(server: &ChaosServer, directory: &TempDir) -> Download {
    Download::new(server.url("f.dat"), directory.path().join("f.dat")).expect("it works")
}

fn adler32(data: &[u8]) -> String {
    let mut hash = simd_adler32::Adler32::new();
    hash.write(data);
    format!("{:08x}", hash.finish())
}

fn files(directory: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs_err::read_dir(directory)
        .expect("it works")
        .map(|entry| entry.expect("it works").file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

async fn get(
    directory: &TempDir,
    answer: impl Fn(&Asked) -> Reply + Send + Sync + 'static,
) -> (Result<Downloaded, TransferError>, ChaosServer) {
    let server = ChaosServer::start(answer).await;
    let result = downloader().download(job(&server, directory)).await;
    (result, server)
}

#[tokio::test]
async fn a_file_arrives_whole_and_verified_and_nothing_else_is_left() {
    let directory = tempfile::tempdir().unwrap();
    let (file, server) =
        get(&directory, |asked| Reply::honest(asked, HELLO, &[("Digest", "adler32=355f0612")])).await;
    let file = file.unwrap();
    assert_eq!(fs_err::read(file.path.unwrap()).unwrap(), HELLO);
    assert_eq!(file.verification, Verification::Verified("adler32:355f0612".parse().unwrap()));
    assert_eq!((file.length, file.outcome), (16, Outcome::Fetched));
    assert_eq!(files(directory.path()), ["f.dat"]);
    let seen = server.seen();
    assert_eq!(seen.len(), 1);
    assert_eq!(seen[0].range(), None);
    assert!(seen[0].headers["want-digest"].starts_with("adler32"));
}

#[tokio::test]
async fn an_empty_file_is_a_file() {
    let directory = tempfile::tempdir().unwrap();
    let (file, _server) = get(&directory, |asked| Reply::honest(asked, b"", &[])).await;
    assert_eq!(fs_err::read(file.unwrap().path.unwrap()).unwrap(), b"");
}

#[tokio::test]
async fn a_digest_that_nobody_asked_for_is_not_believed() {
    // XRootD 5.5.3 leaves the digest of another file in such answers.
    let directory = tempfile::tempdir().unwrap();
    let server =
        ChaosServer::start(|asked| Reply::honest(asked, b"x", &[("Digest", "adler32=355f0612")])).await;
    let file = downloader().download(job(&server, &directory).with_checksum(Checksum::None)).await.unwrap();
    assert_eq!(file.verification, Verification::NotAvailable);
    assert!(!server.seen()[0].headers.contains_key("want-digest"));
}

#[tokio::test]
async fn wrong_data_never_gets_the_name_and_is_not_kept() {
    let directory = tempfile::tempdir().unwrap();
    let (failure, server) = get(&directory, |asked| {
        Reply::honest(asked, b"hello scitokenz\n", &[("Digest", "adler32=355f0612")])
    })
    .await;
    let failure = failure.unwrap_err();
    assert_eq!(failure.kind(), FailureKind::Mismatch);
    assert_eq!(server.seen().len(), 2, "once more from the start, since bytes change on the way");
    assert_eq!(files(directory.path()), [""; 0]);
}

#[tokio::test]
async fn a_file_that_was_there_survives_a_failed_download() {
    let directory = tempfile::tempdir().unwrap();
    fs_err::write(directory.path().join("f.dat"), "old").unwrap();
    let (failure, _server) =
        get(&directory, |asked| Reply::honest(asked, b"other", &[("Digest", "adler32=355f0612")])).await;
    failure.unwrap_err();
    assert_eq!(fs_err::read_to_string(directory.path().join("f.dat")).unwrap(), "old");
}

#[tokio::test]
async fn the_user_s_checksum_beats_a_server_without_one_and_one_that_lies() {
    let directory = tempfile::tempdir().unwrap();
    let server = ChaosServer::start(|asked| {
        let headers: &[_] = if asked.path.contains("liar") { &[("Digest", "adler32=00000001")] } else { &[] };
        Reply::honest(asked, HELLO, headers)
    })
    .await;
    let expected = Checksum::Expect("adler32:355f0612".parse().unwrap());
    let file = downloader().download(job(&server, &directory).with_checksum(expected.clone())).await.unwrap();
    assert!(matches!(file.verification, Verification::Verified(_)));
    let liar = Download::new(server.url("liar"), directory.path().join("liar")).unwrap();
    let failure = downloader().download(liar.with_checksum(expected)).await.unwrap_err();
    assert_eq!(failure.kind(), FailureKind::Mismatch);
    assert_eq!(files(directory.path()), ["f.dat"]);
}

#[tokio::test]
async fn a_required_checksum_is_asked_for_by_head_and_its_absence_is_found_before_the_data_is_fetched() {
    let directory = tempfile::tempdir().unwrap();
    let server = ChaosServer::start(|asked| {
        let with = asked.method == "HEAD" && asked.path == "/f.dat";
        Reply::honest(asked, HELLO, if with { &[("Digest", "adler32=355f0612")] } else { &[] })
    })
    .await;
    let file =
        downloader().download(job(&server, &directory).with_checksum(Checksum::Require)).await.unwrap();
    assert!(matches!(file.verification, Verification::Verified(_)));
    let other = Download::new(server.url("g"), directory.path().join("g")).unwrap();
    let failure = downloader().download(other.with_checksum(Checksum::Require)).await.unwrap_err();
    assert_eq!(failure.kind(), FailureKind::Unverified);
    let sha: Checksum = "sha-256".parse().unwrap();
    let failure = downloader().download(job(&server, &directory).with_checksum(sha)).await.unwrap_err();
    assert_eq!(failure.kind(), FailureKind::Unverified, "adler32 is no sha-256");
    assert!(failure.hint().unwrap().contains("adler32"));
}

#[tokio::test]
async fn a_server_that_fails_over_checksums_is_asked_without() {
    let directory = tempfile::tempdir().unwrap();
    let (file, server) = get(&directory, |asked| {
        if asked.headers.contains_key("want-digest") {
            return Reply::sized("500 Internal Server Error", &[], "Failed to determine checksum");
        }
        Reply::honest(asked, HELLO, &[])
    })
    .await;
    assert_eq!(file.unwrap().verification, Verification::NotAvailable);
    assert_eq!(server.seen().len(), 2);
}

#[tokio::test]
async fn a_login_page_is_no_data() {
    for (headers, body) in [
        (&[("Content-Type", "text/html; charset=utf-8")][..], "please log in"),
        (&[], "<!DOCTYPE html><html><h1>Listing of: /vo</h1>"),
        (&[("Content-Type", "text/plain")], "\n <HTML><form>"),
    ] {
        let directory = tempfile::tempdir().unwrap();
        let (failure, server) =
            get(&directory, move |asked| Reply::honest(asked, body.as_bytes(), headers)).await;
        assert_eq!(failure.unwrap_err().kind(), FailureKind::WrongContent, "{body}");
        assert_eq!(server.seen().len(), 1);
        assert_eq!(files(directory.path()), [""; 0]);
        let welcome = job(&server, &directory).with_web_pages(WebPages::Welcome);
        downloader().download(welcome).await.unwrap();
    }
}

#[tokio::test]
async fn a_connection_that_breaks_is_gone_on_with_at_the_next_byte() {
    let directory = tempfile::tempdir().unwrap();
    let data = content(100_000);
    let sent = data.clone();
    let (file, server) = get(&directory, move |asked| {
        let reply = Reply::honest(asked, &sent, &[("ETag", "\"v1\"")]);
        if asked.number < 2 { reply.cut_after(30_000) } else { reply }
    })
    .await;
    let file = file.unwrap();
    assert_eq!(fs_err::read(file.path.unwrap()).unwrap(), data);
    assert_eq!(server.ranges(), [None, Some(30_000..100_000), Some(60_000..100_000)]);
    assert_eq!(file.timings.failures, 2);
}

#[tokio::test]
async fn another_content_is_never_spliced_on() {
    // First with another ETag, then with one that vanished, then with no validator at all.
    for (first, then) in [("\"v1\"", "\"v2\""), ("\"v1\"", ""), ("", "")] {
        let directory = tempfile::tempdir().unwrap();
        let (old, new) = (content(50_000), vec![7; 50_000]);
        let expected = new.clone();
        let (file, server) = get(&directory, move |asked| {
            let (data, etag) = if asked.number == 0 { (&old, first) } else { (&new, then) };
            let headers: &[_] = if etag.is_empty() { &[] } else { &[("ETag", etag)] };
            let reply = Reply::honest(asked, data, headers);
            if asked.number == 0 { reply.cut_after(20_000) } else { reply }
        })
        .await;
        assert_eq!(fs_err::read(file.unwrap().path.unwrap()).unwrap(), expected, "{first} {then}");
        assert_eq!(server.ranges(), [None, Some(20_000..50_000), None], "{first} {then}");
    }
}

#[tokio::test]
async fn a_digest_proves_that_the_rest_belongs_to_the_start_where_no_validator_does() {
    let directory = tempfile::tempdir().unwrap();
    let data = content(50_000);
    let digest = format!("adler32={}", adler32(&data));
    let sent = data.clone();
    let (file, server) = get(&directory, move |asked| {
        let reply = Reply::honest(asked, &sent, &[("Digest", &digest)]);
        if asked.number == 0 { reply.cut_after(20_000) } else { reply }
    })
    .await;
    assert_eq!(fs_err::read(file.unwrap().path.unwrap()).unwrap(), data);
    assert_eq!(server.ranges(), [None, Some(20_000..50_000)]);
}

#[tokio::test]
async fn a_server_that_ignores_ranges_begins_anew() {
    let directory = tempfile::tempdir().unwrap();
    let data = content(50_000);
    let sent = data.clone();
    let (file, server) = get(&directory, move |asked| {
        let reply = Reply::sized("200 OK", &[("ETag", "\"v1\"")], sent.as_slice());
        if asked.number == 0 { reply.cut_after(20_000) } else { reply }
    })
    .await;
    assert_eq!(fs_err::read(file.unwrap().path.unwrap()).unwrap(), data);
    assert_eq!(server.seen().len(), 2);
}

#[tokio::test]
async fn parts_that_are_not_what_was_asked_for_lead_to_the_whole_file() {
    for place in
        ["bytes 0-29999/50000", "bytes 20000--1/50000", "bytes 20000-49999/60000", "bytes 20001-49999/50000"]
    {
        let directory = tempfile::tempdir().unwrap();
        let data = content(50_000);
        let sent = data.clone();
        let (file, _server) = get(&directory, move |asked| match asked.range() {
            Some(_) => Reply::sized(
                "206 Partial Content",
                &[("Content-Range", place), ("ETag", "\"v1\"")],
                &sent[..30_000],
            ),
            None if asked.number == 0 => Reply::honest(asked, &sent, &[("ETag", "\"v1\"")]).cut_after(20_000),
            None => Reply::honest(asked, &sent, &[("ETag", "\"v1\"")]),
        })
        .await;
        assert_eq!(fs_err::read(file.unwrap().path.unwrap()).unwrap(), data, "{place}");
    }
}

#[tokio::test]
async fn a_body_that_ends_with_its_connection_is_believed_only_with_a_checksum() {
    let directory = tempfile::tempdir().unwrap();
    let (failure, _server) = get(&directory, |_| Reply::new("200 OK", &[], HELLO)).await;
    assert_eq!(failure.unwrap_err().kind(), FailureKind::Incomplete);
    assert_eq!(files(directory.path()), [""; 0]);
    let (file, _server) =
        get(&directory, |_| Reply::new("200 OK", &[("Digest", "adler32=355f0612")], HELLO)).await;
    assert_eq!(fs_err::read(file.unwrap().path.unwrap()).unwrap(), HELLO);
}

#[tokio::test]
async fn refusals_are_not_repeated_and_say_what_the_server_said() {
    for (status, kind) in [
        ("401 Unauthorized", FailureKind::Refused),
        ("403 Forbidden", FailureKind::Refused),
        ("404 Not Found", FailureKind::NotFound),
        ("400 Bad Request", FailureKind::Rejected),
    ] {
        let directory = tempfile::tempdir().unwrap();
        let (failure, server) =
            get(&directory, move |_| Reply::sized(status, &[], "Unable to open /vo/f; permission denied"))
                .await;
        let failure = failure.unwrap_err();
        assert_eq!((failure.kind(), server.seen().len()), (kind, 1), "{status}");
        let cause = std::error::Error::source(&failure).unwrap().to_string();
        assert_eq!(cause, "the server says: Unable to open /vo/f; permission denied");
        assert_eq!(files(directory.path()), [""; 0]);
    }
}

#[tokio::test]
async fn a_token_that_ends_on_the_way_costs_one_request() {
    let directory = tempfile::tempdir().unwrap();
    let data = content(90_000);
    let sent = data.clone();
    let (file, server) = get(&directory, move |asked| match asked.number {
        0 => Reply::honest(asked, &sent, &[("ETag", "\"v1\"")]).cut_after(30_000),
        1 => Reply::sized("403 Forbidden", &[], "expired"),
        _ => Reply::honest(asked, &sent, &[("ETag", "\"v1\"")]),
    })
    .await;
    assert_eq!(fs_err::read(file.unwrap().path.unwrap()).unwrap(), data);
    assert_eq!(server.ranges(), [None, Some(30_000..90_000), Some(30_000..90_000)]);
}

#[tokio::test]
async fn a_batch_job_waits_for_its_next_token() {
    let directory = tempfile::tempdir().unwrap();
    let server = ChaosServer::start(|asked| match asked.number {
        0 | 1 => Reply::sized("403 Forbidden", &[], ""),
        _ => Reply::honest(asked, HELLO, &[]),
    })
    .await;
    let mut retry = RetryPolicy::default();
    retry.token_wait = Duration::from_secs(3);
    let file = Downloader::new(client()).with_retry(retry).download(job(&server, &directory)).await.unwrap();
    assert_eq!(file.length, 16);
}

#[tokio::test]
async fn a_busy_server_is_tried_again_after_the_time_that_it_asks_for() {
    let directory = tempfile::tempdir().unwrap();
    let server = ChaosServer::start(|asked| match asked.number {
        0 => Reply::sized("503 Service Unavailable", &[("Retry-After", "1")], ""),
        _ => Reply::honest(asked, HELLO, &[]),
    })
    .await;
    let mut retry = RetryPolicy::default();
    retry.first_delay = Duration::ZERO;
    let file = Downloader::new(client()).with_retry(retry).download(job(&server, &directory)).await.unwrap();
    assert!(file.timings.total >= Duration::from_secs(1));
}

#[tokio::test]
async fn retries_end() {
    let directory = tempfile::tempdir().unwrap();
    let (failure, server) = get(&directory, |_| Reply::sized("502 Bad Gateway", &[], "")).await;
    let failure = failure.unwrap_err();
    assert_eq!((failure.kind(), failure.is_worth_retrying()), (FailureKind::Server, true));
    assert_eq!(server.seen().len(), 6);
}

#[tokio::test]
async fn a_trickle_is_a_stall() {
    let directory = tempfile::tempdir().unwrap();
    let server = ChaosServer::start(|asked| {
        let mut reply = Reply::honest(asked, HELLO, &[("ETag", "\"v1\"")]);
        reply.trickle = Some((1, Duration::from_millis(300)));
        reply
    })
    .await;
    let mut limits = Limits::default();
    limits.stall = Duration::from_millis(100);
    let mut retry = RetryPolicy::default();
    retry.retries = 0;
    let failure = downloader()
        .with_limits(limits)
        .with_retry(retry)
        .download(job(&server, &directory))
        .await
        .unwrap_err();
    assert_eq!(failure.kind(), FailureKind::Timeout);
}

#[tokio::test]
async fn a_time_limit_holds_and_keeps_what_is_there() {
    let directory = tempfile::tempdir().unwrap();
    let data = content(1_000_000);
    let sent = data.clone();
    let server = ChaosServer::start(move |asked| {
        let mut reply = Reply::honest(asked, &sent, &[("ETag", "\"v1\"")]);
        if asked.number == 0 {
            reply.trickle = Some((100_000, Duration::from_secs(1)));
        }
        reply
    })
    .await;
    let mut limits = Limits::default();
    limits.max_time = Some(Duration::from_secs(3));
    let failure = downloader().with_limits(limits).download(job(&server, &directory)).await.unwrap_err();
    assert_eq!(failure.kind(), FailureKind::Timeout);
    assert_eq!(files(directory.path()), ["f.dat.part", "f.dat.part.json"]);
    let file = downloader().download(job(&server, &directory)).await.unwrap();
    assert!(matches!(file.outcome, Outcome::Resumed(bytes) if bytes >= 100_000), "{:?}", file.outcome);
    assert_eq!(fs_err::read(file.path.unwrap()).unwrap(), data);
    assert_eq!(files(directory.path()), ["f.dat"]);
}

/// Leaves 40,000 of 90,000 bytes of `v1` behind.
async fn interrupted(directory: &TempDir, etag: &'static str) -> ChaosServer {
    let server = ChaosServer::start(move |asked| {
        let data = if asked.path.contains("changed") { vec![9; 90_000] } else { content(90_000) };
        let validator = [("ETag", etag)];
        let reply = Reply::honest(asked, &data, if etag.is_empty() { &[] } else { &validator });
        if asked.number == 0 { reply.cut_after(40_000) } else { reply }
    })
    .await;
    let mut retry = RetryPolicy::default();
    retry.retries = 0;
    downloader().with_retry(retry).download(job(&server, directory)).await.unwrap_err();
    server
}

#[tokio::test]
async fn another_process_goes_on_where_one_was_stopped() {
    let directory = tempfile::tempdir().unwrap();
    let server = interrupted(&directory, "\"v1\"").await;
    assert_eq!(files(directory.path()), ["f.dat.part", "f.dat.part.json"]);
    let file = downloader().download(job(&server, &directory)).await.unwrap();
    assert_eq!(file.outcome, Outcome::Resumed(40_000));
    assert_eq!(fs_err::read(file.path.unwrap()).unwrap(), content(90_000));
    assert_eq!(server.ranges(), [None, Some(40_000..90_000)]);
}

#[tokio::test]
async fn nothing_is_left_to_go_on_with_where_nothing_could_prove_it() {
    let directory = tempfile::tempdir().unwrap();
    interrupted(&directory, "").await;
    assert_eq!(files(directory.path()), [""; 0]);
}

#[tokio::test]
async fn a_part_of_unknown_origin_is_not_gone_on_with() {
    let directory = tempfile::tempdir().unwrap();
    fs_err::write(directory.path().join("f.dat.part"), vec![1; 5_000]).unwrap();
    let (file, server) = get(&directory, |asked| Reply::honest(asked, HELLO, &[("ETag", "\"v1\"")])).await;
    assert_eq!(fs_err::read(file.unwrap().path.unwrap()).unwrap(), HELLO);
    assert_eq!(server.ranges(), [None]);
}

#[tokio::test]
async fn resume_never_means_from_the_start() {
    let directory = tempfile::tempdir().unwrap();
    let server = interrupted(&directory, "\"v1\"").await;
    let file = downloader().download(job(&server, &directory).with_resume(Resume::Never)).await.unwrap();
    assert_eq!(file.outcome, Outcome::Fetched);
    assert_eq!(server.ranges(), [None, None]);
}

#[tokio::test]
async fn a_damaged_part_is_found_by_the_digest_and_fetched_anew() {
    let directory = tempfile::tempdir().unwrap();
    let data = content(90_000);
    let digest = format!("adler32={}", adler32(&data));
    let sent = data.clone();
    let server = ChaosServer::start(move |asked| {
        let reply = Reply::honest(asked, &sent, &[("Digest", &digest)]);
        if asked.number == 0 { reply.cut_after(40_000) } else { reply }
    })
    .await;
    let mut retry = RetryPolicy::default();
    retry.retries = 0;
    downloader().with_retry(retry).download(job(&server, &directory)).await.unwrap_err();
    let part = directory.path().join("f.dat.part");
    let mut damaged = fs_err::read(&part).unwrap();
    damaged[5] ^= 1;
    fs_err::write(&part, damaged).unwrap();
    let file = downloader().download(job(&server, &directory)).await.unwrap();
    assert_eq!(fs_err::read(file.path.unwrap()).unwrap(), data);
    assert_eq!(server.ranges(), [None, Some(40_000..90_000), None]);
}

#[tokio::test]
async fn a_stopped_transfer_writes_its_state_down() {
    let directory = tempfile::tempdir().unwrap();
    let server = ChaosServer::start(|asked| {
        let mut reply = Reply::honest(asked, &content(500_000), &[("ETag", "\"v1\"")]);
        reply.trickle = Some((100_000, Duration::from_secs(60)));
        reply
    })
    .await;
    let downloader = downloader();
    let stopper = downloader.stopper().clone();
    let job = job(&server, &directory);
    let (result, ()) = tokio::join!(downloader.download(job), async {
        let part = directory.path().join("f.dat.part");
        while fs_err::metadata(&part).map_or(0, |metadata| metadata.len()) == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        stopper.stop();
    });
    let failure = result.unwrap_err();
    assert_eq!((failure.kind(), failure.is_worth_retrying()), (FailureKind::Interrupted, true));
    assert_eq!(files(directory.path()), ["f.dat.part", "f.dat.part.json"]);
}

#[tokio::test]
async fn mirrors_take_over_in_the_middle_when_a_digest_shows_that_they_have_the_same() {
    let directory = tempfile::tempdir().unwrap();
    let data = content(90_000);
    let digest = format!("adler32={}", adler32(&data));
    let sent = data.clone();
    let server = ChaosServer::start(move |asked| {
        let etag = format!("\"{}\"", asked.path);
        let reply = Reply::honest(asked, &sent, &[("Digest", &digest), ("ETag", &etag)]);
        match (asked.path.as_str(), asked.number) {
            ("/f.dat", 0) => reply.cut_after(30_000),
            ("/f.dat", _) => Reply::default(),
            ("/gone", _) => Reply::sized("404 Not Found", &[], ""),
            _ => reply,
        }
    })
    .await;
    let job = job(&server, &directory)
        .with_mirror(server.url("gone"))
        .unwrap()
        .with_mirror(server.url("mirror"))
        .unwrap();
    let file = downloader().download(job).await.unwrap();
    assert_eq!(fs_err::read(file.path.unwrap()).unwrap(), data);
    let paths: Vec<_> = server.seen().iter().map(|asked| asked.path.clone()).collect();
    assert_eq!(paths, ["/f.dat", "/gone", "/mirror"]);
    assert_eq!(server.ranges()[2], Some(30_000..90_000));
}

#[tokio::test]
async fn several_streams_fetch_one_file_and_every_byte_is_right() {
    let directory = tempfile::tempdir().unwrap();
    let data = content(40 * 1024 * 1024);
    let digest = format!("adler32={}", adler32(&data));
    let sent = Arc::new(data.clone());
    let server = ChaosServer::start(move |asked| {
        let mut reply = Reply::honest(asked, &sent, &[("Digest", &digest)]);
        reply.trickle = Some((256 * 1024, Duration::from_millis(10)));
        reply
    })
    .await;
    let mut limits = Limits::default();
    limits.streams = 4;
    let file = downloader().with_limits(limits).download(job(&server, &directory)).await.unwrap();
    assert!(matches!(file.verification, Verification::Verified(_)));
    assert!(fs_err::read(file.path.unwrap()).unwrap() == data);
    assert!(server.seen().len() > 2, "{:?}", server.ranges());
    assert!(server.ranges()[1..].iter().all(Option::is_some));
}

#[tokio::test]
async fn a_server_without_ranges_gets_one_stream_however_many_are_allowed() {
    let directory = tempfile::tempdir().unwrap();
    let data = content(20 * 1024 * 1024);
    let sent = Arc::new(data.clone());
    let server = ChaosServer::start(move |_| {
        let mut reply = Reply::sized("200 OK", &[("ETag", "\"v1\"")], sent.as_slice());
        reply.trickle = Some((256 * 1024, Duration::from_millis(10)));
        reply
    })
    .await;
    let mut limits = Limits::default();
    limits.streams = 8;
    let file = downloader().with_limits(limits).download(job(&server, &directory)).await.unwrap();
    assert!(fs_err::read(file.path.unwrap()).unwrap() == data);
    assert!(server.seen().len() <= 4, "{:?}", server.ranges());
    assert_eq!(file.timings.failures, 0, "the main stream went on");
}

#[tokio::test]
async fn what_is_there_and_right_is_skipped() {
    let directory = tempfile::tempdir().unwrap();
    let server =
        ChaosServer::start(|asked| Reply::honest(asked, HELLO, &[("Digest", "adler32=355f0612")])).await;
    let target = directory.path().join("f.dat");
    for (there, existing, outcome) in [
        ("hello scitokens\n", Existing::SkipSameSize, Outcome::Skipped),
        ("hello scitokens\n", Existing::SkipSameChecksum, Outcome::Skipped),
        ("HELLO scitokens\n", Existing::SkipSameSize, Outcome::Skipped),
        ("HELLO scitokens\n", Existing::SkipSameChecksum, Outcome::Fetched),
        ("short", Existing::SkipSameSize, Outcome::Fetched),
        ("hello scitokens\n", Existing::Replace, Outcome::Fetched),
    ] {
        fs_err::write(&target, there).unwrap();
        let file = downloader().download(job(&server, &directory).with_existing(existing)).await.unwrap();
        assert_eq!(file.outcome, outcome, "{there} {existing:?}");
    }
    let failure = downloader().download(job(&server, &directory).with_existing(Existing::Refuse)).await;
    assert_eq!(failure.unwrap_err().kind(), FailureKind::Local);
}

#[tokio::test]
async fn local_problems_are_found_before_the_network_is_touched() {
    let touched = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&touched);
    let server = ChaosServer::start(move |asked| {
        flag.store(true, Ordering::Relaxed);
        Reply::honest(asked, HELLO, &[])
    })
    .await;
    let directory = tempfile::tempdir().unwrap();
    for target in [directory.path().to_owned(), directory.path().join("missing/f")] {
        let job = Download::new(server.url("f"), target).unwrap();
        assert_eq!(downloader().download(job).await.unwrap_err().kind(), FailureKind::Local);
    }
    assert!(!touched.load(Ordering::Relaxed));
}

#[tokio::test]
async fn urls_that_are_no_addresses_or_carry_passwords_are_refused() {
    for url in ["file:///etc/passwd", "root://h//f", "https://user:secret@h/f", "https://user@h/f"] {
        let failure = Download::new(url.parse().unwrap(), "f").unwrap_err();
        assert_eq!(failure.kind(), FailureKind::Usage);
        assert!(!failure.to_string().contains("secret"));
    }
}

#[tokio::test]
async fn no_server_is_a_connection_failure_without_the_query() {
    let directory = tempfile::tempdir().unwrap();
    let url = "http://127.0.0.1:9/f?authz=Bearer%20secret".parse().unwrap();
    let mut retry = RetryPolicy::default();
    retry.retries = 0;
    let job = Download::new(url, directory.path().join("f")).unwrap();
    let failure = downloader().with_retry(retry).download(job).await.unwrap_err();
    assert_eq!(failure.kind(), FailureKind::Connect);
    assert!(!format!("{failure:?} {failure}").contains("secret"));
}

#[tokio::test]
async fn a_stream_goes_on_after_a_break_but_never_begins_twice() {
    #[derive(Clone, Default)]
    struct Shared(Arc<Mutex<Vec<u8>>>);
    impl std::io::Write for Shared {
        fn write(&mut self, data: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(data)
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    for (etag, expected) in [("\"v1\"", Ok(90_000)), ("", Err(FailureKind::Incomplete))] {
        let server = ChaosServer::start(move |asked| {
            let validator = [("ETag", etag)];
            let headers: &[_] = if etag.is_empty() { &[] } else { &validator };
            let reply = Reply::honest(asked, &content(90_000), headers);
            if asked.number == 0 { reply.cut_after(40_000) } else { reply }
        })
        .await;
        let stream = Shared::default();
        let job = Download::without_target(server.url("f")).unwrap();
        let result = downloader().download_to(job, stream.clone()).await;
        assert_eq!(result.map(|file| file.length).map_err(|failure| failure.kind()), expected);
        let written = stream.0.lock().unwrap().clone();
        assert!(content(90_000).starts_with(&written));
    }
}

#[tokio::test]
async fn events_tell_the_story() {
    let directory = tempfile::tempdir().unwrap();
    let server = ChaosServer::start(|asked| {
        let reply = Reply::honest(asked, HELLO, &[("Digest", "adler32=355f0612")]);
        if asked.number == 0 { reply.cut_after(5) } else { reply }
    })
    .await;
    let (reporter, mut stream) = events();
    downloader().with_reporter(reporter).download(job(&server, &directory)).await.unwrap();
    let told = Mutex::new(Vec::new());
    while let Some(event) = stream.next().await {
        let name = match event.what {
            EventKind::Started { .. } => "started",
            EventKind::Answered { length: Some(16), resumed_from: 0 } => "answered",
            EventKind::Progress { .. } => continue,
            EventKind::Retrying { failures: 1, kind: FailureKind::Incomplete, .. } => "retrying",
            EventKind::Verified { .. } => "verified",
            EventKind::Finished { length: 16, .. } => "finished",
            other => panic!("{other:?}"),
        };
        told.lock().unwrap().push(name);
    }
    assert_eq!(told.into_inner().unwrap(), ["started", "answered", "retrying", "verified", "finished"]);
}

#[tokio::test]
async fn a_required_checksum_is_required_of_what_an_earlier_run_left_too() {
    let data = content(1_000_000);
    for (checksum, has) in [("require", false), ("sha-256", false), ("require", true)] {
        let directory = tempfile::tempdir().unwrap();
        let (sent, digest) = (data.clone(), format!("adler32={}", adler32(&data)));
        let server = ChaosServer::start(move |asked| {
            let by_head = asked.method == "HEAD" && has;
            let headers = [("ETag", "\"v1\""), ("Digest", digest.as_str())];
            let reply = Reply::honest(asked, &sent, &headers[..if by_head { 2 } else { 1 }]);
            if asked.number == 0 { reply.cut_after(300_000) } else { reply }
        })
        .await;
        let mut retry = RetryPolicy::default();
        retry.retries = 0;
        downloader().with_retry(retry).download(job(&server, &directory)).await.unwrap_err();
        let checksum: Checksum = checksum.parse().unwrap();
        let result = downloader().download(job(&server, &directory).with_checksum(checksum)).await;
        if has {
            let file = result.unwrap();
            assert!(matches!(file.verification, Verification::Verified(_)));
            assert_eq!(file.outcome, Outcome::Resumed(300_000));
        } else {
            assert_eq!(result.unwrap_err().kind(), FailureKind::Unverified);
            assert!(!directory.path().join("f.dat").exists());
        }
    }
}

/// A whole file in chunks, without a length.
fn chunked(headers: &[(&str, &str)], data: &[u8]) -> Reply {
    let mut all = vec![("Transfer-Encoding", "chunked")];
    all.extend_from_slice(headers);
    let mut body = format!("{:x}\r\n", data.len()).into_bytes();
    body.extend_from_slice(data);
    body.extend_from_slice(b"\r\n0\r\n\r\n");
    Reply::new("200 OK", &all, body)
}

#[tokio::test]
async fn a_short_part_is_not_taken_for_the_end_of_a_file_whose_length_was_unknown() {
    // First the whole file in chunks, which breaks off; then parts of at most 30000 bytes, that say the length or not.
    for says_length in [true, false] {
        let directory = tempfile::tempdir().unwrap();
        let data = content(100_000);
        let sent = data.clone();
        let (file, _server) = get(&directory, move |asked| {
            let etag = ("ETag", "\"v1\"");
            let Some(range) = asked.range() else {
                let reply = chunked(&[etag], &sent);
                return if asked.number == 0 { reply.cut_after(20_000) } else { reply };
            };
            if range.start >= sent.len() {
                return Reply::sized("416 Range Not Satisfiable", &[], "");
            }
            let end = range.end.min(range.start + 30_000).min(sent.len());
            let total = if says_length { sent.len().to_string() } else { "*".to_owned() };
            let place = format!("bytes {}-{}/{total}", range.start, end - 1);
            Reply::sized(
                "206 Partial Content",
                &[etag, ("Content-Range", place.as_str())],
                &sent[range.start..end],
            )
        })
        .await;
        let there = fs_err::read(file.unwrap().path.unwrap()).unwrap();
        assert_eq!(there.len(), data.len(), "{says_length}");
        assert_eq!(there, data, "{says_length}");
    }
}

#[tokio::test]
async fn packed_data_does_not_become_a_file_that_is_not_called_so() {
    let directory = tempfile::tempdir().unwrap();
    let server =
        ChaosServer::start(|asked| Reply::honest(asked, b"\x1f\x8b..", &[("Content-Encoding", "gzip")]))
            .await;
    let failure = downloader().download(job(&server, &directory)).await.unwrap_err();
    assert_eq!(failure.kind(), FailureKind::WrongContent);
    assert_eq!(files(directory.path()), [""; 0]);
    let packed = Download::new(server.url("f.dat"), directory.path().join("f.dat.gz")).unwrap();
    downloader().download(packed).await.unwrap();
    assert_eq!(files(directory.path()), ["f.dat.gz"]);
}

#[tokio::test]
async fn a_stream_without_a_checksum_does_not_fail_over_one_that_comes_too_late() {
    let data = content(100_000);
    let digest = format!("adler32={}", adler32(&data));
    let server = ChaosServer::start(move |asked| {
        let headers = [("ETag", "\"v1\""), ("Digest", digest.as_str())];
        let reply = Reply::honest(asked, &data, &headers[..if asked.number == 0 { 1 } else { 2 }]);
        if asked.number == 0 { reply.cut_after(30_000) } else { reply }
    })
    .await;
    let job = Download::without_target(server.url("f")).unwrap();
    let file = downloader().download_to(job, std::io::sink()).await.unwrap();
    assert_eq!((file.length, file.verification), (100_000, Verification::NotAvailable));
}

#[tokio::test]
async fn a_server_that_is_down_is_passed_over_for_a_mirror() {
    let directory = tempfile::tempdir().unwrap();
    let down = ChaosServer::start(|_| Reply::sized("503 Service Unavailable", &[], "")).await;
    let mirror = ChaosServer::start(|asked| Reply::honest(asked, HELLO, &[])).await;
    let downloader = downloader();
    let with_mirror = |n: usize| {
        let job = Download::new(down.url("f"), directory.path().join(n.to_string())).unwrap();
        job.with_mirror(mirror.url("f")).unwrap()
    };
    for n in 0..5 {
        downloader.download(with_mirror(n)).await.unwrap();
    }
    assert_eq!(down.seen().len(), 5, "a file that a mirror saved counts too");
    downloader.download(with_mirror(5)).await.unwrap();
    assert_eq!((down.seen().len(), mirror.seen().len()), (5, 6));
}

#[tokio::test]
async fn side_streams_follow_the_main_one_to_another_server() {
    let directory = tempfile::tempdir().unwrap();
    let data = content(16 * 1024 * 1024);
    let digest = format!("adler32={}", adler32(&data));
    let (sent, by_first) = (data.clone(), digest.clone());
    let first = ChaosServer::start(move |asked| match asked.number {
        0 => Reply::honest(asked, &sent, &[("Digest", &by_first)]).cut_after(100_000),
        _ => Reply::sized("503 Service Unavailable", &[], ""),
    })
    .await;
    let sent = data.clone();
    let second = ChaosServer::start(move |asked| {
        let mut reply = Reply::honest(asked, &sent, &[("Digest", &digest)]);
        reply.trickle = Some((128 * 1024, Duration::from_millis(20)));
        reply
    })
    .await;
    let mut limits = Limits::default();
    limits.streams = 2;
    let job = job(&first, &directory).with_mirror(second.url("f.dat")).unwrap();
    let file = downloader().with_limits(limits).download(job).await.unwrap();
    assert!(fs_err::read(file.path.unwrap()).unwrap() == data);
    assert!(second.seen().len() >= 2, "the main stream was alone");
}

#[tokio::test]
async fn a_wrong_address_does_not_cost_what_the_right_one_brought() {
    let directory = tempfile::tempdir().unwrap();
    let data = content(100_000);
    let server = ChaosServer::start(move |asked| match asked.path.as_str() {
        "/typo" => Reply::sized("404 Not Found", &[], ""),
        _ if asked.number == 0 => Reply::honest(asked, &data, &[("ETag", "\"v1\"")]).cut_after(60_000),
        _ => Reply::honest(asked, &data, &[("ETag", "\"v1\"")]),
    })
    .await;
    let mut retry = RetryPolicy::default();
    retry.retries = 0;
    downloader().with_retry(retry).download(job(&server, &directory)).await.unwrap_err();
    let typo = Download::new(server.url("typo"), directory.path().join("f.dat")).unwrap();
    downloader().download(typo).await.unwrap_err();
    let file = downloader().download(job(&server, &directory)).await.unwrap();
    assert_eq!(file.outcome, Outcome::Resumed(60_000));
}
