//! Reading from servers: ranges, tokens that change, damaged data, and what a store must not take for an object.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use futures_util::{StreamExt as _, TryStreamExt as _};
use http::header;
use object_store::http::HttpBuilder;
use object_store::{Error, GetOptions, GetRange, ObjectStore, ObjectStoreExt as _};
use reqwest_scitokens::auth::AuthTrace;
use reqwest_scitokens::{FileSource, Session};
use scitoken_object_store::{ScitokenConnector, ScitokenStore};
use scitoken_test_support::chaos_server::{self, ChaosServer};
use scitoken_test_support::xrootd::Release;
use scitoken_test_support::{Reply, Script, Seen, Server, XRootD, clients, write_token};

use url::Url;

use crate::support::{Counter, Storage, content, path};

/// Answers a `GET` of content with its range.
fn serve(seen: &Seen, content: &[u8]) -> Reply {
    let Some(range) = seen.header("range") else {
        return Reply::ok(content.to_vec()).header(header::ACCEPT_RANGES, "bytes");
    };
    let (start, end) = range.strip_prefix("bytes=").unwrap().split_once('-').unwrap();
    let (start, end): (usize, usize) = (start.parse().unwrap(), end.parse().expect("both ends"));
    let (end, length) = (end.min(content.len() - 1), content.len());
    Reply::new(206)
        .header(header::CONTENT_RANGE, format!("bytes {start}-{end}/{length}"))
        .body(content[start..=end].to_vec())
}

/// Reads 500 ranges, 16 at once, from a server that accepts another token from the middle on, which the file then has.
async fn scan_with_another_token_in_the_middle(open: impl FnOnce(&Session, &Url) -> Arc<dyn ObjectStore>) {
    let data = Arc::new(content(1_000_000));
    let accepted = Arc::new(Mutex::new("Bearer first"));
    let (shared, valid) = (Arc::clone(&data), Arc::clone(&accepted));
    let server = Server::https(move |seen| {
        if seen.authorization() == Some(*valid.lock().unwrap()) {
            return serve(seen, &shared);
        }
        Reply::challenge(r#"Bearer realm="r", error="invalid_token""#)
    })
    .await;
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("token");
    write_token(&file, "first");
    let store = open(&clients::session(FileSource::new(&file)).build().unwrap(), &server.url("/d"));
    let mut reads = futures_util::stream::iter(0..500_u64)
        .map(|n| {
            let store = Arc::clone(&store);
            async move {
                let range = n * 2_000..n * 2_000 + 1_500;
                (range.clone(), store.get_range(&path("f"), range).await)
            }
        })
        .buffer_unordered(16);
    let mut done = 0;
    while let Some((range, read)) = reads.next().await {
        let range = usize::try_from(range.start).unwrap()..usize::try_from(range.end).unwrap();
        assert_eq!(read.unwrap(), data[range]);
        done += 1;
        if done == 250 {
            write_token(&file, "second");
            *accepted.lock().unwrap() = "Bearer second";
        }
    }
    assert_eq!(done, 500);
    let tokens = server.tokens();
    assert!(tokens.iter().filter(|token| *token == "second").count() >= 234, "{tokens:?}");
    // Only those that were on their way were refused.
    assert!((500..=516).contains(&tokens.len()), "{} requests", tokens.len());
}

#[tokio::test]
async fn no_read_fails_while_the_token_file_is_replaced_during_a_scan() {
    scan_with_another_token_in_the_middle(|session, url| {
        Arc::new(ScitokenStore::open(session, url.as_str()).unwrap())
    })
    .await;
    scan_with_another_token_in_the_middle(|session, url| {
        let connector = ScitokenConnector::from(session);
        Arc::new(HttpBuilder::new().with_url(url.as_str()).with_http_connector(connector).build().unwrap())
    })
    .await;
}

#[tokio::test]
async fn ranges_have_both_ends_and_neighbours_come_in_one_request() {
    let data = content(100_000);
    let shared = data.clone();
    let server = Server::https(move |seen| match seen.method.as_str() {
        "PROPFIND" => Reply::new(405),
        "HEAD" => Reply::new(200).header(header::CONTENT_LENGTH, shared.len().to_string()),
        _ => serve(seen, &shared),
    })
    .await;
    let session = clients::session(Script::new(&["t"])).build().unwrap();
    let store = ScitokenStore::open(&session, server.url("/d").as_str()).unwrap();
    for (range, expected) in [
        (GetRange::Bounded(10..20), 10..20),
        (GetRange::Offset(99_990), 99_990..100_000),
        (GetRange::Suffix(8), 99_992..100_000),
        (GetRange::Suffix(200_000), 0..100_000),
        (GetRange::Bounded(99_990..200_000), 99_990..100_000),
    ] {
        let result =
            store.get_opts(&path("f"), GetOptions::new().with_range(Some(range.clone()))).await.unwrap();
        let expected_range = expected.start as u64..expected.end as u64;
        assert_eq!((result.range.clone(), result.meta.size), (expected_range, 100_000), "{range:?}");
        assert_eq!(result.bytes().await.unwrap(), data[expected], "{range:?}");
    }
    for invalid in [GetRange::Bounded(5..5), GetRange::Offset(100_000)] {
        let options = GetOptions::new().with_range(Some(invalid.clone()));
        assert!(store.get_opts(&path("f"), options).await.is_err(), "{invalid:?}");
    }
    let before = server.seen().len();
    let ranges = [0..10, 20..30, 90_000..90_010, 5..25];
    let read = store.get_ranges(&path("f"), &ranges).await.unwrap();
    for (range, read) in ranges.iter().zip(read) {
        assert_eq!(read, data[usize::try_from(range.start).unwrap()..usize::try_from(range.end).unwrap()]);
    }
    assert_eq!(server.seen().len() - before, 1, "less than 1 MiB between them");
    assert!(server.seen().iter().all(|seen| seen.authorization() == Some("Bearer t")));
}

#[tokio::test]
async fn a_whole_object_is_compared_with_the_digest_of_the_server() {
    let digest = Arc::new(Mutex::new("adler32=091e01de"));
    let shown = Arc::clone(&digest);
    let server = Server::https(move |seen| {
        let reply = serve(seen, b"123456789");
        match seen.header("want-digest") {
            Some(_) => reply.header(header::HeaderName::from_static("digest"), *shown.lock().unwrap()),
            None => reply,
        }
    })
    .await;
    let session = clients::session(Script::new(&["t"])).build().unwrap();
    let store = ScitokenStore::open(&session, server.url("/d").as_str()).unwrap();
    let read = || async { store.get(&path("f")).await.unwrap().bytes().await };
    assert_eq!(read().await.unwrap(), "123456789");
    *digest.lock().unwrap() = "adler32=091e01df";
    let error = read().await.unwrap_err().to_string();
    assert!(error.contains("damaged") && error.contains("091e01df"), "{error}");
    assert_eq!(store.get_range(&path("f"), 0..9).await.unwrap(), "123456789", "a range has no digest");
}

#[tokio::test]
async fn a_directory_is_no_object() {
    let storage = Storage::start().await;
    storage.write("d/f", "data");
    storage.write("page.html", "<html>data</html>");
    let store = storage.store("storage.read:/");
    for directory in ["d", "d/absent", "absent/f"] {
        let (get, head) = (store.get(&path(directory)).await, store.head(&path(directory)).await);
        assert!(matches!(get, Err(Error::NotFound { .. })), "{directory}: {get:?}");
        assert!(matches!(head, Err(Error::NotFound { .. })), "{directory}: {head:?}");
    }
    assert_eq!(store.get(&path("page.html")).await.unwrap().bytes().await.unwrap(), "<html>data</html>");
    let listed: Vec<_> =
        store.list(None).map_ok(|meta| meta.location.to_string()).try_collect().await.unwrap();
    assert_eq!(listed, ["page.html", "d/f"]);
}

#[tokio::test]
async fn a_refusal_is_named_and_not_repeated() {
    let storage = Storage::start().await;
    storage.write("d/f", "data");
    let counter = Counter::default();
    let builder = Session::builder().source(storage.token("storage.read:/other"));
    let session = builder.with(counter.clone()).http(reqwest::ClientBuilder::no_proxy).build().unwrap();
    let store = ScitokenStore::open(&session, &storage.base).unwrap();
    let error = store.get(&path("d/f")).await.unwrap_err();
    assert!(matches!(error, Error::PermissionDenied { .. }), "{error:?}");
    assert_eq!(counter.take().0, 1);
    let without =
        Session::builder().source(Script::new(&[])).http(reqwest::ClientBuilder::no_proxy).build().unwrap();
    let store = ScitokenStore::open(&without, &storage.base).unwrap();
    let error = store.get(&path("d/f")).await.unwrap_err();
    assert!(matches!(error, Error::Unauthenticated { .. }), "{error:?}");
}

#[tokio::test]
async fn the_trace_of_a_response_is_in_its_extensions() {
    let storage = Storage::start().await;
    storage.write("f", "data");
    let result = storage.store("storage.read:/").get(&path("f")).await.unwrap();
    assert_eq!(result.extensions.get::<AuthTrace>().unwrap().attempts().len(), 1);
}

#[tokio::test]
async fn the_retries_of_object_store_and_ours_do_not_multiply() {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let server = Server::https(move |seen| match count.fetch_add(1, Ordering::Relaxed) {
        0 | 1 => Reply::new(503),
        _ => serve(seen, b"data"),
    })
    .await;
    let session = clients::session(Script::new(&["t"])).build().unwrap();
    let store = ScitokenStore::open(&session, server.url("/d").as_str()).unwrap();
    assert_eq!(store.get_range(&path("f"), 0..4).await.unwrap(), "data");
    assert_eq!(asked.load(Ordering::Relaxed), 3);
}

#[tokio::test]
async fn a_store_repeats_reads_as_it_is_told() {
    for (retries, asked_for) in [(0, 1), (1, 2)] {
        let asked = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&asked);
        let server = Server::https(move |seen| {
            // The store asks by other methods whether the object is missing.
            count.fetch_add(usize::from(seen.method == "GET"), Ordering::Relaxed);
            Reply::new(if seen.method == "GET" { 503 } else { 405 })
        })
        .await;
        let session = clients::session(Script::new(&["t"])).build().unwrap();
        let retry =
            object_store::RetryConfig { max_retries: retries, ..object_store::RetryConfig::default() };
        let store =
            ScitokenStore::open(&session, server.url("/d").as_str()).unwrap().with_retry(retry).unwrap();
        store.get_range(&path("f"), 0..4).await.unwrap_err();
        assert_eq!(asked.load(Ordering::Relaxed), asked_for, "{retries}");
    }
}

#[tokio::test]
async fn xrootd_of_both_releases_is_read_in_place() {
    for release in [Release::V5_5_3, Release::V6_1] {
        let server = XRootD::data_server(release, "t").await;
        let data = content(300_000);
        server.store("/vo/d/f", data.clone());
        let session = clients::session(Script::new(&["t"])).build().unwrap();
        let store = ScitokenStore::open(&session, server.url("/vo").as_str()).unwrap();
        assert_eq!(store.head(&path("d/f")).await.unwrap().size, 300_000);
        assert_eq!(store.get_range(&path("d/f"), 5..25).await.unwrap(), data[5..25]);
        let suffix = GetOptions::new().with_range(Some(GetRange::Suffix(8)));
        let tail = store.get_opts(&path("d/f"), suffix).await.unwrap().bytes().await.unwrap();
        assert_eq!(tail, data[299_992..]);
        assert_eq!(store.get(&path("d/f")).await.unwrap().bytes().await.unwrap(), data);
        assert!(server.seen().iter().all(|seen| seen.exact("Authorization").is_some()), "{release:?}");
    }
}

#[tokio::test]
async fn what_xrootd_could_not_run_now_is_read_again_and_is_not_missing() {
    let data = content(1_000);
    for (trouble, cut) in
        [("Could not run request.", None), ("Could not run read request.\n", None), ("", Some(300))]
    {
        let whole = data.clone();
        let server = ChaosServer::start(move |asked| match (asked.number, cut) {
            (0, Some(bytes)) => chaos_server::Reply::honest(asked, &whole, &[]).cut_after(bytes),
            (0, None) => chaos_server::Reply::sized("404 Not Found", &[], trouble),
            _ => chaos_server::Reply::honest(asked, &whole, &[]),
        })
        .await;
        let session = clients::session(Script::new(&["t"])).build().unwrap();
        let store = ScitokenStore::open(&session, server.url("vo").as_str()).unwrap();
        let read = store.get(&path("f")).await.unwrap().bytes().await.unwrap();
        assert!(read == data, "{trouble} {cut:?}");
        assert_eq!(server.seen().len(), 2, "{trouble} {cut:?}");
    }
    let server =
        ChaosServer::start(|_| chaos_server::Reply::sized("404 Not Found", &[], "no such file")).await;
    let session = clients::session(Script::new(&["t"])).build().unwrap();
    let store = ScitokenStore::open(&session, server.url("vo").as_str()).unwrap();
    assert!(matches!(store.get(&path("f")).await, Err(Error::NotFound { .. })));
    assert_eq!(server.seen().len(), 1);
}
