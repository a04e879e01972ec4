//! Answers of directors, caches and origins that are unusual, and still mean something.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use scitoken_test_support::chaos_server::{Asked, Reply};
use scitoken_test_support::federation::FederationServer::{Cache, Director, Origin};
use scitoken_test_support::federation::{FakeFederation, TOKEN, refuse};
use scitoken_test_support::{Script, tokens};
use scitoken_transfer::{
    EntryKind, EventKind, FailureKind, Reporter, ThrottleReason, TransferHint, Verification,
};
use serde_json::json;

use super::{Run, clients_with, clients_without_tokens, content, url};

/// Replaces header lines of the director's answers for objects: those with these names go, these come.
fn rewrite(
    fake: &FakeFederation,
    gone: &'static [&'static str],
    come: impl Fn(&str) -> Vec<String> + Send + Sync + 'static,
) {
    fake.change(Director, move |asked, honest| {
        if asked.path.starts_with("/.well-known") {
            return honest;
        }
        let is_gone =
            |line: &&str| !gone.iter().any(|name| line.to_ascii_lowercase().starts_with(&format!("{name}:")));
        let kept = honest.head.lines().filter(is_gone).map(str::to_owned);
        let head =
            kept.chain(come(asked.path.split('?').next().unwrap())).map(|line| line + "\r\n").collect();
        Reply { head, ..honest }
    });
}

#[tokio::test]
async fn servers_are_found_in_links_without_priority_or_relation_and_in_the_location_alone() {
    let data = content(1_000);
    let run = Run::new("/public/f", &data).await;
    let cache =
        |fake: &FakeFederation, n| fake.server_url(Cache(n)).to_string().trim_end_matches('/').to_owned();
    let (first, second) = (cache(&run.fake, 0), cache(&run.fake, 1));
    for (lines, used) in [
        (vec![format!("LINK: <{second}/public/f>; rel=duplicate")], 1),
        (vec![format!("link: <{second}/public/f>")], 1),
        (
            vec![
                format!("Link: <{first}/public/f>; REL=\"Duplicate\"; Pri=2"),
                format!("Link: <{second}/public/f>;pri=1; rel=duplicate"),
            ],
            1,
        ),
        (vec![format!("Location: {second}/public/f?authz=secret&pelican.timeout=9s")], 1),
    ] {
        let run = Run {
            federation: clients_without_tokens().0,
            directory: tempfile::tempdir().unwrap(),
            ..Run::new("/public/f", &data).await
        };
        let other = run.fake.server_url(Cache(1)).to_string();
        let lines: Vec<String> = lines
            .iter()
            .map(|line| {
                line.replace(&second, other.trim_end_matches('/')).replace(&first, &cache(&run.fake, 0))
            })
            .collect();
        let shown = lines.join(" | ");
        rewrite(&run.fake, &["link", "location"], move |_| lines.clone());
        run.fetch("/public/f").await.unwrap_or_else(|error| panic!("{shown}: {error}"));
        assert_eq!((run.gets(used).len(), run.gets(1 - used).len()), (1, 0), "{shown}");
        assert!(!format!("{:?}", run.fake.seen(Cache(used))).contains("secret"), "{shown}");
        assert_eq!(run.file(), data);
    }
}

#[tokio::test]
async fn a_relative_location_is_one_of_the_director() {
    let run = Run::new("/public/f", b"data").await;
    run.fake.change(Director, |asked, honest| match asked.path.as_str() {
        "/public/f" => {
            let headers =
                [("Location", "/there/f"), ("X-Pelican-Namespace", "namespace=/public, require-token=false")];
            Reply::sized("307 Temporary Redirect", &headers, "")
        }
        "/there/f" => Reply::honest(asked, b"data", &[]),
        _ => honest,
    });
    run.fetch("/public/f").await.unwrap();
    assert_eq!(run.file(), b"data");
}

#[tokio::test]
async fn headers_of_a_namespace_count_in_any_case_and_on_several_lines() {
    let data = b"protected data";
    let claims = |issuer: &str, scope: &str| {
        tokens::jwt(&json!({"iss": issuer, "aud": "ANY", "exp": tokens::in_an_hour(), "scope": scope}))
    };
    for (token, fits) in [
        (claims("https://one.example", "storage.read:/dir/f"), true),
        (claims("https://two.example", "storage.read:/f"), true),
        (claims("https://three.example", "read:/dir"), true),
        (claims("https://two.example", "storage.read:/dir"), false),
        (claims("https://four.example", "storage.read:/"), false),
    ] {
        let fake = FakeFederation::start(&[("/protected/dir/f", data)]).await;
        fake.accept(&token);
        rewrite(
            &fake,
            &["x-pelican-namespace", "x-pelican-authorization", "x-pelican-token-generation"],
            |_| {
                [
                "X-PELICAN-NAMESPACE: Namespace=/protected, REQUIRE-TOKEN=True",
                "x-pelican-authorization: issuer=https://one.example,https://three.example",
                "X-Pelican-Authorization: Issuer=https://two.example",
                "x-pelican-token-generation: strategy=OAuth2, ISSUER=https://one.example, base-path=/protected",
                "X-Pelican-Token-Generation: issuer=https://two.example, Base-Path=/protected/dir",
            ]
            .map(str::to_owned)
            .to_vec()
            },
        );
        let (federation, downloader) = clients_with(Script::new(&[&token]));
        let directory = tempfile::tempdir().unwrap();
        let name = url(&fake, "/protected/dir/f");
        let result =
            federation.download(&downloader, &name, directory.path().join("f"), |download| download).await;
        match result {
            Ok(_) => assert!(fits, "{token}"),
            Err(error) => assert!(!fits && error.kind() == FailureKind::NoToken, "{token}: {error}"),
        }
    }
}

#[tokio::test]
async fn a_director_that_throttles_until_a_date_is_asked_again_then() {
    let run = Run::new("/public/f", b"data").await;
    run.fake.change(Director, |asked, honest| {
        if asked.number != 1 {
            return honest;
        }
        let headers = [
            ("Server", "pelican/7.26.0"),
            ("Date", "Sun, 22 Nov 2026 03:10:56 GMT"),
            ("Retry-After", "Sun, 22 Nov 2026 03:10:57 GMT"),
        ];
        let body = r#"{"status":"error","msg":"the director has just started"}"#;
        Reply::sized("429 Too Many Requests", &headers, body)
    });
    let begun = tokio::time::Instant::now();
    run.fetch("/public/f").await.unwrap();
    assert!(begun.elapsed() >= Duration::from_millis(900), "{:?}", begun.elapsed());
    assert_eq!(run.fake.lines(Director).len(), 3);
}

#[tokio::test]
async fn an_error_in_json_is_shown_by_its_message_and_its_reason() {
    let run = Run::new("/readonly/f", b"data").await;
    for cache in [0, 1] {
        run.fake.change(Cache(cache), |_, _| {
            let body = r#"{"error":"origin_unresponsive","detail":"no answer for 30 s"}"#;
            Reply::sized("429 Too Many Requests", &[("Retry-After", "3600")], body)
        });
    }
    let error = run.fetch("/readonly/f").await.unwrap_err();
    assert_eq!(error.throttle_reason(), Some(ThrottleReason::OriginUnresponsive));
    assert_eq!(error.retry_after(), Some(Duration::from_secs(3600)));
    let said = std::error::Error::source(&error).unwrap().to_string();
    assert!(said.ends_with("origin_unresponsive: no answer for 30 s"), "{said}");
    let run = Run::new("/public/f", b"data").await;
    for server in [Cache(0), Cache(1), Origin] {
        run.fake.change(server, |_, _| {
            Reply::sized("404 Not Found", &[], r#"{"status":"error","msg":"object not found"}"#)
        });
    }
    let error = run.fetch("/public/f").await.unwrap_err();
    assert_eq!(error.kind(), FailureKind::NotFound);
    assert!(std::error::Error::source(&error).unwrap().to_string().ends_with("object not found"));
}

/// A chunked answer of a cache that announces its report in the trailer.
fn chunked(body: &[u8], trailer: Option<&str>) -> Reply {
    let mut chunks = format!("{:x}\r\n", body.len()).into_bytes();
    chunks.extend_from_slice(body);
    chunks.extend_from_slice(b"\r\n0\r\n");
    if let Some(status) = trailer {
        chunks.extend_from_slice(format!("X-Transfer-Status: {status}\r\n").as_bytes());
    }
    chunks.extend_from_slice(b"\r\n");
    Reply::new(
        "200 OK",
        &[("Transfer-Encoding", "chunked"), ("trailer", "Expires, x-transfer-status")],
        chunks,
    )
}

#[tokio::test]
async fn a_body_that_ends_without_the_report_that_was_announced_is_not_the_object() {
    let data = content(20_000);
    for trailer in [None, Some("500: Unable to read"), Some("nonsense")] {
        let run = Run::new("/public/f", &data).await;
        run.fake.change(Cache(0), move |_, honest| chunked(&honest.body[..8_192], trailer));
        run.fetch("/public/f").await.unwrap();
        assert!(run.file() == data, "{trailer:?}");
        assert_eq!(run.gets(1).last(), Some(&None), "{trailer:?}");
    }
    // A good report, and no digest and no length: the object is what the cache sent.
    let run = Run::new("/public/f", &data).await;
    run.fake.change(Cache(0), |_, honest| chunked(&honest.body, Some("200: OK")));
    let file = run.fetch("/public/f").await.unwrap();
    assert!(run.file() == data && file.verification == Verification::NotAvailable);
    assert!(run.gets(1).is_empty());
}

#[tokio::test]
async fn each_request_is_reported_with_its_server_and_its_failure() {
    let data = content(30_000);
    let run = Run::new("/public/f", &data).await;
    run.fake.change(Cache(0), |_, honest| honest.cut_after(10_000));
    let requests = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&requests);
    let reporter = Reporter::from_fn(move |event| {
        if let EventKind::Requested(report) = event.what {
            seen.lock().unwrap().push(*report);
        }
    });
    let downloader = run.downloader.clone().with_reporter(reporter.with_requests());
    let target = run.directory.path().join("f");
    run.federation
        .download(&downloader, &url(&run.fake, "/public/f"), target, |download| download)
        .await
        .unwrap();
    let requests = requests.lock().unwrap();
    assert_eq!(requests.len(), 2, "{requests:?}");
    let [first, second] = [&requests[0], &requests[1]];
    assert!(first.url.starts_with(run.fake.server_url(Cache(0)).as_str()), "{first:?}");
    assert_eq!(
        first.failure.as_ref().map(|failure| (failure.kind, failure.retryable)),
        Some((FailureKind::Incomplete, true))
    );
    assert_eq!((second.failure.as_ref(), second.age, first.bytes + second.bytes), (None, Some(0), 30_000));
    assert!(first.answered_after.unwrap() <= first.total && second.answered_after.is_some());
}

#[tokio::test]
async fn a_collection_is_named_as_one_where_an_object_was_asked_for() {
    let objects: [(&str, &[u8]); 2] = [("/public/dir/f", b"data"), ("/nolist/dir/f", b"data")];
    let fake = FakeFederation::start(&objects).await;
    // XRootD answers with a page that lists the directory.
    for cache in [0, 1] {
        fake.change(Cache(cache), |asked, honest| match asked.path.as_str() {
            "/public/dir" if asked.method == "GET" => {
                Reply::sized("200 OK", &[("Content-Type", "text/html")], "<!DOCTYPE html><html>listing")
            }
            _ => honest,
        });
    }
    for path in ["/public/dir", "/public/dir/", "/public"] {
        let (federation, downloader) = clients_without_tokens();
        let directory = tempfile::tempdir().unwrap();
        let target = directory.path().join("f");
        let error = federation.download(&downloader, &url(&fake, path), &target, |download| download).await;
        let error = error.unwrap_err();
        assert_eq!(
            (error.kind(), error.hint()),
            (FailureKind::Usage, Some(&TransferHint::DownloadRecursively)),
            "{path}: {error}"
        );
        assert!(error.to_string().contains("is a collection"), "{error}");
        let error =
            federation.download_to(&downloader, &url(&fake, path), Vec::new(), |download| download).await;
        assert_eq!(error.unwrap_err().kind(), FailureKind::Usage, "{path}");
        assert_eq!(fs_err::read_dir(directory.path()).unwrap().count(), 0);
    }
    let (federation, downloader) = clients_without_tokens();
    let error = federation
        .download_to(&downloader, &url(&fake, "/nolist/dir"), Vec::new(), |download| download)
        .await;
    assert_eq!(error.unwrap_err().kind(), FailureKind::NotFound);
}

#[tokio::test]
async fn an_object_lists_itself_also_where_the_server_fails_to_list_it() {
    let fake = FakeFederation::start(&[("/public/dir/f", b"data")]).await;
    fake.change(Origin, |asked, honest| {
        let lists =
            asked.method == "PROPFIND" && asked.headers.get("depth").is_some_and(|depth| depth == "1");
        if lists && asked.path.trim_end_matches('/').ends_with("/f") {
            refuse("500 Internal Server Error")
        } else {
            honest
        }
    });
    let (federation, downloader) = clients_without_tokens();
    let entries = federation.list(&downloader, &url(&fake, "/public/dir/f")).await.unwrap();
    assert_eq!(entries.len(), 1);
    assert_eq!((entries[0].0.path().as_encoded(), entries[0].1.kind), ("/public/dir/f", EntryKind::File));
    let name = url(&fake, "/public/dir/f");
    let mut walk = federation.walk(&downloader, &name);
    assert_eq!(walk.next().await.unwrap().unwrap().path.to_str(), Some("f"));
    let begun = tokio::time::Instant::now();
    let error = federation.list(&downloader, &url(&fake, "/public/none")).await.unwrap_err();
    assert_eq!(error.kind(), FailureKind::NotFound, "{error}");
    assert!(begun.elapsed() < Duration::from_secs(60));
}

#[tokio::test]
async fn an_upload_is_right_where_head_knows_the_object_late_or_never() {
    for (unknown_to_head, is_stored) in [(1, true), (usize::MAX, true), (usize::MAX, false)] {
        let fake = FakeFederation::start(&[]).await;
        let heads = Mutex::new(0);
        fake.change(Origin, move |asked, honest| match asked.method.as_str() {
            "HEAD" => {
                let mut heads = heads.lock().unwrap();
                *heads += 1;
                if *heads > unknown_to_head { honest } else { refuse("404 Not Found") }
            }
            "PROPFIND" if !is_stored => refuse("404 Not Found"),
            _ => honest,
        });
        let (federation, downloader) = clients_with(Script::new(&[TOKEN]));
        let file = tempfile::NamedTempFile::new().unwrap();
        fs_err::write(file.path(), b"data").unwrap();
        let uploaded =
            federation.upload(&downloader, file.path(), &url(&fake, "/public/f"), |upload| upload).await;
        assert_eq!(uploaded.as_ref().is_ok(), is_stored, "{unknown_to_head}: {uploaded:?}");
        assert_eq!(fake.lines(Origin).iter().filter(|line| line.starts_with("PUT")).count(), 1);
    }
}

#[tokio::test]
async fn an_upload_is_repeated_and_goes_to_the_next_origin_where_the_first_is_down() {
    let data = content(3_000);
    let file = tempfile::NamedTempFile::new().unwrap();
    fs_err::write(file.path(), &data).unwrap();
    let fake = FakeFederation::start(&[]).await;
    fake.change(Origin, |asked, honest| {
        if asked.method == "PUT" && asked.number == 0 { refuse("503 Service Unavailable") } else { honest }
    });
    let (federation, downloader) = clients_with(Script::new(&[TOKEN]));
    federation.upload(&downloader, file.path(), &url(&fake, "/public/f"), |upload| upload).await.unwrap();
    assert_eq!(fake.object("/public/f"), Some(data.clone()));
    let fake = FakeFederation::start(&[]).await;
    let origin = fake.server_url(Origin).to_string();
    rewrite(&fake, &["link", "location"], move |path| {
        vec![format!(
            "Link: <https://localhost:9{path}>; pri=1, <{}{path}>; pri=2",
            origin.trim_end_matches('/')
        )]
    });
    let (federation, downloader) = clients_with(Script::new(&[TOKEN]));
    federation.upload(&downloader, file.path(), &url(&fake, "/public/f"), |upload| upload).await.unwrap();
    assert_eq!(fake.object("/public/f"), Some(data));
}

#[tokio::test]
async fn a_token_that_expires_in_the_middle_of_an_object_is_replaced_by_the_newer_one() {
    let data = content(300_000);
    let token = |expires: u64| {
        tokens::jwt(
            &json!({"iss": scitoken_test_support::federation::ISSUER, "exp": expires, "scope": "storage.read:/"}),
        )
    };
    // The first token has expired when the rest is asked for.
    let (old, new) = (token(tokens::in_an_hour()), token(tokens::in_an_hour() + 60));
    let run = Run::new("/protected/f", &data).await;
    run.fake.accept(&new);
    let accepted = format!("Bearer {old}");
    let begins = Arc::new(Mutex::new(true));
    run.fake.change(Cache(0), move |asked, honest| {
        let mut begins = begins.lock().unwrap();
        if asked.headers.get("authorization") == Some(&accepted) && std::mem::take(&mut *begins) {
            return Reply::honest(
                asked,
                &content(300_000),
                &[("Digest", &scitoken_test_support::federation::digest(&content(300_000)))],
            )
            .cut_after(100_000);
        }
        honest
    });
    run.fake.change(
        Cache(1),
        |asked: &Asked, honest| if asked.number == 0 { refuse("403 Forbidden") } else { honest },
    );
    let (federation, downloader) = clients_with(Script::new(&[&old, &old, &new]));
    let run = Run { federation, downloader, ..run };
    run.fetch("/protected/f").await.unwrap();
    assert!(run.file() == data);
    let resumed = run.gets(1).into_iter().chain(run.gets(0)).flatten().next().expect("a range");
    assert!(resumed.start > 0, "{resumed:?}");
}
