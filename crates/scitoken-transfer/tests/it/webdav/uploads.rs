//! Uploads whose answers are lost, late or odd.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use scitoken_test_support::Script;
use scitoken_test_support::chaos_server::{ChaosServer, Reply};
use scitoken_transfer::{Downloader, FailureKind, Overwrite, RetryPolicy, Upload, Verification};

use super::support::downloader;

fn file(length: usize) -> (tempfile::TempDir, std::path::PathBuf, String) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("f");
    fs_err::write(&path, vec![7; length]).unwrap();
    let sum = format!("adler32={:08x}", simd_adler32::adler32(&vec![7_u8; length].as_slice()));
    (directory, path, sum)
}

#[tokio::test]
async fn a_server_that_does_not_know_expect_gets_the_file_without() {
    for length in [2 << 20, 1 << 20] {
        let (_directory, path, sum) = file(length);
        let server = ChaosServer::start(move |asked| match asked.method.as_str() {
            "PUT" if asked.headers.contains_key("expect") => {
                Reply::sized("417 Expectation Failed", &[("Connection", "close")], "")
            }
            "PUT" => Reply::sized("201 Created", &[], ""),
            _ => Reply::new("200 OK", &[("Digest", &sum), ("Content-Length", &length.to_string())], ""),
        })
        .await;
        let upload = Upload::new(&path, server.url("f")).unwrap();
        let uploaded = downloader().upload(&upload).await.unwrap();
        assert!(matches!(uploaded.verification, Verification::Verified(_)));
        let puts: Vec<_> = server.seen().into_iter().filter(|asked| asked.method == "PUT").collect();
        assert_eq!(puts.len(), 2);
        assert_eq!(puts[1].body.len(), length);
    }
}

#[tokio::test]
async fn a_refused_repeat_succeeds_only_if_the_lost_attempt_stored_the_file() {
    for (stored, is_done) in [("right", true), ("length", true), ("other", false), ("refused", false)] {
        let (_directory, path, sum) = file(16);
        let puts = Mutex::new(0);
        let server = ChaosServer::start(move |asked| match asked.method.as_str() {
            "PUT" => {
                let mut puts = puts.lock().unwrap();
                *puts += 1;
                if *puts == 1 { Reply::default() } else { Reply::sized("412 Precondition Failed", &[], "") }
            }
            _ if asked.number == 0 => Reply::sized("404 Not Found", &[], ""),
            _ => match stored {
                "right" => Reply::new("200 OK", &[("Digest", &sum), ("Content-Length", "16")], ""),
                "length" => Reply::new("200 OK", &[("Content-Length", "16")], ""),
                "other" => Reply::new("200 OK", &[("Content-Length", "17")], ""),
                _ => Reply::sized("403 Forbidden", &[], ""),
            },
        })
        .await;
        let upload = Upload::new(&path, server.url("f")).unwrap().with_overwrite(Overwrite::Refuse);
        let result = downloader().upload(&upload).await;
        assert_eq!(result.is_ok(), is_done, "{stored}: {result:?}");
        if let Err(failure) = result {
            assert!(failure.to_string().contains("already exists"), "{failure}");
        }
        assert_eq!(server.seen().iter().filter(|asked| asked.method == "PUT").count(), 2);
    }
}

/// Uploads 16 bytes to a server that stores the first `PUT` without an answer, or with that status, and answers the second so.
async fn repeated(
    first: &'static str,
    second: &'static str,
    shown: &'static str,
    overwrite: Overwrite,
) -> bool {
    let (_directory, path, sum) = file(16);
    let puts = Mutex::new(0);
    let server = ChaosServer::start(move |asked| match asked.method.as_str() {
        "PUT" => {
            let mut puts = puts.lock().unwrap();
            *puts += 1;
            match *puts {
                1 if first.is_empty() => Reply::default(),
                1 => Reply::sized(first, &[], ""),
                _ => Reply::sized(second, &[], ""),
            }
        }
        _ if asked.number == 0 && overwrite == Overwrite::Refuse => Reply::sized("404 Not Found", &[], ""),
        _ if shown == "right" => Reply::new("200 OK", &[("Digest", &sum), ("Content-Length", "16")], ""),
        _ => Reply::new("200 OK", &[("Content-Length", "16")], ""),
    })
    .await;
    let upload = Upload::new(&path, server.url("f")).unwrap().with_overwrite(overwrite);
    downloader().upload(&upload).await.is_ok()
}

#[tokio::test]
async fn a_refusal_after_a_lost_answer_is_compared_with_what_is_stored() {
    for first in ["", "504 Gateway Timeout", "500 Oops"] {
        for second in ["403 Forbidden", "405 No", "409 Conflict", "412 Precondition Failed", "423 Locked"] {
            let done = repeated(first, second, "right", Overwrite::Refuse).await;
            assert!(done, "{first} then {second}");
        }
        // A length proves the file only where the answer says that the name is taken.
        assert!(!repeated(first, "403 Forbidden", "length", Overwrite::Refuse).await, "{first}");
        assert!(repeated(first, "412 Precondition Failed", "length", Overwrite::Refuse).await, "{first}");
    }
    assert!(repeated("", "403 Forbidden", "right", Overwrite::Allow).await, "it may create, not replace");
    assert!(!repeated("", "404 Not Found", "right", Overwrite::Allow).await);
}

#[tokio::test]
async fn what_the_server_shows_of_the_file_is_compared_in_any_algorithm() {
    let md5 = |byte: u8| {
        use base64::Engine as _;
        use md5::Digest as _;
        base64::engine::general_purpose::STANDARD.encode(md5::Md5::digest([byte; 16]))
    };
    for (header, value, expected) in [
        ("Digest", format!("md5={}", md5(7)), Ok(true)),
        ("Digest", format!("md5={}", md5(8)), Err(FailureKind::Mismatch)),
        ("Content-MD5", "ignored".to_owned(), Ok(false)),
    ] {
        let (_directory, path, _) = file(16);
        let server = ChaosServer::start(move |asked| match asked.method.as_str() {
            "PUT" => Reply::sized("201 Created", &[], ""),
            _ => Reply::new("200 OK", &[(header, value.as_str()), ("Content-Length", "16")], ""),
        })
        .await;
        let result = downloader().upload(&Upload::new(&path, server.url("f")).unwrap()).await;
        let verified = result.map(|uploaded| matches!(uploaded.verification, Verification::Verified(_)));
        assert_eq!(verified.map_err(|failure| failure.kind()), expected, "{header}");
    }
}

#[tokio::test]
async fn a_file_that_the_server_does_not_show_is_not_called_right() {
    let coded = vec![("Content-Encoding", "gzip"), ("Content-Length", "30")];
    for (status, headers) in
        [("403 Forbidden", vec![]), ("405 No", vec![]), ("200 OK", vec![]), ("200 OK", coded)]
    {
        let (_directory, path, _) = file(16);
        let server = ChaosServer::start(move |asked| match asked.method.as_str() {
            "PUT" => Reply::sized("201 Created", &[], ""),
            _ => Reply::new(status, &headers, ""),
        })
        .await;
        let uploaded = downloader().upload(&Upload::new(&path, server.url("f")).unwrap()).await.unwrap();
        assert_eq!(uploaded.verification, Verification::NotShown, "{status}");
    }
}

#[tokio::test]
async fn a_file_that_appears_a_moment_later_is_looked_for_again() {
    let (_directory, path, sum) = file(16);
    let looks = Mutex::new(0);
    let server = ChaosServer::start(move |asked| {
        if asked.method == "PUT" {
            return Reply::sized("201 Created", &[], "");
        }
        let mut looks = looks.lock().unwrap();
        *looks += 1;
        match *looks {
            1 => Reply::sized("404 Not Found", &[], ""),
            _ => Reply::new("200 OK", &[("Digest", &sum), ("Content-Length", "16")], ""),
        }
    })
    .await;
    let uploaded = downloader().upload(&Upload::new(&path, server.url("f")).unwrap()).await.unwrap();
    assert!(matches!(uploaded.verification, Verification::Verified(_)));
}

#[tokio::test]
async fn an_equal_digest_wins_over_a_length_and_a_late_description_is_asked_for_again() {
    for (first, second, is_done) in [("digest", "digest", true), ("0", "16", true), ("0", "0", false)] {
        let (_directory, path, sum) = file(16);
        let heads = Mutex::new(0);
        let server = ChaosServer::start(move |asked| {
            if asked.method == "PUT" {
                return Reply::sized("201 Created", &[], "");
            }
            let mut heads = heads.lock().unwrap();
            *heads += 1;
            match if *heads == 1 { first } else { second } {
                "digest" => Reply::new("200 OK", &[("Digest", &sum), ("Content-Length", "0")], ""),
                length => Reply::new("200 OK", &[("Content-Length", length)], ""),
            }
        })
        .await;
        let result = downloader().upload(&Upload::new(&path, server.url("f")).unwrap()).await;
        assert_eq!(result.is_ok(), is_done, "{first} {second}: {result:?}");
        if let Err(failure) = result {
            assert_eq!(failure.kind(), FailureKind::Mismatch);
        }
        assert_eq!(server.seen().iter().filter(|asked| asked.method == "PUT").count(), 1);
    }
}

#[cfg(unix)]
#[tokio::test]
async fn a_fifo_is_refused_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let fifo = directory.path().join("ff");
    rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, rustix::fs::Mode::RWXU, 0)
        .unwrap();
    let upload = Upload::new(&fifo, "http://127.0.0.1:9/f".parse().unwrap()).unwrap();
    assert_eq!(downloader().upload(&upload).await.unwrap_err().kind(), FailureKind::Local);
}

/// A server that resets the connection once it has the body of a `PUT`, `resets` times, and is honest afterwards. Returns its
/// URL, and the count of its `PUT`s.
fn resetting(resets: usize) -> (url::Url, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/f", listener.local_addr().unwrap()).parse().unwrap();
    let puts = Arc::<AtomicUsize>::default();
    let counted = Arc::clone(&puts);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            // An error is a client that went away.
            let _ = answer(stream, resets, &counted);
        }
    });
    (url, puts)
}

fn answer(stream: std::io::Result<TcpStream>, resets: usize, puts: &AtomicUsize) -> std::io::Result<()> {
    let mut stream = stream?;
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    if !head.starts_with(b"PUT") {
        let found = b"HTTP/1.1 200 OK\r\nContent-Length: 16\r\nConnection: close\r\n\r\n";
        return stream.write_all(found);
    }
    stream.read_exact(&mut [0; 15])?;
    // The last byte has arrived, and is not read: closing resets the connection.
    stream.peek(&mut [0])?;
    if puts.fetch_add(1, Ordering::Relaxed) < resets {
        return Ok(());
    }
    stream.read_exact(&mut [0])?;
    stream.write_all(b"HTTP/1.1 201 Created\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
}

#[tokio::test]
async fn an_upload_that_was_taken_whole_before_a_reset_is_sent_once_more() {
    for (resets, expected, count) in [(1, None, 2), (9, Some(FailureKind::Refused), 2)] {
        let (_directory, path, _) = file(16);
        let (url, puts) = resetting(resets);
        let session = scitoken_test_support::clients::session(Script::new(&["-"])).build().unwrap();
        let mut retry = RetryPolicy::default();
        (retry.retries, retry.first_delay) = (5, Duration::from_millis(1));
        let downloader = Downloader::new(session.client().clone()).with_retry(retry);
        let uploaded = downloader.upload(&Upload::new(&path, url).unwrap()).await;
        assert_eq!(uploaded.err().map(|failure| failure.kind()), expected, "{resets}");
        assert_eq!(puts.load(Ordering::Relaxed), count, "{resets}");
    }
}
