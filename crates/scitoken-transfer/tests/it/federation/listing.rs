//! Describing and listing objects and collections.

use scitoken_test_support::Script;
use scitoken_test_support::federation::FederationServer::{Cache, Director, Origin};
use scitoken_test_support::federation::{FakeFederation, TOKEN, refuse};
use scitoken_transfer::{EntryKind, FailureKind};

use super::{clients_with, clients_without_tokens, url};

const OBJECTS: [(&str, &[u8]); 4] = [
    ("/public/dir/a,b;c.txt", b"one"),
    ("/public/dir/sub/x", b"two"),
    ("/public/dir/100% #1+", b"three"),
    ("/protected/f", b"four"),
];

#[tokio::test]
async fn a_collection_is_listed_by_the_origin_with_names_that_can_be_fetched() {
    let fake = FakeFederation::start(&OBJECTS).await;
    let (federation, downloader) = clients_without_tokens();
    let entries = federation.list(&downloader, &url(&fake, "/public/dir")).await.unwrap();
    let names: Vec<String> = entries.iter().map(|(name, _)| name.path().to_string()).collect();
    assert_eq!(names, ["/public/dir/100% #1+", "/public/dir/a,b;c.txt", "/public/dir/sub/"]);
    assert_eq!(entries[1].1.length, Some(3));
    assert_eq!(entries[2].1.kind, EntryKind::Directory);
    assert!(fake.lines(Cache(0)).is_empty() && !fake.lines(Origin).is_empty());
    let directory = tempfile::tempdir().unwrap();
    for (n, (name, entry)) in
        entries.iter().enumerate().filter(|(_, (_, entry))| entry.kind == EntryKind::File)
    {
        let shown = name.to_string().parse().unwrap();
        let target = directory.path().join(n.to_string());
        federation.download(&downloader, &shown, &target, |download| download).await.unwrap();
        assert_eq!(fs_err::metadata(target).unwrap().len(), entry.length.unwrap(), "{name}");
    }
    assert_eq!(fs_err::read_dir(directory.path()).unwrap().count(), 2);
}

#[tokio::test]
async fn an_object_lists_itself() {
    let fake = FakeFederation::start(&OBJECTS).await;
    let (federation, downloader) = clients_without_tokens();
    let entries = federation.list(&downloader, &url(&fake, "/public/dir/sub/x")).await.unwrap();
    assert_eq!(entries.len(), 1);
    assert_eq!((entries[0].0.path().as_encoded(), entries[0].1.length), ("/public/dir/sub/x", Some(3)));
}

#[tokio::test]
async fn an_object_is_described_by_a_cache_and_a_collection_by_the_origin() {
    let fake = FakeFederation::start(&OBJECTS).await;
    let (federation, downloader) = clients_without_tokens();
    let entry = federation.stat(&downloader, &url(&fake, "/public/dir/sub/x")).await.unwrap();
    assert_eq!((entry.kind, entry.length), (EntryKind::File, Some(3)));
    assert!(fake.lines(Origin).is_empty());
    for name in ["/public/dir/sub", "/public/dir/sub/"] {
        let entry = federation.stat(&downloader, &url(&fake, name)).await.unwrap();
        assert_eq!(entry.kind, EntryKind::Directory, "{name}");
    }
    let error = federation.stat(&downloader, &url(&fake, "/public/none")).await.unwrap_err();
    assert_eq!(error.kind(), FailureKind::NotFound);
}

#[tokio::test]
async fn a_dead_cache_does_not_hide_an_object() {
    let fake = FakeFederation::start(&OBJECTS).await;
    fake.change(Cache(0), |_, _| refuse("503 Service Unavailable"));
    let (federation, downloader) = clients_without_tokens();
    let entry = federation.stat(&downloader, &url(&fake, "/public/dir/sub/x")).await.unwrap();
    assert_eq!(entry.length, Some(3));
}

#[tokio::test]
async fn a_namespace_without_listings_says_so() {
    let fake = FakeFederation::start(&OBJECTS).await;
    let (federation, downloader) = clients_without_tokens();
    let error = federation.list(&downloader, &url(&fake, "/nolist/dir")).await.unwrap_err();
    assert_eq!(error.kind(), FailureKind::Rejected);
    assert_eq!(error.to_string(), "the namespace `/nolist` does not allow listings");
}

#[tokio::test]
async fn a_protected_namespace_is_listed_with_its_token() {
    let fake = FakeFederation::start(&OBJECTS).await;
    let (federation, downloader) = clients_with(Script::new(&[TOKEN]));
    let entries = federation.list(&downloader, &url(&fake, "/protected")).await.unwrap();
    assert_eq!(entries.len(), 1);
    let director = fake.seen(Director);
    assert!(
        !director.is_empty() && director.iter().all(|asked| !asked.headers.contains_key("authorization"))
    );
    let (federation, downloader) = clients_without_tokens();
    let error = federation.list(&downloader, &url(&fake, "/protected")).await.unwrap_err();
    assert_eq!(error.kind(), FailureKind::NoToken);
}
