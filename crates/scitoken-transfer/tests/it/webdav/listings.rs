//! Listings as servers send them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use scitoken_test_support::chaos_server::{ChaosServer, Reply};
use scitoken_transfer::{EntryKind, FailureKind};

use super::support::{downloader, multistatus, resource};

async fn names(server: &ChaosServer, path: &str) -> Vec<String> {
    let entries = downloader().list(&server.url(path)).await.unwrap();
    entries.iter().map(|entry| entry.url.path().to_owned()).collect()
}

#[tokio::test]
async fn files_are_found_in_every_form_of_href() {
    for (root, file) in [
        ("//d/", "//d/f"),
        ("http://back-end.example:8080/d/", "http://back-end.example:8080/d/f"),
        ("https://10.1.2.3/d", "https://10.1.2.3/d/f"),
        ("", "f"),
        ("./", "./f"),
        ("/export/d/", "/export/d/f"),
    ] {
        let listing = multistatus(&[resource(root, true, ""), resource(file, false, "")]);
        let server =
            ChaosServer::start(move |_| Reply::sized("207 Multi-Status", &[], listing.clone())).await;
        assert_eq!(names(&server, "d/").await, ["/d/f"], "{root}");
        assert_eq!(server.seen().len(), 1);
    }
}

#[tokio::test]
async fn an_entry_that_would_be_lost_is_an_error() {
    let nameless =
        "<D:response><D:propstat><D:prop/><D:status>HTTP/1.1 200 OK</D:status></D:propstat></D:response>";
    for (bad, words) in [
        (nameless.to_owned(), "lists an entry without a name"),
        (resource("d/f", false, ""), "lists `d/f`, but not the directory that it is in"),
        (resource("/d/sub/f", false, ""), "lists `/d/sub/f`, but not the directory that it is in"),
        (resource("/d/sub/deep/", true, ""), "but not the directory that it is in"),
    ] {
        let listing = multistatus(&[resource("/d/", true, ""), bad, resource("/d/good", false, "")]);
        let server =
            ChaosServer::start(move |_| Reply::sized("207 Multi-Status", &[], listing.clone())).await;
        let mut listing = downloader().open_listing(&server.url("d/")).await.unwrap();
        let mut found = Vec::new();
        while let Some(entry) = listing.next().await {
            found.push(entry.map(|entry| entry.url.path().to_owned()).map_err(|failure| failure.to_string()));
        }
        let (good, bad): (Vec<_>, Vec<_>) = found.into_iter().partition(Result::is_ok);
        assert_eq!((good, bad.len()), (vec![Ok("/d/good".to_owned())], 1), "{words}");
        assert!(bad[0].as_ref().unwrap_err().contains(words), "{bad:?}");
    }
}

#[tokio::test]
async fn a_server_that_lists_the_whole_tree_loses_nothing() {
    for order in [[0, 1, 2], [2, 1, 0], [1, 2, 0]] {
        let entries = [
            resource("/d/sub/", true, ""),
            resource("/d/sub/f", false, ""),
            resource("/d/sub/deep/f", false, ""),
        ];
        let mut tree = vec![resource("/d/", true, "")];
        tree.extend(order.map(|n| entries[n].clone()));
        let listing = multistatus(&tree);
        let server =
            ChaosServer::start(move |_| Reply::sized("207 Multi-Status", &[], listing.clone())).await;
        assert_eq!(names(&server, "d/").await, ["/d/sub/"], "{order:?}");
    }
}

#[tokio::test]
async fn a_trailing_slash_names_a_directory_where_the_server_gives_no_type() {
    let bare = |href: &str| format!("<D:response><D:href>{href}</D:href></D:response>");
    let listing = multistatus(&[bare("/d/"), bare("/d/sub/"), bare("/d/f")]);
    let server = ChaosServer::start(move |_| Reply::sized("207 Multi-Status", &[], listing.clone())).await;
    let kinds: Vec<_> =
        downloader().list(&server.url("d/")).await.unwrap().into_iter().map(|entry| entry.kind).collect();
    assert_eq!(kinds, [EntryKind::File, EntryKind::Directory]);
}

#[tokio::test]
async fn the_target_of_a_redirect_inside_of_a_listing_is_no_entry() {
    let moved = "<D:response><D:href>/d/f</D:href><D:status>HTTP/1.1 302 Found</D:status>\
                 <D:location><D:href>http://other/f</D:href></D:location></D:response>";
    let listing = multistatus(&[resource("/d/", true, ""), moved.to_owned()]);
    let server = ChaosServer::start(move |_| Reply::sized("207 Multi-Status", &[], listing.clone())).await;
    let mut listing = downloader().open_listing(&server.url("d/")).await.unwrap();
    let failure = listing.next().await.unwrap().unwrap_err();
    assert!(failure.to_string().contains("302 Found for `/d/f`"), "{failure}");
    assert!(listing.next().await.is_none());
}

#[tokio::test]
async fn a_listing_that_cannot_be_read_says_why() {
    let whole = multistatus(&[resource("/d/", true, ""), resource("/d/f", false, "")]);
    let early = whole[..whole.len() - 20].to_owned();
    for (headers, body, words) in [
        (vec![], early.into_bytes(), "sent a malformed listing: it ends early"),
        (vec![], b"<html>log in</html>".to_vec(), "it has no `multistatus`"),
        (vec![], whole.replace("/d/f", "/d/&nbsp;").into_bytes(), "an entity that is not XML's"),
        (vec![], whole.replace("/d/f", "/d/\u{fc}").chars().map(|c| c as u8).collect(), "it is not UTF-8"),
        (vec![("Content-Encoding", "gzip")], vec![31, 139], "came with the content coding `gzip`"),
    ] {
        let server =
            ChaosServer::start(move |_| Reply::sized("207 Multi-Status", &headers, body.clone())).await;
        let failure = downloader().list(&server.url("d/")).await.unwrap_err();
        assert!(failure.to_string().contains(words), "{words}: {failure}");
    }
}

#[tokio::test]
async fn a_hash_in_a_name_is_a_part_of_it() {
    let listing = multistatus(&[
        resource("/d/", true, ""),
        resource("/d/run#2.root", false, ""),
        resource("/d/run%232.dat", false, ""),
        resource("/d/what?.txt", false, ""),
    ]);
    let server = ChaosServer::start(move |_| Reply::sized("207 Multi-Status", &[], listing.clone())).await;
    assert_eq!(names(&server, "d/").await, ["/d/run%232.dat", "/d/run%232.root", "/d/what%3F.txt"]);
}

#[tokio::test]
async fn an_entry_that_cannot_be_mapped_or_is_refused_is_an_error_and_the_others_are_found() {
    for (bad, kind) in [
        (resource("/d/secret", false, "403 Forbidden"), FailureKind::Refused),
        (resource("/d/gone", false, "404 Not Found"), FailureKind::NotFound),
        (resource("/d/broken", false, "500 Oops"), FailureKind::Server),
        (resource("/elsewhere/f", false, ""), FailureKind::Server),
        (resource("/d/../../etc/passwd", false, ""), FailureKind::Server),
    ] {
        let listing = multistatus(&[resource("/d/", true, ""), bad, resource("/d/good", false, "")]);
        let server =
            ChaosServer::start(move |_| Reply::sized("207 Multi-Status", &[], listing.clone())).await;
        let mut listing = downloader().open_listing(&server.url("d/")).await.unwrap();
        assert_eq!(listing.next().await.unwrap().unwrap_err().kind(), kind);
        assert_eq!(listing.next().await.unwrap().unwrap().url, server.url("d/good"));
        assert!(listing.next().await.is_none());
        assert_eq!(downloader().list(&server.url("d/")).await.unwrap_err().kind(), kind);
        let downloader = downloader();
        let mut walk = downloader.walk(server.url("d/"));
        let mut found = (0, 0);
        while let Some(next) = walk.next().await {
            if next.is_ok() { found.0 += 1 } else { found.1 += 1 }
        }
        assert_eq!(found, (1, 1));
    }
}

#[tokio::test]
async fn a_listing_that_breaks_off_is_never_a_shorter_directory() {
    let whole =
        multistatus(&[resource("/d/", true, ""), resource("/d/a", false, ""), resource("/d/b", false, "")]);
    for cut in [whole.len() - 1, whole.len() - 20, whole.len() / 2] {
        let part = whole[..cut].to_owned();
        let server = ChaosServer::start(move |_| {
            Reply::new("207 Multi-Status", &[("Connection", "close")], part.clone())
        })
        .await;
        assert_eq!(
            downloader().list(&server.url("d/")).await.unwrap_err().kind(),
            FailureKind::Server,
            "{cut}"
        );
    }
}

#[tokio::test]
async fn a_walk_finds_empty_directories() {
    let server = ChaosServer::start(|asked| {
        let body = match asked.path.as_str() {
            "/d/" => multistatus(&[resource("/d/", true, ""), resource("/d/empty", true, "")]),
            path => multistatus(&[resource(path, true, "")]),
        };
        Reply::sized("207 Multi-Status", &[], body)
    })
    .await;
    let downloader = downloader();
    let mut walk = downloader.walk(server.url("d/"));
    let found = walk.next().await.unwrap().unwrap();
    assert_eq!((found.entry.kind, found.path.to_str()), (EntryKind::Directory, Some("empty")));
    assert!(walk.next().await.is_none());
    assert_eq!(server.seen().len(), 2);
}

#[tokio::test]
async fn a_large_listing_is_read_while_it_arrives() {
    const COUNT: usize = 100_000;
    let sent = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&sent);
    let server = ChaosServer::start(move |_| {
        count.fetch_add(1, Ordering::Relaxed);
        let mut resources = vec![resource("/d/", true, "")];
        resources.extend((0..COUNT).map(|n| resource(&format!("/d/f{n}"), false, "")));
        Reply::sized("207 Multi-Status", &[], multistatus(&resources))
    })
    .await;
    let mut listing = downloader().open_listing(&server.url("d/")).await.unwrap();
    let mut found = 0;
    while let Some(entry) = listing.next().await {
        assert_eq!(entry.unwrap().url, server.url(&format!("d/f{found}")));
        found += 1;
    }
    assert_eq!((found, sent.load(Ordering::Relaxed)), (COUNT, 1));
}
