//! Many files, directories, uploads.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::num::NonZeroUsize;
use std::sync::Mutex;
use std::time::Duration;

use reqwest_middleware::ClientWithMiddleware;
use scitoken_transfer::{
    Checksum, Download, Downloader, EntryKind, FailureKind, FileNumber, Overwrite, RetryPolicy,
    TransferError, Upload, Verification,
};
use tokio::runtime::Runtime;

use scitoken_test_support::chaos_server::{Asked, ChaosServer, Reply};

const HELLO: &[u8] = b"hello scitokens\n";

fn client() -> ClientWithMiddleware {
    let client = reqwest::Client::builder().no_proxy().http1_title_case_headers().build().expect("a client");
    reqwest_middleware::ClientBuilder::new(client).build()
}

fn downloader() -> Downloader {
    let mut retry = RetryPolicy::default();
    retry.first_delay = Duration::from_millis(1);
    Downloader::new(client()).with_retry(retry)
}

/// A server on a runtime of its own, for code that blocks.
fn served(answer: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> (Runtime, ChaosServer) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let runtime = runtime.expect("a runtime");
    let server = runtime.block_on(ChaosServer::start(answer));
    (runtime, server)
}

fn parallel(n: usize) -> NonZeroUsize {
    NonZeroUsize::new(n).expect("more than none")
}

#[test]
fn of_many_files_each_is_told_about_and_one_that_fails_fails_alone() {
    let (_runtime, server) = served(|asked| {
        if asked.path == "/f77" {
            return Reply::sized("404 Not Found", &[], "");
        }
        Reply::honest(asked, asked.path.as_bytes(), &[])
    });
    let directory = tempfile::tempdir().unwrap();
    let downloads = (0..500_u64).map(|n| {
        let target = directory.path().join(format!("f{n}"));
        Download::new(server.url(&format!("f{n}")), target).unwrap().with_number(FileNumber(n))
    });
    let ended = Mutex::new(BTreeMap::new());
    let result: Result<(), TransferError> = downloader().download_all(
        downloads,
        parallel(8),
        || Ok(client()),
        |job, result| {
            ended
                .lock()
                .unwrap()
                .insert(job.number().0, result.map_err(|error| error.kind()).map(|file| file.length));
        },
    );
    result.unwrap();
    let ended = ended.into_inner().unwrap();
    assert_eq!(ended.len(), 500);
    assert_eq!(ended[&77], Err(FailureKind::NotFound));
    assert_eq!(ended.values().filter(|result| result.is_ok()).count(), 499);
    assert_eq!(fs_err::read_to_string(directory.path().join("f123")).unwrap(), "/f123");
    assert_eq!(fs_err::read_dir(directory.path()).unwrap().count(), 499);
}

#[test]
fn a_server_that_is_down_does_not_cost_each_file_all_of_its_retries() {
    let (_runtime, server) = served(|_| Reply::sized("503 Service Unavailable", &[], ""));
    let directory = tempfile::tempdir().unwrap();
    let downloads = (0..200).map(|n| {
        Download::new(server.url(&format!("f{n}")), directory.path().join(format!("f{n}"))).unwrap()
    });
    let mut failed = 0;
    let result: Result<(), TransferError> = downloader().download_all(
        downloads,
        parallel(1),
        || Ok(client()),
        |_, result| {
            failed += u32::from(result.is_err_and(|error| error.is_worth_retrying()));
        },
    );
    result.unwrap();
    assert_eq!(failed, 200);
    assert_eq!(server.seen().len(), 5 * 6, "five files with six attempts each, then no more");
}

#[test]
fn a_stopped_run_ends_and_an_endless_list_ends_with_it() {
    let (_runtime, server) = served(|asked| Reply::honest(asked, HELLO, &[]));
    let directory = tempfile::tempdir().unwrap();
    let downloader = downloader();
    let cancellation_token = downloader.cancellation_token().clone();
    let downloads =
        (0..).map(|n: u64| Download::new(server.url("f"), directory.path().join(format!("f{n}"))).unwrap());
    let mut done = 0;
    let result: Result<(), TransferError> = downloader.download_all(
        downloads,
        parallel(4),
        || Ok(client()),
        |_, _| {
            done += 1;
            if done == 50 {
                cancellation_token.cancel();
            }
        },
    );
    result.unwrap();
    assert!((50..200).contains(&done), "{done}");
}

#[test]
fn without_a_runtime_a_single_file_is_had_too() {
    let (_runtime, server) = served(|asked| Reply::honest(asked, HELLO, &[]));
    let directory = tempfile::tempdir().unwrap();
    let job = Download::new(server.url("f"), directory.path().join("f")).unwrap();
    assert_eq!(downloader().download_blocking(job).unwrap().length, 16);
}

fn listing(entries: &[(&str, Option<u64>)]) -> Reply {
    let mut xml = r#"<?xml version="1.0"?><D:multistatus xmlns:D="DAV:">"#.to_owned();
    for (href, length) in entries {
        let _ = write!(xml, "<D:response><D:href>{href}</D:href><D:propstat><D:prop>");
        match length {
            Some(length) => {
                let _ = write!(xml, "<D:getcontentlength>{length}</D:getcontentlength>");
            }
            None => xml.push_str("<D:resourcetype><D:collection/></D:resourcetype>"),
        }
        xml.push_str("</D:prop></D:propstat></D:response>");
    }
    xml.push_str("</D:multistatus>");
    Reply::sized("207 Multi-Status", &[("Content-Type", "text/xml")], xml)
}

#[tokio::test]
async fn a_directory_is_walked_and_names_that_lead_out_of_it_are_left_out() {
    let server = ChaosServer::start(|asked| match asked.path.trim_end_matches('/') {
        "/vo" => listing(&[
            ("/vo/", None),
            ("/vo/a b.txt", Some(16)),
            ("/vo/sub/", None),
            ("/vo/../etc/passwd", Some(1)),
            ("https://evil/vo/x", Some(1)),
            ("/vo/..%2Fescape", Some(1)),
        ]),
        "/vo/sub" => listing(&[("/vo/sub", None), ("/vo/sub/c", Some(3))]),
        _ => Reply::sized("404 Not Found", &[], ""),
    })
    .await;
    let downloader = downloader();
    let mut walk = downloader.walk(server.url("vo"));
    let (mut found, mut refused) = (Vec::new(), 0);
    while let Some(next) = walk.next().await {
        match next {
            Ok(below) => found.push(below.path.to_string_lossy().into_owned()),
            Err(_) => refused += 1,
        }
    }
    // The listing of a back end names another host; its path counts.
    assert_eq!(found, ["a b.txt", "sub", "x", "sub/c"]);
    assert_eq!(refused, 2);
    assert_eq!(server.seen()[0].headers["depth"], "1");
}

#[tokio::test]
async fn stat_asks_by_webdav_and_where_there_is_none_by_head() {
    let server = ChaosServer::start(|asked| match (asked.method.as_str(), asked.path.as_str()) {
        ("PROPFIND", "/dav/d") => listing(&[("/dav/d/", None)]),
        ("PROPFIND", "/dav/gone") => Reply::sized("404 Not Found", &[], ""),
        ("PROPFIND", _) => Reply::sized("405 Method Not Allowed", &[], ""),
        _ => Reply::honest(asked, HELLO, &[("ETag", "\"e\"")]),
    })
    .await;
    let downloader = downloader();
    assert_eq!(downloader.stat(&server.url("dav/d")).await.unwrap().kind, EntryKind::Directory);
    assert_eq!(downloader.stat(&server.url("dav/gone")).await.unwrap_err().kind(), FailureKind::NotFound);
    let plain = downloader.stat(&server.url("plain")).await.unwrap();
    assert_eq!((plain.length, plain.etag.as_deref()), (Some(16), Some("\"e\"")));
    assert!(
        downloader
            .list(&server.url("plain"))
            .await
            .unwrap_err()
            .hint()
            .unwrap()
            .to_string()
            .contains("WebDAV")
    );
}

#[tokio::test]
async fn a_removal_whose_answer_was_lost_is_done() {
    let server = ChaosServer::start(|asked| match (asked.method.as_str(), asked.number) {
        ("PROPFIND", _) => Reply::sized("405 Method Not Allowed", &[], ""),
        (_, 1) => Reply::default(),
        _ => Reply::sized("404 Not Found", &[], ""),
    })
    .await;
    downloader().remove_recursively(&server.url("f")).await.unwrap();
    assert_eq!(
        downloader().remove_recursively(&server.url("f")).await.unwrap_err().kind(),
        FailureKind::NotFound
    );
}

#[tokio::test]
async fn a_checksum_is_had_without_the_data() {
    let server =
        ChaosServer::start(|asked| Reply::honest(asked, HELLO, &[("Digest", "adler32=355f0612")])).await;
    let digest = downloader().checksum(&server.url("f"), &Checksum::Auto).await.unwrap();
    assert_eq!(digest.to_string(), "adler32:355f0612");
    let md5 = "md5".parse().unwrap();
    let failure = downloader().checksum(&server.url("f"), &md5).await.unwrap_err();
    assert_eq!(failure.kind(), FailureKind::Unverified);
    assert!(failure.to_string().contains("adler32:355f0612"));
    assert!(server.seen().iter().all(|asked| asked.method == "HEAD"));
}

/// A server that keeps what is put there, or does with it what `keep` says.
async fn store(keep: impl Fn(&[u8]) -> Vec<u8> + Send + Sync + 'static) -> ChaosServer {
    let kept = Mutex::new(None);
    ChaosServer::start(move |asked| {
        let mut kept = kept.lock().expect("not poisoned");
        match (asked.method.as_str(), kept.as_deref()) {
            ("PUT", _) => {
                *kept = Some(keep(&asked.body));
                Reply::sized("201 Created", &[], ":-)")
            }
            (_, None) => Reply::sized("404 Not Found", &[], ""),
            (_, Some(kept)) => {
                let kept: &[u8] = kept;
                let digest = format!("adler32={:08x}", simd_adler32::adler32(&kept));
                Reply::honest(asked, kept, &[("Digest", &digest)])
            }
        }
    })
    .await
}

#[tokio::test]
async fn an_upload_is_verified_at_the_other_end() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("f");
    fs_err::write(&file, HELLO).unwrap();
    let server = store(<[u8]>::to_vec).await;
    let upload = Upload::new(&file, server.url("f")).unwrap();
    let uploaded = downloader().upload(&upload).await.unwrap();
    assert_eq!(uploaded.verification, Verification::Verified("adler32:355f0612".parse().unwrap()));
    let put = &server.seen()[0];
    assert_eq!((put.method.as_str(), put.body.as_slice()), ("PUT", HELLO));
    assert_eq!(put.headers["digest"], "adler32=355f0612");
    assert_eq!(put.headers["content-length"], "16");
    let refused = downloader().upload(&upload.with_overwrite(Overwrite::Refuse)).await.unwrap_err();
    assert!(refused.to_string().contains("already exists"));
}

#[tokio::test]
async fn what_the_server_did_not_store_right_is_no_upload() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("f");
    fs_err::write(&file, HELLO).unwrap();
    // XRootD 5.5 stores nothing when it misses the length; a broken disk stores something else.
    for keep in [|_: &[u8]| Vec::new(), |data: &[u8]| data.to_ascii_uppercase()] {
        let server = store(keep).await;
        let upload = Upload::new(&file, server.url("f")).unwrap();
        assert_eq!(downloader().upload(&upload).await.unwrap_err().kind(), FailureKind::Mismatch);
    }
}

#[tokio::test]
async fn a_large_upload_asks_first_and_a_refusal_is_seen() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("f");
    fs_err::write(&file, vec![7; 3_000_000]).unwrap();
    let server = store(<[u8]>::to_vec).await;
    let upload = Upload::new(&file, server.url("f")).unwrap();
    assert_eq!(downloader().upload(&upload).await.unwrap().length, 3_000_000);
    assert_eq!(server.seen()[0].headers["expect"], "100-continue");
}
