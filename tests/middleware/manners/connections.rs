//! Connections that the server closes while they are idle.

use http::{Method, StatusCode};
use reqwest_scitokens::Error;

use scitoken_test_support::clients::session;
use scitoken_test_support::{Answer, Raw, Script};

/// Answers the first request of each connection, and closes it as the second one arrives.
async fn forgetful() -> Raw {
    Raw::http(|seen| {
        if seen.path() == "/first" || seen.connection > 1 {
            Answer::lines(&["HTTP/1.1 200 OK"], "data")
        } else {
            Answer::bytes("").then_close()
        }
    })
    .await
}

#[tokio::test]
async fn a_request_that_changes_nothing_is_repeated_at_once() {
    for method in ["GET", "HEAD", "PROPFIND", "OPTIONS"] {
        let server = forgetful().await;
        let session = session(Script::new(&["t"])).build().unwrap();
        session.get(server.url("/first")).send().await.unwrap().bytes().await.unwrap();
        let method: Method = method.parse().unwrap();
        let response = session.request(method.clone(), server.url("/f")).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::OK, "{method}");
        let seen: Vec<_> =
            server.seen().iter().map(|seen| (seen.connection, seen.path().to_owned())).collect();
        assert_eq!(seen, [(1, "/first".to_owned()), (1, "/f".to_owned()), (2, "/f".to_owned())], "{method}");
    }
}

#[tokio::test]
async fn a_repeated_request_is_the_one_that_was_lost_with_its_token_and_its_headers() {
    for (method, body) in [("GET", ""), ("PROPFIND", ""), ("PROPFIND", "<propfind/>")] {
        let server = forgetful().await;
        let session = session(Script::new(&["t"])).build().unwrap();
        session.get(server.url("/first")).send().await.unwrap().bytes().await.unwrap();
        let request = session.request(method.parse().unwrap(), server.url("/f?q=1"));
        let request = request.header("range", "bytes=3-7").header("depth", "1");
        let request = if body.is_empty() { request } else { request.body(body) };
        assert_eq!(request.send().await.unwrap().status(), StatusCode::OK, "{method}");
        let seen = server.seen();
        assert_eq!(seen.len(), 3, "{method}");
        let (lost, repeated) = (&seen[1], &seen[2]);
        assert_eq!((lost.connection, repeated.connection), (1, 2), "{method}");
        assert_eq!(repeated.authorization(), Some("Bearer t"), "{method}");
        assert_eq!(repeated.header("range"), Some("bytes=3-7"), "{method}");
        assert_eq!(lost.authorization(), repeated.authorization(), "{method}");
        assert_eq!(lost.without_authorization(), repeated.without_authorization(), "{method}");
        assert_eq!(lost.without_authorization().3, body, "{method}");
    }
}

#[tokio::test]
async fn after_a_redirect_it_is_the_request_of_the_last_step_that_is_repeated() {
    let server = Raw::http(|seen| match (seen.path(), seen.connection) {
        ("/first", _) => Answer::lines(&["HTTP/1.1 200 OK"], "data"),
        ("/f", _) => Answer::lines(&["HTTP/1.1 307 Temporary Redirect", "Location: /g?step=2"], ""),
        (_, 1) => Answer::bytes("").then_close(),
        _ => Answer::lines(&["HTTP/1.1 200 OK"], "data"),
    })
    .await;
    let session = session(Script::new(&["t"])).build().unwrap();
    session.get(server.url("/first")).send().await.unwrap().bytes().await.unwrap();
    let response = session.get(server.url("/f")).header("x-run", "7").send().await.unwrap();
    assert_eq!(response.text().await.unwrap(), "data");
    let seen = server.seen();
    let paths: Vec<_> = seen.iter().map(|seen| (seen.connection, seen.path().to_owned())).collect();
    let path = |connection, path: &str| (connection, path.to_owned());
    assert_eq!(paths, [path(1, "/first"), path(1, "/f"), path(1, "/g"), path(2, "/g")]);
    assert_eq!(seen[3].query("step"), Some("2"));
    assert_eq!((seen[3].header("x-run"), seen[3].authorization()), (Some("7"), Some("Bearer t")));
    assert_eq!(seen[2].without_authorization(), seen[3].without_authorization());
}

#[tokio::test]
async fn every_connection_may_be_an_old_one() {
    // Each connection answers once.
    let answered = std::sync::Mutex::new(std::collections::HashSet::new());
    let server = Raw::http(move |seen| {
        if answered.lock().unwrap().insert(seen.connection) {
            Answer::lines(&["HTTP/1.1 200 OK"], "data")
        } else {
            Answer::bytes("").then_close()
        }
    })
    .await;
    let session = session(Script::new(&["t"])).build().unwrap();
    for n in 0..5 {
        let response = session.get(server.url(&format!("/{n}"))).send().await.unwrap();
        assert_eq!(response.bytes().await.unwrap(), "data", "{n}");
    }
    assert_eq!(server.seen().len(), 9);
}

#[tokio::test]
async fn a_request_that_may_change_something_is_not_repeated_and_the_error_says_why() {
    for method in [Method::POST, Method::PUT, Method::DELETE] {
        let server = forgetful().await;
        let session = session(Script::new(&["t"])).build().unwrap();
        session.get(server.url("/first")).send().await.unwrap().bytes().await.unwrap();
        let error = session.request(method.clone(), server.url("/f")).body("x").send().await.unwrap_err();
        assert!(Error::find(&error).is_some_and(Error::is_stale_connection), "{method}: {error:?}");
        assert_eq!(server.seen().len(), 2, "{method}");
    }
}

#[tokio::test]
async fn a_server_that_answers_nothing_is_not_asked_again() {
    let server = Raw::http(|_| Answer::bytes("").then_close()).await;
    let session = session(Script::new(&["t"])).build().unwrap();
    let error = session.get(server.url("/f")).send().await.unwrap_err();
    assert!(Error::find(&error).is_none(), "{error:?}");
    assert_eq!(server.seen().len(), 1, "no connection could be an old one");
}

#[tokio::test]
async fn a_server_that_answers_once_and_never_again_is_asked_twice_at_most() {
    let server = Raw::http(|seen| match seen.path() {
        "/first" => Answer::lines(&["HTTP/1.1 200 OK"], "data"),
        _ => Answer::bytes("").then_close(),
    })
    .await;
    let session = session(Script::new(&["t"])).build().unwrap();
    session.get(server.url("/first")).send().await.unwrap().bytes().await.unwrap();
    session.get(server.url("/f")).send().await.unwrap_err();
    assert_eq!(server.seen().len(), 3);
}
