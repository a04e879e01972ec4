//! Which server is asked, and with which headers.

use scitoken_test_support::copy_sites::{Manners, TOKENS};
use scitoken_transfer::copy::{CopyMode, CopyRoute, Streaming};
use scitoken_transfer::{EventKind, FailureKind, TransferHint, Verification, events};

use super::{DATA, PAIRS, copied, copier, downloader, job, sites};

#[tokio::test]
async fn the_destination_fetches_the_file_and_both_digests_agree() {
    for pair in PAIRS {
        let sites = sites(pair).await;
        let copied = copied(&sites).await.unwrap();
        assert_eq!((copied.length, copied.route), (DATA.len() as u64, CopyRoute::Pulled), "{pair:?}");
        assert!(matches!(copied.verification, Verification::Verified(_)), "{pair:?}");
        assert_eq!(sites.file(1, "/d/f").as_deref(), Some(DATA), "{pair:?}");
        let requests = sites.copies(1);
        let header = |name: &str| requests[0].headers.get(name).map(String::as_str);
        assert_eq!(requests.len(), 1, "{pair:?}");
        assert_eq!(header("source"), Some(sites.url(0, "/d/f").as_str()));
        assert_eq!((header("credential"), header("overwrite")), (Some("none"), Some("T")));
        assert!(
            sites.copies(0).is_empty() && sites.seen(0).iter().all(|asked| asked.method != "GET"),
            "{pair:?}"
        );
    }
}

#[tokio::test]
async fn the_source_sends_the_file_in_push_mode() {
    for pair in PAIRS {
        let sites = sites(pair).await;
        let copied = copier().copy(&job(&sites).with_mode(CopyMode::Push)).await.unwrap();
        assert_eq!(copied.route, CopyRoute::Pushed);
        assert_eq!(sites.file(1, "/d/f").as_deref(), Some(DATA), "{pair:?}");
        assert_eq!(sites.copies(0)[0].headers["destination"], sites.url(1, "/d/f").as_str());
        assert!(sites.copies(1).is_empty(), "{pair:?}");
    }
}

#[tokio::test]
async fn a_destination_that_cannot_copy_makes_the_source_send() {
    let sites = sites([Manners::XRootD6, Manners::NoCopy]).await;
    assert_eq!(copied(&sites).await.unwrap().route, CopyRoute::Pushed);
    assert_eq!((sites.copies(0).len(), sites.copies(1).len()), (1, 1));
    let sites = super::sites([Manners::XRootD6, Manners::NoCopy]).await;
    let failure = copier().copy(&job(&sites).with_mode(CopyMode::Pull)).await.unwrap_err();
    assert_eq!(failure.hint(), Some(&TransferHint::CopyThroughThisMachine));
}

#[tokio::test]
async fn servers_that_cannot_copy_fail_unless_the_data_may_pass_through_this_machine() {
    let sites = sites([Manners::NoCopy, Manners::NoCopy]).await;
    let failure = copied(&sites).await.unwrap_err();
    assert_eq!(failure.hint(), Some(&TransferHint::CopyThroughThisMachine), "{failure}");
    assert!(sites.seen(0).iter().all(|asked| asked.method != "GET"));
    let copied = copier().copy(&job(&sites).with_streaming(Streaming::Allowed)).await.unwrap();
    assert_eq!((copied.route, copied.length), (CopyRoute::Streamed, DATA.len() as u64));
    assert!(matches!(copied.verification, Verification::Verified(_)));
    assert_eq!(sites.file(1, "/d/f").as_deref(), Some(DATA));
    assert_eq!(sites.authorizations(0).into_iter().collect::<Vec<_>>(), [format!("Bearer {}", TOKENS[0])]);
    assert_eq!(sites.authorizations(1).into_iter().collect::<Vec<_>>(), [format!("Bearer {}", TOKENS[1])]);
}

#[tokio::test]
async fn a_server_that_can_copy_is_never_bypassed() {
    let sites = sites([Manners::XRootD6, Manners::XRootD6]).await;
    let copied = copier().copy(&job(&sites).with_streaming(Streaming::Allowed)).await.unwrap();
    assert_eq!(copied.route, CopyRoute::Pulled);
    assert!(sites.seen(0).iter().all(|asked| asked.method != "GET"));
}

#[tokio::test]
async fn markers_are_events() {
    let sites = sites([Manners::DCache, Manners::DCache]).await;
    let (reporter, mut stream) = events();
    let copier = scitoken_transfer::copy::Copier::new(&downloader().with_reporter(reporter))
        .with_source_token(scitoken_test_support::Script::new(&[TOKENS[0]]))
        .with_destination_token(scitoken_test_support::Script::new(&[TOKENS[1]]));
    copier.copy(&job(&sites)).await.unwrap();
    drop(copier);
    let mut seen = Vec::new();
    while let Some(event) = stream.next().await {
        seen.push(match event.what {
            EventKind::Started { .. } => "started".to_owned(),
            EventKind::Answered { length, .. } => format!("answered {length:?}"),
            EventKind::Progress { done, .. } => format!("progress {done}"),
            EventKind::Verified { .. } => "verified".to_owned(),
            EventKind::Finished { length, .. } => format!("finished {length}"),
            other => format!("{other:?}"),
        });
    }
    let length = DATA.len();
    assert_eq!(seen.first().map(String::as_str), Some("started"));
    assert_eq!(seen[1], format!("answered Some({length})"));
    assert!(seen.contains(&format!("progress {length}")), "{seen:?}");
    assert_eq!(seen[seen.len() - 2..], ["verified".to_owned(), format!("finished {length}")]);
}

#[tokio::test]
async fn an_existing_file_is_replaced_or_refused() {
    for pair in PAIRS {
        let sites = sites(pair).await;
        sites.store(1, "/d/f", b"old");
        let refuse = job(&sites).with_overwrite(scitoken_transfer::Overwrite::Refuse);
        let failure = copier().copy(&refuse).await.unwrap_err();
        assert_eq!(failure.hint(), Some(&TransferHint::AllowOverwrite), "{pair:?}");
        assert_eq!(sites.file(1, "/d/f").as_deref(), Some(&b"old"[..]), "{pair:?}");
        assert!(sites.copies(1).is_empty());
        copied(&sites).await.unwrap();
        assert_eq!(sites.file(1, "/d/f").as_deref(), Some(DATA), "{pair:?}");
    }
}

#[tokio::test]
async fn a_directory_is_no_destination() {
    let sites = sites([Manners::XRootD5, Manners::XRootD5]).await;
    sites.store(1, "/d/f/x", b"");
    let failure = copied(&sites).await.unwrap_err();
    assert_eq!(
        (failure.kind(), failure.hint()),
        (FailureKind::Usage, Some(&TransferHint::NameFileInDirectory))
    );
    assert!(sites.copies(1).is_empty());
}

#[tokio::test]
async fn names_of_any_kind_are_copied() {
    for name in ["a b", "100%", "50%25", "a#1", "q?", "x+y", "a,b;c", "é\u{4e2d}", "~a=b&c"] {
        let sites = sites([Manners::XRootD6, Manners::XRootD6]).await;
        sites.store(0, &format!("/d/{name}"), name.as_bytes());
        let url = |site| {
            let mut url = sites.url(site, "/d/x");
            url.path_segments_mut().unwrap().pop().push(name);
            url
        };
        let copy = scitoken_transfer::copy::RemoteCopy::new(url(0), url(1)).unwrap();
        copier().copy(&copy).await.unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(sites.file(1, &format!("/d/{name}")).as_deref(), Some(name.as_bytes()), "{name}");
    }
}
