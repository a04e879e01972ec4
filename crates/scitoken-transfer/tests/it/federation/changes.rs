//! Storing and removing objects.

use scitoken_test_support::federation::FederationServer::{Cache, Director, Origin};
use scitoken_test_support::federation::{FakeFederation, ISSUER, TOKEN, refuse};
use scitoken_test_support::tokens::{in_an_hour, jwt};
use scitoken_test_support::{Script, chaos_server};
use scitoken_transfer::{Checksum, FailureKind, Overwrite, Verification};
use serde_json::json;

use super::{clients_with, clients_without_tokens, content, url};

/// Whether the servers that must not have a token got one.
fn is_silent_elsewhere(fake: &FakeFederation) -> bool {
    [Director, Cache(0), Cache(1)].iter().flat_map(|server| fake.seen(*server)).all(
        |asked: chaos_server::Asked| {
            !asked.headers.contains_key("authorization") && !format!("{asked:?}").contains(TOKEN)
        },
    )
}

#[tokio::test]
async fn an_object_is_stored_at_the_origin_and_verified_there() {
    for (path, length) in [("/public/up/f", 50_000), ("/protected/a b#1,é", 3), ("/public/empty", 0)] {
        let fake = FakeFederation::start(&[]).await;
        let (federation, downloader) = clients_with(Script::new(&[TOKEN]));
        let data = content(length);
        let file = tempfile::NamedTempFile::new().unwrap();
        fs_err::write(file.path(), &data).unwrap();
        let md5 = "md5".parse().unwrap();
        let name = url(&fake, path);
        let uploaded = federation
            .upload(&downloader, file.path(), &name, |upload| upload.with_algorithm(Some(md5)))
            .await
            .unwrap_or_else(|error| panic!("{path}: {error}"));
        assert_eq!(uploaded.length, length as u64);
        assert!(matches!(uploaded.verification, Verification::Verified(_)), "{path}");
        assert_eq!(fake.object(path), Some(data), "{path}");
        assert!(is_silent_elsewhere(&fake), "{path}");
        assert!(fake.lines(Director)[1].starts_with("PUT /"), "{:?}", fake.lines(Director));
        assert!(fake.lines(Cache(0)).is_empty() && fake.lines(Cache(1)).is_empty());
    }
}

#[tokio::test]
async fn a_change_without_a_fitting_token_ends_before_the_origin_is_asked() {
    let claims = |scope: &str| json!({"iss": ISSUER, "aud": "ANY", "exp": in_an_hour(), "scope": scope});
    let may_read = jwt(&claims("storage.read:/"));
    let may_create = jwt(&claims("storage.create:/"));
    let file = tempfile::NamedTempFile::new().unwrap();
    for (token, stores, removes) in
        [("-", false, false), (&may_read, false, false), (&may_create, true, false)]
    {
        let fake = FakeFederation::start(&[("/protected/g", b"data")]).await;
        fake.accept(token);
        let (federation, downloader) = clients_with(Script::new(&[token]));
        let stored =
            federation.upload(&downloader, file.path(), &url(&fake, "/protected/f"), |upload| upload).await;
        assert_eq!(stored.is_ok(), stores, "{token}: {stored:?}");
        let error = federation.remove(&downloader, &url(&fake, "/protected/g")).await.unwrap_err();
        assert_eq!(error.kind(), FailureKind::NoToken, "{token}");
        assert!(error.to_string().contains("storage.modify:/g"), "{error}");
        if token == may_read {
            assert!(error.to_string().contains("does not permit to remove"), "{error}");
        }
        assert!(removes || fake.object("/protected/g").is_some());
        assert_eq!(fake.lines(Origin).is_empty(), !stores, "{token}");
    }
}

#[tokio::test]
async fn an_object_is_removed_at_the_origin() {
    let fake = FakeFederation::start(&[("/protected/f", b"data"), ("/protected/d/g", b"data")]).await;
    let (federation, downloader) = clients_with(Script::new(&[TOKEN]));
    federation.remove(&downloader, &url(&fake, "/protected/f")).await.unwrap();
    assert_eq!(fake.object("/protected/f"), None);
    let error = federation.remove(&downloader, &url(&fake, "/protected/f")).await.unwrap_err();
    assert_eq!(error.kind(), FailureKind::NotFound);
    let error = federation.remove(&downloader, &url(&fake, "/protected/d")).await.unwrap_err();
    assert_eq!(error.kind(), FailureKind::Usage, "a collection needs another call");
    assert!(fake.object("/protected/d/g").is_some() && is_silent_elsewhere(&fake));
}

#[tokio::test]
async fn a_namespace_that_cannot_be_written_to_says_so() {
    let fake = FakeFederation::start(&[("/readonly/f", b"data")]).await;
    let (federation, downloader) = clients_with(Script::new(&[TOKEN]));
    let file = tempfile::NamedTempFile::new().unwrap();
    let stored =
        federation.upload(&downloader, file.path(), &url(&fake, "/readonly/g"), |upload| upload).await;
    assert_eq!(stored.unwrap_err().kind(), FailureKind::Rejected);
    let error = federation.remove(&downloader, &url(&fake, "/readonly/f")).await.unwrap_err();
    assert_eq!(error.kind(), FailureKind::Rejected);
}

#[tokio::test]
async fn an_existing_object_is_refused_on_request() {
    let fake = FakeFederation::start(&[("/public/f", b"old")]).await;
    let (federation, downloader) = clients_with(Script::new(&[TOKEN]));
    let file = tempfile::NamedTempFile::new().unwrap();
    let refuse = |upload: scitoken_transfer::Upload| upload.with_overwrite(Overwrite::Refuse);
    let error =
        federation.upload(&downloader, file.path(), &url(&fake, "/public/f"), refuse).await.unwrap_err();
    assert_eq!(error.kind(), FailureKind::Exists);
    assert_eq!(fake.object("/public/f").as_deref(), Some(&b"old"[..]));
}

#[tokio::test]
async fn a_checksum_comes_from_the_next_cache_where_one_fails() {
    let fake = FakeFederation::start(&[("/public/f", b"Hello, World!\n")]).await;
    fake.change(Cache(0), |_, _| refuse("503 Service Unavailable"));
    let (federation, downloader) = clients_without_tokens();
    let digest = federation.checksum(&downloader, &url(&fake, "/public/f"), &"crc32c".parse().unwrap()).await;
    assert_eq!(digest.unwrap().to_string(), "crc32c:d2cde5d4");
    let error =
        federation.checksum(&downloader, &url(&fake, "/public/none"), &Checksum::Auto).await.unwrap_err();
    assert_eq!(error.kind(), FailureKind::NotFound);
}

#[tokio::test]
async fn a_tree_is_walked_by_names() {
    let objects: [(&str, &[u8]); 3] =
        [("/public/d/a", b"a"), ("/public/d/s,t/b c", b"b"), ("/public/d/s,t/u/x#", b"c")];
    let fake = FakeFederation::start(&objects).await;
    let (federation, downloader) = clients_without_tokens();
    let mut walk = federation.walk(&downloader, &url(&fake, "/public/d"));
    let mut found = Vec::new();
    while let Some(entry) = walk.next().await {
        let entry = entry.unwrap();
        assert!(entry.entry.url.as_str().starts_with("pelican://"), "{}", entry.entry.url);
        found.push(entry.path.to_str().unwrap().to_owned());
    }
    found.sort();
    assert_eq!(found, ["a", "s,t", "s,t/b c", "s,t/u", "s,t/u/x#"]);
    let object = url(&fake, "/public/d/a");
    let mut walk = federation.walk(&downloader, &object);
    assert_eq!(walk.next().await.unwrap().unwrap().path.to_str(), Some("a"), "an object is itself");
}
