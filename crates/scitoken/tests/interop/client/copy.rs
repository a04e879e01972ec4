//! Third-party copies between two XRootD 5.5.3.

use std::num::NonZeroUsize;
use std::process::Command;
use std::time::Duration;

use reqwest_scitokens::source::TokenSource;
use reqwest_scitokens::{FileSource, SourceError, TokenRequest};
use scitoken_transfer::copy::{Copier, CopyMode, CopyRoute, RemoteCopy};
use scitoken_transfer::{Downloader, EventKind, FailureKind, FileNumber, RetryPolicy, Verification, events};
use scitoken_types::AccessToken;
use url::Url;

use super::{access_token, no_token, session_with};
use crate::lab::{self, FILES, LARGE, Lab, PARTNER, Server, XROOTD, content};

const READ: &str = "storage.read:/";
const WRITE: &str = "storage.read:/ storage.create:/ storage.modify:/";
const BOTH: [Server; 2] = [Server::XRootD, Server::Partner];

fn downloader(lab: &Lab) -> Downloader {
    let session = session_with(lab, no_token(lab)).build().expect("a session can be built");
    let mut retry = RetryPolicy::default();
    (retry.retries, retry.first_delay) = (1, Duration::from_millis(50));
    Downloader::new(session.client().clone()).with_retry(retry)
}

/// Copies from [`XROOTD`] to [`PARTNER`] with a token for each.
fn copier(lab: &Lab, name: &str, read: &str, write: &str) -> Copier {
    let source = lab.keys().token().scope(read).sign();
    let destination = lab.keys().token().audience(PARTNER).scope(write).sign();
    Copier::new(&downloader(lab))
        .with_source_token(FileSource::new(lab.token_file(&format!("{name}-source"), &source)))
        .with_destination_token(FileSource::new(lab.token_file(&format!("{name}-destination"), &destination)))
}

fn job(from: &str, to: &str) -> RemoteCopy {
    let url = |server: &str, path: &str| {
        let mut url: Url = server.parse().expect("a URL");
        let segments = path.split('/').skip(1);
        url.path_segments_mut().expect("a path").clear().extend(segments);
        url
    };
    RemoteCopy::new(url(XROOTD, from), url(PARTNER, to)).expect("a copy")
}

#[test]
fn the_destination_fetches_each_file_and_the_source_sends_it() {
    lab::inside(&BOTH, async |lab| {
        let copier = copier(&lab, "modes", READ, WRITE);
        for (mode, route) in [(CopyMode::Pull, CopyRoute::Pulled), (CopyMode::Push, CopyRoute::Pushed)] {
            for (name, length) in FILES {
                let target = format!("/vo/upload/{route}-{name}");
                let copy = job(&format!("/vo/files/{name}"), &target).with_mode(mode);
                let file =
                    copier.copy(&copy).await.unwrap_or_else(|error| panic!("{mode:?} {name}: {error:?}"));
                assert_eq!((file.length, file.route), (length as u64, route), "{name}");
                assert!(matches!(file.verification, Verification::Verified(_)), "{name}");
                let stored = fs_err::read(lab.stored_at_partner(&target[1..])).expect("the copy");
                assert!(stored == content(length), "{mode:?} {name}: the same bytes");
            }
        }
    });
}

#[test]
fn the_reports_of_a_large_copy_are_events() {
    lab::inside(&BOTH, async |lab| {
        let (reporter, mut stream) = events();
        let source = lab.keys().token().scope(READ).sign();
        let destination = lab.keys().token().audience(PARTNER).scope(WRITE).sign();
        let copier = Copier::new(&downloader(&lab).with_reporter(reporter))
            .with_source_token(FileSource::new(lab.token_file("events-source", &source)))
            .with_destination_token(FileSource::new(lab.token_file("events-destination", &destination)));
        copier.copy(&job(&format!("/vo/files/{}", LARGE.0), "/vo/upload/reported")).await.expect("a copy");
        drop(copier);
        let mut finished = None;
        while let Some(event) = stream.next().await {
            if let EventKind::Finished { length, .. } = event.what {
                finished = Some(length);
            }
        }
        assert_eq!(finished, Some(LARGE.1 as u64));
    });
}

#[test]
fn a_copy_that_a_server_refuses_leaves_nothing() {
    lab::inside(&BOTH, async |lab| {
        // This machine may read the source, and the destination gets a token that may not: that of another path.
        for (name, read, write, mode) in [
            ("read", "storage.read:/other", WRITE, CopyMode::Pull),
            ("write", READ, "storage.read:/", CopyMode::Pull),
            ("push", READ, "storage.read:/", CopyMode::Push),
        ] {
            let target = format!("/vo/upload/refused-{name}");
            let copy = job("/vo/files/odd.bin", &target).with_mode(mode);
            let failure = copier(&lab, name, read, write).copy(&copy).await.expect_err("a refusal");
            assert_eq!(failure.kind(), FailureKind::Refused, "{name}: {failure:?}");
            assert!(!lab.stored_at_partner(&target[1..]).exists(), "{name}");
        }
        let copy = job("/vo/files/none", "/vo/upload/none");
        let failure = copier(&lab, "none", READ, WRITE).copy(&copy).await.expect_err("no such file");
        assert_eq!(failure.kind(), FailureKind::NotFound);
        assert!(!lab.stored_at_partner("vo/upload/none").exists());
    });
}

/// Another token for `GET`, which only the other server sends.
#[derive(Debug)]
struct OtherTokenForGet {
    good: AccessToken,
    bad: AccessToken,
}

impl TokenSource for OtherTokenForGet {
    async fn token(&self, request: &TokenRequest<'_>) -> Result<Option<AccessToken>, SourceError> {
        let is_get = request.method() == Some(&http::Method::GET);
        Ok(Some(if is_get { self.bad.clone() } else { self.good.clone() }))
    }
}

#[test]
fn what_a_failed_copy_of_xrootd_left_is_removed() {
    lab::inside(&BOTH, async |lab| {
        // This machine may describe the source, and the destination may not fetch it: XRootD answers 201, creates an empty
        // file, and reports the refusal in the last line.
        let good = access_token(&lab.keys().token().scope(READ).sign());
        let bad = access_token(&lab.keys().token().scope("storage.read:/other").sign());
        let destination = lab.keys().token().audience(PARTNER).scope(WRITE).sign();
        let copier = Copier::new(&downloader(&lab))
            .with_source_token(OtherTokenForGet { good, bad })
            .with_destination_token(FileSource::new(lab.token_file("remains", &destination)));
        let copy = job("/vo/files/odd.bin", "/vo/upload/remains").with_mode(CopyMode::Pull);
        let failure = copier.copy(&copy).await.expect_err("a refusal");
        assert_eq!(failure.kind(), FailureKind::Refused, "{failure:?}");
        assert!(failure.to_string().contains("the token for that server was refused"), "{failure}");
        assert!(!lab.stored_at_partner("vo/upload/remains").exists());
    });
}

#[test]
fn a_tree_is_copied_with_all_names() {
    lab::inside(&BOTH, async |lab| {
        let copier = copier(&lab, "tree", READ, WRITE);
        let (source, target) = (format!("{XROOTD}/vo/files"), format!("{PARTNER}/vo/upload/tree/of/files"));
        let (source, target) = (source.parse().expect("a URL"), target.parse().expect("a URL"));
        let mut failures = Vec::new();
        let files = copier
            .copy_tree(
                &source,
                &target,
                FileNumber(0),
                NonZeroUsize::MIN.saturating_add(3),
                |copy| copy,
                |url, result| {
                    if let Err(error) = result {
                        failures.push(format!("{url}: {error:?}"));
                    }
                },
            )
            .await;
        assert!(failures.is_empty(), "{failures:?}");
        assert_eq!(files, FILES.len() as u64);
        for (name, length) in FILES {
            let stored =
                fs_err::read(lab.stored_at_partner("vo/upload/tree/of/files").join(name)).expect("the copy");
            assert!(stored == content(length), "{name}");
        }
    });
}

#[test]
fn the_program_copies_with_a_token_file_for_each_side() {
    lab::inside(&BOTH, async |lab| {
        let source = lab.token_file("program-source", &lab.keys().token().scope(READ).sign());
        let token = lab.keys().token().audience(PARTNER).scope(WRITE).sign();
        let destination = lab.token_file("program-destination", &token);
        let output = Command::new(env!("CARGO_BIN_EXE_scitoken"))
            .env_clear()
            .arg("copy")
            .arg("--cacert")
            .arg(lab.pki().authority())
            .arg("--source-token-file")
            .arg(source)
            .arg("--destination-token-file")
            .arg(destination)
            .arg(format!("{XROOTD}/vo/hello.txt"))
            .arg(format!("{PARTNER}/vo/upload/by-program"))
            .output()
            .expect("the program runs");
        let report = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{report}");
        assert!(report.contains("verified by adler32:355f0612"), "{report}");
        let stored = fs_err::read_to_string(lab.stored_at_partner("vo/upload/by-program")).expect("the copy");
        assert_eq!(stored, "hello scitokens\n");
    });
}
