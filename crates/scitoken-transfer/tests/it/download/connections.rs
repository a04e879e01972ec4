//! Large heads and old connections, with the client of a session.

use std::fmt::Write as _;

use reqwest_scitokens::client::ProxyRules;
use reqwest_scitokens::{Attach, Session};
use scitoken_transfer::{Downloader, FailureKind, RetryBudget, RetryPolicy, Upload, events};

use scitoken_test_support::chaos_server::{ChaosServer, Reply};

use super::support::{HELLO, content, job};

/// Counts each failure: the first wait would be long.
fn downloader() -> Downloader {
    let session = Session::builder().proxies(ProxyRules::default()).attach(Attach::Never).build().unwrap();
    Downloader::new(session).with_retry(RetryPolicy::default())
}

fn with_links(lines: usize) -> Reply {
    let mut reply = Reply::sized("200 OK", &[], HELLO);
    for n in 0..lines {
        let _ = write!(reply.head, "Link: <https://mirror{n}.test/f>; rel=duplicate; pri={n}\r\n");
    }
    reply
}

#[tokio::test]
async fn three_hundred_lines_are_read_and_a_larger_head_is_not_asked_for_again() {
    for (lines, is_right) in [(100, true), (300, true), (3_000, false)] {
        let directory = tempfile::tempdir().unwrap();
        let server = ChaosServer::start(move |_| with_links(lines)).await;
        let result = downloader().download(job(&server, &directory)).await;
        assert_eq!(result.is_ok(), is_right, "{lines}: {result:?}");
        if let Err(failure) = result {
            assert_eq!(failure.kind(), FailureKind::Server, "{failure}");
            assert!(
                !failure.is_worth_retrying() && failure.to_string().contains("header lines"),
                "{failure}"
            );
        }
        assert_eq!(server.seen().len(), 1, "{lines}");
    }
}

#[tokio::test]
async fn an_old_connection_is_neither_seen_nor_counted() {
    let directory = tempfile::tempdir().unwrap();
    let data = content(50_000);
    let sent = data.clone();
    let server = ChaosServer::start(move |asked| {
        let reply = Reply::honest(asked, &sent, &[]);
        if asked.number.is_multiple_of(2) { reply.then_stale() } else { reply }
    })
    .await;
    let budget = RetryBudget::new(10);
    let (reporter, mut stream) = events();
    let downloader = downloader().with_budget(budget.clone()).with_reporter(reporter);
    let told = tokio::spawn(async move {
        let mut told = Vec::new();
        while let Some(event) = stream.next().await {
            told.push(format!("{event:?}"));
        }
        told
    });
    for name in ["one", "two", "three"] {
        let download =
            scitoken_transfer::Download::new(server.url("f.dat"), directory.path().join(name)).unwrap();
        downloader.download(download).await.unwrap();
    }
    let file = directory.path().join("three");
    let upload = Upload::new(&file, server.url("up")).unwrap().with_algorithm(None);
    // Both the PUT and the HEAD behind it meet an old connection.
    downloader.upload(&upload).await.unwrap();
    assert_eq!(budget.left(), 10, "no retry is counted");
    drop(downloader);
    let told = told.await.unwrap();
    assert!(told.len() > 3 && told.iter().all(|event| !event.contains("Retrying")), "{told:?}");
}

#[tokio::test]
async fn a_redirect_target_that_cannot_be_reached_is_named_and_not_the_server_that_redirects() {
    // A port that was free a moment ago; the connection is refused.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let target = format!("http://{}/data?authz=secret", listener.local_addr().unwrap());
    drop(listener);
    let location = target.clone();
    let server =
        ChaosServer::start(move |_| Reply::sized("302 Found", &[("Location", location.as_str())], "")).await;
    let directory = tempfile::tempdir().unwrap();
    let mut retry = RetryPolicy::default();
    retry.retries = 0;
    let failure =
        downloader().with_retry(retry).download(job(&server, &directory)).await.unwrap_err().to_string();
    let target = target.split('?').next().unwrap();
    assert!(failure.starts_with(&format!("failed to connect to `{target}")), "{failure}");
    assert!(failure.contains(&format!("to which `{}` redirects", server.url("f.dat"))), "{failure}");
    assert!(!failure.contains("secret"), "{failure}");
}
