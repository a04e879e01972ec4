//! The content of a file: checksums, web pages, events.

use std::sync::Mutex;

use scitoken_transfer::{
    Checksum, Download, DownloadOutcome, EventKind, FailureKind, Verification, WebPages, events,
};

use scitoken_test_support::chaos_server::{ChaosServer, Reply};

use super::support::{HELLO, adler32, content, downloader, files, get, job};

#[tokio::test]
async fn a_file_arrives_whole_and_verified_and_nothing_else_is_left() {
    let directory = tempfile::tempdir().unwrap();
    let (file, server) =
        get(&directory, |asked| Reply::honest(asked, HELLO, &[("Digest", "adler32=355f0612")])).await;
    let file = file.unwrap();
    assert_eq!(fs_err::read(file.path.unwrap()).unwrap(), HELLO);
    assert_eq!(file.verification, Verification::Verified("adler32:355f0612".parse().unwrap()));
    assert_eq!((file.length, file.outcome), (16, DownloadOutcome::Fetched));
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
async fn an_unrequested_digest_is_ignored() {
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
async fn the_user_s_checksum_has_precedence_over_the_server_s() {
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
    assert!(failure.hint().unwrap().to_string().contains("adler32"));
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
async fn a_question_for_a_digest_is_left_out_only_where_it_was_the_reason() {
    for (status, is_reason) in
        [("405 Method Not Allowed", true), ("409 Conflict", true), ("403 Forbidden", false)]
    {
        let server = ChaosServer::start(move |asked| {
            let refuses = asked.headers.contains_key("want-digest") || (!is_reason && asked.path == "/f.dat");
            if refuses {
                Reply::sized(status, &[], "no checksum for /f.dat")
            } else {
                Reply::honest(asked, HELLO, &[])
            }
        })
        .await;
        let (downloader, directory) = (downloader(), tempfile::tempdir().unwrap());
        let first = downloader.download(job(&server, &directory)).await;
        assert_eq!(first.is_ok(), is_reason, "{status}");
        // A refusal either way does not concern other files of the server.
        let other = Download::new(server.url("g"), directory.path().join("g")).unwrap();
        downloader.download(other).await.unwrap();
        let asked: Vec<_> =
            server.seen().iter().map(|asked| asked.headers.contains_key("want-digest")).collect();
        let expected: &[bool] = if is_reason { &[true, false, false] } else { &[true, false, true, false] };
        assert_eq!(asked, expected, "{status}");
    }
}

#[tokio::test]
async fn a_login_page_is_not_data() {
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
        let welcome = job(&server, &directory).with_web_pages(WebPages::Allowed);
        downloader().download(welcome).await.unwrap();
    }
}

#[tokio::test]
async fn a_web_page_is_found_behind_any_number_of_blanks_and_comments_and_in_any_pieces() {
    let page = "<!doctype html><html><form action=/login>";
    for before in ["\u{feff}".to_owned(), "\n ".repeat(4000), format!("<!-- {} -->", "license ".repeat(500))]
    {
        let body = format!("{before}{page}");
        let sized = Reply::sized("200 OK", &[("Content-Type", "application/octet-stream")], body.as_bytes());
        let in_pieces = Reply::chunked("200 OK", &[], body.as_bytes(), 300);
        for reply in [sized, in_pieces] {
            let directory = tempfile::tempdir().unwrap();
            let (failure, server) = get(&directory, move |_| reply.clone()).await;
            assert_eq!(failure.unwrap_err().kind(), FailureKind::WrongContent, "{before:.20}");
            assert_eq!((server.seen().len(), files(directory.path())), (1, vec![]), "{before:.20}");
        }
    }
}

#[tokio::test]
async fn data_that_begins_with_blanks_or_a_comment_arrives_whole() {
    for body in [
        "\n".repeat(200_000).into_bytes(),
        format!("<!-- {} --><VOTABLE/>", "c".repeat(100_000)).into_bytes(),
        format!("<?xml version=\"1.0\"?>{}<metalink/>", " ".repeat(3_000)).into_bytes(),
        b"<!-- unfinished".to_vec(),
        b" ".to_vec(),
        b"<".to_vec(),
    ] {
        for pieces in [1, 40] {
            let directory = tempfile::tempdir().unwrap();
            let sent = body.clone();
            let (file, server) = get(&directory, move |_| Reply::chunked("200 OK", &[], &sent, pieces)).await;
            assert_eq!(fs_err::read(file.unwrap().path.unwrap()).unwrap(), body);
            assert_eq!(server.seen().len(), 1);
        }
    }
}

#[tokio::test]
async fn an_error_message_with_a_status_of_success_is_not_data() {
    for (content_type, body, said) in [
        ("application/json", r#"{"error":"unauthorized","detail":"no token"}"#, "unauthorized: no token"),
        ("application/xml", "<Error><Code>AccessDenied</Code></Error>", "AccessDenied"),
    ] {
        let directory = tempfile::tempdir().unwrap();
        let headers = [("Content-Type", content_type)];
        let (failure, server) =
            get(&directory, move |asked| Reply::honest(asked, body.as_bytes(), &headers)).await;
        let failure = failure.unwrap_err();
        assert_eq!(failure.kind(), FailureKind::WrongContent, "{body}");
        assert!(failure.to_string().contains(said), "{failure}");
        assert_eq!((server.seen().len(), files(directory.path())), (1, vec![]));
        let named = Download::new(server.url("x"), directory.path().join("x.json")).unwrap();
        let named = if content_type.ends_with("json") {
            named
        } else {
            job(&server, &directory).with_web_pages(WebPages::Allowed)
        };
        let file = downloader().download(named).await.unwrap();
        assert_eq!(fs_err::read(file.path.unwrap()).unwrap(), body.as_bytes());
    }
    // What the server has a digest of is a file.
    let directory = tempfile::tempdir().unwrap();
    let body = br#"{"error":"measured"}"#;
    let digest = format!("adler32={}", adler32(body));
    let (file, _server) = get(&directory, move |asked| {
        Reply::honest(asked, body, &[("Content-Type", "application/json"), ("Digest", &digest)])
    })
    .await;
    assert_eq!(fs_err::read(file.unwrap().path.unwrap()).unwrap(), body);
}

#[tokio::test]
async fn a_web_page_in_place_of_the_rest_of_a_file_is_refused_and_the_first_part_is_kept() {
    let directory = tempfile::tempdir().unwrap();
    let server = ChaosServer::start(|asked| match asked.number {
        0 => Reply::honest(asked, &content(90_000), &[("ETag", "\"v1\"")]).cut_after(40_000),
        1 => {
            let page = [&b"<html>"[..], &vec![b' '; 89_994]].concat();
            Reply::honest(asked, &page, &[("ETag", "\"v1\""), ("Content-Type", "text/html")])
        }
        _ => Reply::honest(asked, &content(90_000), &[("ETag", "\"v1\"")]),
    })
    .await;
    let failure = downloader().download(job(&server, &directory)).await.unwrap_err();
    assert_eq!(failure.kind(), FailureKind::WrongContent);
    let file = downloader().download(job(&server, &directory)).await.unwrap();
    assert_eq!(fs_err::read(file.path.unwrap()).unwrap(), content(90_000));
    let ranges = server.ranges();
    assert_eq!(ranges.len(), 3, "{ranges:?}");
    assert_eq!(ranges[1], Some(40_000..90_000), "{ranges:?}");
    assert_eq!(ranges[2], Some(40_000..90_000), "{ranges:?}");
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
async fn events_report_each_step() {
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
async fn a_coded_body_is_not_stored_under_a_name_without_its_suffix() {
    let directory = tempfile::tempdir().unwrap();
    let server =
        ChaosServer::start(|asked| Reply::honest(asked, b"\x1f\x8b..", &[("Content-Encoding", "gzip")]))
            .await;
    let failure = downloader().download(job(&server, &directory)).await.unwrap_err();
    assert_eq!(failure.kind(), FailureKind::Server);
    assert_eq!(files(directory.path()), [""; 0]);
    let packed = Download::new(server.url("f.dat"), directory.path().join("f.dat.gz")).unwrap();
    downloader().download(packed).await.unwrap();
    assert_eq!(files(directory.path()), ["f.dat.gz"]);
}

#[tokio::test]
async fn a_server_that_refuses_the_question_for_a_digest_is_asked_without_and_remembered() {
    for status in ["403 Forbidden", "400 Bad Request", "501 Not Implemented"] {
        let server = ChaosServer::start(move |asked| {
            if asked.headers.contains_key("want-digest") {
                Reply::sized(status, &[], "checksum type is not supported")
            } else {
                Reply::honest(asked, HELLO, &[])
            }
        })
        .await;
        let downloader = downloader();
        for (name, requests) in [("a", 2), ("b", 3)] {
            let directory = tempfile::tempdir().unwrap();
            let file = Download::new(server.url(name), directory.path().join("f")).unwrap();
            assert_eq!(downloader.download(file).await.unwrap().length, 16, "{status}");
            assert_eq!(server.seen().len(), requests, "{status} {name}");
        }
        let directory = tempfile::tempdir().unwrap();
        let required = Download::new(server.url("c"), directory.path().join("f")).unwrap();
        let failure = downloader.download(required.with_checksum(Checksum::Require)).await.unwrap_err();
        assert_eq!(failure.kind(), FailureKind::Unverified, "{status}");
    }
}

#[tokio::test]
async fn a_refusal_without_a_word_about_checksums_is_a_refusal() {
    let directory = tempfile::tempdir().unwrap();
    let (result, server) = get(&directory, |_| Reply::sized("403 Forbidden", &[], "permission denied")).await;
    assert_eq!((result.unwrap_err().kind(), server.seen().len()), (FailureKind::Refused, 1));
}
