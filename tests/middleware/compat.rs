//! Beside other middlewares: inside and outside of retries and traces, on clients that others built.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use http::{HeaderMap, HeaderValue, StatusCode, header};
use reqwest_middleware::{ClientBuilder, ClientWithMiddleware};
use reqwest_retry::RetryTransientMiddleware;
use reqwest_retry::policies::ExponentialBackoff;
use reqwest_scitokens::auth::{Attempt, AuthOptions};
use reqwest_scitokens::{
    Attach, AuthMiddleware, ClientBuilderExt as _, Error, RequestBuilderExt as _, ResponseExt as _,
};
use reqwest_tracing::TracingMiddleware;
use scitoken_types::AccessToken;

use scitoken_test_support::chain;
use scitoken_test_support::clients::{around, foreign};
use scitoken_test_support::{Reply, Script, Server};

fn retries() -> RetryTransientMiddleware<ExponentialBackoff> {
    let quick = std::time::Duration::from_millis(1);
    let policy = ExponentialBackoff::builder().retry_bounds(quick, quick).build_with_max_retries(3);
    RetryTransientMiddleware::new_with_policy(policy)
}

/// Retry and trace around us.
fn outside(source: &Script, attach: Attach) -> ClientWithMiddleware {
    ClientBuilder::new(foreign().build().unwrap())
        .with(retries())
        .with(TracingMiddleware::default())
        .with(AuthMiddleware::builder(source.clone()).attach(attach).build())
        .build()
}

/// Retry and trace beneath us.
fn inside(source: &Script, attach: Attach) -> ClientWithMiddleware {
    ClientBuilder::new(foreign().build().unwrap())
        .with(AuthMiddleware::builder(source.clone()).attach(attach).build())
        .with(TracingMiddleware::default())
        .with(retries())
        .build()
}

/// Fails twice with `503`, then wants the token.
async fn shaky(token: &'static str) -> Server {
    let failures = Arc::new(AtomicUsize::new(0));
    Server::http(move |seen| match failures.fetch_add(1, Ordering::SeqCst) {
        0 | 1 => Reply::new(503),
        _ => Reply::protected(seen, token),
    })
    .await
}

#[tokio::test]
async fn every_retry_of_a_middleware_above_has_the_token() {
    let server = shaky("t").await;
    let source = Script::new(&["t"]);
    let response = outside(&source, Attach::WhenFound).get(server.url("/f")).send().await.unwrap();
    assert_eq!(
        (response.status(), server.tokens()),
        (StatusCode::OK, scitoken_test_support::texts(&["t", "t", "t"]))
    );
}

#[tokio::test]
async fn every_retry_of_a_middleware_below_has_the_token() {
    let server = shaky("t").await;
    let source = Script::new(&["t"]);
    let response = inside(&source, Attach::WhenFound).get(server.url("/f")).send().await.unwrap();
    assert_eq!(
        (response.status(), server.tokens()),
        (StatusCode::OK, scitoken_test_support::texts(&["t", "t", "t"]))
    );
}

#[tokio::test]
async fn a_refusal_after_retries_is_answered_once() {
    for (build, expected) in [
        (outside as fn(&Script, Attach) -> ClientWithMiddleware, ["old", "old", "old", "new"]),
        (inside, ["old", "old", "old", "new"]),
    ] {
        let server = shaky("new").await;
        let source = Script::new(&["old", "new"]);
        let response = build(&source, Attach::WhenFound).get(server.url("/f")).send().await.unwrap();
        assert_eq!(
            (response.status(), server.tokens()),
            (StatusCode::OK, scitoken_test_support::texts(&expected))
        );
    }
}

#[tokio::test]
async fn a_401_is_no_reason_to_retry() {
    for build in [outside as fn(&Script, Attach) -> ClientWithMiddleware, inside] {
        let server = Server::http(|_| Reply::challenge("Bearer")).await;
        let source = Script::new(&["a", "b", "c", "d"]);
        let response = build(&source, Attach::WhenFound).get(server.url("/f")).send().await.unwrap();
        assert_eq!(
            (response.status(), server.tokens()),
            (StatusCode::UNAUTHORIZED, scitoken_test_support::texts(&["a", "b"]))
        );
    }
}

#[tokio::test]
async fn the_error_is_found_through_both_and_nothing_was_sent_or_asked_again() {
    for build in [outside as fn(&Script, Attach) -> ClientWithMiddleware, inside] {
        let server = Server::http(|_| Reply::ok("")).await;
        let source = Script::new(&["-"]);
        let error = build(&source, Attach::Required).get(server.url("/f")).send().await.unwrap_err();
        assert!(Error::find(&error).unwrap().is_no_token(), "{}", chain(&error));
        let error = anyhow::Error::from(error).context("in a program of the user");
        assert!(Error::find(error.as_ref()).unwrap().is_no_token());
        assert_eq!((server.connections(), source.calls()), (0, 1));
    }
}

#[tokio::test]
async fn the_trace_of_the_answer_survives_both() {
    for build in [outside as fn(&Script, Attach) -> ClientWithMiddleware, inside] {
        let server = Server::protected("new").await;
        let source = Script::new(&["old", "new"]);
        let response = build(&source, Attach::WhenFound).get(server.url("/f")).send().await.unwrap();
        let statuses: Vec<_> =
            response.auth_trace().unwrap().attempts().iter().map(Attempt::status).collect();
        assert_eq!(statuses, [Some(StatusCode::UNAUTHORIZED), Some(StatusCode::OK)]);
    }
}

#[tokio::test]
async fn options_of_a_request_pass_through_both() {
    for build in [outside as fn(&Script, Attach) -> ClientWithMiddleware, inside] {
        let server = Server::http(|_| Reply::ok("")).await;
        let client = build(&Script::new(&["t"]), Attach::WhenFound);
        client.get(server.url("/f")).token(AccessToken::new("mine").unwrap()).send().await.unwrap();
        client.get(server.url("/f")).attach(Attach::Never).send().await.unwrap();
        assert_eq!(server.tokens(), ["mine", "-"]);
    }
}

#[tokio::test]
async fn options_survive_execute_with_extensions() {
    let server = Server::http(|_| Reply::ok("")).await;
    let client = around(foreign(), AuthMiddleware::new(Script::new(&["t"])));
    let request = client.get(server.url("/f")).build().unwrap();
    let mut extensions = http::Extensions::new();
    extensions.insert(AuthOptions::new().token(AccessToken::new("mine").unwrap()));
    client.execute_with_extensions(request, &mut extensions).await.unwrap();
    let request = client.get(server.url("/f")).build().unwrap();
    client.execute(request).await.unwrap();
    assert_eq!(server.tokens(), ["mine", "t"]);
}

#[tokio::test]
async fn a_default_authorization_of_the_client_is_invisible_and_the_token_wins_once() {
    let server = Server::http(|_| Reply::ok("")).await;
    let defaults = HeaderMap::from_iter([(header::AUTHORIZATION, HeaderValue::from_static("Basic abc"))]);
    let client = around(foreign().default_headers(defaults), AuthMiddleware::new(Script::new(&["t", "-"])));
    client.get(server.url("/f")).send().await.unwrap();
    assert_eq!(server.authorizations(), [Some("Bearer t".to_owned())]);
}

#[tokio::test]
async fn the_extension_trait_adds_redirects_and_tokens_to_any_builder() {
    let server = Server::http(|seen| match seen.path() {
        "/start" => Reply::redirect(307, "/end"),
        _ => Reply::protected(seen, "t"),
    })
    .await;
    let bare = foreign().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let client = ClientBuilder::new(bare).with_tokens(Script::new(&["t"])).build();
    let response = client.put(server.url("/start")).body("x").send().await.unwrap();
    assert_eq!(
        (response.status(), server.tokens()),
        (StatusCode::OK, scitoken_test_support::texts(&["t", "t"]))
    );
}

#[tokio::test]
async fn two_middlewares_in_one_client_send_one_token() {
    let server = Server::protected("outer").await;
    let client = ClientBuilder::new(foreign().build().unwrap())
        .with(AuthMiddleware::new(Script::new(&["outer"])))
        .with(AuthMiddleware::new(Script::new(&["inner"])))
        .build();
    assert_eq!(client.get(server.url("/f")).send().await.unwrap().status(), StatusCode::OK);
    assert_eq!(server.tokens(), ["outer"]);
}

#[tokio::test]
async fn a_retry_starts_the_redirects_again_and_the_trace_lists_each_time() {
    let answers = Arc::new(AtomicUsize::new(0));
    let second = Server::http(move |_| match answers.fetch_add(1, Ordering::SeqCst) {
        0 | 1 => Reply::new(503),
        _ => Reply::ok("data"),
    })
    .await;
    let location = second.url("/end").to_string();
    let first = Server::http(move |_| Reply::redirect(302, &location)).await;
    let bare = foreign().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let client = ClientBuilder::new(bare).with(retries()).with_tokens(Script::new(&["t"])).build();
    let response = client.get(first.url("/start")).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    // What the first try met is no reason to withhold the token from the first server.
    assert_eq!(
        (first.tokens(), second.tokens()),
        (scitoken_test_support::texts(&["t", "t", "t"]), scitoken_test_support::texts(&["-", "-", "-"]))
    );
    let statuses: Vec<_> =
        response.auth_trace().unwrap().attempts().iter().map(|a| a.status().unwrap()).collect();
    assert_eq!(statuses.iter().map(StatusCode::as_u16).collect::<Vec<_>>(), [302, 503, 302, 503, 302, 200]);
}

#[tokio::test]
async fn a_retry_after_a_broken_connection_leaves_the_broken_tries_in_the_trace() {
    let answers = Arc::new(AtomicUsize::new(0));
    let server = Server::http(move |_| match answers.fetch_add(1, Ordering::SeqCst) {
        0 | 1 => Reply::hang_up(),
        _ => Reply::ok("data"),
    })
    .await;
    let bare = foreign().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let client = ClientBuilder::new(bare).with(retries()).with_tokens(Script::new(&["t"])).build();
    let response = client.get(server.url("/f")).send().await.unwrap();
    assert_eq!(
        (response.status(), server.tokens()),
        (StatusCode::OK, scitoken_test_support::texts(&["t", "t", "t"]))
    );
    let statuses: Vec<_> = response.auth_trace().unwrap().attempts().iter().map(Attempt::status).collect();
    assert_eq!(statuses, [None, None, Some(StatusCode::OK)]);
}
