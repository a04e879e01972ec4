//! Copies that fail, are cut off, or pretend to succeed.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use scitoken_test_support::Script;
use scitoken_test_support::chaos_server::Reply;
use scitoken_test_support::copy_sites::{CopySites, Manners, chunked, marker};
use scitoken_transfer::copy::{CopyMode, RemoteCopy};
use scitoken_transfer::{CancellationToken, Checksum, FailureKind, TransferHint, Verification};

use super::{DATA, PAIRS, copied, copier, downloader, job, sites};

/// Replaces the answers to `COPY` at the destination, after it had its effect.
fn change_copy(sites: &CopySites, change: impl Fn(usize, Reply) -> Reply + Send + Sync + 'static) {
    let copies = AtomicUsize::new(0);
    sites.change(1, move |asked, honest| match asked.method.as_str() {
        "COPY" => change(copies.fetch_add(1, Ordering::Relaxed), honest),
        _ => honest,
    });
}

#[tokio::test]
async fn a_source_that_refuses_leaves_no_file() {
    for pair in PAIRS {
        for mode in [CopyMode::Pull, CopyMode::Push] {
            let sites = sites(pair).await;
            let wrong = || Script::new(&["wrong"]);
            let copier = match mode {
                CopyMode::Push => copier().with_destination_token(wrong()),
                _ => copier().with_source_token(wrong()),
            };
            let failure = copier.copy(&job(&sites).with_mode(mode)).await.unwrap_err();
            assert_eq!(failure.kind(), FailureKind::Refused, "{pair:?} {mode:?}: {failure}");
            assert_eq!(sites.file(1, "/d/f"), None, "{pair:?} {mode:?}");
        }
    }
}

#[tokio::test]
async fn a_refusal_between_the_servers_names_both_and_leaves_no_file() {
    for pair in [[Manners::XRootD5; 2], [Manners::XRootD6; 2], [Manners::DCache; 2]] {
        let sites = CopySites::start(pair).await;
        sites.store(0, "/public/f", DATA);
        // The source is public for this machine and refuses the destination.
        sites.store(0, "/d/f", DATA);
        sites.change(0, |asked, honest| {
            let is_read = matches!(asked.method.as_str(), "HEAD");
            if is_read { Reply::sized("200 OK", &[("Digest", "adler32=00000001")], DATA) } else { honest }
        });
        let copier = copier().with_source_token(Script::new(&["wrong"]));
        let failure = copier.copy(&job(&sites)).await.unwrap_err();
        let text = scitoken_test_support::chain(&failure);
        assert_eq!(failure.kind(), FailureKind::Refused, "{pair:?}: {text}");
        for site in [0, 1] {
            assert!(text.contains(sites.url(site, "/d/f").as_str()), "{pair:?}: {text}");
        }
        assert!(text.contains("the token for that server was refused"), "{pair:?}: {text}");
        assert_eq!(sites.file(1, "/d/f"), None, "{pair:?}");
        assert_eq!(sites.copies(1).len(), 1, "a refusal is final");
    }
}

#[tokio::test]
async fn a_missing_source_is_not_copied() {
    for pair in PAIRS {
        let sites = sites(pair).await;
        let copy = RemoteCopy::new(sites.url(0, "/d/none"), sites.url(1, "/d/none")).unwrap();
        let failure = copier().copy(&copy).await.unwrap_err();
        assert_eq!(failure.kind(), FailureKind::NotFound, "{pair:?}");
        assert!(sites.copies(1).is_empty() && sites.file(1, "/d/none").is_none());
    }
}

#[tokio::test]
async fn a_status_of_success_means_nothing_yet() {
    // Reports success, and stored something else.
    for (stored, lines) in [
        (&DATA[..9], "success: Created\n"),
        (b"other data of the same length\n", "success: Created\n"),
        (b"", ""),
    ] {
        let sites = sites([Manners::XRootD5, Manners::XRootD5]).await;
        let (stored, shared) = (stored.to_vec(), Arc::new(sites));
        let site = Arc::downgrade(&shared);
        change_copy(&shared, move |_, _| {
            site.upgrade().unwrap().store(1, "/d/f", &stored);
            chunked("201 Created", &[], lines)
        });
        let failure = copier().copy(&job(&shared)).await.unwrap_err();
        assert_eq!(failure.kind(), FailureKind::Mismatch, "{lines:?}: {failure}");
        assert_eq!(shared.file(1, "/d/f"), None, "{lines:?}");
        assert_eq!(shared.copies(1).len(), 3, "as often as the policy allows");
    }
}

#[tokio::test]
async fn an_answer_without_an_outcome_counts_when_both_files_agree() {
    for body in ["", "Perf Marker\nEnd\n", "<html>created</html>\n"] {
        let sites = sites([Manners::XRootD6, Manners::XRootD6]).await;
        change_copy(&sites, move |_, _| chunked("201 Created", &[], body));
        let copied = copied(&sites).await.unwrap();
        assert!(matches!(copied.verification, Verification::Verified(_)), "{body:?}");
        assert_eq!(sites.copies(1).len(), 1);
    }
}

#[tokio::test]
async fn an_answer_that_was_lost_is_not_asked_for_again_when_the_copy_is_complete() {
    for pair in PAIRS {
        for cut in [0, 1, 40] {
            let sites = sites(pair).await;
            change_copy(&sites, move |_, honest| honest.cut_after(cut));
            copied(&sites).await.unwrap();
            assert_eq!(sites.copies(1).len(), 1, "{pair:?} {cut}");
            assert_eq!(sites.file(1, "/d/f").as_deref(), Some(DATA));
        }
        let sites = sites(pair).await;
        change_copy(&sites, |_, _| Reply::default());
        copied(&sites).await.unwrap();
        assert_eq!(sites.copies(1).len(), 1, "{pair:?}: no answer at all");
        let sites = super::sites(pair).await;
        change_copy(&sites, |_, _| Reply::sized("504 Gateway Timeout", &[], "no answer from the server\n"));
        copied(&sites).await.unwrap();
        assert_eq!(sites.copies(1).len(), 1, "{pair:?}: a gateway lost it");
    }
}

#[tokio::test]
async fn a_failure_that_passes_is_retried() {
    for words in [
        "failure: rejected GET: 503 Service Unavailable\n",
        "failure: Connection reset by peer\n",
        "failure: Operation timed out\n",
        "failure: checksum verification failed\n",
        "failure\n",
    ] {
        let sites = sites([Manners::DCache, Manners::DCache]).await;
        change_copy(
            &sites,
            move |n, honest| if n == 0 { chunked("202 Accepted", &[], words) } else { honest },
        );
        copied(&sites).await.unwrap();
        assert_eq!(sites.copies(1).len(), 2, "{words}");
        let removed = sites.seen(1).iter().filter(|asked| asked.method == "DELETE").count();
        assert_eq!(removed, 1, "{words}: the first copy is removed");
    }
    for status in ["503 Service Unavailable", "429 Too Many Requests", "500 Internal Server Error"] {
        let sites = sites([Manners::DCache, Manners::DCache]).await;
        change_copy(
            &sites,
            move |n, honest| if n == 0 { Reply::sized(status, &[], "busy\n") } else { honest },
        );
        copied(&sites).await.unwrap();
        assert_eq!(sites.copies(1).len(), 2, "{status}");
    }
}

#[tokio::test]
async fn a_failure_that_stays_is_not_retried() {
    for (words, kind) in [
        ("failure: rejected PUT: 409 Conflict\n", FailureKind::Rejected),
        ("failure: SSL certificate problem: self-signed certificate\n", FailureKind::Connect),
        ("failure: Unable to open /d/f; no such file or directory\n", FailureKind::NotFound),
    ] {
        let sites = sites([Manners::DCache, Manners::DCache]).await;
        change_copy(&sites, move |_, _| chunked("202 Accepted", &[], words));
        assert_eq!(copied(&sites).await.unwrap_err().kind(), kind, "{words}");
        assert_eq!(sites.copies(1).len(), 1, "{words}");
    }
}

#[tokio::test]
async fn a_file_that_the_failed_copy_did_not_touch_is_kept() {
    let sites = CopySites::start([Manners::XRootD6, Manners::XRootD6]).await;
    sites.store(1, "/d/f", b"old");
    // The source describes a file that it then does not have.
    sites.change(0, |_, _| Reply::sized("200 OK", &[("Digest", "adler32=00000001")], DATA));
    let failure = copied(&sites).await.unwrap_err();
    assert_eq!(failure.kind(), FailureKind::NotFound, "{failure}");
    assert_eq!(sites.copies(1).len(), 1);
    assert_eq!(sites.file(1, "/d/f").as_deref(), Some(&b"old"[..]));
}

#[tokio::test]
async fn a_server_that_stops_reporting_or_moving_is_given_up() {
    let stuck = |bytes: usize| {
        move |_: usize, _: Reply| {
            let lines: String = (0..50).map(|_| marker(bytes)).collect();
            let reply = chunked("202 Accepted", &[], &lines);
            Reply { trickle: Some((lines.len() / 20, Duration::from_millis(400))), ..reply }
        }
    };
    for bytes in [0, 3] {
        let sites = sites([Manners::DCache, Manners::DCache]).await;
        change_copy(&sites, stuck(bytes));
        let copy = job(&sites);
        let mut none = scitoken_transfer::RetryPolicy::default();
        none.retries = 0;
        let copier = scitoken_transfer::copy::Copier::new(&downloader().with_retry(none))
            .with_source_token(Script::new(&["wrong"]))
            .with_destination_token(Script::new(&[scitoken_test_support::copy_sites::TOKENS[1]]));
        sites.change(0, |_, _| Reply::sized("200 OK", &[], DATA));
        let failure = copier.copy(&copy).await.unwrap_err();
        assert_eq!(failure.kind(), FailureKind::Timeout, "{bytes}: {failure}");
        assert_eq!(sites.file(1, "/d/f"), None);
    }
}

#[tokio::test]
async fn a_cancelled_copy_is_removed() {
    let sites = sites([Manners::XRootD6, Manners::XRootD6]).await;
    let cancellation = CancellationToken::default();
    let cancel = cancellation.clone();
    change_copy(&sites, move |_, honest| {
        cancel.cancel();
        Reply { delay: Duration::from_secs(30), ..honest }
    });
    let copier = scitoken_transfer::copy::Copier::new(&downloader().with_cancellation_token(cancellation))
        .with_source_token(Script::new(&[scitoken_test_support::copy_sites::TOKENS[0]]))
        .with_destination_token(Script::new(&[scitoken_test_support::copy_sites::TOKENS[1]]));
    let failure = copier.copy(&job(&sites)).await.unwrap_err();
    assert_eq!(failure.kind(), FailureKind::Interrupted);
    assert_eq!(sites.file(1, "/d/f"), None);
}

#[tokio::test]
async fn a_demanded_checksum_holds_for_both_sides() {
    let sites = sites([Manners::DCache, Manners::DCache]).await;
    let wrong: Checksum = "adler32:00000001".parse().unwrap();
    let failure = copier().copy(&job(&sites).with_checksum(wrong)).await.unwrap_err();
    assert_eq!(failure.kind(), FailureKind::Mismatch);
    assert!(sites.copies(1).is_empty(), "the source has another checksum");
    let sha: Checksum = "sha-256".parse().unwrap();
    let failure = copier().copy(&job(&sites).with_checksum(sha)).await.unwrap_err();
    assert_eq!(failure.kind(), FailureKind::Unverified);
    assert_eq!(sites.file(1, "/d/f"), None);
    assert_eq!(sites.copies(1)[0].headers["requirechecksumverification"], "true");
    copier().copy(&job(&sites).with_checksum(Checksum::Require)).await.unwrap();
    // Without a checksum of the source, the length counts.
    sites.change(
        0,
        |asked, honest| if asked.method == "HEAD" { Reply::sized("200 OK", &[], DATA) } else { honest },
    );
    let copied = copied(&sites).await.unwrap();
    assert_eq!(copied.verification, Verification::NotAvailable);
    let failure = copier().copy(&job(&sites).with_checksum(Checksum::Require)).await.unwrap_err();
    assert_eq!(failure.kind(), FailureKind::Unverified);
}

/// Answers that describe a file without its length.
fn without_length(asked: &scitoken_test_support::chaos_server::Asked, honest: Reply) -> Reply {
    match asked.method.as_str() {
        "HEAD" => Reply::new("200 OK", &[("Transfer-Encoding", "chunked")], ""),
        _ => honest,
    }
}

#[tokio::test]
async fn a_source_that_states_no_length_is_asked_for_it_in_another_way() {
    let shared = Arc::new(sites([Manners::XRootD6, Manners::XRootD6]).await);
    shared.change(0, without_length);
    let site = Arc::downgrade(&shared);
    change_copy(&shared, move |_, _| {
        site.upgrade().unwrap().store(1, "/d/f", &DATA[..9]);
        chunked("202 Accepted", &[], "success: Created\n")
    });
    let failure = copied(&shared).await.unwrap_err();
    assert_eq!(failure.kind(), FailureKind::Mismatch, "{failure}");
}

#[tokio::test]
async fn nothing_is_proven_without_an_outcome_a_length_and_a_checksum() {
    let sites = sites([Manners::XRootD6, Manners::XRootD6]).await;
    sites.change(0, |asked, honest| match asked.method.as_str() {
        "PROPFIND" => Reply::sized("405 Method Not Allowed", &[], ""),
        _ => without_length(asked, honest),
    });
    sites.change(1, |asked, honest| match asked.method.as_str() {
        "COPY" => chunked("202 Accepted", &[], &marker(9)),
        "HEAD" if honest.head.contains("200 OK") => Reply::sized("200 OK", &[], DATA),
        _ => honest,
    });
    let failure = copied(&sites).await.unwrap_err();
    assert_eq!(failure.kind(), FailureKind::Incomplete, "{failure}");
    assert!(failure.to_string().contains("not proven to be complete"), "{failure}");
    assert_eq!(sites.file(1, "/d/f"), None);
}

#[tokio::test]
async fn an_old_file_of_the_same_length_is_no_copy_without_an_outcome_and_a_checksum() {
    for has_changed in [false, true] {
        let shared = Arc::new(sites([Manners::XRootD6, Manners::XRootD6]).await);
        let no_digest = |asked: &scitoken_test_support::chaos_server::Asked, honest: Reply| {
            if asked.method == "HEAD" { Reply::sized("200 OK", &[], DATA) } else { honest }
        };
        shared.change(0, no_digest);
        let site = Arc::downgrade(&shared);
        shared.store(1, "/d/f", b"an older file");
        shared.change(1, move |asked, honest| match asked.method.as_str() {
            "COPY" => {
                let stored = if has_changed { DATA } else { b"an older file" };
                site.upgrade().unwrap().store(1, "/d/f", stored);
                chunked("202 Accepted", &[], &marker(DATA.len()))
            }
            _ => no_digest(asked, honest),
        });
        let result = copied(&shared).await.map_err(|failure| failure.kind());
        let expected = if has_changed { None } else { Some(FailureKind::Incomplete) };
        assert_eq!(result.err(), expected, "{has_changed}");
    }
}

#[tokio::test]
async fn a_question_for_a_digest_that_is_not_answered_in_time_does_not_undo_a_copy() {
    for site in [0, 1] {
        let sites = sites([Manners::DCache, Manners::DCache]).await;
        sites.change(site, |asked, honest| {
            let is_question = asked.method == "HEAD" && asked.headers.contains_key("want-digest");
            if is_question { Reply { delay: Duration::from_secs(30), ..honest } } else { honest }
        });
        let copied = copied(&sites).await.unwrap();
        assert_eq!((copied.verification, sites.copies(1).len()), (Verification::NotAvailable, 1), "{site}");
    }
}

#[tokio::test]
async fn a_directory_is_no_source() {
    for answer in ["409 Conflict", "200 OK"] {
        let sites = CopySites::start([Manners::XRootD5, Manners::XRootD5]).await;
        sites.store(0, "/d/f/x", b"");
        sites.change(0, move |asked, honest| match asked.method.as_str() {
            // XRootD states a length for a directory.
            "HEAD" if answer.starts_with("200") => Reply::sized(answer, &[], vec![0; 4096]),
            "HEAD" => Reply::sized(answer, &[], "is a directory"),
            _ => honest,
        });
        let failure = copied(&sites).await.unwrap_err();
        let expected = (FailureKind::Usage, Some(&TransferHint::CopyRecursively));
        assert_eq!((failure.kind(), failure.hint()), expected, "{answer}: {failure}");
        assert!(sites.copies(1).is_empty(), "{answer}");
    }
}

#[tokio::test]
async fn a_destination_that_cannot_be_looked_at_proves_nothing() {
    let sites = sites([Manners::DCache, Manners::DCache]).await;
    sites.change(1, |asked, honest| match asked.method.as_str() {
        "HEAD" | "PROPFIND" | "DELETE" => Reply::sized("403 Forbidden", &[], ""),
        _ => honest,
    });
    assert_eq!(copied(&sites).await.unwrap().verification, Verification::NotShown);
    let failure = copier().copy(&job(&sites).with_checksum(Checksum::Require)).await.unwrap_err();
    assert!(failure.to_string().contains("an incomplete file may be left at"), "{failure}");
}

#[tokio::test]
async fn a_copy_that_took_too_long_is_not_said_to_resume() {
    let sites = sites([Manners::DCache, Manners::DCache]).await;
    change_copy(&sites, |_, honest| Reply { delay: Duration::from_secs(30), ..honest });
    let mut limits = downloader().limits().clone();
    (limits.max_time, limits.first_byte) = (Some(Duration::from_millis(700)), Duration::from_secs(20));
    let copier = scitoken_transfer::copy::Copier::new(&downloader().with_limits(limits))
        .with_source_token(Script::new(&[scitoken_test_support::copy_sites::TOKENS[0]]))
        .with_destination_token(Script::new(&[scitoken_test_support::copy_sites::TOKENS[1]]));
    let failure = copier.copy(&job(&sites)).await.unwrap_err();
    assert_eq!(failure.kind(), FailureKind::Timeout, "{failure}");
    let text = failure.hint().unwrap().to_string();
    assert!(!text.contains("resume"), "{text}");
}

#[tokio::test]
async fn a_checksum_that_was_given_is_not_asked_for_again() {
    let sites = sites([Manners::DCache, Manners::DCache]).await;
    for site in [0, 1] {
        sites.change(site, |asked, honest| match asked.method.as_str() {
            "HEAD" if honest.head.contains("200 OK") => Reply::sized("200 OK", &[], DATA),
            _ => honest,
        });
    }
    for (checksum, hint) in [
        ("adler32:9fcd0a3c", TransferHint::OmitChecksum),
        ("adler32", TransferHint::OmitChecksum),
        ("require", TransferHint::ProvideChecksum),
    ] {
        let failure = copier().copy(&job(&sites).with_checksum(checksum.parse().unwrap())).await.unwrap_err();
        assert_eq!((failure.kind(), failure.hint()), (FailureKind::Unverified, Some(&hint)), "{checksum}");
    }
}
