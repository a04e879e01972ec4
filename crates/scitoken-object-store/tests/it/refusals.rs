//! Servers that refuse, redirect or break off: what is shown, what is repeated, and who gets the token.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::StreamExt as _;
use object_store::{Error, ObjectStore as _, ObjectStoreExt as _, PutMode, PutOptions, RetryConfig};
use reqwest_scitokens::{FileSource, Session};
use scitoken_object_store::ScitokenStore;
use scitoken_test_support::chaos_server::{ChaosServer, Reply};
use scitoken_test_support::{Script, clients, secrecy};
use scitoken_transfer::{FailureKind, TransferError};
use scitoken_types::ErrorChain;

use crate::hostile::{serving, store};
use crate::support::{Storage, content, path};

#[tokio::test]
async fn what_a_server_says_is_shown_without_the_token_and_not_without_end() {
    let token = secrecy::OPAQUE;
    for status in ["400 Bad Request", "401 Unauthorized", "403 Forbidden", "404 Not Found", "503 Busy"] {
        let server = ChaosServer::start(move |asked| {
            let said = asked.headers.get("authorization").cloned().unwrap_or_default();
            let text = format!("the token {said} is odd \u{1b}[31m {}", "x".repeat(1_000_000));
            Reply::sized(status, &[], text)
        })
        .await;
        let session = clients::session(Script::new(&[token])).build().unwrap();
        let once = RetryConfig { max_retries: 0, ..RetryConfig::default() };
        let store = ScitokenStore::open(&session, server.url("vo").as_str()).unwrap();
        let store = store.with_retry(once).unwrap();
        let error = store.get(&path("f")).await.unwrap_err();
        let shown = format!("{error} {error:?}");
        secrecy::assert_silent(&shown, token);
        assert!(shown.len() < 10_000 && !shown.contains('\u{1b}'), "{status}: {} bytes", shown.len());
        assert!(error.to_string().contains("is odd"), "{status}: {error}");
        let error = store.put(&path("f"), "x".into()).await.unwrap_err();
        secrecy::assert_silent(&format!("{error} {error:?}"), token);
    }
}

#[tokio::test]
async fn a_reason_in_xml_is_shown_without_the_token_and_a_web_page_is_not() {
    let token = secrecy::OPAQUE;
    for (kind, text, reason) in [
        (
            "application/xml",
            "<Error><Code>AccessDenied</Code><Message>TOKEN is odd</Message></Error>",
            "is odd",
        ),
        ("application/xml", "<D:error xmlns:D=\"DAV:\"><D:need-privileges/></D:error>", "need-privileges"),
        ("text/html", "<html><body>TOKEN is odd</body></html>", ""),
    ] {
        let server = ChaosServer::start(move |asked| {
            let said = asked.headers.get("authorization").cloned().unwrap_or_default();
            Reply::sized("403 Forbidden", &[("Content-Type", kind)], text.replace("TOKEN", &said))
        })
        .await;
        let session = clients::session(Script::new(&[token])).build().unwrap();
        let store = ScitokenStore::open(&session, server.url("vo").as_str()).unwrap();
        for error in
            [store.get(&path("f")).await.unwrap_err(), store.put(&path("f"), "x".into()).await.unwrap_err()]
        {
            let shown = format!("{error} {error:?}");
            secrecy::assert_silent(&shown, token);
            assert!(shown.contains(reason), "{shown}");
            assert!(!shown.contains('<') && (!reason.is_empty() || !shown.contains("odd")), "{shown}");
        }
    }
}

#[tokio::test]
async fn a_password_of_the_url_is_sent_and_not_shown() {
    let server = serving(|asked| match asked.headers.get("authorization") {
        Some(login) if login == "Basic bWU6aHVudGVyMg==" => Reply::honest(asked, &content(100), &[]),
        _ => Reply::sized("418 No", &[], ""),
    })
    .await;
    let session = clients::session(Script::new(&[])).build().unwrap();
    let url = server.url("vo").as_str().replace("http://", "http://me:hunter2@");
    let store = ScitokenStore::open(&session, &url).unwrap();
    assert_eq!(store.get_range(&path("f"), 0..9).await.unwrap(), content(100)[..9]);
    let error = store.get_range(&path("f"), 200..209).await.unwrap_err();
    assert!(!format!("{store} {store:?} {error} {error:?}").contains("hunter2"), "{store:?} {error:?}");
}

#[tokio::test]
async fn a_refusal_that_does_not_end_is_not_waited_for() {
    for status in ["404 Not Found", "403 Forbidden", "503 Busy"] {
        let server = serving(move |_| {
            let mut reply = Reply::new(status, &[("Content-Length", "1000000")], vec![b'x'; 1_000]);
            reply.trickle = Some((1, Duration::from_secs(5)));
            reply
        })
        .await;
        let (store, location) = (store(&server), path("f"));
        let read = store.get(&location);
        let error = tokio::time::timeout(Duration::from_secs(20), read).await.expect(status).unwrap_err();
        assert!(
            error.to_string().contains(&status[..3]) || matches!(error, Error::NotFound { .. }),
            "{error}"
        );
    }
}

#[tokio::test]
async fn what_breaks_off_is_read_again_as_often_as_the_store_is_told() {
    for (retries, tag, asked_for) in
        [(0, None, 1), (0, Some("\"1\""), 1), (2, None, 3), (2, Some("\"1\""), 3)]
    {
        let server = serving(move |asked| {
            let headers: Vec<_> = tag.iter().map(|tag| ("ETag", *tag)).collect();
            Reply::honest(asked, &content(100), &headers).cut_after(1)
        })
        .await;
        let session = clients::session(Script::new(&["t"])).build().unwrap();
        let retry = RetryConfig { max_retries: retries, ..RetryConfig::default() };
        let store = ScitokenStore::open(&session, server.url("vo").as_str()).unwrap();
        let read = store.with_retry(retry).unwrap().get_range(&path("f"), 0..50).await;
        assert!(read.is_err());
        assert_eq!(server.ranges().iter().flatten().count(), asked_for, "{retries} {tag:?}");
    }
}

#[tokio::test]
async fn a_server_that_is_told_to_wait_for_is_not_asked_before() {
    let server = serving(|asked| match asked.number {
        0 => Reply::sized("429 Too Many Requests", &[("Retry-After", "1")], ""),
        _ => Reply::honest(asked, &content(100), &[]),
    })
    .await;
    let session = clients::session(Script::new(&["t"])).build().unwrap();
    let store = ScitokenStore::open(&session, server.url("vo").as_str()).unwrap();
    let begun = tokio::time::Instant::now();
    assert_eq!(store.get_range(&path("f"), 0..9).await.unwrap(), content(100)[..9]);
    assert!(begun.elapsed() >= Duration::from_millis(950), "{:?}", begun.elapsed());
    assert_eq!(server.seen().len(), 2);
}

/// Stores an object that must not exist yet, at a server that refuses this often. Returns the outcome and the number of `PUT`s.
async fn create(
    refusals: usize,
    status: &'static str,
    headers: &[(&'static str, &'static str)],
    appears_after: usize,
) -> (Result<(), Error>, usize) {
    let (headers, puts) = (headers.to_vec(), AtomicUsize::new(0));
    let server = ChaosServer::start(move |asked| match asked.method.as_str() {
        "PUT" if puts.fetch_add(1, Ordering::Relaxed) < refusals => Reply::sized(status, &headers, "busy"),
        "PUT" => Reply::sized("201 Created", &[("ETag", "\"1\"")], ""),
        "HEAD" if puts.load(Ordering::Relaxed) >= appears_after => {
            Reply::new("200 OK", &[("Content-Length", "4")], "")
        }
        "HEAD" => Reply::new("404 Not Found", &[("Content-Length", "0")], ""),
        _ => Reply::sized("405 Method Not Allowed", &[], ""),
    })
    .await;
    let session = clients::session(Script::new(&["t"])).build().unwrap();
    let store = ScitokenStore::open(&session, server.url("vo").as_str()).unwrap();
    let options = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
    let stored = store.put_opts(&path("f"), "data".into(), options).await;
    (stored.map(drop), server.seen().iter().filter(|asked| asked.method == "PUT").count())
}

#[tokio::test]
async fn an_object_on_a_condition_is_stored_again_where_the_server_was_busy() {
    let never = usize::MAX;
    for (refusals, status, stored, puts) in [
        (1, "503 Service Unavailable", true, 2),
        (2, "429 Too Many Requests", true, 3),
        (9, "503 Service Unavailable", false, 3),
        (1, "500 Internal Server Error", false, 1),
        (1, "502 Bad Gateway", false, 1),
        (1, "504 Gateway Timeout", false, 1),
        (1, "507 Full", false, 1),
    ] {
        let (outcome, count) = create(refusals, status, &[], never).await;
        assert_eq!((outcome.is_ok(), count), (stored, puts), "{status}");
    }
    let begun = tokio::time::Instant::now();
    let (outcome, _) = create(1, "429 Too Many Requests", &[("Retry-After", "1")], never).await;
    assert!(outcome.is_ok() && begun.elapsed() >= Duration::from_millis(950), "{:?}", begun.elapsed());
    let (outcome, puts) = create(1, "503 Busy", &[("Retry-After", "3600")], never).await;
    let error = outcome.unwrap_err().to_string();
    assert!(puts == 1 && error.contains("left alone for 3600 s"), "{error}");
}

#[tokio::test]
async fn an_object_that_appeared_since_a_busy_answer_is_not_replaced_and_the_outcome_is_unknown() {
    let (outcome, puts) = create(1, "503 Service Unavailable", &[], 1).await;
    let error = outcome.unwrap_err();
    assert!(matches!(error, Error::Generic { .. }) && error.to_string().contains("503"), "{error:?}");
    assert_eq!(puts, 1);
    let (outcome, puts) = create(0, "", &[], 0).await;
    assert!(matches!(outcome.unwrap_err(), Error::AlreadyExists { .. }));
    assert_eq!(puts, 0);
}

#[tokio::test]
async fn a_server_without_checksums_has_its_objects_all_the_same() {
    // As XRootD 5.5.3 answers without a configured checksum.
    let server = serving(|asked| match (asked.headers.contains_key("want-digest"), asked.path.as_str()) {
        (true, "/vo/absent") => Reply::sized(
            "500 Internal Server Error",
            &[],
            "Underlying filesystem failed to calculate checksum.",
        ),
        (true, _) => Reply::sized("405 Method Not Allowed", &[], "Failed to determine checksum"),
        (false, "/vo/absent") => Reply::sized("404 Not Found", &[], "no such file"),
        (false, _) => Reply::honest(asked, &content(100), &[]),
    })
    .await;
    let store = store(&server);
    let absent = store.get(&path("absent")).await.unwrap_err();
    assert!(matches!(absent, Error::NotFound { .. }), "{absent:?}");
    for _ in 0..3 {
        assert_eq!(store.get(&path("f")).await.unwrap().bytes().await.unwrap(), content(100));
    }
    let asked = server.seen().iter().filter(|asked| asked.headers.contains_key("want-digest")).count();
    assert_eq!(asked, 2, "once for each name, until one was read");
}

#[tokio::test]
async fn digests_are_asked_for_again_after_a_failure_that_is_not_about_them() {
    for (failure, text, is_about_digest, requests) in [
        // It fails once, and the retry of the store asks again.
        ("500 Internal Server Error", "disk on fire", false, 2),
        ("500 Internal Server Error", "", false, 2),
        ("503 Busy", "try later", false, 2),
        ("405 Method Not Allowed", "", false, 2),
        ("405 Method Not Allowed", "Failed to determine checksum", true, 2),
        ("500 Internal Server Error", "Underlying filesystem failed to calculate checksum.", true, 2),
        ("400 Bad Request", "", true, 2),
    ] {
        let server = serving(move |asked| match asked.number {
            0 => Reply::sized(failure, &[], text),
            _ => Reply::honest(asked, &content(100), &[]),
        })
        .await;
        let session = clients::session(Script::new(&["t"])).build().unwrap();
        let store = ScitokenStore::open(&session, server.url("vo").as_str()).unwrap();
        assert_eq!(store.get(&path("f")).await.unwrap().bytes().await.unwrap(), content(100));
        assert_eq!(server.seen().len(), requests, "{failure} {text}");
        assert_eq!(store.get(&path("f")).await.unwrap().bytes().await.unwrap(), content(100));
        let last = server.seen().pop().unwrap();
        assert_eq!(last.headers.contains_key("want-digest"), !is_about_digest, "{failure} {text}");
    }
}

#[tokio::test]
async fn a_server_that_fails_is_asked_once_for_each_attempt() {
    for (failure, text) in [("500 Internal Server Error", "disk on fire"), ("503 Busy", ""), ("501 No", "")] {
        let server = serving(move |_| Reply::sized(failure, &[], text)).await;
        let error = store(&server).get(&path("f")).await.unwrap_err();
        assert!(error.to_string().contains(text), "{error}");
        let asked = server.seen().iter().filter(|asked| asked.method == "GET").count();
        assert_eq!(asked, 1, "{failure} {text}");
    }
}

#[tokio::test]
async fn a_connection_that_fails_says_why() {
    let server = ChaosServer::start(|_| Reply::default()).await;
    let store = store(&server);
    drop(server);
    let error = store.get(&path("f")).await.unwrap_err();
    let shown = ErrorChain::new(&error).to_string();
    assert_eq!(shown.matches("refused").count(), 1, "{shown}");
    let innermost = ErrorChain::new(&error).iter().find_map(|cause| cause.downcast_ref::<std::io::Error>());
    assert_eq!(innermost.map(std::io::Error::kind), Some(std::io::ErrorKind::ConnectionRefused), "{error:?}");
    let refused = error.to_string();
    assert!(refused.contains("refused"), "{refused}");
    assert_eq!(refused.matches("refused").count(), 1, "{refused}");
    assert!(!refused.contains("error sending request"), "{refused}");
    let put = store.put(&path("f"), "x".into()).await.unwrap_err().to_string();
    assert!(put.contains("refused"), "{put}");
}

#[tokio::test]
async fn a_refusal_of_a_look_or_of_a_listing_says_why_in_its_first_line() {
    let storage = Storage::start().await;
    storage.write("d/f", "data");
    let missing = std::path::Path::new("/nonexistent/token");
    let without = Session::builder().source(FileSource::new(missing)).http(reqwest::ClientBuilder::no_proxy);
    let without = ScitokenStore::open(&without.build().unwrap(), &storage.base).unwrap();
    for (store, reasons) in [
        (storage.store("storage.read:/other"), ["403 Forbidden", "no scope of the token allows this"]),
        (
            without,
            ["401 Unauthorized", "sent without a token: the source failed: no token in `/nonexistent/token`"],
        ),
    ] {
        let errors = [
            store.head(&path("d/f")).await.unwrap_err(),
            store.list(Some(&path("d"))).next().await.unwrap().unwrap_err(),
            store.list_with_delimiter(Some(&path("d"))).await.unwrap_err(),
        ];
        for error in errors {
            let shown = error.to_string();
            assert!(reasons.iter().all(|reason| shown.matches(reason).count() == 1), "{shown}");
            assert_eq!(ErrorChain::new(&error).to_string(), shown);
            let failure =
                ErrorChain::new(&error).iter().find_map(|cause| cause.downcast_ref::<TransferError>());
            assert_eq!(failure.map(TransferError::kind), Some(FailureKind::Refused), "{error:?}");
        }
    }
}

#[tokio::test]
async fn a_redirect_to_another_server_gets_no_token_and_its_range_is_checked() {
    for (range, is_right) in [("bytes 10-19/100", true), ("bytes 0-9/100", false)] {
        let other = ChaosServer::start(move |_| {
            Reply::sized("206 Partial Content", &[("Content-Range", range)], &content(100)[10..20])
        })
        .await;
        let target = other.url("elsewhere").to_string();
        let server = serving(move |_| Reply::sized("307 Elsewhere", &[("Location", &target)], "")).await;
        let read = store(&server).get_range(&path("f"), 10..20).await;
        assert_eq!(read.is_ok(), is_right, "{read:?}");
        let seen = other.seen();
        assert!(!seen.is_empty() && seen.iter().all(|asked| !asked.headers.contains_key("authorization")));
        assert_eq!(server.seen()[0].headers["authorization"], "Bearer t");
    }
}
