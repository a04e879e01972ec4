//! Servers whose answers are wrong: each is an error that says why, and never a wrong byte.

use object_store::http::HttpBuilder;
use object_store::{Error, GetOptions, GetRange, ObjectStore as _, ObjectStoreExt as _, RetryConfig};
use scitoken_object_store::{ScitokenConnector, ScitokenStore};
use scitoken_test_support::chaos_server::{Asked, ChaosServer, Reply};
use scitoken_test_support::{Script, clients};

use crate::support::{content, path};

/// A store whose reads are not repeated.
pub(crate) fn store(server: &ChaosServer) -> ScitokenStore {
    let session = clients::session(Script::new(&["t"])).build().unwrap();
    let once = RetryConfig { max_retries: 0, ..RetryConfig::default() };
    ScitokenStore::open(&session, server.url("vo").as_str()).unwrap().with_retry(once).unwrap()
}

/// Answers a `GET` with this, and all else as a server without WebDAV.
pub(crate) async fn serving(answer: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> ChaosServer {
    ChaosServer::start(move |asked| match asked.method.as_str() {
        "GET" => answer(asked),
        "HEAD" => Reply::new("200 OK", &[("Content-Length", "100")], ""),
        _ => Reply::sized("405 Method Not Allowed", &[], ""),
    })
    .await
}

#[tokio::test]
async fn a_range_that_is_not_the_one_asked_for_is_an_error_that_says_so() {
    let ten = &content(100)[10..20];
    let part = "206 Partial Content";
    let two_parts = ("Content-Type", "multipart/byteranges; boundary=x");
    for (reply, reason) in [
        (Reply::sized("200 OK", &[], content(100)), "Range request not supported"),
        (Reply::sized(part, &[], ten), "no `Content-Range`"),
        (Reply::sized(part, &[two_parts], "--x--"), "multipart"),
        (Reply::sized(part, &[("Content-Range", "bytes 0-9/100")], ten), "`bytes 0-9/100`"),
        (
            Reply::sized(part, &[("Content-Range", "bytes 10-29/100")], &content(100)[10..30]),
            "`bytes 10-29/100`",
        ),
        (Reply::sized(part, &[("Content-Range", "bytes 10-19/15")], ten), "`bytes 10-19/15`"),
        (Reply::sized(part, &[("Content-Range", "bytes 19-10/100")], ten), "`bytes 19-10/100`"),
        (Reply::sized(part, &[("Content-Range", "bytes 10-18446744073709551615/100")], ten), "`bytes 10-184"),
        (
            Reply::sized(part, &[("Content-Range", "bytes 10-19/99999999999999999999")], ten),
            "`bytes 10-19/999",
        ),
        (Reply::sized(part, &[("Content-Range", "bytes 10-19/*")], ten), "`bytes 10-19/*`"),
        (Reply::sized(part, &[("Content-Range", "octets 10-19/100")], ten), "`octets 10-19/100`"),
        (Reply::sized(part, &[("Content-Range", "bytes 10-19/100")], &ten[..9]), "9 bytes"),
        (Reply::sized(part, &[("Content-Range", "bytes 10-19/100")], content(11)), "11 bytes"),
        (Reply::chunked(part, &[("Content-Range", "bytes 10-19/100")], &ten[..9], 1), "9 of 10 bytes"),
        (Reply::chunked(part, &[("Content-Range", "bytes 10-19/100")], &content(11), 2), "more than"),
        (
            Reply::new(part, &[("Content-Range", "bytes 10-19/100"), ("Connection", "close")], &ten[..9])
                .cut_after(9),
            "9 of 10 bytes",
        ),
        (
            Reply::sized(part, &[("Content-Range", "bytes 10-19/100"), ("Content-Encoding", "gzip")], ten),
            "`gzip`",
        ),
        (Reply::sized("204 No Content", &[], ""), "Range request not supported"),
    ] {
        let shown = reply.head.clone();
        let server = serving(move |_| reply.clone()).await;
        let error = store(&server).get_range(&path("f"), 10..20).await.expect_err(&shown);
        let error = with_causes(&error);
        assert!(error.contains(reason), "{shown}: {error}");
    }
}

#[tokio::test]
async fn a_range_in_chunks_has_the_length_of_the_range() {
    let server = serving(|_| {
        let range = ("Content-Range", "bytes 10-19/100");
        Reply::chunked("206 Partial Content", &[range], &content(100)[10..20], 3)
    })
    .await;
    assert_eq!(store(&server).get_range(&path("f"), 10..20).await.unwrap(), content(100)[10..20]);
}

#[tokio::test]
async fn a_whole_object_is_no_less_and_no_more() {
    let whole = content(100);
    for (reply, reason) in [
        (Reply::sized("206 Partial Content", &[("Content-Range", "bytes 0-9/100")], &whole[..10]), "206"),
        (Reply::sized("202 Accepted", &[], "is being staged"), "202"),
        (Reply::chunked("200 OK", &[], &whole[..99], 2), "99 of 100 bytes"),
        (Reply::chunked("200 OK", &[], &content(101), 2), "more than the 100 bytes"),
        (Reply::new("200 OK", &[("Content-Length", "100")], whole.clone()).cut_after(60), ""),
        (
            Reply::new("200 OK", &[("Content-Length", "9223372036854775808")], whole.clone()),
            "9223372036854775808",
        ),
        (Reply::sized("200 OK", &[("Content-Encoding", "gzip")], whole.clone()), "`gzip`"),
    ] {
        let shown = reply.head.clone();
        let server = serving(move |_| reply.clone()).await;
        let read = match store(&server).get(&path("f")).await {
            Ok(result) => result.bytes().await,
            Err(error) => Err(error),
        };
        let error = with_causes(&read.expect_err(&shown));
        assert!(error.contains(reason), "{shown}: {error}");
    }
    // What is coded is the object, where its name says so.
    let packed = content(50);
    let server =
        serving(move |_| Reply::sized("200 OK", &[("Content-Encoding", "x-gzip")], packed.clone())).await;
    let read = store(&server).get(&path("f.gz")).await.unwrap().bytes().await.unwrap();
    assert_eq!(read, content(50));
    assert!(server.seen().iter().all(|asked| asked.headers["accept-encoding"] == "identity"));
}

#[tokio::test]
async fn an_object_in_chunks_has_the_length_that_the_server_tells_elsewhere() {
    let server = serving(|_| Reply::chunked("200 OK", &[], &content(100), 3)).await;
    assert_eq!(store(&server).get(&path("f")).await.unwrap().bytes().await.unwrap(), content(100));
    // Its length is that of another version, and it broke off there.
    let whole = Reply::chunked("200 OK", &[], &content(200), 2);
    let first_chunk = "64\r\n".len() + 100;
    let cut = serving(move |_| whole.clone().cut_after(first_chunk)).await;
    assert!(store(&cut).get(&path("f")).await.is_err());
}

#[tokio::test]
async fn an_object_in_chunks_of_an_unknown_length_is_not_taken_for_absent() {
    for (status, length) in [("200 OK", None), ("404 Not Found", Some("0")), ("403 Forbidden", Some("0"))] {
        let server = ChaosServer::start(move |asked| match asked.method.as_str() {
            "GET" => Reply::chunked("200 OK", &[], &content(100), 3),
            "HEAD" => {
                let length = length.map_or(("Connection", "close"), |length| ("Content-Length", length));
                Reply::new(status, &[length], "")
            }
            _ => Reply::sized("405 Method Not Allowed", &[], ""),
        });
        let error = store(&server.await).get(&path("f")).await.unwrap_err();
        assert!(matches!(error, Error::Generic { .. }), "{status}: {error:?}");
        assert!(with_causes(&error).contains("tells no length of the object"), "{status}: {error}");
    }
}

#[tokio::test]
async fn another_store_reads_objects_that_are_stored_with_a_content_coding() {
    let server = serving(|asked| Reply::honest(asked, &content(100), &[("Content-Encoding", "gzip")])).await;
    let session = clients::session(Script::new(&["t"])).build().unwrap();
    let other = HttpBuilder::new()
        .with_url(server.url("vo"))
        .with_http_connector(ScitokenConnector::from(&session))
        .build()
        .unwrap();
    assert_eq!(other.get(&path("f")).await.unwrap().bytes().await.unwrap(), content(100));
    assert_eq!(other.get_range(&path("f"), 10..20).await.unwrap(), content(100)[10..20]);
    assert!(server.seen().iter().all(|asked| asked.headers["authorization"] == "Bearer t"));
    let error = with_causes(&store(&server).get_range(&path("f"), 10..20).await.unwrap_err());
    assert!(error.contains("`gzip`"), "{error}");
}

#[tokio::test]
async fn a_range_without_bytes_is_empty_and_one_beyond_the_end_is_an_error() {
    let data = content(100);
    let server = ChaosServer::start(move |asked| match (asked.method.as_str(), asked.path.as_str()) {
        ("GET", "/vo/empty") => Reply::honest(asked, b"", &[]),
        ("GET", _) => Reply::honest(asked, &data, &[]),
        ("HEAD", "/vo/empty") => Reply::sized("200 OK", &[], ""),
        ("HEAD", _) => Reply::new("200 OK", &[("Content-Length", "100")], ""),
        _ => Reply::sized("405 Method Not Allowed", &[], ""),
    })
    .await;
    let store = store(&server);
    let get = |name: &'static str, range: GetRange| {
        let store = store.clone();
        async move {
            let options = GetOptions::new().with_range(Some(range));
            let result = store.get_opts(&path(name), options).await?;
            let (range, size) = (result.range.clone(), result.meta.size);
            Ok::<_, Error>((range, size, result.bytes().await?.to_vec()))
        }
    };
    for (name, range, expected) in [
        ("f", GetRange::Suffix(0), 100..100),
        ("f", GetRange::Suffix(u64::MAX), 0..100),
        ("f", GetRange::Bounded(0..u64::MAX), 0..100),
        ("f", GetRange::Bounded(99..u64::MAX), 99..100),
        ("empty", GetRange::Suffix(8), 0..0),
    ] {
        let (got, size, bytes) =
            get(name, range.clone()).await.unwrap_or_else(|e| panic!("{range:?}: {e:?}"));
        assert_eq!((got, bytes.len() as u64), (expected.clone(), expected.end - expected.start), "{range:?}");
        assert_eq!(size, if name == "f" { 100 } else { 0 });
        assert_eq!(bytes, content(100)[usize::try_from(expected.start).unwrap()..][..bytes.len()]);
    }
    for range in [
        GetRange::Bounded(100..101),
        GetRange::Bounded(u64::MAX - 1..u64::MAX),
        GetRange::Offset(u64::MAX),
        GetRange::Offset(100),
    ] {
        let error = get("f", range.clone()).await.unwrap_err().to_string();
        assert!(
            error.contains("length 100") || error.contains("length of 100") || error.contains("100 bytes"),
            "{range:?}: {error}"
        );
    }
    for range in [GetRange::Bounded(0..1), GetRange::Offset(0)] {
        get("empty", range).await.unwrap_err();
    }
    assert_eq!(store.get(&path("empty")).await.unwrap().bytes().await.unwrap(), "");
    assert!(store.get_ranges(&path("f"), &[]).await.unwrap().is_empty());
    let ranges = [50..60, 10..20, 15..55, 10..20, 0..1];
    let read = store.get_ranges(&path("f"), &ranges).await.unwrap();
    for (range, read) in ranges.iter().zip(read) {
        let range = usize::try_from(range.start).unwrap()..usize::try_from(range.end).unwrap();
        assert_eq!(read, content(100)[range]);
    }
    for (ranges, expected) in [
        ([10..20, 7..7], Some([10..20, 7..7])),
        ([10..20, 90..101], Some([10..20, 90..100])),
        ([10..20, 100..110], None),
        ([10..20, 200..210], None),
    ] {
        let read = store.get_ranges(&path("f"), &ranges).await;
        match (read, expected) {
            (Ok(read), Some(expected)) => {
                assert_eq!(read, expected.map(|range| content(100)[range].to_vec()), "{ranges:?}");
            }
            (Err(Error::Generic { source, .. }), None) => {
                assert!(source.to_string().contains("100 bytes"), "{ranges:?}: {source}");
            }
            (read, _) => panic!("{ranges:?}: {read:?}"),
        }
    }
}

#[tokio::test]
async fn ranges_of_an_object_that_is_replaced_in_between_are_not_mixed() {
    for (first, second, is_same) in [
        ("\"1\"", "\"1\"", true),
        // The same content, whose tag became strong.
        ("W/\"1\"", "\"1\"", true),
        ("\"1\"", "\"2\"", false),
        ("W/\"1\"", "W/\"2\"", false),
    ] {
        let data = content(9_000_000);
        let server = serving(move |asked| {
            let tag = if asked.number == 0 { first } else { second };
            Reply::honest(asked, &data, &[("ETag", tag)])
        })
        .await;
        let read = store(&server).get_ranges(&path("f"), &[0..10, 5_000_000..5_000_010]).await;
        assert_eq!(server.ranges().len(), 2, "far apart");
        match read {
            Ok(read) => assert!(is_same && read[1] == content(9_000_000)[5_000_000..5_000_010]),
            Err(Error::Precondition { source, .. }) => {
                assert!(!is_same && source.to_string().contains("changed"), "{first} {second}: {source}");
            }
            Err(error) => panic!("{first} {second}: {error:?}"),
        }
    }
    // A server that ignores the condition.
    let server = serving(|asked| Reply::honest(asked, &content(100), &[("ETag", "\"2\"")])).await;
    let options = GetOptions::new().with_if_match(Some("\"1\"")).with_range(Some(GetRange::Bounded(0..9)));
    let error = store(&server).get_opts(&path("f"), options).await.unwrap_err();
    assert!(matches!(error, Error::Precondition { .. }), "{error:?}");
}

#[tokio::test]
async fn an_object_whose_date_is_unknown_counts_as_modified() {
    let server = serving(|asked| Reply::honest(asked, &content(100), &[])).await;
    let options = GetOptions { if_modified_since: Some(chrono::DateTime::UNIX_EPOCH), ..GetOptions::new() };
    let read = store(&server).get_opts(&path("f"), options.clone()).await.unwrap().bytes().await.unwrap();
    assert_eq!(read, content(100));
    let head = GetOptions { head: true, ..options };
    assert_eq!(store(&server).get_opts(&path("f"), head).await.unwrap().meta.size, 100);
    let date = ("Last-Modified", "Sun, 06 Nov 1994 08:49:37 GMT");
    let server = serving(move |asked| Reply::honest(asked, &content(100), &[date])).await;
    let since = chrono::DateTime::from_timestamp(784_111_777, 0);
    let options = GetOptions { if_modified_since: since, ..GetOptions::new() };
    let error = store(&server).get_opts(&path("f"), options).await.unwrap_err();
    assert!(matches!(error, Error::NotModified { .. }), "{error:?}");
}

/// All texts of an error and its causes.
fn with_causes(error: &Error) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
