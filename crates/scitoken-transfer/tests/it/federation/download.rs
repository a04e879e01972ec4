//! Objects from servers that fail, lie, stall and disagree.

use std::time::Duration;

use scitoken_test_support::chaos_server::{Asked, Reply};
use scitoken_test_support::federation::FederationServer::{Cache, Director, Origin};
use scitoken_test_support::federation::{FakeFederation, digest, refuse};
use scitoken_transfer::federation::OriginFallback;
use scitoken_transfer::{Checksum, Downloaded, FailureKind, TransferError, Verification};

use super::{Run, clients_without_tokens, content, url};

#[tokio::test]
async fn an_object_costs_one_request_to_its_cache_and_is_verified() {
    let data = content(50_000);
    let run = Run::new("/public/dir/a.txt", &data).await;
    let file = run.fetch("/public/dir/a.txt").await.unwrap();
    assert_eq!((run.file(), file.length), (data, 50_000));
    assert!(matches!(file.verification, Verification::Verified { .. }), "{:?}", file.verification);
    assert_eq!(run.fake.lines(Cache(0)), ["GET /public/dir/a.txt"]);
    assert_eq!(run.fake.lines(Director).len(), 2);
    assert!(run.fake.lines(Cache(1)).is_empty() && run.fake.lines(Origin).is_empty());
}

#[tokio::test]
async fn objects_with_any_name_and_without_content_are_fetched() {
    for name in ["a b", "100%", "50%25", "a#1", "q?", "x+y", "a,b;c", "é\u{4e2d}", "~a=b&c", "%2e%2e"] {
        let path = format!("/public/{name}");
        let run = Run::new(&path, b"").await;
        let typed = format!("/public/{}", name.replace('%', "%25").replace('?', "%3F"));
        run.fetch(&typed).await.unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(run.file(), b"", "{name}");
    }
}

#[tokio::test]
async fn a_cache_that_fails_is_left_for_the_next_one() {
    let data = content(10_000);
    for status in
        ["500 Internal Server Error", "503 Service Unavailable", "504 Gateway Timeout", "404 Not Found"]
    {
        let run = Run::new("/public/f", &data).await;
        run.fake.change(Cache(0), move |_, _| refuse(status));
        run.fetch("/public/f").await.unwrap();
        assert_eq!(run.file(), data, "{status}");
        assert_eq!((run.gets(0).len(), run.gets(1).len()), (1, 1), "{status}");
        assert!(run.fake.lines(Origin).is_empty(), "{status}");
    }
}

#[tokio::test]
async fn a_cache_that_is_silent_or_slow_is_left_for_the_next_one() {
    let data = content(10_000);
    let silent = |_: &Asked, honest: Reply| Reply { delay: Duration::from_secs(60), ..honest };
    let slow = |_: &Asked, honest: Reply| Reply { trickle: Some((1, Duration::from_millis(300))), ..honest };
    let run = Run::new("/public/f", &data).await;
    run.fake.change(Cache(0), silent);
    run.fetch("/public/f").await.unwrap();
    assert_eq!(run.file(), data);
    let run = Run::new("/public/f", &data).await;
    run.fake.change(Cache(0), slow);
    run.fetch("/public/f").await.unwrap();
    assert_eq!(run.file(), data);
    assert_eq!(run.gets(1).len(), 1);
}

#[tokio::test]
async fn a_transfer_continues_at_the_next_cache_where_the_digest_shows_the_same_content() {
    let data = content(300_000);
    let run = Run::new("/public/f", &data).await;
    run.fake.change(Cache(0), |_, honest| honest.cut_after(100_000));
    let file = run.fetch("/public/f").await.unwrap();
    assert_eq!((run.file(), file.length), (data, 300_000));
    let resumed = run.gets(1)[0].clone().expect("a range");
    assert!(resumed.start > 0 && resumed.end == 300_000, "{resumed:?}");
}

#[tokio::test]
async fn a_transfer_starts_again_where_caches_give_no_digest() {
    let data = content(300_000);
    let run = Run::new("/public/f", &data).await;
    let without_digest = |honest: Reply| {
        let lines = honest.head.split_inclusive("\r\n").filter(|line| !line.starts_with("Digest"));
        Reply { head: lines.collect(), ..honest }
    };
    run.fake.change(Cache(0), move |_, honest| without_digest(honest).cut_after(100_000));
    run.fake.change(Cache(1), move |_, honest| without_digest(honest));
    run.fetch("/public/f").await.unwrap();
    assert_eq!(run.file(), data);
}

#[tokio::test]
async fn a_failure_in_the_trailer_fails_the_attempt() {
    let data = content(20_000);
    let run = Run::new("/public/f", &data).await;
    run.fake.change(Cache(0), |asked, honest| {
        assert_eq!(asked.method, "GET");
        let body = &honest.body[..8_192];
        let mut chunks = format!("{:x}\r\n", body.len()).into_bytes();
        chunks.extend_from_slice(body);
        chunks.extend_from_slice(
            b"\r\n0\r\nX-Transfer-Status: 500: Unable to read; input/output error\r\n\r\n",
        );
        let headers = [("Transfer-Encoding", "chunked"), ("Trailer", "X-Transfer-Status")];
        Reply::new("200 OK", &headers, chunks)
    });
    run.fetch("/public/f").await.unwrap();
    assert_eq!(run.file(), data);
    assert_eq!(run.gets(1).len(), 1);
}

#[tokio::test]
async fn a_cache_with_wrong_bytes_is_left_for_one_with_the_right_ones() {
    let data = content(20_000);
    let run = Run::new("/public/f", &data).await;
    run.fake.change(Cache(0), |_, mut honest| {
        honest.body[77] ^= 1;
        honest
    });
    let file = run.fetch("/public/f").await.unwrap();
    assert_eq!(run.file(), data);
    assert!(matches!(file.verification, Verification::Verified { .. }));
}

#[tokio::test]
async fn an_md5_that_is_labelled_crc32c_is_ignored() {
    let data = content(20_000);
    let run = Run::new("/public/f", &data).await;
    let right = digest(&data);
    run.fake.change(Cache(0), move |_, honest| {
        let wrong = "crc32c=d41d8cd98f00b204e9800998ecf8427e";
        Reply { head: honest.head.replace(&right, wrong), ..honest }
    });
    run.fetch("/public/f").await.unwrap();
    assert_eq!(run.file(), data);
    assert!(run.gets(1).is_empty());
}

#[tokio::test]
async fn caches_that_disagree_about_an_object_are_never_mixed() {
    let (old, new) = (content(200_000), content(200_000).into_iter().rev().collect::<Vec<_>>());
    for with_digests in [true, false] {
        let run = Run::new("/public/f", &new).await;
        let (stale, right, wrong) = (old.clone(), digest(&old), digest(&new));
        run.fake.change(Cache(0), move |asked, honest| {
            let mut reply = Reply::honest(asked, &stale, &[("ETag", "\"old\"")]);
            if with_digests {
                reply.head = format!("{}Digest: {right}\r\n", reply.head);
            }
            let _ = honest;
            reply.cut_after(120_000)
        });
        run.fake.change(Cache(1), move |_, honest| {
            if with_digests {
                return honest;
            }
            Reply { head: honest.head.replace(&format!("Digest: {wrong}\r\n"), ""), ..honest }
        });
        run.fetch("/public/f").await.unwrap();
        assert!(run.file() == new, "with digests: {with_digests}");
    }
}

/// A body in chunks that ends well, without a length, a digest or a report.
fn chunks(body: &[u8]) -> Reply {
    let mut chunks = format!("{:x}\r\n", body.len()).into_bytes();
    chunks.extend_from_slice(body);
    chunks.extend_from_slice(b"\r\n0\r\n\r\n");
    Reply::new("200 OK", &[("Transfer-Encoding", "chunked")], chunks)
}

#[tokio::test]
async fn a_body_without_a_length_that_ends_well_is_the_object_only_if_it_has_the_stated_length() {
    let data = content(20_000);
    for (sent, fetched_from) in [(8_192, 1), (20_000, 0)] {
        let run = Run::new("/readonly/f", &data).await;
        run.fake.change(Cache(0), move |asked, honest| match asked.method.as_str() {
            "GET" => chunks(&honest.body[..sent]),
            _ => honest,
        });
        run.fetch("/readonly/f").await.unwrap();
        assert!(run.file() == data, "{sent}");
        assert_eq!(run.gets(1).len(), fetched_from, "{sent}");
    }
}

#[tokio::test]
async fn the_rest_of_a_file_of_unstated_length_is_asked_for_with_an_end_that_servers_know() {
    let data = content(300_000);
    let run = Run::new("/readonly/f", &data).await;
    run.fake.change(Cache(0), |asked, honest| match asked.method.as_str() {
        "GET" => chunks(&honest.body).cut_after(100_000),
        _ => honest,
    });
    run.fake.change(Cache(1), |asked, honest| {
        let range = asked.headers.get("range").cloned().unwrap_or_default();
        let last = range.rsplit('-').next().filter(|last| !last.is_empty());
        match last.map(str::parse::<i64>) {
            Some(Err(_)) => refuse("416 Range Not Satisfiable"),
            _ => honest,
        }
    });
    run.fetch("/readonly/f").await.unwrap();
    assert!(run.file() == data);
}

#[tokio::test]
async fn a_cache_that_has_all_of_another_version_is_asked_for_all_of_it() {
    let (old, new) = (content(200_000), content(200_000).into_iter().rev().collect::<Vec<_>>());
    for (with_digests, retries) in [(true, 0), (true, 5), (false, 0), (false, 1), (false, 5)] {
        let mut run = Run::new("/readonly/f", &new).await;
        run.downloader = run.downloader.with_retry(super::quick(retries));
        let (stale, right, wrong) = (old.clone(), digest(&old), digest(&new));
        run.fake.change(Cache(0), move |asked, _| {
            let mut reply = Reply::honest(asked, &stale, &[("ETag", "\"old\"")]);
            if with_digests {
                reply.head = format!("{}Digest: {right}\r\n", reply.head);
            }
            reply.cut_after(120_000)
        });
        run.fake.change(Cache(1), move |_, honest| {
            if with_digests {
                return honest;
            }
            Reply { head: honest.head.replace(&format!("Digest: {wrong}\r\n"), ""), ..honest }
        });
        run.fetch("/readonly/f").await.unwrap_or_else(|error| panic!("{with_digests} {retries}: {error}"));
        assert!(run.file() == new, "{with_digests} {retries}");
    }
}

#[tokio::test]
async fn a_cache_that_is_ill_may_have_what_another_one_lacks() {
    let data = content(20_000);
    let run = Run::new("/readonly/f", &data).await;
    let asked = std::sync::atomic::AtomicUsize::new(0);
    run.fake.change(Cache(0), move |_, honest| {
        match asked.fetch_add(1, std::sync::atomic::Ordering::Relaxed) {
            0 | 1 => refuse("500 Internal Server Error"),
            _ => honest,
        }
    });
    run.fake.change(Cache(1), |_, _| refuse("404 Not Found"));
    run.fetch("/readonly/f").await.unwrap();
    assert!(run.file() == data);
}

#[tokio::test]
async fn caches_that_ask_for_a_longer_wait_than_is_allowed_are_asked_once() {
    let run = Run::new("/readonly/f", b"x").await;
    for (cache, status) in [(0, "429 Too Many Requests"), (1, "503 Service Unavailable")] {
        run.fake.change(Cache(cache), move |_, _| {
            Reply::new(status, &[("Retry-After", "3600"), ("Content-Length", "0")], Vec::new())
        });
    }
    let error = run.fetch("/readonly/f").await.unwrap_err();
    assert!(error.to_string().contains("asks to wait 3600 s"), "{error}");
    assert_eq!((run.gets(0).len(), run.gets(1).len()), (1, 1));
}

#[tokio::test]
async fn the_origin_is_asked_when_all_caches_have_failed_once() {
    let data = content(20_000);
    let run = Run::new("/public/f", &data).await;
    for cache in [0, 1] {
        run.fake.change(Cache(cache), |_, _| refuse("503 Service Unavailable"));
    }
    run.fetch("/public/f").await.unwrap();
    assert_eq!(run.file(), data);
    assert_eq!((run.gets(0).len(), run.gets(1).len()), (1, 1));
    assert_eq!(run.fake.lines(Director).last().unwrap(), "GET /public/f?directread");
}

#[tokio::test]
async fn the_origin_is_not_asked_where_the_namespace_or_the_setting_forbids_it() {
    let broken = |run: &Run| {
        for cache in [0, 1] {
            run.fake.change(Cache(cache), |_, _| refuse("503 Service Unavailable"));
        }
    };
    let run = Run::new("/readonly/f", b"data").await;
    broken(&run);
    assert_eq!(run.fetch("/readonly/f").await.unwrap_err().kind(), FailureKind::Server);
    assert!(run.fake.lines(Origin).is_empty());
    let mut run = Run::new("/public/f", b"data").await;
    run.federation = run.federation.with_origin_fallback(OriginFallback::Never);
    broken(&run);
    assert_eq!(run.fetch("/public/f").await.unwrap_err().kind(), FailureKind::Server);
    assert!(run.fake.lines(Origin).is_empty());
    assert_eq!(run.files(), 0);
}

#[tokio::test]
async fn an_object_that_no_server_has_leaves_no_file() {
    let run = Run::new("/public/f", b"data").await;
    let error = run.fetch("/public/none").await.unwrap_err();
    assert_eq!((error.kind(), run.files()), (FailureKind::NotFound, 0));
    assert!(error.to_string().contains("/public/none"), "{error}");
}

#[tokio::test]
async fn a_direct_read_asks_no_cache() {
    let run = Run::new("/public/f", b"data").await;
    run.fetch("/public/f?directread").await.unwrap();
    assert_eq!(run.file(), b"data");
    assert!(run.gets(0).is_empty() && run.gets(1).is_empty());
}

#[tokio::test]
async fn a_cache_that_throttles_is_left_alone_as_long_as_it_says() {
    let run = Run::new("/readonly/f", b"data").await;
    for cache in [0, 1] {
        run.fake.change(Cache(cache), |asked, honest| {
            if asked.number == 0 {
                let body = r#"{"error":"cache_overloaded","detail":"busy"}"#;
                return Reply::sized("429 Too Many Requests", &[("Retry-After", "1")], body);
            }
            honest
        });
    }
    let begun = tokio::time::Instant::now();
    run.fetch("/readonly/f").await.unwrap();
    assert!(begun.elapsed() >= Duration::from_millis(900), "{:?}", begun.elapsed());
    assert_eq!(run.gets(0).len() + run.gets(1).len(), 3);
}

#[tokio::test]
async fn servers_of_a_remembered_answer_are_asked_for_again_when_they_fail() {
    let data = content(1_000);
    let fake = FakeFederation::start(&[("/readonly/a", b"a"), ("/readonly/b", &data)]).await;
    let (federation, downloader) = clients_without_tokens();
    let directory = tempfile::tempdir().unwrap();
    let fetch = |name: &str| {
        let (name, target) = (url(&fake, &format!("/readonly/{name}")), directory.path().join(name));
        let (federation, downloader) = (federation.clone(), downloader.clone());
        async move { federation.download(&downloader, &name, target, |download| download).await }
    };
    fetch("a").await.unwrap();
    assert_eq!(fake.lines(Director).len(), 2);
    // The caches are gone; the director names the origin in their place.
    let origin = fake.server_url(Origin);
    for cache in [0, 1] {
        fake.change(Cache(cache), |_, _| refuse("503 Service Unavailable"));
    }
    fake.change(Director, move |asked, honest| {
        let link = format!("<{}{}>; rel=\"duplicate\"; pri=1", origin, asked.path.trim_start_matches('/'));
        let head = honest.head.lines().map(|line| {
            let changed = if line.starts_with("Link: ") { format!("Link: {link}") } else { line.to_owned() };
            changed + "\r\n"
        });
        Reply { head: head.collect(), ..honest }
    });
    fetch("b").await.unwrap();
    assert_eq!(fs_err::read(directory.path().join("b")).unwrap(), data);
}

#[tokio::test]
async fn a_stream_gets_the_object_from_the_next_cache() {
    let data = content(30_000);
    let run = Run::new("/public/f", &data).await;
    run.fake.change(Cache(0), |_, _| refuse("500 Internal Server Error"));
    let file = run.directory.path().join("f");
    let stream = fs_err::File::create(&file).unwrap();
    let name = url(&run.fake, "/public/f");
    let checksum = |download: scitoken_transfer::Download| download.with_checksum(Checksum::Require);
    run.federation.download_to(&run.downloader, &name, stream, checksum).await.unwrap();
    assert_eq!(run.file(), data);
}

#[tokio::test]
async fn a_connection_that_is_reset_is_no_end() {
    let data = content(30_000);
    let run = Run::new("/public/f", &data).await;
    run.fake.change(Cache(0), |_, _| Reply::default());
    run.fetch("/public/f").await.unwrap();
    assert_eq!(run.file(), data);
}

#[tokio::test]
async fn names_and_urls_are_downloaded_in_one_batch() {
    let data = content(5_000);
    let fake =
        FakeFederation::start(&[("/public/a", &data), ("/public/b", &data), ("/public/c", &data)]).await;
    let (federation, downloader) = clients_without_tokens();
    let directory = tempfile::tempdir().unwrap();
    let names = [
        url(&fake, "/public/a").to_url(),
        url(&fake, "/public/b").to_url(),
        fake.server_url(Origin).join("/public/c").unwrap(),
        url(&fake, "/nowhere/d").to_url(),
    ];
    let jobs: Vec<_> = names
        .into_iter()
        .enumerate()
        .map(|(n, name)| {
            scitoken_transfer::Download::new(name, directory.path().join(n.to_string())).unwrap()
        })
        .collect();
    let client = downloader.clone();
    let results = tokio::task::spawn_blocking(move || {
        let mut results = Vec::new();
        let session = || {
            let source = scitoken_test_support::Script::new(&["-"]);
            let session = scitoken_test_support::clients::session(source).build().unwrap();
            Ok::<_, TransferError>(session.client().clone())
        };
        let done = |_, result: Result<Downloaded, TransferError>| results.push(result.map_err(|e| e.kind()));
        federation.download_all(&client, jobs.into_iter(), 4.try_into().unwrap(), session, done).unwrap();
        results
    })
    .await
    .unwrap();
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 3, "{results:?}");
    assert!(results.contains(&Err(FailureKind::NotFound)), "{results:?}");
    assert!(fake.lines(Director).len() <= 4, "{:?}", fake.lines(Director));
    let name = scitoken_transfer::Download::new(url(&fake, "/public/a").to_url(), directory.path().join("x"));
    let error = downloader.download(name.unwrap()).await.unwrap_err();
    assert_eq!(error.kind(), FailureKind::Usage, "{error}");
}

#[test]
fn a_batch_of_a_thousand_objects_asks_the_director_once_and_the_cache_once_for_each() {
    const OBJECTS: usize = 1_000;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let paths: Vec<String> = (0..OBJECTS).map(|n| format!("/public/d/{n}")).collect();
    let objects: Vec<(&str, &[u8])> = paths.iter().map(|path| (path.as_str(), path.as_bytes())).collect();
    let fake = runtime.block_on(FakeFederation::start(&objects));
    let (federation, downloader) = clients_without_tokens();
    let directory = tempfile::tempdir().unwrap();
    let downloads = paths.iter().enumerate().map(|(n, path)| {
        let name = url(&fake, path);
        scitoken_transfer::Download::new(name.to_url(), directory.path().join(n.to_string())).unwrap()
    });
    let at_once = std::num::NonZeroUsize::new(16).unwrap();
    let mut files = 0;
    let make_client = || -> Result<_, TransferError> {
        Ok(scitoken_test_support::clients::session(scitoken_test_support::Script::new(&["-"]))
            .build()
            .unwrap()
            .client()
            .clone())
    };
    federation
        .download_all(&downloader, downloads, at_once, make_client, |_, result| {
            result.unwrap();
            files += 1;
        })
        .unwrap();
    assert_eq!(files, OBJECTS);
    assert_eq!(fake.lines(Director).len(), 2, "the discovery document and one query");
    let asked = fake.lines(Cache(0)).len() + fake.lines(Cache(1)).len();
    assert_eq!(asked, OBJECTS, "one request for each object");
    assert!(fake.lines(Origin).is_empty());
}
