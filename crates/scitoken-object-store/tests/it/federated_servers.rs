//! What the servers of a federation differ in, and what is remembered about each.

use object_store::{Error, ObjectStore as _, ObjectStoreExt as _, RetryConfig};
use scitoken_test_support::chaos_server::Reply;
use scitoken_test_support::federation::{FakeFederation, FederationServer, refuse};

use crate::federated::{CACHES, store};
use crate::support::{content, path};

/// The honest answer with these header lines in place of those of the same names.
fn with_headers(mut honest: Reply, headers: &[(&str, &str)]) -> Reply {
    let is_replaced = |line: &&str| {
        headers.iter().any(|(name, _)| line.split(':').next().is_some_and(|n| n.eq_ignore_ascii_case(name)))
    };
    let mut head: String = honest
        .head
        .lines()
        .filter(|line| !is_replaced(line))
        .fold(String::new(), |head, line| head + line + "\r\n");
    for (name, value) in headers {
        head.extend([name, ": ", value, "\r\n"]);
    }
    honest.head = head;
    honest
}

const OLD: (&str, &str) = ("Last-Modified", "Sun, 06 Nov 1994 08:49:37 GMT");
const NEW: (&str, &str) = ("Last-Modified", "Mon, 07 Nov 1994 08:49:37 GMT");

#[tokio::test]
async fn ranges_of_a_federated_object_that_is_replaced_in_between_are_not_mixed() {
    let data = content(9_000_000);
    let ranges = [0..10, 5_000_000..5_000_010];
    // One cache: the tags of its first and its second answer.
    for (first, second, is_same) in [("\"1\"", "\"1\"", true), ("\"1\"", "\"2\"", false)] {
        let federation = FakeFederation::start(&[("/public/f", &data)]).await;
        federation.change(CACHES[0], move |asked, honest| {
            with_headers(
                honest,
                &[("ETag", if asked.range().is_some_and(|range| range.start == 0) { first } else { second })],
            )
        });
        let read = store(&federation, "/public", "t").get_ranges(&path("f"), &ranges).await;
        assert_eq!(federation.seen(CACHES[0]).len(), 2);
        assert!(is_same == read.is_ok(), "{first} {second}: {read:?}");
        assert!(is_same || matches!(read, Err(Error::Precondition { .. })), "{read:?}");
    }
    // Two caches, each with its own tag: the first one has one range only.
    for (date, is_same) in [(OLD, true), (NEW, false)] {
        let federation = FakeFederation::start(&[("/public/f", &data)]).await;
        federation.change(CACHES[0], |asked, honest| match asked.range() {
            Some(range) if range.start == 0 => with_headers(honest, &[("ETag", "\"a\""), OLD]),
            _ => refuse("404 Not Found"),
        });
        federation.change(CACHES[1], move |_, honest| with_headers(honest, &[("ETag", "\"b\""), date]));
        let read = store(&federation, "/public", "t").get_ranges(&path("f"), &ranges).await;
        assert_eq!(federation.seen(CACHES[1]).len(), 1);
        assert!(is_same == read.is_ok(), "{date:?}: {read:?}");
        assert!(is_same || matches!(read, Err(Error::Precondition { .. })), "{read:?}");
    }
}

#[tokio::test]
async fn a_cache_without_checksums_is_asked_for_one_once() {
    let data = content(1_000);
    let federation = FakeFederation::start(&[("/public/f", &data)]).await;
    federation.change(CACHES[0], |asked, honest| {
        if asked.headers.contains_key("want-digest") {
            Reply::sized("405 Method Not Allowed", &[], "Failed to determine checksum")
        } else {
            honest
        }
    });
    let store = store(&federation, "/public", "t");
    for _ in 0..3 {
        assert_eq!(store.get(&path("f")).await.unwrap().bytes().await.unwrap(), data);
    }
    let asked = federation.seen(CACHES[0]);
    assert_eq!(asked.iter().filter(|asked| asked.headers.contains_key("want-digest")).count(), 1);
    assert_eq!((asked.len(), federation.seen(CACHES[1]).len()), (4, 0));
}

#[tokio::test]
async fn a_cache_that_asked_for_a_pause_is_left_alone_while_another_has_the_object() {
    let data = content(1_000);
    let federation = FakeFederation::start(&[("/public/f", &data)]).await;
    federation.change(CACHES[0], |_, _| Reply::sized("429 Too Many Requests", &[("Retry-After", "50")], ""));
    let once = RetryConfig { max_retries: 0, ..RetryConfig::default() };
    let store = store(&federation, "/public", "t").with_retry(once).unwrap();
    let begun = tokio::time::Instant::now();
    for _ in 0..3 {
        assert_eq!(store.get_range(&path("f"), 0..10).await.unwrap(), data[..10]);
    }
    assert!(begun.elapsed().as_secs() < 40, "{:?}", begun.elapsed());
    assert_eq!((federation.seen(CACHES[0]).len(), federation.seen(CACHES[1]).len()), (1, 3));
    assert_eq!(federation.seen(FederationServer::Director).len(), 2);
}

#[tokio::test]
async fn an_object_that_a_cache_sends_in_chunks_has_the_length_that_the_cache_tells_elsewhere() {
    let data = content(1_000);
    let federation = FakeFederation::start(&[("/public/f", &data)]).await;
    let sent = data.clone();
    federation.change(CACHES[0], move |asked, honest| match asked.method.as_str() {
        "GET" => Reply::chunked("200 OK", &[], &sent, 3),
        _ => honest,
    });
    let store = store(&federation, "/public", "t");
    assert_eq!(store.get(&path("f")).await.unwrap().bytes().await.unwrap(), data);
    assert_eq!(federation.lines(CACHES[0]), ["GET /public/f", "HEAD /public/f", "GET /public/f"]);
    assert!(federation.lines(CACHES[1]).is_empty());
}
