//! What a store writes, and what it must not.

use object_store::{
    Error, MultipartUpload as _, ObjectStore as _, ObjectStoreExt as _, PutMode, PutOptions, UpdateVersion,
};
use scitoken_test_support::{Reply, Server, clients};

use crate::support::{Storage, content, path};

const ALL: &str = "storage.read:/ storage.modify:/";

#[tokio::test]
async fn a_directory_is_never_deleted() {
    let storage = Storage::start().await;
    storage.write("d/f", "data");
    let error = storage.store(ALL).delete(&path("d")).await.unwrap_err();
    assert!(error.to_string().contains("directory"), "{error}");
    assert_eq!(storage.read("d/f").as_deref(), Some(&b"data"[..]));
}

#[tokio::test]
async fn creating_and_updating_replace_nothing_else() {
    let storage = Storage::start().await;
    let store = storage.store(ALL);
    let put = |mode: PutMode, text: &'static str| {
        let options = PutOptions { mode, ..PutOptions::default() };
        let (store, location) = (store.clone(), path("a/b/f"));
        async move { store.put_opts(&location, text.into(), options).await }
    };
    let first = put(PutMode::Create, "one").await.unwrap();
    assert!(matches!(put(PutMode::Create, "two").await, Err(Error::AlreadyExists { .. })));
    assert_eq!(storage.read("a/b/f").as_deref(), Some(&b"one"[..]));
    let version = UpdateVersion { e_tag: first.e_tag.clone(), version: None };
    put(PutMode::Update(version.clone()), "three").await.unwrap();
    assert!(matches!(put(PutMode::Update(version), "four").await, Err(Error::Precondition { .. })));
    assert_eq!(storage.read("a/b/f").as_deref(), Some(&b"three"[..]));
}

#[tokio::test]
async fn a_multipart_upload_appears_when_it_is_complete_and_leaves_nothing_when_it_is_aborted() {
    let storage = Storage::start().await;
    let store = storage.store(ALL);
    let data = content(3_000_000);
    let mut upload = store.put_multipart(&path("d/f")).await.unwrap();
    let parts: Vec<_> = data.chunks(700_000).map(|part| upload.put_part(part.to_vec().into())).collect();
    // Polled in the other order, the parts still arrive in theirs.
    let (parts, hidden) = tokio::join!(futures_util::future::join_all(parts.into_iter().rev()), async {
        store.list_with_delimiter(Some(&path("d"))).await.unwrap().objects
    });
    assert!(parts.into_iter().all(|part| part.is_ok()));
    assert_eq!(hidden, []);
    assert!(matches!(store.head(&path("d/f")).await, Err(Error::NotFound { .. })));
    upload.complete().await.unwrap();
    assert_eq!(storage.read("d/f"), Some(data));

    let mut upload = store.put_multipart(&path("d/g")).await.unwrap();
    upload.put_part("lost".into()).await.unwrap();
    upload.abort().await.unwrap();
    let names: Vec<_> =
        fs_err::read_dir(storage.root.path().join("d")).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(names, ["f"]);
}

#[tokio::test]
async fn a_body_in_memory_is_sent_again_with_the_next_token() {
    let server = Server::https(|seen| match (seen.method.as_str(), seen.authorization()) {
        ("PUT", Some("Bearer new")) => Reply::new(201),
        _ => Reply::challenge(r#"Bearer realm="r", error="invalid_token""#),
    })
    .await;
    let session = clients::session(scitoken_test_support::Script::new(&["old", "new"])).build().unwrap();
    let store = scitoken_object_store::ScitokenStore::open(&session, server.url("/d").as_str()).unwrap();
    store.put(&path("f"), "content".into()).await.unwrap();
    assert_eq!(server.tokens(), ["old", "new"]);
    assert!(server.seen().iter().all(|seen| seen.body == "content"));
}
