//! Interrupted transfers and what a later run resumes.

use std::time::Duration;

use scitoken_transfer::{
    Checksum, Download, DownloadOutcome, FailureKind, Resume, RetryPolicy, Verification,
};

use scitoken_test_support::chaos_server::{ChaosServer, Reply};

use super::support::{HELLO, adler32, chunked, content, downloader, files, get, interrupted, job};

#[tokio::test]
async fn a_broken_connection_is_resumed_at_the_next_byte() {
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
async fn a_server_that_ignores_ranges_sends_the_file_from_its_start() {
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
async fn another_process_resumes_where_one_was_stopped() {
    let directory = tempfile::tempdir().unwrap();
    let server = interrupted(&directory, "\"v1\"").await;
    assert_eq!(files(directory.path()), ["f.dat.part", "f.dat.part.json"]);
    let file = downloader().download(job(&server, &directory)).await.unwrap();
    assert_eq!(file.outcome, DownloadOutcome::Resumed(40_000));
    assert_eq!(fs_err::read(file.path.unwrap()).unwrap(), content(90_000));
    assert_eq!(server.ranges(), [None, Some(40_000..90_000)]);
}

#[tokio::test]
async fn no_state_is_left_where_nothing_could_prove_the_content() {
    let directory = tempfile::tempdir().unwrap();
    interrupted(&directory, "").await;
    assert_eq!(files(directory.path()), [""; 0]);
}

#[tokio::test]
async fn a_part_of_unknown_origin_is_not_resumed() {
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
    assert_eq!(file.outcome, DownloadOutcome::Fetched);
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
async fn a_cancelled_transfer_writes_its_state() {
    let directory = tempfile::tempdir().unwrap();
    let server = ChaosServer::start(|asked| {
        let mut reply = Reply::honest(asked, &content(500_000), &[("ETag", "\"v1\"")]);
        reply.trickle = Some((100_000, Duration::from_secs(60)));
        reply
    })
    .await;
    let downloader = downloader();
    let cancellation_token = downloader.cancellation_token().clone();
    let job = job(&server, &directory);
    let (result, ()) = tokio::join!(downloader.download(job), async {
        let part = directory.path().join("f.dat.part");
        while fs_err::metadata(&part).map_or(0, |metadata| metadata.len()) == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        cancellation_token.cancel();
    });
    let failure = result.unwrap_err();
    assert_eq!((failure.kind(), failure.is_worth_retrying()), (FailureKind::Interrupted, true));
    assert_eq!(files(directory.path()), ["f.dat.part", "f.dat.part.json"]);
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
            assert_eq!(file.outcome, DownloadOutcome::Resumed(300_000));
        } else {
            assert_eq!(result.unwrap_err().kind(), FailureKind::Unverified);
            assert!(!directory.path().join("f.dat").exists());
        }
    }
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
async fn a_wrong_url_does_not_destroy_what_the_right_one_fetched() {
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
    assert_eq!(file.outcome, DownloadOutcome::Resumed(60_000));
}
