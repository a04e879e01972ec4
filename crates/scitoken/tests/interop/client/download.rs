//! Downloads, uploads and listings against XRootD 5.5.3, its cluster, Apache and nginx.

use std::path::Path;
use std::time::Duration;

use reqwest_middleware::ClientWithMiddleware;
use reqwest_scitokens::RedirectTrust;
use scitoken_transfer::{
    Checksum, Digest, Download, DownloadOutcome, Downloader, EntryKind, EventKind, FailureKind, Resume,
    RetryPolicy, Upload, Verification, events,
};
use url::Url;

use super::session;
use crate::lab::{self, HTTPS_MANAGER, Lab, NGINX, Server, XROOTD};

fn client(lab: &Lab, name: &str, scope: &str) -> ClientWithMiddleware {
    let token = lab.keys().token().scope(scope).sign();
    session(lab, &lab.token_file(name, &token)).build().expect("a session can be built").into()
}

fn downloader(lab: &Lab, name: &str, scope: &str) -> Downloader {
    let mut retry = RetryPolicy::default();
    retry.retries = 1;
    retry.first_delay = Duration::from_millis(50);
    Downloader::new(client(lab, name, scope)).with_retry(retry)
}

fn url(server: &str, path: &str) -> Url {
    format!("{server}{path}").parse().expect("a URL")
}

fn adler32(value: &str) -> Digest {
    format!("adler32:{value}").parse().expect("a digest")
}

fn write(path: &Path, length: u32) -> Vec<u8> {
    let content: Vec<u8> = (0..length).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
    fs_err::write(path, &content).expect("a file can be written");
    content
}

#[test]
fn a_file_of_xrootd_comes_verified_by_adler32() {
    lab::inside(&[Server::XRootD], async |lab| {
        let directory = tempfile::tempdir().expect("a directory");
        let target = directory.path().join("hello.txt");
        let job = Download::new(url(XROOTD, "/vo/hello.txt"), &target).expect("a job");
        let file = downloader(&lab, "get", "read:/").download(job).await.expect("the file");
        assert_eq!(file.verification, Verification::Verified(adler32("355f0612")));
        assert_eq!(fs_err::read_to_string(target).expect("the file"), "hello scitokens\n");
    });
}

#[test]
fn an_algorithm_that_xrootd_does_not_have_is_named_and_nothing_is_fetched() {
    lab::inside(&[Server::XRootD], async |lab| {
        let directory = tempfile::tempdir().expect("a directory");
        let job = Download::new(url(XROOTD, "/vo/hello.txt"), directory.path().join("f")).expect("a job");
        let job = job.with_checksum("sha-256".parse().expect("a demand"));
        let failure = downloader(&lab, "sha", "read:/").download(job).await.expect_err("no sha-256 there");
        assert_eq!(failure.kind(), FailureKind::Unverified);
        let md5 = "md5".parse().expect("an algorithm");
        let asked = downloader(&lab, "md5", "read:/").checksum(&url(XROOTD, "/vo/hello.txt"), &md5).await;
        assert_eq!(asked.expect("an md5").to_hex(), "359b540779257d03557c94ee64e616bb");
    });
}

#[test]
fn empty_files_are_files_and_directories_are_not() {
    lab::inside(&[Server::XRootD], async |lab| {
        let directory = tempfile::tempdir().expect("a directory");
        let downloader = downloader(&lab, "empty", "read:/");
        let target = directory.path().join("empty");
        let job = Download::new(url(XROOTD, "/vo/empty.txt"), &target).expect("a job");
        assert_eq!(downloader.download(job).await.expect("the file").length, 0);
        assert!(target.exists());
        let job = Download::new(url(XROOTD, "/vo/sub"), directory.path().join("sub")).expect("a job");
        let failure = downloader.download(job).await.expect_err("a listing is no data");
        assert_eq!(failure.kind(), FailureKind::WrongContent);
        assert!(!directory.path().join("sub").exists());
    });
}

#[test]
fn refused_and_missing_are_told_apart_only_with_a_token() {
    lab::inside(&[Server::XRootD], async |lab| {
        let directory = tempfile::tempdir().expect("a directory");
        let ask = async |name: &str, scope: &str, path: &str| {
            let job = Download::new(url(XROOTD, path), directory.path().join("f")).expect("a job");
            downloader(&lab, name, scope).download(job).await.expect_err("a refusal")
        };
        assert_eq!(ask("missing", "read:/", "/vo/nope").await.kind(), FailureKind::NotFound);
        let refused = ask("refused", "read:/other", "/vo/hello.txt").await;
        assert_eq!(refused.kind(), FailureKind::Refused);
        assert!(refused.explanation().expect("an explanation").to_string().contains("scope"));
        assert_eq!(fs_err::read_dir(directory.path()).expect("the directory").count(), 0);
    });
}

#[test]
fn an_upload_is_verified_comes_back_and_is_resumed_after_a_stop() {
    lab::inside(&[Server::XRootD], async |lab| {
        let directory = tempfile::tempdir().expect("a directory");
        let source = directory.path().join("source");
        let content = write(&source, 16 * 1024 * 1024);
        let there = url(XROOTD, "/vo/upload/big.bin");
        let both = downloader(&lab, "both", "read:/ write:/");
        let upload = Upload::new(&source, there.clone()).expect("an upload");
        let uploaded = both.upload(&upload).await.expect("the upload");
        assert!(matches!(uploaded.verification, Verification::Verified(_)), "{uploaded:?}");
        assert!(fs_err::read(lab.stored("vo/upload/big.bin")).expect("what is stored") == content);

        // Stopped as soon as something is there; XRootD 5.5.3 ignores `If-Range` and open ranges.
        let target = directory.path().join("target");
        let job = Download::new(there.clone(), &target).expect("a job");
        let (reporter, mut stream) = events();
        let first_run = downloader(&lab, "stopped", "read:/").with_reporter(reporter);
        let stopper = first_run.cancellation_token().clone();
        let first = tokio::spawn(async move { first_run.download(job).await });
        while let Some(event) = stream.next().await {
            if matches!(event.what, EventKind::Progress { .. }) {
                stopper.cancel();
            }
        }
        let failure = first.await.expect("no panic").expect_err("it was stopped");
        assert_eq!(failure.kind(), FailureKind::Interrupted);
        assert!(!target.exists());
        let job = Download::new(there.clone(), &target).expect("a job").with_resume(Resume::WhenSafe);
        let file = downloader(&lab, "resumed", "read:/").download(job).await.expect("the rest");
        assert!(matches!(file.outcome, DownloadOutcome::Resumed(bytes) if bytes > 0), "{:?}", file.outcome);
        assert!(matches!(file.verification, Verification::Verified(_)));
        assert!(fs_err::read(&target).expect("the file") == content);
        both.remove_file(&there).await.expect("it can be removed");
        assert_eq!(both.stat(&there).await.expect_err("it is gone").kind(), FailureKind::NotFound);
    });
}

#[test]
fn an_upload_that_is_refused_says_so_however_long_it_is() {
    lab::inside(&[Server::XRootD], async |lab| {
        let directory = tempfile::tempdir().expect("a directory");
        let source = directory.path().join("source");
        for length in [1, 2_000_000] {
            write(&source, length);
            let upload = Upload::new(&source, url(XROOTD, "/vo/upload/no")).expect("an upload");
            let failure =
                downloader(&lab, "no", "read:/").upload(&upload).await.expect_err("no right to write");
            assert_eq!(failure.kind(), FailureKind::Refused, "{length}: {failure}");
        }
    });
}

#[test]
fn directories_are_listed_walked_made_and_described() {
    lab::inside(&[Server::XRootD], async |lab| {
        let downloader = downloader(&lab, "walk", "read:/ write:/");
        let made = url(XROOTD, "/vo/upload/made");
        downloader.make_directory(&made).await.expect("a directory can be made");
        assert_eq!(downloader.stat(&made).await.expect("it is there").kind, EntryKind::Directory);
        let mut walk = downloader.walk(url(XROOTD, "/vo"));
        let mut found = Vec::new();
        while let Some(below) = walk.next().await {
            found.push(below.expect("a file").path.to_string_lossy().into_owned());
        }
        for expected in ["hello.txt", "empty.txt", "sub/deep.txt", "sp ace+é.txt"] {
            assert!(found.iter().any(|path| path == expected), "{expected} in {found:?}");
        }
    });
}

#[test]
fn a_manager_s_redirect_is_followed_for_downloads_and_uploads() {
    lab::inside(&[Server::Cluster], async |lab| {
        let directory = tempfile::tempdir().expect("a directory");
        let token = lab.keys().token().audience(HTTPS_MANAGER).scope("read:/ write:/").sign();
        let trust = RedirectTrust::Hosts(vec!["127.0.0.1".parse().expect("a pattern")]);
        let session = session(&lab, &lab.token_file("manager", &token)).redirect_trust(trust);
        let downloader = Downloader::new(session.build().expect("a session"));
        let source = directory.path().join("source");
        let content = write(&source, 500_000);
        let there = url(HTTPS_MANAGER, "/vo/upload/by-manager");
        downloader
            .upload(&Upload::new(&source, there.clone()).expect("an upload"))
            .await
            .expect("the upload");
        let target = directory.path().join("target");
        let job = Download::new(there, &target).expect("a job").with_checksum(Checksum::Require);
        let file = downloader.download(job).await.expect("the file");
        assert!(file.from.contains("127.0.0.1"), "{}", file.from);
        assert!(fs_err::read(&target).expect("the file") == content);
    });
}

#[test]
fn nginx_gives_files_without_checksums_and_that_is_said() {
    lab::inside(&[Server::Web], async |lab| {
        let directory = tempfile::tempdir().expect("a directory");
        let target = directory.path().join("hello");
        let downloader = downloader(&lab, "nginx", "read:/");
        let job = Download::new(url(NGINX, "/open/hello.txt"), &target).expect("a job");
        let file = downloader.download(job).await.expect("the file");
        assert_eq!(file.verification, Verification::NotAvailable);
        assert_eq!(fs_err::read_to_string(&target).expect("the file"), "hello nginx\n");
        let failure = downloader.list(&url(NGINX, "/open/")).await.expect_err("no WebDAV");
        assert!(failure.hint().expect("a hint").to_string().contains("WebDAV"));
    });
}

/// The program, as a batch job runs it.
mod program {
    use std::process::{Command, Output};

    use super::*;

    fn scitoken(lab: &Lab, token: &Path, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_scitoken"))
            .args(arguments)
            .env("BEARER_TOKEN_FILE", token)
            .env("X509_CERT_DIR", lab.pki().hashed())
            .output()
            .expect("the program runs")
    }

    #[test]
    fn a_job_downloads_what_it_needs_and_shows_no_token() {
        lab::inside(&[Server::XRootD], async |lab| {
            let directory = tempfile::tempdir().expect("a directory");
            let token = lab.keys().token().scope("read:/").sign();
            let file = lab.token_file("program", &token);
            let place = directory.path().to_str().expect("UTF-8");
            let hello = format!("{XROOTD}/vo/hello.txt");
            let output =
                scitoken(&lab, &file, &["-vvv", "get", "-P", place, "--checksum", "require", &hello]);
            let told = String::from_utf8_lossy(&output.stderr).into_owned();
            assert_eq!(output.status.code(), Some(0), "{told}");
            assert!(told.contains("verified by adler32:355f0612"), "{told}");
            assert!(!told.contains(&token) && output.stdout.is_empty());
            assert_eq!(
                fs_err::read(directory.path().join("hello.txt")).expect("the file"),
                b"hello scitokens\n"
            );
            for (path, code) in [("/vo/nope", 9), ("/vo/sub", 8)] {
                let output = scitoken(&lab, &file, &["get", "-P", place, &format!("{XROOTD}{path}")]);
                assert_eq!(output.status.code(), Some(code), "{path}");
            }
            let expired = lab.token_file("expired", "not.a.token");
            let output = scitoken(&lab, &expired, &["-vvv", "get", "-P", place, &hello]);
            let told = String::from_utf8_lossy(&output.stderr).into_owned();
            assert_eq!(output.status.code(), Some(8), "{told}");
            assert!(!told.contains("not.a.token"), "{told}");
        });
    }

    #[test]
    fn a_whole_directory_comes_and_comes_only_once() {
        lab::inside(&[Server::XRootD], async |lab| {
            let directory = tempfile::tempdir().expect("a directory");
            let token = lab.keys().token().scope("read:/").sign();
            let file = lab.token_file("recursive", &token);
            let place = directory.path().to_str().expect("UTF-8");
            let root = format!("{XROOTD}/vo/sub");
            for _ in 0..2 {
                let arguments = ["get", "-r", "-P", place, "--skip-existing=checksum", &root];
                let output = scitoken(&lab, &file, &arguments);
                let told = String::from_utf8_lossy(&output.stderr).into_owned();
                assert_eq!(output.status.code(), Some(0), "{told}");
            }
            assert_eq!(fs_err::read(directory.path().join("deep.txt")).expect("the file"), b"deep\n");
        });
    }
}
