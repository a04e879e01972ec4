//! Servers that contradict themselves about lengths and validators.

use scitoken_test_support::chaos_server::{ChaosServer, Reply};
use scitoken_transfer::{FailureKind, RetryPolicy};

use super::support::{adler32, chunked, content, downloader, files, get, job};

#[tokio::test]
async fn chunks_override_a_content_length() {
    for length in ["3", "0", "500"] {
        for is_first in [true, false] {
            let directory = tempfile::tempdir().unwrap();
            let (result, server) = get(&directory, move |_| {
                let lines = [("Content-Length", length), ("Transfer-Encoding", "chunked")];
                let (one, other) = if is_first { (lines[0], lines[1]) } else { (lines[1], lines[0]) };
                Reply::new("200 OK", &[one, other], "b\r\nhello world\r\n0\r\n\r\n")
            })
            .await;
            assert_eq!(result.unwrap().length, 11, "{length}");
            assert_eq!(fs_err::read(directory.path().join("f.dat")).unwrap(), b"hello world");
            assert_eq!(server.seen().len(), 1);
        }
    }
}

#[tokio::test]
async fn a_resumed_body_in_chunks_is_read_to_its_end() {
    let data = content(90_000);
    let sum = format!("adler32={}", adler32(&data));
    let directory = tempfile::tempdir().unwrap();
    let sent = data.clone();
    let (result, server) = get(&directory, move |asked| {
        let validators = [("ETag", "\"v\""), ("Digest", sum.as_str())];
        if asked.number == 0 {
            return Reply::honest(asked, &sent, &validators).cut_after(40_000);
        }
        let mut headers = vec![("Content-Length", "7")];
        headers.extend(validators);
        chunked(&headers, &sent)
    })
    .await;
    assert_eq!(result.unwrap().length, 90_000);
    assert_eq!(fs_err::read(directory.path().join("f.dat")).unwrap(), data);
    assert_eq!(server.seen().len(), 2);
}

#[tokio::test]
async fn another_length_under_the_same_etag_is_an_error_and_leaves_nothing() {
    let second: [fn() -> Reply; 5] = [
        || Reply::sized("200 OK", &[("ETag", "\"x\"")], content(40_000)),
        || Reply::sized("200 OK", &[("ETag", "\"x\"")], content(70_000)),
        || {
            let range = [("ETag", "\"x\""), ("Content-Range", "bytes 60000-89999/90000")];
            Reply::sized("206 Partial Content", &range, content(30_000))
        },
        || chunked(&[("ETag", "\"x\"")], &content(120_000)),
        || Reply::sized("200 OK", &[("ETag", "\"x\""), ("Digest", "adler32=1")], content(100_000)),
    ];
    for (number, second) in second.into_iter().enumerate() {
        let directory = tempfile::tempdir().unwrap();
        let (result, server) = get(&directory, move |asked| {
            let first = [("ETag", "\"x\""), ("Digest", "adler32=2")];
            let reply = Reply::sized("200 OK", &first[..if number == 4 { 2 } else { 1 }], content(100_000));
            match asked.range() {
                _ if asked.number == 0 => reply.cut_after(60_000),
                None => Reply::sized("200 OK", &[("ETag", "\"x\"")], content(90_000)),
                Some(_) => second(),
            }
        })
        .await;
        assert_eq!(result.unwrap_err().kind(), FailureKind::Mismatch, "{number}");
        assert_eq!(files(directory.path()), [""; 0], "{number}");
        assert_eq!(server.seen().len(), if number == 2 { 3 } else { 2 }, "{number}");
    }
}

#[tokio::test]
async fn a_body_of_unannounced_length_must_have_the_length_of_its_validator() {
    let etag = vec![("ETag", "\"x\"")];
    let modified =
        vec![("Last-Modified", "Sun, 06 Nov 1994 08:49:37 GMT"), ("Date", "Mon, 07 Nov 1994 08:49:37 GMT")];
    for validator in [etag, modified] {
        for is_chunked in [true, false] {
            let directory = tempfile::tempdir().unwrap();
            let validator = validator.clone();
            let (result, server) = get(&directory, move |asked| match asked.number {
                0 => Reply::sized("200 OK", &validator, content(100_000)).cut_after(60_000),
                _ if is_chunked => chunked(&validator, &content(40_000)),
                _ => Reply::sized("200 OK", &validator, content(40_000)),
            })
            .await;
            let kind = if is_chunked { FailureKind::Incomplete } else { FailureKind::Mismatch };
            assert_eq!(result.unwrap_err().kind(), kind, "{is_chunked}");
            assert!(!directory.path().join("f.dat").exists());
            assert!(server.seen().len() >= 2);
        }
    }
}

#[tokio::test]
async fn another_length_under_another_etag_is_another_file() {
    let directory = tempfile::tempdir().unwrap();
    let (result, _server) = get(&directory, |asked| match asked.number {
        0 => Reply::sized("200 OK", &[("ETag", "\"x\"")], content(100_000)).cut_after(60_000),
        _ => Reply::honest(asked, &content(40_000), &[("ETag", "\"y\"")]),
    })
    .await;
    assert_eq!(result.unwrap().length, 40_000);
}

#[tokio::test]
async fn a_later_run_does_not_combine_two_lengths_of_one_etag() {
    let server = ChaosServer::start(|asked| match asked.number {
        0 => Reply::sized("200 OK", &[("ETag", "\"v\"")], content(90_000)).cut_after(40_000),
        _ => Reply::sized("200 OK", &[("ETag", "\"v\"")], content(50_000)),
    })
    .await;
    let directory = tempfile::tempdir().unwrap();
    let mut once = RetryPolicy::default();
    once.retries = 0;
    downloader().with_retry(once).download(job(&server, &directory)).await.unwrap_err();
    assert_eq!(files(directory.path()), ["f.dat.part", "f.dat.part.json"]);
    let failure = downloader().download(job(&server, &directory)).await.unwrap_err();
    assert_eq!((failure.kind(), files(directory.path())), (FailureKind::Mismatch, vec![]));
    // Nothing contradicts the second answer any more.
    assert_eq!(downloader().download(job(&server, &directory)).await.unwrap().length, 50_000);
    assert_eq!(server.seen().len(), 3);
}

#[tokio::test]
async fn a_part_longer_than_its_range_is_an_error() {
    let directory = tempfile::tempdir().unwrap();
    let (result, _server) = get(&directory, |asked| {
        if asked.number == 0 {
            Reply::sized("200 OK", &[("ETag", "\"x\"")], content(100_000)).cut_after(60_000)
        } else {
            let mut reply = chunked(
                &[("ETag", "\"x\""), ("Content-Range", "bytes 60000-69999/100000")],
                &content(40_000),
            );
            reply.head = reply.head.replace("200 OK", "206 Partial Content");
            reply
        }
    })
    .await;
    assert_eq!(result.unwrap_err().kind(), FailureKind::Mismatch);
}
