//! What a store writes, and what it must not.

use std::sync::{Arc, Mutex};

use object_store::{
    Error, MultipartUpload as _, ObjectStore as _, ObjectStoreExt as _, PutMode, PutOptions, UpdateVersion,
};
use scitoken_object_store::ScitokenStore;
use scitoken_test_support::chaos_server::{ChaosServer, Reply as Raw};
use scitoken_test_support::{Reply, Script, Server, clients};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpListener;

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
async fn a_directory_that_another_writer_made_in_between_is_used() {
    let server = ChaosServer::start(|asked| match (asked.method.as_str(), asked.number) {
        ("PUT", 0) => Raw::sized("409 Conflict", &[], ""),
        ("PUT", _) => Raw::sized("201 Created", &[], ""),
        _ => Raw::sized("405 Method Not Allowed", &[], ""),
    })
    .await;
    let session = clients::session(Script::new(&["t"])).build().unwrap();
    let store = ScitokenStore::open(&session, server.url("vo").as_str()).unwrap();
    store.put(&path("new/f"), "data".into()).await.unwrap();
    let lines: Vec<_> =
        server.seen().iter().map(|asked| format!("{} {}", asked.method, asked.path)).collect();
    assert_eq!(lines[..3], ["PUT /vo/new/f", "MKCOL /vo/new", "PUT /vo/new/f"]);
}

#[tokio::test]
async fn many_objects_are_written_at_once_into_a_new_directory() {
    let storage = Storage::start().await;
    let store = storage.store(ALL);
    let put = |n: usize| {
        let store = store.clone();
        async move { store.put(&path(&format!("new/sub/{n}")), format!("{n}").into()).await }
    };
    for result in futures_util::future::join_all((0..32).map(put)).await {
        result.unwrap();
    }
    assert!((0..32).all(|n| storage.read(&format!("new/sub/{n}")) == Some(n.to_string().into_bytes())));
}

/// Resets the connection of each `PUT` until a directory was made: a `409` that a client does not see, because it still
/// sends its body.
async fn resetting() -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}/vo", listener.local_addr().unwrap());
    let seen = Arc::new(Mutex::new(Vec::new()));
    let shared = Arc::clone(&seen);
    tokio::spawn(async move {
        loop {
            let mut stream = BufReader::new(listener.accept().await.unwrap().0);
            let (mut line, mut length) = (String::new(), 0);
            stream.read_line(&mut line).await.unwrap();
            let method = line.split(' ').next().unwrap().to_owned();
            while line != "\r\n" {
                line.clear();
                stream.read_line(&mut line).await.unwrap();
                if let Some(text) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                    length = text.trim().parse().unwrap();
                }
            }
            let is_first = !shared.lock().unwrap().contains(&"MKCOL".to_owned());
            shared.lock().unwrap().push(method.clone());
            if method == "PUT" && is_first {
                // What was received and not read makes it a reset.
                continue;
            }
            tokio::io::copy(&mut (&mut stream).take(length), &mut tokio::io::sink()).await.unwrap();
            let status = if method == "PROPFIND" { "404 Not Found" } else { "201 Created" };
            let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
            stream.write_all(answer.as_bytes()).await.unwrap();
            stream.shutdown().await.unwrap();
        }
    });
    (base, seen)
}

#[tokio::test]
async fn a_refusal_that_is_lost_while_the_body_is_sent_makes_the_directory() {
    for mode in [PutMode::Overwrite, PutMode::Create] {
        let (base, seen) = resetting().await;
        let session = clients::session(Script::new(&["t"])).build().unwrap();
        let store = ScitokenStore::open(&session, &base).unwrap();
        let options = PutOptions { mode: mode.clone(), ..PutOptions::default() };
        store.put_opts(&path("new/f"), content(16_000_000).into(), options).await.unwrap();
        let mut seen = seen.lock().unwrap().clone();
        seen.retain(|method| method != "PROPFIND");
        assert_eq!(seen, ["PUT", "MKCOL", "PUT"], "{mode:?}");
    }
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
    let session = clients::session(Script::new(&["old", "new"])).build().unwrap();
    let store = ScitokenStore::open(&session, server.url("/d").as_str()).unwrap();
    store.put(&path("f"), "content".into()).await.unwrap();
    assert_eq!(server.tokens(), ["old", "new"]);
    assert!(server.seen().iter().all(|seen| seen.body == "content"));
}
