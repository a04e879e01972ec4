//! Trailers, in which XRootD reports that reading a file failed midway.

use std::time::Duration;

use scitoken_transfer::{Download, Downloader, FailureKind, RetryPolicy};

use scitoken_test_support::chaos_server::{ChaosServer, Reply};

const HELLO: &[u8] = b"hello scitokens\n";

fn downloader() -> Downloader {
    let client = reqwest::Client::builder().no_proxy().http1_title_case_headers().build().expect("a client");
    let mut retry = RetryPolicy::default();
    retry.retries = 2;
    retry.first_delay = Duration::from_millis(1);
    Downloader::new(reqwest_middleware::ClientBuilder::new(client).build()).with_retry(retry)
}

/// Data in chunks, with a trailer.
fn with_trailer(status: &str, headers: &[(&str, &str)], data: &[u8], trailer: &str) -> Reply {
    let mut all = vec![("Transfer-Encoding", "chunked"), ("Trailer", "X-Transfer-Status")];
    all.extend_from_slice(headers);
    let mut body = format!("{:x}\r\n", data.len()).into_bytes();
    body.extend_from_slice(data);
    body.extend_from_slice(format!("\r\n0\r\nX-Transfer-Status: {trailer}\r\n\r\n").as_bytes());
    Reply::new(status, &all, body)
}

#[tokio::test]
async fn a_failure_behind_the_data_is_no_file_and_is_tried_again_from_the_start() {
    let server = ChaosServer::start(|asked| match asked.number {
        0 => with_trailer("200 OK", &[("ETag", "\"v\"")], &HELLO[..5], "500: cannot read on"),
        _ => with_trailer("200 OK", &[("ETag", "\"v\"")], HELLO, "200: OK"),
    })
    .await;
    let directory = tempfile::tempdir().unwrap();
    let target = directory.path().join("f");
    let file = downloader().download(Download::new(server.url("f"), &target).unwrap()).await.unwrap();
    assert_eq!((file.length, server.ranges()), (16, vec![None, None]));
    assert_eq!(fs_err::read(target).unwrap(), HELLO);
}

#[tokio::test]
async fn a_server_that_always_fails_behind_the_data_leaves_nothing() {
    let server = ChaosServer::start(|_| with_trailer("200 OK", &[], HELLO, "500: cannot read on")).await;
    let directory = tempfile::tempdir().unwrap();
    let job = Download::new(server.url("f"), directory.path().join("f")).unwrap();
    let failure = downloader().download(job).await.unwrap_err();
    assert_eq!(failure.kind(), FailureKind::Incomplete);
    assert!(failure.to_string().contains("500: cannot read on"), "{failure}");
    assert_eq!(server.seen().len(), 3);
    assert_eq!(fs_err::read_dir(directory.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn a_failure_behind_a_part_of_known_length_counts_as_well() {
    let data: Vec<u8> = (0..100_000_u32).map(|n| n.to_le_bytes()[0]).collect();
    let sent = data.clone();
    let server = ChaosServer::start(move |asked| {
        let Some(range) = asked.range() else {
            let reply = Reply::sized("200 OK", &[("ETag", "\"v\"")], sent.clone());
            return if asked.number == 0 { reply.cut_after(50_000) } else { reply };
        };
        let place = format!("bytes {}-{}/{}", range.start, range.end - 1, sent.len());
        let headers = [("ETag", "\"v\""), ("Content-Range", place.as_str())];
        with_trailer("206 Partial Content", &headers, &sent[range], "500: cannot read on")
    })
    .await;
    let directory = tempfile::tempdir().unwrap();
    let target = directory.path().join("f");
    downloader().download(Download::new(server.url("f"), &target).unwrap()).await.unwrap();
    let ranges = server.ranges();
    assert!(ranges[1].is_some() && ranges[2].is_none(), "the part was not believed: {ranges:?}");
    assert_eq!(fs_err::read(target).unwrap(), data);
}

#[tokio::test]
async fn trailers_are_not_requested_because_that_costs_the_length() {
    let server = ChaosServer::start(|asked| Reply::honest(asked, HELLO, &[])).await;
    let directory = tempfile::tempdir().unwrap();
    downloader().download(Download::new(server.url("f"), directory.path().join("f")).unwrap()).await.unwrap();
    let headers = &server.seen()[0].headers;
    assert!(!headers.contains_key("te") && !headers.contains_key("x-transfer-status"));
}

#[tokio::test]
async fn a_404_that_is_about_xrootd_s_servers_is_tried_again_and_one_about_the_file_is_not() {
    for (text, tries) in [
        ("Could not run close request.\n", 3),
        ("Could not run request.", 3),
        ("Could not run read request.", 3),
        ("No servers are available to write the file.", 3),
        ("No servers are available to read the file.", 1),
        ("Unable to open /vo/f; no such file or directory", 1),
    ] {
        let server = ChaosServer::start(move |_| Reply::sized("404 Not Found", &[], text)).await;
        let directory = tempfile::tempdir().unwrap();
        let job = Download::new(server.url("f"), directory.path().join("f")).unwrap();
        let failure = downloader().download(job).await.unwrap_err();
        assert_eq!((failure.kind(), server.seen().len()), (FailureKind::NotFound, tries), "{text}");
    }
    let server =
        ChaosServer::start(|_| Reply::sized("403 Forbidden", &[], "Could not run close request.")).await;
    let directory = tempfile::tempdir().unwrap();
    let job = Download::new(server.url("f"), directory.path().join("f")).unwrap();
    downloader().download(job).await.unwrap_err();
    assert_eq!(server.seen().len(), 1, "a refusal is no matter of time");
}
