//! What a failed copy removes, keeps and names.

use std::sync::Arc;

use scitoken_test_support::Script;
use scitoken_test_support::chaos_server::{Asked, Reply};
use scitoken_test_support::copy_sites::{CopySites, Manners, TOKENS, chunked};
use scitoken_test_support::tokens::expired;
use scitoken_transfer::copy::{Copied, RemoteCopy, Streaming};
use scitoken_transfer::{FailureKind, Overwrite, TransferError};

use super::{DATA, copier, job, sites};

const OTHER: &[u8] = b"a file of another program";
const PASSING: &str = "failure: rejected GET: 503 Service Unavailable\n";

/// Sites whose destination answers as `change` says; it gets the sites, to store and remove files.
async fn changed(
    manners: Manners,
    change: impl Fn(&CopySites, &Asked, Reply) -> Reply + Send + Sync + 'static,
) -> Arc<CopySites> {
    let sites = Arc::new(sites([manners; 2]).await);
    let weak = Arc::downgrade(&sites);
    sites.change(1, move |asked, honest| match weak.upgrade() {
        Some(sites) => change(&sites, asked, honest),
        None => honest,
    });
    sites
}

fn refusing(sites: &CopySites) -> RemoteCopy {
    job(sites).with_overwrite(Overwrite::Refuse)
}

fn deletions(sites: &CopySites) -> usize {
    sites.seen(1).iter().filter(|asked| asked.method == "DELETE").count()
}

/// The remains stay: the token permits to create files and not to remove them.
fn keep_remains(sites: &CopySites, asked: &Asked, honest: Reply) -> Reply {
    match asked.method.as_str() {
        "COPY" => {
            sites.store(1, "/d/f", b"");
            chunked("202 Accepted", &[], PASSING)
        }
        "DELETE" => {
            sites.store(1, "/d/f", b"");
            Reply::sized("403 Forbidden", &[], "permission denied\n")
        }
        _ => honest,
    }
}

#[tokio::test]
async fn a_file_of_another_program_is_kept_when_the_server_refuses_to_copy() {
    for status in [
        "412 Precondition Failed",
        "403 Forbidden",
        "404 Not Found",
        "409 Conflict",
        "423 Locked",
        "429 Too Many Requests",
        "500 Internal Server Error",
        "507 Insufficient Storage",
    ] {
        for overwrite in [Overwrite::Refuse, Overwrite::Allow] {
            let sites = changed(Manners::DCache, move |sites, asked, honest| {
                if asked.method != "COPY" {
                    return honest;
                }
                sites.store(1, "/d/f", OTHER);
                Reply::sized(status, &[], "no\n")
            });
            let sites = sites.await;
            let failure = copier().copy(&job(&sites).with_overwrite(overwrite)).await.unwrap_err();
            assert_eq!(sites.file(1, "/d/f").as_deref(), Some(OTHER), "{status} {overwrite:?}: {failure}");
            assert!(!sites.copies(1).is_empty() && deletions(&sites) == 0, "{status} {overwrite:?}");
        }
    }
}

#[tokio::test]
async fn a_file_of_another_program_is_kept_when_it_appears_between_two_attempts() {
    let sites = changed(Manners::DCache, |sites, asked, honest| match asked.method.as_str() {
        "COPY" if sites.copies(1).len() == 1 => chunked("202 Accepted", &[], PASSING),
        "COPY" => Reply::sized("412 Precondition Failed", &[], ""),
        "DELETE" => {
            sites.store(1, "/d/f", OTHER);
            honest
        }
        _ => honest,
    });
    let sites = sites.await;
    let failure = copier().copy(&refusing(&sites)).await.unwrap_err();
    assert_eq!(failure.kind(), FailureKind::Exists, "{failure}");
    assert_eq!((deletions(&sites), sites.file(1, "/d/f").as_deref()), (1, Some(OTHER)), "{failure}");
}

#[tokio::test]
async fn a_file_in_the_way_is_the_copy_if_an_answer_was_lost_and_the_digests_agree() {
    // The server goes on after the connection is lost, and completes the copy after the client has looked.
    let late = |stored: &'static [u8]| {
        changed(Manners::DCache, move |sites, asked, honest| match asked.method.as_str() {
            "COPY" if sites.copies(1).len() == 1 => {
                sites.store(1, "/d/f", b"");
                Reply::default()
            }
            "DELETE" => {
                sites.store(1, "/d/f", stored);
                honest
            }
            _ => honest,
        })
    };
    let sites = late(DATA).await;
    copier().copy(&refusing(&sites)).await.unwrap();
    let sites = late(OTHER).await;
    let failure = copier().copy(&refusing(&sites)).await.unwrap_err();
    assert_eq!(failure.kind(), FailureKind::Exists, "{failure}");
    assert!(failure.to_string().contains("may be left"), "{failure}");
    assert_eq!((deletions(&sites), sites.file(1, "/d/f").as_deref()), (1, Some(OTHER)), "{failure}");
}

#[tokio::test]
async fn remains_that_cannot_be_removed_are_named_and_not_taken_for_an_older_file() {
    let sites = changed(Manners::DCache, keep_remains).await;
    let failure = copier().copy(&job(&sites)).await.unwrap_err();
    let shown = format!("an incomplete file is left at `{}`", sites.url(1, "/d/f"));
    assert!(failure.to_string().contains(&shown), "{failure}");
    assert_eq!((failure.kind(), sites.copies(1).len()), (FailureKind::Server, 3));
    assert_eq!(deletions(&sites), 3, "each attempt removes what it left");

    let sites = changed(Manners::DCache, keep_remains).await;
    let failure = copier().copy(&refusing(&sites)).await.unwrap_err();
    assert!(failure.to_string().contains("an incomplete file is left at"), "{failure}");
    assert_eq!((failure.kind(), sites.copies(1).len()), (FailureKind::Server, 1), "no retry can replace it");
}

#[tokio::test]
async fn an_upload_in_place_of_a_copy_keeps_a_file_that_its_server_refuses_to_replace() {
    let sites = changed(Manners::NoCopy, |sites, asked, honest| match asked.method.as_str() {
        "PUT" => {
            sites.store(1, "/d/f", OTHER);
            Reply::sized("412 Precondition Failed", &[], "")
        }
        _ => honest,
    });
    let sites = sites.await;
    let failure = copier().copy(&refusing(&sites).with_streaming(Streaming::Allowed)).await.unwrap_err();
    assert_eq!(failure.kind(), FailureKind::Exists, "{failure}");
    assert_eq!((deletions(&sites), sites.file(1, "/d/f").as_deref()), (0, Some(OTHER)));
}

#[tokio::test]
async fn an_expired_token_of_either_side_ends_the_copy_before_a_server_is_asked() {
    let sites = sites([Manners::XRootD6, Manners::XRootD6]).await;
    let old = || Script::new(&[&expired("https://localhost")]);
    let token = |site: usize| Script::new(&[TOKENS[site]]);
    let with = |source, destination| copier().with_source_token(source).with_destination_token(destination);
    for copier in [with(old(), token(1)), with(token(0), old())] {
        let failure = copier.copy(&job(&sites)).await.unwrap_err();
        assert_eq!(failure.kind(), FailureKind::NoToken, "{failure}");
        let mut failures = Vec::new();
        let keep = |_: &url::Url, result: Result<Copied, TransferError>| {
            failures.push(result.unwrap_err().kind());
        };
        let (from, to) = (sites.url(0, "/d"), sites.url(1, "/e"));
        let one = std::num::NonZeroUsize::MIN;
        copier.copy_tree(&from, &to, scitoken_transfer::FileNumber(0), one, |copy| copy, keep).await;
        assert_eq!(failures, [FailureKind::NoToken]);
    }
    let old = with(token(0), old());
    assert_eq!(old.make_directories(&sites.url(1, "/e")).await.unwrap_err().kind(), FailureKind::NoToken);
    assert!(sites.seen(0).is_empty() && sites.seen(1).is_empty());
}
