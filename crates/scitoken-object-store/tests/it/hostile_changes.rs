//! Listings that lie, and changes that must not lose an object.

use std::sync::Arc;
use std::time::Duration;

use futures_util::{StreamExt as _, TryStreamExt as _};
use object_store::{
    Error, MultipartUpload as _, ObjectStore as _, ObjectStoreExt as _, PutMode, PutOptions, PutPayload,
};
use scitoken_object_store::ScitokenStore;
use scitoken_test_support::chaos_server::{Asked, ChaosServer, Reply};
use scitoken_test_support::{Script, Server, clients};

use crate::support::{Storage, content, path};

const ALL: &str = "storage.read:/ storage.modify:/";

fn store(server: &ChaosServer) -> ScitokenStore {
    let session = clients::session(Script::new(&["t"])).build().unwrap();
    ScitokenStore::open(&session, server.url("vo").as_str()).unwrap()
}

/// A listing with these entries: hrefs, of which those with a `/` at their end are directories.
fn multistatus(hrefs: &[&str]) -> Reply {
    let entry = |href: &&str| {
        let kind = if href.ends_with('/') { "<D:collection/>" } else { "" };
        format!(
            "<D:response><D:href>{href}</D:href><D:propstat><D:prop><D:resourcetype>{kind}</D:resourcetype>\
             <D:getcontentlength>4</D:getcontentlength></D:prop><D:status>HTTP/1.1 200 OK</D:status>\
             </D:propstat></D:response>"
        )
    };
    let entries: String = hrefs.iter().map(entry).collect();
    Reply::sized(
        "207 Multi-Status",
        &[],
        format!("<D:multistatus xmlns:D=\"DAV:\">{entries}</D:multistatus>"),
    )
}

#[tokio::test]
async fn listed_names_are_those_that_a_read_asks_for() {
    // As a server encodes them, and as the store names them.
    let names = [
        ("a%20b", "a b"),
        ("a%23b", "a#b"),
        ("a%3Fb", "a?b"),
        ("a%25b", "a%b"),
        ("a%252Fb", "a%2Fb"),
        ("%C3%A9%E2%82%AC", "\u{e9}\u{20ac}"),
        ("a&amp;b;c=d", "a&b;c=d"),
        ("..a", "..a"),
        ("~a", "~a"),
    ];
    let server = ChaosServer::start(move |asked| match asked.method.as_str() {
        "PROPFIND" => {
            let hrefs: Vec<_> = names.iter().map(|(href, _)| format!("/vo/{href}")).collect();
            multistatus(&[&["/vo/"][..], &hrefs.iter().map(String::as_str).collect::<Vec<_>>()].concat())
        }
        _ => Reply::honest(asked, asked.path.as_bytes(), &[]),
    })
    .await;
    let store = store(&server);
    let listed: Vec<_> = store.list(None).try_collect().await.unwrap();
    let locations: Vec<_> = listed.iter().map(|object| object.location.as_ref()).collect();
    assert_eq!(locations, names.map(|(_, name)| name));
    for (object, (href, _)) in listed.iter().zip(names) {
        let asked_for = store.get(&object.location).await.unwrap().bytes().await.unwrap();
        let asked_for = percent(std::str::from_utf8(&asked_for).unwrap());
        assert_eq!(asked_for, percent(&format!("/vo/{}", href.replace("&amp;", "&"))));
    }
}

fn percent(text: &str) -> Vec<u8> {
    let mut bytes = text.bytes();
    std::iter::from_fn(|| match bytes.next()? {
        b'%' => {
            let digits = [bytes.next()?, bytes.next()?];
            u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).ok()
        }
        byte => Some(byte),
    })
    .collect()
}

#[tokio::test]
async fn a_listing_that_lies_names_nothing_elsewhere() {
    for (href, reason) in [
        ("http://evil.example/vo/../../etc/f", "not below it"),
        ("http://evil.example/elsewhere/f", ""),
        ("/elsewhere/f", ""),
        ("/vo/../secret", ""),
        ("/vo/%2e%2e/secret", ""),
        ("/vo/a%2Fb", ""),
        ("/vo/a%00b", ""),
        ("/vo/%FF", ""),
    ] {
        let server = ChaosServer::start(move |_| multistatus(&["/vo/", "/vo/good", href])).await;
        let entries: Vec<_> = store(&server).list(None).take(10).collect().await;
        let (good, bad): (Vec<_>, Vec<_>) = entries.into_iter().partition(Result::is_ok);
        let good: Vec<_> = good.into_iter().map(|good| good.unwrap().location.to_string()).collect();
        assert_eq!((good, bad.len()), (vec!["good".to_owned()], 1), "{href}");
        let bad = bad[0].as_ref().unwrap_err().to_string();
        assert!(reason.is_empty() || bad.contains(reason), "{href}: {bad}");
        store(&server).list_with_delimiter(None).await.expect_err(href);
    }
    // A host that is not ours, with names that are: they are read from the server that was asked.
    let foreign = Server::https(|_| scitoken_test_support::Reply::new(200)).await;
    let elsewhere = foreign.url("/vo/d/").to_string();
    let server = ChaosServer::start(move |asked| match asked.path.trim_end_matches('/') {
        "/vo" => multistatus(&["/vo/", &elsewhere]),
        _ => multistatus(&["/vo/d/", "/vo/d/f"]),
    })
    .await;
    let listed: Vec<_> = store(&server).list(None).try_collect().await.unwrap();
    assert_eq!(listed.iter().map(|object| object.location.as_ref()).collect::<Vec<_>>(), ["d/f"]);
    assert_eq!(foreign.seen().len(), 0);
}

#[tokio::test]
async fn a_listing_that_is_cut_or_has_no_end_is_an_error() {
    let server = ChaosServer::start(|_| {
        let whole = multistatus(&["/vo/", "/vo/a", "/vo/b"]);
        let keep = whole.body.len() - 60;
        Reply::sized("207 Multi-Status", &[], &whole.body[..keep])
    })
    .await;
    let listed: Vec<_> = store(&server).list(None).collect().await;
    assert!(listed.iter().any(Result::is_err), "{listed:?}");
    store(&server).list_with_delimiter(None).await.unwrap_err();
    // Each directory has one more below it.
    let server = ChaosServer::start(|asked| {
        let here = asked.path.clone();
        multistatus(&[&here, &format!("{here}d/"), &format!("{here}f")])
    })
    .await;
    let listing = store(&server).list(None).try_for_each(|_| async { Ok(()) });
    let ended = tokio::time::timeout(Duration::from_secs(60), listing).await.unwrap();
    assert!(ended.unwrap_err().to_string().contains("directories deep"));
}

#[tokio::test]
async fn an_object_that_is_copied_or_renamed_onto_itself_stays() {
    for refused in [405, 501, 403, 204] {
        let server = Server::https(move |seen| match seen.method.as_str() {
            "PROPFIND" => scitoken_test_support::Reply::new(405),
            "HEAD" => scitoken_test_support::Reply::new(200).header(http::header::CONTENT_LENGTH, "4"),
            "GET" => scitoken_test_support::Reply::ok("data"),
            _ => scitoken_test_support::Reply::new(refused),
        })
        .await;
        let session = clients::session(Script::new(&["t"])).build().unwrap();
        let store = ScitokenStore::open(&session, server.url("/vo").as_str()).unwrap();
        store.rename(&path("f"), &path("f")).await.unwrap();
        store.copy(&path("f"), &path("f")).await.unwrap();
        for kept in [
            store.rename_if_not_exists(&path("f"), &path("f")).await,
            store.copy_if_not_exists(&path("f"), &path("f")).await,
        ] {
            assert!(matches!(kept, Err(Error::AlreadyExists { .. })), "{kept:?}");
        }
        let changes: Vec<_> = server.seen().into_iter().map(|seen| seen.method).collect();
        assert!(
            !changes.is_empty() && changes.iter().all(|m| ["PROPFIND", "HEAD"].contains(&m.as_str())),
            "{changes:?}"
        );
    }
    let storage = Storage::start().await;
    storage.write("f", "data");
    storage.store(ALL).rename(&path("f"), &path("f")).await.unwrap();
    assert_eq!(storage.read("f").as_deref(), Some(&b"data"[..]));
    let absent = storage.store(ALL).rename(&path("g"), &path("g")).await;
    assert!(matches!(absent, Err(Error::NotFound { .. })), "{absent:?}");
}

#[tokio::test]
async fn a_rename_that_failed_in_part_is_no_success() {
    let server = ChaosServer::start(|asked| match asked.method.as_str() {
        "HEAD" => Reply::new("200 OK", &[("Content-Length", "4")], ""),
        "MOVE" | "COPY" => Reply::sized(
            "207 Multi-Status",
            &[],
            "<D:multistatus xmlns:D=\"DAV:\"><D:response><D:href>/vo/g</D:href>\
             <D:status>HTTP/1.1 423 Locked</D:status></D:response></D:multistatus>",
        ),
        "PUT" => Reply::sized("423 Locked", &[], ""),
        "GET" => Reply::honest(asked, b"data", &[]),
        _ => Reply::sized("405 Method Not Allowed", &[], ""),
    })
    .await;
    assert!(store(&server).rename(&path("f"), &path("g")).await.is_err());
    assert!(store(&server).copy(&path("f"), &path("g")).await.is_err());
    assert!(server.seen().iter().all(|asked| asked.method != "DELETE"));
}

/// Answers a `PUT` in a way that the test chooses, and has no object.
async fn storing(put: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> ChaosServer {
    ChaosServer::start(move |asked| match asked.method.as_str() {
        "PUT" => put(asked),
        "MKCOL" | "MOVE" => Reply::sized("201 Created", &[], ""),
        "DELETE" => Reply::sized("204 No Content", &[], ""),
        _ => Reply::sized("404 Not Found", &[], ""),
    })
    .await
}

#[tokio::test]
async fn what_was_stored_is_not_an_error_where_its_tag_cannot_be_read() {
    let server = storing(|_| Reply::sized("201 Created", &[], "")).await;
    let options = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
    let result = store(&server).put_opts(&path("f"), "data".into(), options).await.unwrap();
    assert_eq!(result.e_tag, None);
}

#[tokio::test]
async fn an_upload_of_no_parts_is_an_empty_object() {
    let storage = Storage::start().await;
    let mut upload = storage.store(ALL).put_multipart(&path("d/f")).await.unwrap();
    upload.complete().await.unwrap();
    assert_eq!(storage.read("d/f").as_deref(), Some(&b""[..]));
    upload.complete().await.unwrap_err();
    upload.put_part("late".into()).await.unwrap_err();
    let mut upload = storage.store(ALL).put_multipart(&path("d/g")).await.unwrap();
    upload.put_part(PutPayload::new()).await.unwrap();
    upload.complete().await.unwrap();
    assert_eq!(storage.read("d/g").as_deref(), Some(&b""[..]));
    let mut upload = storage.store(ALL).put_multipart(&path("d/h")).await.unwrap();
    upload.abort().await.unwrap();
    assert_eq!(storage.read("d/h"), None);
}

#[tokio::test]
async fn a_refused_upload_says_why_in_its_parts_and_at_its_end() {
    let refusing = Server::https(|seen| match seen.method.as_str() {
        "PUT" => scitoken_test_support::Reply::new(507).body("the quota is used up"),
        "MKCOL" => scitoken_test_support::Reply::new(201),
        _ => scitoken_test_support::Reply::new(404),
    })
    .await;
    let session = clients::session(Script::new(&["t"])).build().unwrap();
    let store = ScitokenStore::open(&session, refusing.url("/vo").as_str()).unwrap();
    let mut upload = store.put_multipart(&path("f")).await.unwrap();
    let mut failed = None;
    for _ in 0..200 {
        if let Err(error) = upload.put_part(vec![0; 1_000_000].into()).await {
            failed = Some(error.to_string());
            break;
        }
    }
    if let Some(failed) = failed {
        assert!(failed.contains("507"), "{failed}");
    }
    let error = upload.complete().await.unwrap_err().to_string();
    assert!(error.contains("507"), "{error}");
    assert!(refusing.seen().iter().all(|seen| seen.method != "MOVE"));
}

#[tokio::test]
async fn an_upload_whose_parts_were_not_sent_does_not_complete() {
    let storage = Storage::start().await;
    let mut upload = storage.store(ALL).put_multipart(&path("d/f")).await.unwrap();
    let unsent = upload.put_part(content(10).into());
    let completed = tokio::time::timeout(Duration::from_secs(20), upload.complete()).await;
    completed.expect("it does not wait for what nothing sends").unwrap_err();
    drop(unsent);
    assert_eq!(storage.read("d/f"), None);
    let mut upload = storage.store(ALL).put_multipart(&path("d/g")).await.unwrap();
    drop(upload.put_part(content(10).into()));
    upload.put_part(content(10).into()).await.unwrap_err();
    upload.complete().await.unwrap_err();
    assert_eq!(storage.read("d/g"), None);
}

#[tokio::test]
async fn an_upload_is_aborted_while_its_server_takes_nothing() {
    let server = Arc::new(tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap());
    let listening = Arc::clone(&server);
    // A `MKCOL` is answered, a `PUT` is not even read.
    let answering = tokio::spawn(async move {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        let mut kept_open = Vec::new();
        while let Ok((mut stream, _)) = listening.accept().await {
            let mut head = [0; 4_096];
            let read = stream.read(&mut head).await.unwrap_or(0);
            if head[..read].starts_with(b"PUT") {
                kept_open.push(stream);
            } else {
                let _ = stream
                    .write_all(b"HTTP/1.1 201 Created\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
                    .await;
            }
        }
    });
    let session = clients::session(Script::new(&["t"])).build().unwrap();
    let url = format!("http://{}/vo", server.local_addr().unwrap());
    let store = ScitokenStore::open(&session, &url).unwrap();
    let mut upload = store.put_multipart(&path("f")).await.unwrap();
    let part = tokio::spawn(
        upload.put_part(vec![vec![0; 1_000_000]; 50].into_iter().map(bytes::Bytes::from).collect()),
    );
    tokio::time::sleep(Duration::from_millis(300)).await;
    tokio::time::timeout(Duration::from_secs(20), upload.abort()).await.expect("it ends").unwrap();
    part.await.unwrap().unwrap_err();
    answering.abort();
}

#[tokio::test]
async fn an_upload_that_was_answered_before_its_end_is_not_moved_to_its_name() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/vo", listener.local_addr().unwrap());
    let seen = Arc::new(std::sync::Mutex::new(Vec::new()));
    let requests = Arc::clone(&seen);
    // All is answered with success once its head is there.
    let answering = tokio::spawn(async move {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut head = [0; 4_096];
            let read = stream.read(&mut head).await.unwrap_or(0);
            let line = String::from_utf8_lossy(&head[..read]).lines().next().unwrap_or_default().to_owned();
            requests.lock().unwrap().push(line);
            let answer = b"HTTP/1.1 201 Created\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
            let _ = stream.write_all(answer).await;
            let _ = stream.shutdown().await;
        }
    });
    let session = clients::session(Script::new(&["t"])).build().unwrap();
    let store = ScitokenStore::open(&session, &url).unwrap();
    let mut upload = store.put_multipart(&path("f")).await.unwrap();
    for _ in 0..20 {
        if upload.put_part(vec![0; 1_000_000].into()).await.is_err() {
            break;
        }
    }
    upload.complete().await.unwrap_err();
    answering.abort();
    let seen = seen.lock().unwrap();
    assert!(seen.iter().any(|line| line.starts_with("PUT")), "{seen:?}");
    assert!(!seen.iter().any(|line| line.starts_with("MOVE")), "{seen:?}");
}
