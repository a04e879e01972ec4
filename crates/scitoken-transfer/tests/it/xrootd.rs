//! Downloads, resumes, digests and uploads against a server that behaves like XRootD 5.5.3 and 6.1.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use scitoken_transfer::{
    Download, DownloadOutcome, Downloaded, Downloader, FailureKind, Overwrite, RetryPolicy, TransferError,
    Upload, Verification,
};
use sha2::Digest as _;
use tempfile::TempDir;

use scitoken_test_support::clients::session;
use scitoken_test_support::xrootd::Release::{self, V5_5_3, V6_1};
use scitoken_test_support::{Script, XRootD};

const BOTH: [Release; 2] = [V5_5_3, V6_1];
const BIG: &str = "/vo/big.bin";

fn content(length: usize) -> Vec<u8> {
    (0..length).map(|n| u8::try_from(n * 31 % 251).unwrap()).collect()
}

/// A server with a file of 100,000 bytes and an empty one.
async fn served(release: Release) -> XRootD {
    let server = XRootD::data_server(release, "good").await;
    server.store(BIG, content(100_000));
    server.store("/vo/empty", Vec::new());
    server
}

fn downloader(retries: u32) -> Downloader {
    let mut retry = RetryPolicy::default();
    retry.retries = retries;
    retry.first_delay = Duration::from_millis(1);
    retry.longest_delay = Duration::from_millis(5);
    Downloader::new(session(Script::new(&["good"])).build().unwrap()).with_retry(retry)
}

fn job(server: &XRootD, path: &str, directory: &TempDir) -> Download {
    Download::new(server.url(path), directory.path().join("f")).unwrap()
}

async fn get(
    server: &XRootD,
    path: &str,
    directory: &TempDir,
    checksum: &str,
) -> Result<Downloaded, TransferError> {
    let job = job(server, path, directory).with_checksum(checksum.parse().unwrap());
    downloader(3).download(job).await
}

/// What is there under the target's name.
fn there(directory: &TempDir) -> Vec<u8> {
    fs_err::read(directory.path().join("f")).unwrap()
}

/// Leaves the first 40,000 bytes behind, as a run does that is told to give up.
async fn interrupt(server: &XRootD, directory: &TempDir) {
    server.break_off_after(40_000);
    let failure = downloader(0).download(job(server, BIG, directory)).await.unwrap_err();
    assert_eq!(failure.kind(), FailureKind::Incomplete);
}

/// The ranges of all `GET`s.
fn ranges(server: &XRootD) -> Vec<String> {
    let gets = server.seen().into_iter().filter(|seen| seen.method == "GET");
    gets.map(|seen| seen.header("Range").unwrap_or("-").to_owned()).collect()
}

#[tokio::test]
async fn a_range_has_both_ends_since_an_open_one_brings_nothing() {
    for release in BOTH {
        let (server, directory) = (served(release).await, tempfile::tempdir().unwrap());
        interrupt(&server, &directory).await;
        let file = get(&server, BIG, &directory, "require").await.unwrap();
        assert_eq!(file.outcome, DownloadOutcome::Resumed(40_000), "{release:?}");
        assert!(there(&directory) == content(100_000));
        assert_eq!(ranges(&server), ["-", "bytes=40000-99999"]);
    }
}

#[tokio::test]
async fn a_file_that_got_shorter_is_fetched_anew_whatever_its_range_is_answered_with() {
    for release in BOTH {
        let (server, directory) = (served(release).await, tempfile::tempdir().unwrap());
        for length in [60_000, 30_000] {
            server.store(BIG, content(100_000));
            interrupt(&server, &directory).await;
            server.store(BIG, content(length));
            let file = get(&server, BIG, &directory, "require").await.unwrap();
            assert_eq!(file.outcome, DownloadOutcome::Fetched, "{release:?} {length}");
            assert!(there(&directory) == content(length), "{release:?} {length}");
        }
    }
}

#[tokio::test]
async fn an_empty_file_is_never_asked_for_by_a_range() {
    for release in BOTH {
        let (server, directory) = (served(release).await, tempfile::tempdir().unwrap());
        for _ in 0..2 {
            let file = get(&server, "/vo/empty", &directory, "require").await.unwrap();
            assert_eq!((file.length, there(&directory).len()), (0, 0));
        }
        assert_eq!(ranges(&server), ["-", "-"]);
    }
}

#[tokio::test]
async fn other_content_of_the_same_length_is_found_although_if_range_is_ignored() {
    for release in BOTH {
        let (server, directory) = (served(release).await, tempfile::tempdir().unwrap());
        interrupt(&server, &directory).await;
        let other: Vec<u8> = content(100_000).into_iter().rev().collect();
        server.store(BIG, other.clone());
        let file = get(&server, BIG, &directory, "auto").await.unwrap();
        assert_eq!(file.outcome, DownloadOutcome::Fetched, "{release:?}");
        assert!(there(&directory) == other, "{release:?}");
    }
}

#[tokio::test]
async fn a_directory_that_looks_like_a_file_does_not_become_one() {
    for release in BOTH {
        let (server, directory) = (served(release).await, tempfile::tempdir().unwrap());
        for path in ["/vo", "/vo/"] {
            let failure = get(&server, path, &directory, "auto").await.unwrap_err();
            assert_eq!(failure.kind(), FailureKind::WrongContent, "{release:?} {path}");
        }
        assert_eq!(fs_err::read_dir(directory.path()).unwrap().count(), 0);
    }
}

#[tokio::test]
async fn a_crc32c_is_read_in_the_encoding_of_either_release() {
    for release in BOTH {
        let (server, directory) = (served(release).await, tempfile::tempdir().unwrap());
        for algorithm in ["crc32c", "md5", "adler32"] {
            let file = get(&server, BIG, &directory, algorithm).await.unwrap();
            let Verification::Verified(digest) = file.verification else {
                panic!("{algorithm}: not verified")
            };
            assert_eq!(digest.algorithm().name(), algorithm, "{release:?}");
        }
    }
}

#[tokio::test]
async fn the_digest_of_a_part_is_that_of_the_whole_file() {
    for release in BOTH {
        let (server, directory) = (served(release).await, tempfile::tempdir().unwrap());
        server.break_off_after(70_000);
        let file = get(&server, BIG, &directory, "require").await.unwrap();
        assert!(matches!(file.verification, Verification::Verified(_)), "{release:?}");
        assert_eq!(ranges(&server), ["-", "bytes=70000-99999"]);
    }
}

#[tokio::test]
async fn an_answer_with_another_algorithm_than_asked_is_no_proof() {
    for release in BOTH {
        let (server, directory) = (served(release).await, tempfile::tempdir().unwrap());
        let failure = get(&server, BIG, &directory, "sha-256").await.unwrap_err();
        assert_eq!(failure.kind(), FailureKind::Unverified, "{release:?}: {failure}");
        let asked = downloader(0).checksum(&server.url(BIG), &"sha-256".parse().unwrap()).await;
        assert!(asked.is_err(), "{release:?}: {asked:?}");
        assert_eq!(fs_err::read_dir(directory.path()).unwrap().count(), 0);
    }
}

#[tokio::test]
async fn a_server_that_fails_over_an_unknown_algorithm_still_gives_the_file() {
    for release in BOTH {
        let (server, directory) = (served(release).await, tempfile::tempdir().unwrap());
        let digest = format!("sha-256:{}", STANDARD.encode(sha2::Sha256::digest(content(100_000))));
        let file = get(&server, BIG, &directory, &digest).await.unwrap();
        assert_eq!(file.verification, Verification::Verified(digest.parse().unwrap()));
        assert!(there(&directory) == content(100_000));
    }
}

#[tokio::test]
async fn an_unrequested_digest_is_that_of_another_file() {
    let (server, directory) = (served(V5_5_3).await, tempfile::tempdir().unwrap());
    get(&server, "/vo/hello.txt", &directory, "require").await.unwrap();
    let file = get(&server, BIG, &directory, "none").await.unwrap();
    assert_eq!(file.verification, Verification::NotAvailable);
    assert!(there(&directory) == content(100_000));
    let seen = server.seen();
    assert_eq!(seen.last().unwrap().header("Want-Digest"), None, "it did not ask");
}

#[tokio::test]
async fn a_directory_has_no_checksum() {
    for release in BOTH {
        let server = served(release).await;
        let asked = downloader(0).checksum(&server.url("/vo"), &"adler32".parse().unwrap()).await;
        assert!(asked.is_err(), "{release:?}: {asked:?}");
    }
}

#[tokio::test]
async fn an_upload_succeeds_with_either_status_and_is_compared() {
    for release in BOTH {
        let (server, directory) = (served(release).await, tempfile::tempdir().unwrap());
        let source = directory.path().join("source");
        fs_err::write(&source, content(50_000)).unwrap();
        let upload = Upload::new(&source, server.url("/vo/new")).unwrap();
        let uploaded = downloader(0).upload(&upload).await.unwrap();
        assert!(matches!(uploaded.verification, Verification::Verified(_)), "{release:?}");
        assert!(server.file("/vo/new").unwrap() == content(50_000));
    }
}

#[tokio::test]
async fn an_existing_file_is_not_overwritten_although_if_none_match_is_ignored() {
    for release in BOTH {
        let (server, directory) = (served(release).await, tempfile::tempdir().unwrap());
        let source = directory.path().join("source");
        fs_err::write(&source, "other").unwrap();
        let upload = Upload::new(&source, server.url(BIG)).unwrap().with_overwrite(Overwrite::Refuse);
        downloader(0).upload(&upload).await.unwrap_err();
        assert!(server.file(BIG).unwrap() == content(100_000), "{release:?}");
    }
}
