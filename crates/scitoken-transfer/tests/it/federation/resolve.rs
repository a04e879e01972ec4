//! From a name to servers: discovery, director, and what is remembered.

use std::time::Duration;

use reqwest_scitokens::SharedTokenSource;
use scitoken_test_support::chaos_server::Reply;
use scitoken_test_support::federation::FakeFederation;
use scitoken_test_support::federation::FederationServer::{Cache, Director, Origin};
use scitoken_test_support::{Script, clients};
use scitoken_transfer::federation::{Federation, FederationUrl};
use scitoken_transfer::{FailureKind, TransferHint};
use scitoken_types::sys::ManualClock;

use super::{clients_without_tokens, url};

#[tokio::test]
async fn an_object_has_its_servers_in_the_director_s_order_and_the_facts_of_its_namespace() {
    let fake = FakeFederation::start(&[]).await;
    let (federation, _) = clients_without_tokens();
    let object = federation.resolve(&url(&fake, "/protected/dir/a.txt")).await.unwrap();
    let expected = [Cache(0), Cache(1)].map(|cache| format!("{}protected/dir/a.txt", fake.server_url(cache)));
    let servers: Vec<String> = object.servers().iter().map(ToString::to_string).collect();
    assert_eq!(servers, expected);
    let namespace = object.namespace();
    assert!(namespace.requires_token() && !object.is_remembered());
    assert_eq!(namespace.prefix().as_encoded(), "/protected");
    assert_eq!(namespace.issuers()[0].base_path().unwrap().as_encoded(), "/protected");
    assert_eq!(namespace.collections_url(), Some(&fake.server_url(Origin)));
    let seen = fake.seen(Director);
    assert_eq!(seen.len(), 2);
    assert!(seen.iter().all(|asked| !asked.headers.contains_key("authorization")), "{seen:?}");
}

#[tokio::test]
async fn a_name_reaches_the_director_encoded_exactly_once() {
    let fake = FakeFederation::start(&[]).await;
    let (federation, _) = clients_without_tokens();
    for (name, sent) in [
        ("/public/a b", "/public/a%20b"),
        ("/public/100%", "/public/100%25"),
        ("/public/a%2520b", "/public/a%2520b"),
        ("/public/a#1", "/public/a%231"),
        ("/public/a%3Fb", "/public/a%3Fb"),
        ("/public/a+b", "/public/a%2Bb"),
        ("/public/a,b;c", "/public/a%2Cb%3Bc"),
    ] {
        // A handle of its own, which remembers nothing.
        let (federation, fake_url) = (clients_without_tokens().0, url(&fake, name));
        let object = federation.resolve(&fake_url).await.unwrap();
        assert_eq!(fake.seen(Director).last().unwrap().path, sent, "{name}");
        assert_eq!(object.servers().len(), 2, "{name}");
    }
    drop(federation);
}

#[tokio::test]
async fn osdf_names_use_the_host_of_the_setting() {
    let fake = FakeFederation::start(&[]).await;
    let federation = clients_without_tokens().0.with_osdf_host(fake.host().parse().unwrap());
    for name in ["osdf:///public/f", "osdf://public/f", "stash:///public/f", "vo+osdf:///public/f"] {
        let object = federation.resolve(&name.parse().unwrap()).await.unwrap();
        assert_eq!(object.servers()[0].path(), "/public/f", "{name}");
    }
    assert_eq!(fake.lines(Director).len(), 2, "one answer serves all");
}

#[tokio::test]
async fn a_thousand_objects_of_a_namespace_ask_the_director_once() {
    let fake = FakeFederation::start(&[]).await;
    let (federation, _) = clients_without_tokens();
    for batch in 0..63 {
        let tasks: Vec<_> = (0..16)
            .map(|n| {
                let (federation, url) = (federation.clone(), url(&fake, &format!("/public/{batch}/{n}")));
                tokio::spawn(async move { federation.resolve(&url).await.unwrap().servers()[1].clone() })
            })
            .collect();
        for (n, task) in tasks.into_iter().enumerate() {
            assert_eq!(task.await.unwrap().path(), format!("/public/{batch}/{n}"));
        }
    }
    assert_eq!(fake.lines(Director).len(), 2, "{:?}", fake.lines(Director));
}

#[tokio::test]
async fn answers_are_asked_for_again_when_they_are_old() {
    let fake = FakeFederation::start(&[]).await;
    let clock = ManualClock::at_epoch_seconds(1_800_000_000);
    let federation = clients_without_tokens().0.with_clock(clock.clone());
    let mut counts = Vec::new();
    for minutes in [0, 4, 2, 30] {
        clock.advance(Duration::from_secs(minutes * 60));
        federation.resolve(&url(&fake, "/public/f")).await.unwrap();
        counts.push(fake.lines(Director).len());
    }
    assert_eq!(counts, [2, 2, 3, 5], "5 minutes for answers, 30 for the document");
}

#[tokio::test]
async fn a_director_that_restarts_is_asked_again() {
    for (trouble, failing, expected) in [
        ("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n", [0, 2], 4),
        ("HTTP/1.1 404 Not Found\r\nServer: nginx\r\nContent-Length: 0\r\n", [1, 2], 4),
        (
            "HTTP/1.1 429 Too Many Requests\r\nServer: pelican/7\r\nRetry-After: 1\r\nContent-Length: 0\r\n",
            [1, 1],
            3,
        ),
        ("", [0, 2], 4),
    ] {
        let fake = FakeFederation::start(&[]).await;
        fake.change(Director, move |asked, honest| {
            if failing.contains(&asked.number) {
                Reply { head: trouble.to_owned(), ..Reply::default() }
            } else {
                honest
            }
        });
        let (federation, _) = clients_without_tokens();
        federation.resolve(&url(&fake, "/public/f")).await.unwrap_or_else(|e| panic!("{trouble}: {e}"));
        assert_eq!(fake.lines(Director).len(), expected, "{trouble}");
    }
}

#[tokio::test]
async fn an_error_of_the_director_is_final_and_says_its_message() {
    let fake = FakeFederation::start(&[]).await;
    let (federation, _) = clients_without_tokens();
    let error = federation.resolve(&url(&fake, "/nowhere/f")).await.unwrap_err();
    assert_eq!(error.kind(), FailureKind::NotFound);
    assert!(error.to_string().contains("its origin is not online"), "{error}");
    let said = std::error::Error::source(&error).unwrap().to_string();
    assert!(said.contains("No sources found for the requested path"), "{said}");
    assert_eq!(error.hint(), Some(&TransferHint::CheckNameOrOrigin));
    let error = federation.resolve(&url(&fake, "/readonly/f?directread")).await.unwrap_err();
    assert_eq!(error.kind(), FailureKind::Rejected);
    assert_eq!(fake.lines(Director).len(), 3, "the document and one query each");
    assert_eq!(fake.seen(Director)[2].path, "/readonly/f?directread");
}

#[tokio::test]
async fn the_last_answer_is_used_while_the_director_or_the_origin_is_down() {
    for trouble in ["503 Service Unavailable", "404 Not Found"] {
        let fake = FakeFederation::start(&[]).await;
        let clock = ManualClock::at_epoch_seconds(1_800_000_000);
        let federation = clients_without_tokens().0.with_clock(clock.clone()).with_retry(super::quick(1));
        federation.resolve(&url(&fake, "/public/f")).await.unwrap();
        fake.change(Director, move |_, _| {
            let body = r#"{"status":"error","msg":"no origin"}"#;
            Reply::sized(trouble, &[("Server", "pelican/7.26.0")], body)
        });
        clock.advance(Duration::from_secs(2 * 60 * 60));
        let object = federation.resolve(&url(&fake, "/public/g")).await.unwrap();
        assert!(object.is_remembered() && object.servers()[0].path() == "/public/g", "{trouble}");
        clock.advance(Duration::from_secs(24 * 60 * 60));
        federation.resolve(&url(&fake, "/public/g")).await.unwrap_err();
    }
}

#[tokio::test]
async fn discovery_follows_redirects_and_rejects_what_is_not_a_document() {
    let fake = FakeFederation::start(&[]).await;
    let target = fake.server_url(Origin).join("config").unwrap();
    let director = format!("{}", fake.server_url(Director));
    fake.change(Director, move |asked, honest| match asked.path.as_str() {
        "/.well-known/pelican-configuration" => {
            Reply::sized("302 Found", &[("Location", target.as_str())], "")
        }
        _ => honest,
    });
    fake.change(Origin, move |_, _| {
        Reply::sized("200 OK", &[], format!(r#"{{"director_endpoint": "{director}"}}"#))
    });
    let (federation, _) = clients_without_tokens();
    federation.resolve(&url(&fake, "/public/f")).await.unwrap();

    let fake = FakeFederation::start(&[]).await;
    for (answer, kind) in [
        (Reply::sized("200 OK", &[], "<html>"), FailureKind::Server),
        (Reply::sized("404 Not Found", &[], ""), FailureKind::Rejected),
        (Reply::sized("302 Found", &[("Location", "http://elsewhere.example/")], ""), FailureKind::Redirect),
        (
            Reply::sized("302 Found", &[("Location", "/.well-known/pelican-configuration")], ""),
            FailureKind::Redirect,
        ),
        (
            Reply::sized("200 OK", &[], r#"{"director_endpoint": "http://director.example"}"#),
            FailureKind::Server,
        ),
        (Reply::sized("200 OK", &[], vec![b' '; 2 * 1024 * 1024]), FailureKind::Server),
    ] {
        let text = answer.head.clone();
        fake.change(Director, move |_, _| answer.clone());
        let (federation, _) = clients_without_tokens();
        let error = federation.resolve(&url(&fake, "/public/f")).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{text}: {error}");
    }
}

#[tokio::test]
async fn a_federation_without_a_director_serves_objects_from_its_host() {
    let fake = FakeFederation::start(&[]).await;
    fake.change(Director, |_, _| Reply::sized("200 OK", &[], r#"{"director_endpoint": ""}"#));
    let (federation, _) = clients_without_tokens();
    let object = federation.resolve(&url(&fake, "/ns/a b")).await.unwrap();
    assert_eq!(object.servers(), [fake.server_url(Director).join("/ns/a%20b").unwrap()]);
    assert!(!object.namespace().requires_token());
}

#[tokio::test]
async fn preferred_caches_come_first_and_a_direct_read_has_none() {
    let fake = FakeFederation::start(&[]).await;
    let list = format!("{},+", fake.server_url(Cache(1)));
    let federation = clients_without_tokens().0.with_preferred_caches(list.parse().unwrap());
    let object = federation.resolve(&url(&fake, "/public/f")).await.unwrap();
    let origins: Vec<_> = object.servers().iter().map(url::Url::origin).collect();
    assert_eq!(origins, [Cache(1), Cache(0)].map(|cache| fake.server_url(cache).origin()));
    let direct = federation.resolve(&url(&fake, "/public/f?directread")).await.unwrap();
    assert_eq!(direct.servers()[0].origin(), fake.server_url(Origin).origin());
}

#[tokio::test]
async fn a_client_that_follows_redirects_is_an_error() {
    let fake = FakeFederation::start(&[("/public/f", b"data")]).await;
    let federation = Federation::new(clients::foreign().build().unwrap());
    let error = federation.resolve(&url(&fake, "/public/f")).await.unwrap_err();
    assert_eq!(error.kind(), FailureKind::Usage, "{error}");
}

#[tokio::test]
async fn a_director_that_moved_is_followed_and_one_that_circles_is_given_up() {
    let fake = FakeFederation::start(&[]).await;
    fake.change(Director, |asked, honest| match asked.path.as_str() {
        "/public/f" => Reply::sized("308 Permanent Redirect", &[("Location", "/public/other/f")], ""),
        "/public/loop" => Reply::sized("308 Permanent Redirect", &[("Location", "/public/loop")], ""),
        _ => honest,
    });
    let (federation, _) = clients_without_tokens();
    federation.resolve(&url(&fake, "/public/f")).await.unwrap();
    let (federation, _) = clients_without_tokens();
    let error = federation.resolve(&url(&fake, "/public/loop")).await.unwrap_err();
    assert_eq!(error.kind(), FailureKind::Redirect);
}

#[tokio::test]
async fn a_token_source_is_not_asked_by_resolving() {
    let fake = FakeFederation::start(&[]).await;
    let source = Script::new(&["secret"]);
    let (federation, _) = super::clients_with(SharedTokenSource::from(source.clone()));
    let name: FederationUrl = format!("{}?authz=shared", fake.name("/protected/f")).parse().unwrap();
    federation.resolve(&name).await.unwrap();
    assert_eq!(source.calls(), 0);
    let seen = format!("{:?}", fake.seen(Director));
    assert!(!seen.contains("shared") && !seen.contains("secret"), "{seen}");
}
