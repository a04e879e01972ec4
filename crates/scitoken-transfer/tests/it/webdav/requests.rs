//! What is asked and done without fetching data: listings, descriptions, uploads.

use std::time::Duration;

use reqwest_middleware::ClientWithMiddleware;
use scitoken_transfer::{Checksum, Downloader, FailureKind, RetryPolicy, TransferLimits, Upload};

use scitoken_test_support::chaos_server::{ChaosServer, Reply};

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

/// A listing whose entries come one byte at a time.
fn trickle() -> Reply {
    Reply {
        trickle: Some((1, Duration::from_millis(50))),
        ..Reply::sized("207 Multi-Status", &[], vec![b' '; 1_000])
    }
}

#[tokio::test]
async fn a_time_limit_holds_for_everything_that_is_asked_and_for_uploads() {
    let server = ChaosServer::start(|asked| match asked.method.as_str() {
        "PROPFIND" => trickle(),
        _ => Reply { delay: Duration::from_secs(20), ..Reply::sized("200 OK", &[], "") },
    })
    .await;
    let mut limits = TransferLimits::default();
    limits.max_time = Some(Duration::from_millis(300));
    let downloader = downloader().with_limits(limits);
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("f");
    fs_err::write(&file, "data").unwrap();
    let url = server.url("d/");
    let upload = Upload::new(&file, server.url("d/f")).unwrap();
    let begun = tokio::time::Instant::now();
    for failure in [
        downloader.list(&url).await.unwrap_err(),
        downloader.stat(&url).await.unwrap_err(),
        downloader.probe(&url, &Checksum::None).await.unwrap_err(),
        downloader.make_directory(&url).await.unwrap_err(),
        downloader.remove_recursively(&url).await.unwrap_err(),
        downloader.upload(&upload).await.unwrap_err(),
    ] {
        assert_eq!(failure.kind(), FailureKind::Timeout, "{failure}");
        assert!(failure.to_string().contains("longer than"), "{failure}");
    }
    assert!(begun.elapsed() < Duration::from_secs(10));
}

#[tokio::test]
async fn a_listing_that_trickles_is_a_stall() {
    let server = ChaosServer::start(|_| trickle()).await;
    let mut limits = TransferLimits::default();
    limits.stall = Duration::from_secs(1);
    let mut retry = RetryPolicy::default();
    retry.retries = 0;
    let downloader = downloader().with_limits(limits).with_retry(retry);
    let failure = downloader.list(&server.url("d/")).await.unwrap_err();
    assert_eq!(failure.kind(), FailureKind::Timeout);
    assert!(failure.to_string().contains("bytes in"), "{failure}");
}

#[tokio::test]
async fn a_server_that_fails_twice_over_a_digest_is_asked_without() {
    let server = ChaosServer::start(|asked| match asked.headers.get("want-digest") {
        Some(_) => Reply::sized("500 Internal Server Error", &[], ""),
        None => Reply::new("200 OK", &[("Content-Length", "7")], ""),
    })
    .await;
    let probe = downloader().probe(&server.url("f"), &Checksum::Auto).await.unwrap();
    assert_eq!((probe.length, probe.digests.len()), (Some(7), 0));
    assert_eq!(server.seen().len(), 3, "the question, once more, and without it");
}

#[tokio::test]
async fn a_file_that_may_not_be_asked_about_is_fetched_and_mirrors_are_asked_too() {
    use scitoken_transfer::{Download, DownloadOutcome, IfExists};
    let server = ChaosServer::start(|asked| match (asked.method.as_str(), asked.path.as_str()) {
        ("HEAD", "/refuses") => Reply::sized("403 Forbidden", &[], ""),
        (_, "/gone") => Reply::sized("404 Not Found", &[], ""),
        ("HEAD", _) => Reply::new("200 OK", &[("Content-Length", "4")], ""),
        _ => Reply::sized("200 OK", &[], "data"),
    })
    .await;
    let directory = tempfile::tempdir().unwrap();
    let target = directory.path().join("f");
    fs_err::write(&target, "old!").unwrap();
    let download = |path| {
        let download = Download::new(server.url(path), &target).unwrap();
        download.with_if_exists(IfExists::SkipSameSize)
    };
    let mirrored = download("gone").with_mirror(server.url("f")).unwrap();
    let file = downloader().download(mirrored).await.unwrap();
    assert_eq!(file.outcome, DownloadOutcome::Skipped);
    downloader().download(download("refuses")).await.unwrap();
    assert_eq!(fs_err::read(&target).unwrap(), b"data");
}

#[tokio::test]
async fn a_listing_is_understood_in_any_spelling_and_one_of_something_else_is_an_error() {
    let server = ChaosServer::start(|asked| {
        let (root, file) = match asked.path.as_str() {
            "/%7Eme/d/" => ("/~me/d/", "/~me/d/a%20b"),
            _ => ("/elsewhere/", "/elsewhere/f"),
        };
        let one = |href: &str, kind: &str| {
            format!("<response><href>{href}</href><propstat><prop><resourcetype>{kind}</resourcetype></prop></propstat></response>")
        };
        let body = format!(
            r#"<multistatus xmlns="DAV:">{}{}</multistatus>"#,
            one(root, "<collection/>"),
            one(file, "")
        );
        Reply::sized("207 Multi-Status", &[], body)
    })
    .await;
    let entries = downloader().list(&server.url("%7Eme/d/")).await.unwrap();
    assert_eq!(entries.iter().map(|entry| entry.url.path()).collect::<Vec<_>>(), ["/%7Eme/d/a%20b"]);
    let failure = downloader().list(&server.url("d/")).await.unwrap_err();
    assert!(failure.to_string().contains("not below it"), "{failure}");
}

#[test]
fn a_panic_of_the_caller_s_is_passed_on_and_hangs_nothing() {
    use scitoken_transfer::{Download, TransferError};
    use std::num::NonZeroUsize;
    let directory = tempfile::tempdir().unwrap();
    let target = directory.path().join("f");
    let (sender, ended) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let url: url::Url = "http://127.0.0.1:9/f".parse().unwrap();
        let endless = std::iter::repeat_with(|| Download::new(url.clone(), &target).unwrap()).take(1_000);
        let mut retry = RetryPolicy::default();
        retry.retries = 0;
        let downloader = downloader().with_retry(retry);
        let make_client = || Ok::<_, TransferError>(client());
        let run = std::panic::AssertUnwindSafe(|| {
            downloader.download_all(endless, NonZeroUsize::MIN, make_client, |_, _| panic!("the caller's"))
        });
        sender.send(std::panic::catch_unwind(run).is_err()).unwrap();
    });
    assert!(ended.recv_timeout(Duration::from_secs(30)).unwrap());
}
