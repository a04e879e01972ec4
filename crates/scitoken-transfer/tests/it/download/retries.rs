//! Failures, retries and time limits.

use std::time::Duration;

use scitoken_transfer::{Download, DownloadOutcome, Downloader, FailureKind, RetryPolicy, TransferLimits};

use scitoken_test_support::chaos_server::{ChaosServer, Reply};

use super::support::{HELLO, client, content, downloader, files, get, job};

#[tokio::test]
async fn refusals_are_not_repeated_and_say_what_the_server_said() {
    for (status, kind) in [
        ("401 Unauthorized", FailureKind::Refused),
        ("403 Forbidden", FailureKind::Refused),
        ("404 Not Found", FailureKind::NotFound),
        ("405 Method Not Allowed", FailureKind::Rejected),
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
async fn a_refusal_of_the_question_for_a_digest_is_asked_once_more_without() {
    for (status, text) in [
        ("400 Bad Request", "bad header"),
        ("406 Not Acceptable", ""),
        ("431 Request Header Fields Too Large", "<html>"),
        ("403 Forbidden", "no md5 hash for you"),
        ("501 Not Implemented", "no digest"),
    ] {
        let directory = tempfile::tempdir().unwrap();
        let (file, server) = get(&directory, move |asked| {
            if asked.headers.contains_key("want-digest") {
                Reply::sized(status, &[], text)
            } else {
                Reply::honest(asked, HELLO, &[])
            }
        })
        .await;
        assert_eq!(file.unwrap().length, 16, "{status}");
        assert_eq!(server.seen().len(), 2, "{status}");
    }
}

#[tokio::test]
async fn a_response_that_is_not_http_is_the_server_s_failure() {
    for head in
        ["SSH-2.0-OpenSSH_9", "HTTP/1.1 2x0 OK", "HTTP/1.1 200 OK\r\nContent-Length: 0x10", "HTTP/7 200 OK"]
    {
        let directory = tempfile::tempdir().unwrap();
        let (failure, _server) = get(&directory, move |_| {
            let mut reply = Reply::new("200 OK", &[], "");
            reply.head = format!("{head}\r\n");
            reply
        })
        .await;
        let failure = failure.unwrap_err();
        assert_eq!(failure.kind(), FailureKind::Server, "{head}: {failure}");
        assert!(failure.to_string().contains("not valid HTTP"), "{failure}");
    }
}

#[tokio::test]
async fn a_file_that_is_locked_for_a_time_is_waited_for() {
    for status in ["423 Locked", "409 Conflict", "413 Content Too Large", "202 Accepted"] {
        let directory = tempfile::tempdir().unwrap();
        let (file, server) = get(&directory, move |asked| match asked.number {
            0 => Reply::sized(status, &[("Retry-After", "0")], ""),
            _ => Reply::honest(asked, HELLO, &[]),
        })
        .await;
        assert_eq!((file.unwrap().length, server.seen().len()), (16, 2), "{status}");
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
    let mut limits = TransferLimits::default();
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
    let mut limits = TransferLimits::default();
    limits.max_time = Some(Duration::from_secs(3));
    let failure = downloader().with_limits(limits).download(job(&server, &directory)).await.unwrap_err();
    assert_eq!(failure.kind(), FailureKind::Timeout);
    assert_eq!(files(directory.path()), ["f.dat.part", "f.dat.part.json"]);
    let file = downloader().download(job(&server, &directory)).await.unwrap();
    assert!(
        matches!(file.outcome, DownloadOutcome::Resumed(bytes) if bytes >= 100_000),
        "{:?}",
        file.outcome
    );
    assert_eq!(fs_err::read(file.path.unwrap()).unwrap(), data);
    assert_eq!(files(directory.path()), ["f.dat"]);
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
