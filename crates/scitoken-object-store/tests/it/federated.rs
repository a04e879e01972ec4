//! Objects of a federation: caches, their failures, and tokens.

use futures_util::StreamExt as _;
use object_store::{
    Error, GetOptions, GetRange, MultipartUpload as _, ObjectStore as _, ObjectStoreExt as _, PutMode,
    PutOptions,
};
use scitoken_object_store::ScitokenStore;
use scitoken_test_support::chaos_server::Reply;
use scitoken_test_support::federation::{FakeFederation, FederationServer, ISSUER, refuse};
use scitoken_test_support::{Script, clients, tokens};
use scitoken_transfer::federation::Federation;
use serde_json::json;

use crate::support::{content, path};

pub(crate) const CACHES: [FederationServer; 2] = [FederationServer::Cache(0), FederationServer::Cache(1)];

pub(crate) fn store(federation: &FakeFederation, name: &str, token: &str) -> ScitokenStore {
    let session = clients::session(Script::new(&[token])).build().unwrap();
    let federated = Federation::new(session.http_client().clone()).with_token_source(Script::new(&[token]));
    let base = federation.name(name).parse().unwrap();
    ScitokenStore::federation(federated, session.client().clone(), base)
}

#[tokio::test]
async fn ranges_come_from_the_first_cache_and_carry_no_token_where_none_is_required() {
    let data = content(200_000);
    let federation = FakeFederation::start(&[("/public/d/f", &data)]).await;
    let store = store(&federation, "/public", "t");
    assert_eq!(store.get_range(&path("d/f"), 10..30).await.unwrap(), data[10..30]);
    let suffix = GetOptions::new().with_range(Some(GetRange::Suffix(4)));
    assert_eq!(store.get_opts(&path("d/f"), suffix).await.unwrap().bytes().await.unwrap(), data[199_996..]);
    assert_eq!(store.head(&path("d/f")).await.unwrap().size, 200_000);
    assert_eq!(store.get(&path("d/f")).await.unwrap().bytes().await.unwrap(), data);
    let seen = federation.seen(CACHES[0]);
    assert!(!seen.is_empty() && seen.iter().all(|asked| !asked.headers.contains_key("authorization")));
    assert_eq!(federation.lines(CACHES[1]), [""; 0]);
    assert_eq!(federation.seen(FederationServer::Director).len(), 2, "one document and one query");
}

#[tokio::test]
async fn the_next_cache_answers_where_one_fails() {
    let data = content(200_000);
    for failure in ["500 Internal Server Error", "404 Not Found", "403 Forbidden"] {
        let federation = FakeFederation::start(&[("/public/f", &data)]).await;
        federation.change(CACHES[0], move |_, _| refuse(failure));
        let store = store(&federation, "/public", "t");
        assert_eq!(store.get_range(&path("f"), 10..30).await.unwrap(), data[10..30], "{failure}");
        assert!(!federation.seen(CACHES[0]).is_empty(), "{failure}");
        assert_eq!(federation.lines(CACHES[1]), ["GET /public/f"], "{failure}");
    }
    let federation = FakeFederation::start(&[("/public/f", &data)]).await;
    for cache in CACHES {
        federation.change(cache, |_, _| refuse("404 Not Found"));
    }
    let error = store(&federation, "/public", "t").get_range(&path("f"), 0..5).await.unwrap_err();
    assert!(matches!(error, Error::NotFound { .. }), "{error:?}");
}

#[tokio::test]
async fn a_cache_whose_answer_is_not_the_range_is_passed_over() {
    let data = content(200_000);
    let part = "206 Partial Content";
    for wrong in [
        Reply::chunked(part, &[("Content-Range", "bytes 10-29/200000")], &data[10..20], 1),
        Reply::sized(part, &[("Content-Range", "bytes 0-19/200000")], &data[..20]),
        Reply::sized("200 OK", &[], data.clone()),
        Reply::sized("429 Too Many Requests", &[("Retry-After", "3600")], ""),
    ] {
        let federation = FakeFederation::start(&[("/public/f", &data)]).await;
        federation.change(CACHES[0], move |_, _| wrong.clone());
        let store = store(&federation, "/public", "t");
        assert_eq!(store.get_range(&path("f"), 10..30).await.unwrap(), data[10..30]);
        assert!(!federation.seen(CACHES[0]).is_empty());
        assert_eq!(federation.lines(CACHES[1]), ["GET /public/f"]);
    }
}

#[tokio::test]
async fn a_cache_that_breaks_off_is_continued_by_one_with_the_same_content() {
    let data = content(20_000_000);
    for (range, expected) in [(None, 0..20_000_000), (Some(100_u64..5_000_100), 100..5_000_100)] {
        let federation = FakeFederation::start(&[("/public/f", &data)]).await;
        federation.change(CACHES[0], |_, honest| honest.cut_after(1_000_000));
        let store = store(&federation, "/public", "t");
        let options = GetOptions { range: range.map(GetRange::Bounded), ..GetOptions::new() };
        let read = store.get_opts(&path("f"), options).await.unwrap().bytes().await.unwrap();
        assert!(read == data[expected]);
        assert_eq!(federation.seen(CACHES[1]).len(), 1);
    }
}

#[tokio::test]
async fn another_content_is_not_appended_to_what_was_read() {
    let data = content(20_000_000);
    let federation = FakeFederation::start(&[("/public/f", &data)]).await;
    federation.change(CACHES[0], |_, honest| honest.cut_after(1_000_000));
    federation.change(CACHES[1], |_, mut honest| {
        honest.body.fill(7);
        let lines: Vec<_> = honest.head.lines().filter(|line| !line.starts_with("Digest")).collect();
        honest.head = lines.join("\r\n") + "\r\n";
        honest
    });
    let store = store(&federation, "/public", "t");
    assert!(store.get(&path("f")).await.unwrap().bytes().await.is_err());
}

#[tokio::test]
async fn a_protected_namespace_gets_the_token_and_a_missing_one_is_an_error() {
    let data = content(1_000);
    let federation = FakeFederation::start(&[("/protected/d/f", &data)]).await;
    let claims = json!({ "iss": ISSUER, "scope": "storage.read:/", "exp": tokens::in_an_hour() });
    let token = tokens::jwt(&claims);
    federation.accept(&token);
    let with = store(&federation, "/protected", &token);
    assert_eq!(with.get_range(&path("d/f"), 1..9).await.unwrap(), data[1..9]);
    assert!(
        federation
            .seen(FederationServer::Director)
            .iter()
            .all(|asked| !asked.headers.contains_key("authorization"))
    );
    let before = federation.seen(CACHES[0]).len();
    let session = clients::session(Script::new(&[])).build().unwrap();
    let federated = Federation::new(session.http_client().clone()).with_token_source(Script::new(&[]));
    let base = federation.name("/protected").parse().unwrap();
    let without = ScitokenStore::federation(federated, session.client().clone(), base);
    let error = without.get_range(&path("d/f"), 1..9).await.unwrap_err();
    assert!(matches!(error, Error::Unauthenticated { .. }), "{error:?}");
    assert_eq!(federation.seen(CACHES[0]).len(), before);
}

#[tokio::test]
async fn a_store_that_is_opened_takes_the_tokens_of_its_session() {
    let data = content(1_000);
    let federation = FakeFederation::start(&[("/protected/d/f", &data)]).await;
    let claims = json!({ "iss": ISSUER, "scope": "storage.read:/", "exp": tokens::in_an_hour() });
    let token = tokens::jwt(&claims);
    federation.accept(&token);
    let session = clients::session(Script::new(&[&token])).build().unwrap();
    let store = ScitokenStore::open(&session, &federation.name("/protected")).unwrap();
    assert_eq!(store.get_range(&path("d/f"), 1..9).await.unwrap(), data[1..9]);
    assert_eq!(store.list(None).count().await, 1);
    assert!(federation.seen(CACHES[0]).iter().all(|asked| asked.headers.contains_key("authorization")));
}

#[tokio::test]
async fn objects_are_listed_by_the_server_of_the_namespace() {
    let objects: [(&str, &[u8]); 4] = [
        ("/public/d/a b,c", b"one"),
        ("/public/d/sub/x", b"two"),
        ("/public/e", b"three"),
        ("/nolist/f", b"f"),
    ];
    let federation = FakeFederation::start(&objects).await;
    let public = store(&federation, "/public", "t");
    let found: Vec<_> = public.list(None).map(|object| object.unwrap()).collect().await;
    let mut names: Vec<_> = found.iter().map(|object| (object.location.to_string(), object.size)).collect();
    names.sort();
    assert_eq!(names, [("d/a b,c".to_owned(), 3), ("d/sub/x".to_owned(), 3), ("e".to_owned(), 5)]);
    let d = public.list_with_delimiter(Some(&path("d"))).await.unwrap();
    assert_eq!(d.common_prefixes, [path("d/sub")]);
    assert_eq!(d.objects.iter().map(|object| object.location.to_string()).collect::<Vec<_>>(), ["d/a b,c"]);
    assert_eq!(public.get(&d.objects[0].location).await.unwrap().bytes().await.unwrap(), "one");
    assert!(public.list(Some(&path("none"))).next().await.is_none(), "nothing is below what does not exist");
    let error = store(&federation, "/nolist", "t").list_with_delimiter(None).await.unwrap_err();
    assert!(
        matches!(error, Error::NotSupported { .. }) && error.to_string().contains("listings"),
        "{error:?}"
    );
    let listing: Vec<_> = store(&federation, "/nolist", "t").list(None).collect().await;
    assert!(matches!(listing[..], [Err(Error::NotSupported { .. })]), "{listing:?}");
    let seen = federation.seen(FederationServer::Origin);
    assert!(!seen.is_empty() && seen.iter().all(|asked| !asked.headers.contains_key("authorization")));
}

#[tokio::test]
async fn objects_are_stored_and_removed_at_the_origin_with_a_token_that_permits_it() {
    let federation = FakeFederation::start(&[("/public/f", b"data"), ("/readonly/f", b"data")]).await;
    let claims =
        |scope: &str| tokens::jwt(&json!({ "iss": ISSUER, "scope": scope, "exp": tokens::in_an_hour() }));
    let (modify, create) = (claims("storage.modify:/ storage.read:/"), claims("storage.create:/"));
    federation.accept(&modify);
    let writing = store(&federation, "/public", &modify);
    writing.put(&path("d/a b"), "new".into()).await.unwrap();
    assert_eq!(federation.object("/public/d/a b").as_deref(), Some(&b"new"[..]));
    let create_only = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
    let error = writing.put_opts(&path("f"), "x".into(), create_only).await.unwrap_err();
    assert!(matches!(error, Error::AlreadyExists { .. }), "{error:?}");
    writing.delete(&path("d/a b")).await.unwrap();
    assert_eq!(federation.object("/public/d/a b"), None);
    for server in [FederationServer::Director, CACHES[0], CACHES[1]] {
        assert!(federation.seen(server).iter().all(|asked| !asked.headers.contains_key("authorization")));
    }

    federation.accept(&create);
    let creating = store(&federation, "/public", &create);
    creating.put(&path("g"), "new".into()).await.unwrap();
    let error = creating.delete(&path("g")).await.unwrap_err();
    assert!(matches!(error, Error::Unauthenticated { .. }), "{error:?}");
    assert!(federation.object("/public/g").is_some());
    let error = store(&federation, "/readonly", &modify).put(&path("g"), "x".into()).await.unwrap_err();
    assert!(matches!(error, Error::NotSupported { .. }), "{error:?}");
    assert!(error.to_string().contains("No origins allow"), "{error}");
}

fn scoped(scope: &str) -> String {
    tokens::jwt(&json!({ "iss": ISSUER, "scope": scope, "exp": tokens::in_an_hour() }))
}

/// The requests that change something, which only the origin gets.
fn changes(federation: &FakeFederation) -> Vec<String> {
    let is_change =
        |line: &String| !["GET", "HEAD", "PROPFIND"].iter().any(|method| line.starts_with(method));
    for cache in CACHES {
        assert!(!federation.lines(cache).iter().any(is_change), "{:?}", federation.lines(cache));
    }
    federation.lines(FederationServer::Origin).into_iter().filter(is_change).collect()
}

/// Whether neither the director nor a cache of a public namespace got a token.
fn is_silent_elsewhere(federation: &FakeFederation) -> bool {
    [FederationServer::Director, CACHES[0], CACHES[1]]
        .iter()
        .flat_map(|server| federation.seen(*server))
        .all(|asked| !asked.headers.contains_key("authorization"))
}

#[tokio::test]
async fn a_multipart_upload_to_a_federation_appears_at_the_origin_when_it_is_complete() {
    let federation = FakeFederation::start(&[]).await;
    let token = scoped("storage.modify:/ storage.read:/");
    federation.accept(&token);
    let store = store(&federation, "/public", &token);
    let data = content(3_000_000);
    let mut upload = store.put_multipart(&path("d/f")).await.unwrap();
    for part in data.chunks(700_000) {
        upload.put_part(part.to_vec().into()).await.unwrap();
        assert_eq!(federation.object("/public/d/f"), None, "not before it is complete");
    }
    upload.complete().await.unwrap();
    assert_eq!(federation.object("/public/d/f"), Some(data));
    let changes = changes(&federation);
    let temporary = changes.iter().find_map(|line| line.strip_prefix("PUT ")).unwrap();
    assert!(temporary.starts_with("/public/d/.f."), "{changes:?}");
    assert_eq!(changes.last().unwrap(), &format!("MOVE {temporary}"), "{changes:?}");
    assert!(is_silent_elsewhere(&federation));
}

#[tokio::test]
async fn an_aborted_multipart_upload_leaves_nothing_at_the_origin() {
    let federation = FakeFederation::start(&[("/public/d/other", b"data")]).await;
    let token = scoped("storage.modify:/ storage.read:/");
    federation.accept(&token);
    let store = store(&federation, "/public", &token);
    let mut upload = store.put_multipart(&path("d/f")).await.unwrap();
    upload.put_part("lost".into()).await.unwrap();
    upload.abort().await.unwrap();
    let left: Vec<_> = store.list(None).map(|object| object.unwrap().location.to_string()).collect().await;
    assert_eq!(left, ["d/other"]);
    let changes = changes(&federation);
    assert!(changes.last().unwrap().starts_with("DELETE /public/d/.f."), "{changes:?}");
}

#[tokio::test]
async fn a_multipart_upload_needs_a_token_that_permits_to_rename_before_its_first_byte() {
    let federation = FakeFederation::start(&[]).await;
    let token = scoped("storage.create:/ storage.read:/");
    federation.accept(&token);
    let error = store(&federation, "/public", &token).put_multipart(&path("d/f")).await.unwrap_err();
    assert!(matches!(error, Error::Unauthenticated { .. }), "{error:?}");
    assert!(federation.lines(FederationServer::Origin).is_empty());
}

#[tokio::test]
async fn objects_are_copied_and_renamed_at_the_origin() {
    let federation = FakeFederation::start(&[("/public/a b", b"one"), ("/public/c", b"two")]).await;
    let token = scoped("storage.modify:/ storage.read:/");
    federation.accept(&token);
    let store = store(&federation, "/public", &token);
    store.copy(&path("a b"), &path("d/copy")).await.unwrap();
    store.rename(&path("c"), &path("d/e#1")).await.unwrap();
    for (name, expected) in [
        ("/public/a b", Some(&b"one"[..])),
        ("/public/d/copy", Some(b"one")),
        ("/public/c", None),
        ("/public/d/e#1", Some(b"two")),
    ] {
        assert_eq!(federation.object(name).as_deref(), expected, "{name}");
    }
    let done = changes(&federation);
    assert_eq!(done, ["COPY /public/a%20b", "MOVE /public/c"]);
    let error = store.copy_if_not_exists(&path("a b"), &path("d/copy")).await.unwrap_err();
    assert!(matches!(error, Error::AlreadyExists { .. }), "{error:?}");
    let error = store.rename_if_not_exists(&path("a b"), &path("d/e#1")).await.unwrap_err();
    assert!(matches!(error, Error::AlreadyExists { .. }), "{error:?}");
    let error = store.copy(&path("none"), &path("d/none")).await.unwrap_err();
    assert!(matches!(error, Error::NotFound { .. }), "{error:?}");
    let error = store.rename(&path("none"), &path("d/none")).await.unwrap_err();
    assert!(matches!(error, Error::NotFound { .. }), "{error:?}");
    assert_eq!(federation.object("/public/a b").as_deref(), Some(&b"one"[..]));
    assert!(is_silent_elsewhere(&federation));
}

#[tokio::test]
async fn an_object_goes_to_another_namespace_through_this_machine() {
    let objects: [(&str, &[u8]); 3] =
        [("/public/f", b"one"), ("/public/g", b"two"), ("/readonly/h", b"three")];
    let federation = FakeFederation::start(&objects).await;
    let token = scoped("storage.modify:/ storage.read:/");
    federation.accept(&token);
    let store = store(&federation, "/", &token);
    store.copy(&path("public/f"), &path("protected/f")).await.unwrap();
    store.copy(&path("readonly/h"), &path("public/h")).await.unwrap();
    store.rename(&path("public/g"), &path("protected/d/g")).await.unwrap();
    for (name, expected) in [
        ("/public/f", Some(&b"one"[..])),
        ("/protected/f", Some(b"one")),
        ("/public/h", Some(b"three")),
        ("/public/g", None),
        ("/protected/d/g", Some(b"two")),
    ] {
        assert_eq!(federation.object(name).as_deref(), expected, "{name}");
    }
    // One origin never gets a name of another namespace as the destination.
    let done = changes(&federation);
    assert_eq!(done, ["PUT /protected/f", "PUT /public/h", "PUT /protected/d/g", "DELETE /public/g"]);
    let error = store.rename(&path("readonly/h"), &path("public/i")).await.unwrap_err();
    assert!(matches!(error, Error::NotSupported { .. }), "{error:?}");
    assert_eq!(federation.object("/public/i"), None, "what cannot be removed is not copied either");
}

#[tokio::test]
async fn a_token_that_only_creates_copies_by_reading_and_writing() {
    let federation = FakeFederation::start(&[("/public/f", b"one")]).await;
    let token = scoped("storage.create:/");
    federation.accept(&token);
    federation.change(FederationServer::Origin, |asked, honest| {
        if asked.method == "COPY" { refuse("403 Forbidden") } else { honest }
    });
    let store = store(&federation, "/public", &token);
    store.copy(&path("f"), &path("g")).await.unwrap();
    assert_eq!(federation.object("/public/g").as_deref(), Some(&b"one"[..]));
    assert_eq!(changes(&federation), ["COPY /public/f", "PUT /public/g"]);
    let error = store.rename(&path("f"), &path("h")).await.unwrap_err();
    assert!(matches!(error, Error::Unauthenticated { .. }), "{error:?}");
    assert!(federation.object("/public/f").is_some());
}
