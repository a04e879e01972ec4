//! When a token is attached, and what happens after a refusal: seen from the server.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::{Extensions, HeaderMap, Method, StatusCode, header};
use reqwest::{Body, Request, Response};
use reqwest_middleware::{Middleware, Next};
use reqwest_scitokens::sys::ManualClock;
use reqwest_scitokens::{
    AccessToken, Attach, Attempt, AuthMiddleware, Error, FileSource, Placement, RequestBuilderExt as _,
    ResponseExt as _, Scope,
};
use serde_json::json;

use crate::support::clients::{around, foreign, session, session_knowing, wrapped};
use crate::support::server::Place;
use crate::support::sources::Step;
use crate::support::{Reply, Script, Server, tokens};
use crate::texts;

/// A body that can be sent once.
fn stream(parts: &'static [&'static str]) -> Body {
    Body::wrap_stream(futures_util::stream::iter(parts.iter().map(|part| Ok::<_, std::io::Error>(*part))))
}

// ---- before the first send

/// Mistake 33: a token of bytes becomes `Bearer b'eyJ…'` in requests-scitokens and igwn-auth-utils.
#[tokio::test]
async fn a_token_that_is_found_goes_with_the_first_request() {
    let server = Server::protected("t").await;
    let source = Script::new(&["t"]);
    let session = session(source.clone()).build().unwrap();
    let response = session.get(server.url("/f")).send().await.unwrap();
    assert_eq!(response.text().await.unwrap(), "data");
    assert_eq!(server.authorizations(), [Some("Bearer t".to_owned())]);
    assert_eq!(source.calls(), 1);
}

#[tokio::test]
async fn where_no_token_is_found_the_request_goes_out_bare() {
    let server = Server::http(|_| Reply::ok("public")).await;
    let response = session(Script::new(&["-"])).build().unwrap().get(server.url("/f")).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(server.tokens(), ["-"]);
}

/// Mistake 30: requests-scitokens raises an `OSError` where a server asks for a token and there is none.
#[tokio::test]
async fn without_a_token_the_caller_gets_the_servers_own_refusal() {
    let server = Server::http(|_| Reply::challenge("Bearer").body("go away")).await;
    let response = session(Script::new(&["-"])).build().unwrap().get(server.url("/f")).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(response.headers()["www-authenticate"], "Bearer");
    assert_eq!(response.text().await.unwrap(), "go away");
    assert_eq!(server.tokens(), ["-"]);
}

#[tokio::test]
async fn a_token_that_appears_after_the_refusal_is_used() {
    let server = Server::protected("t").await;
    let session = session(Script::new(&["-", "t"])).build().unwrap();
    assert_eq!(session.get(server.url("/f")).send().await.unwrap().status(), StatusCode::OK);
    assert_eq!(server.tokens(), ["-", "t"]);
}

/// Mistake 30: what is wrong with a token reaches the caller of requests-scitokens as exceptions of four libraries.
#[tokio::test]
async fn a_failing_source_leaves_the_servers_answer_as_it_is() {
    let server = Server::http(|_| Reply::ok("public")).await;
    let source = Script::steps([Step::Fails("the cupboard is locked")]);
    let response = session(source).build().unwrap().get(server.url("/f")).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(server.tokens(), ["-"]);
}

#[tokio::test]
async fn a_failing_source_and_a_refusal_give_the_refusal_with_the_cause_in_its_trace() {
    let server = Server::http(|_| Reply::challenge("Bearer")).await;
    let source = Script::steps([Step::Fails("the cupboard is locked")]);
    let response = session(source).build().unwrap().get(server.url("/f")).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
    let trace = format!("{:?}", response.auth_trace().unwrap());
    assert!(trace.contains("the cupboard is locked"), "{trace}");
}

#[tokio::test]
async fn a_token_that_has_ended_is_never_sent() {
    let server = Server::http(|_| Reply::ok("public")).await;
    let old = tokens::expired("https://storage.test");
    for client in
        [session(Script::new(&[&old])).build().unwrap().client().clone(), wrapped(Script::new(&[&old]))]
    {
        client.get(server.url("/f")).send().await.unwrap();
        client.get(server.url("/f")).token(AccessToken::new(old.clone()).unwrap()).send().await.ok();
    }
    assert!(server.tokens().iter().all(|token| token == "-"), "{:?}", server.seen());
}

#[tokio::test]
async fn required_without_a_token_is_an_error_before_anything_is_sent() {
    let server = Server::http(|_| Reply::ok("public")).await;
    let session = session(Script::new(&["-"])).attach(Attach::Required).build().unwrap();
    let error = session.get(server.url("/f")).send().await.unwrap_err();
    assert!(Error::find(&error).unwrap().is_no_token(), "{error:?}");
    assert_eq!((server.seen().len(), server.connections()), (0, 0));
}

#[tokio::test]
async fn required_with_a_failing_source_is_an_error_that_keeps_the_cause() {
    let server = Server::http(|_| Reply::ok("public")).await;
    let source = Script::steps([Step::Fails("the cupboard is locked")]);
    let session = session(source).attach(Attach::Required).build().unwrap();
    let error = session.get(server.url("/f")).send().await.unwrap_err();
    let chain = crate::chain(&error);
    assert!(chain.contains("the cupboard is locked"), "{chain}");
    assert_eq!(server.connections(), 0);
}

#[tokio::test]
async fn never_means_never_whatever_the_server_says() {
    let server = Server::http(|_| Reply::challenge("Bearer")).await;
    let source = Script::new(&["t"]);
    let session = session(source.clone()).attach(Attach::Never).build().unwrap();
    assert_eq!(session.get(server.url("/f")).send().await.unwrap().status(), StatusCode::UNAUTHORIZED);
    assert_eq!((server.tokens(), source.calls()), (vec!["-".to_owned()], 0));
}

#[tokio::test]
async fn on_challenge_waits_for_the_challenge_once_per_server() {
    let server = Server::protected("t").await;
    let session = session(Script::new(&["t"])).attach(Attach::OnChallenge).build().unwrap();
    for _ in 0..4 {
        assert_eq!(session.get(server.url("/f")).send().await.unwrap().status(), StatusCode::OK);
    }
    assert_eq!(server.tokens(), ["-", "t", "t", "t", "t"]);
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn on_challenge_never_asks_a_source_for_a_server_that_does_not_challenge() {
    let server = Server::http(|_| Reply::ok("public")).await;
    let source = Script::new(&["t"]);
    let session = session(source.clone()).attach(Attach::OnChallenge).build().unwrap();
    for _ in 0..2 {
        session.get(server.url("/f")).send().await.unwrap();
    }
    assert_eq!((server.tokens(), source.calls()), (vec!["-".to_owned(), "-".to_owned()], 0));
}

#[tokio::test]
async fn on_challenge_knows_one_port_from_another() {
    let (one, two) = (Server::protected("t").await, Server::http(|_| Reply::ok("public")).await);
    let session = session(Script::new(&["t"])).attach(Attach::OnChallenge).build().unwrap();
    for server in [&one, &two, &one] {
        session.get(server.url("/f")).send().await.unwrap();
    }
    assert_eq!((one.tokens(), two.tokens()), (texts(&["-", "t", "t"]), texts(&["-"])));
}

// ---- what the caller said

#[tokio::test]
async fn an_authorization_of_the_caller_is_never_replaced_nor_replayed() {
    let server = Server::http(|_| Reply::challenge("Bearer")).await;
    let source = Script::new(&["t"]);
    let session = session(source.clone()).build().unwrap();
    let request = session.get(server.url("/f")).header(header::AUTHORIZATION, "Basic abc");
    assert_eq!(request.send().await.unwrap().status(), StatusCode::UNAUTHORIZED);
    assert_eq!((server.authorizations(), source.calls()), (vec![Some("Basic abc".to_owned())], 0));
}

#[tokio::test]
async fn a_password_in_the_url_is_the_callers_authorization() {
    let server = Server::http(|_| Reply::ok("public")).await;
    let mut url = server.url("/f");
    url.set_username("me").unwrap();
    url.set_password(Some("pw")).unwrap();
    session(Script::new(&["t"])).build().unwrap().get(url).send().await.unwrap();
    assert_eq!(server.authorizations(), [Some("Basic bWU6cHc=".to_owned())]);
}

#[tokio::test]
async fn a_token_for_one_request_goes_with_that_request_only() {
    let server = Server::http(|_| Reply::ok("public")).await;
    let session = session(Script::new(&["t"])).build().unwrap();
    let mine = AccessToken::new("mine").unwrap();
    session.get(server.url("/f")).send().await.unwrap();
    session.get(server.url("/f")).token(mine).send().await.unwrap();
    session.get(server.url("/f")).send().await.unwrap();
    assert_eq!(server.tokens(), ["t", "mine", "t"]);
}

#[tokio::test]
async fn a_token_for_one_request_that_is_refused_is_not_replaced_by_another() {
    let server = Server::http(|_| Reply::challenge("Bearer")).await;
    let session = session(Script::new(&["t"])).build().unwrap();
    let mine = AccessToken::new("mine").unwrap();
    let response = session.get(server.url("/f")).token(mine).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(server.tokens(), ["mine"]);
}

#[tokio::test]
async fn attach_for_one_request_wins_over_the_session() {
    let server = Server::http(|_| Reply::ok("public")).await;
    let session = session(Script::new(&["t"])).attach(Attach::Never).build().unwrap();
    session.get(server.url("/f")).attach(Attach::WhenFound).send().await.unwrap();
    session.get(server.url("/f")).attach(Attach::Never).send().await.unwrap();
    assert_eq!(server.tokens(), ["t", "-"]);
}

#[tokio::test]
async fn audience_and_scope_of_the_caller_reach_the_source() {
    let server = Server::http(|_| Reply::ok("public")).await;
    let source = Script::new(&["t"]);
    let session = session(source.clone()).audience("https://client.test").build().unwrap();
    session.get(server.url("/f")).send().await.unwrap();
    let scope: Scope = "storage.read:/vo".parse().unwrap();
    session.get(server.url("/f")).audience("https://request.test").scope(scope).send().await.unwrap();
    let asked = source.asked();
    assert_eq!(asked[0].audience.as_deref(), Some("https://client.test"));
    assert_eq!(asked[1].audience.as_deref(), Some("https://request.test"));
    assert_eq!(asked[1].scopes, ["storage.read:/vo"]);
}

// ---- one replay

#[tokio::test]
async fn a_refused_token_is_replaced_once() {
    let server = Server::protected("new").await;
    let source = Script::new(&["old", "new"]);
    let session = session(source.clone()).build().unwrap();
    assert_eq!(session.get(server.url("/f")).send().await.unwrap().status(), StatusCode::OK);
    assert_eq!(server.tokens(), ["old", "new"]);
    let second = &source.asked()[1];
    assert_eq!((second.challenged, second.rejected.as_deref()), (true, Some("old")));
}

#[tokio::test]
async fn a_401_that_never_ends_is_asked_twice_and_no_more() {
    let server = Server::http(|_| Reply::challenge("Bearer").body("no")).await;
    let session = session(Script::new(&["a", "b", "c", "d"])).build().unwrap();
    let response = session.get(server.url("/f")).send().await.unwrap();
    assert_eq!(
        (response.status(), response.text().await.unwrap().as_str()),
        (StatusCode::UNAUTHORIZED, "no")
    );
    assert_eq!(server.tokens(), ["a", "b"]);
}

#[tokio::test]
async fn the_same_token_is_never_sent_twice_for_one_request() {
    let server = Server::http(|_| Reply::challenge("Bearer")).await;
    session(Script::new(&["t"])).build().unwrap().get(server.url("/f")).send().await.unwrap();
    assert_eq!(server.tokens(), ["t"]);
}

#[tokio::test]
async fn a_replay_is_the_same_request_but_for_the_token() {
    let server = Server::protected("new").await;
    for client in [
        session(Script::new(&["old", "new"])).build().unwrap().client().clone(),
        wrapped(Script::new(&["old", "new"])),
    ] {
        let request = client
            .request(Method::from_bytes(b"PROPPATCH").unwrap(), server.url("/a%20b?x=y"))
            .header("X-First", "1")
            .header("Content-Type", "text/x-thing")
            .header("X-Twice", "1")
            .header("X-Twice", "2")
            .body("the body");
        assert_eq!(request.send().await.unwrap().status(), StatusCode::OK);
    }
    let seen = server.seen();
    assert_eq!(seen.len(), 4);
    for pair in seen.chunks(2) {
        assert_eq!(pair[0].without_authorization(), pair[1].without_authorization());
        assert_eq!((&pair[0].body[..], pair[0].target.as_str()), (&b"the body"[..], "/a%20b?x=y"));
        assert_eq!(pair[0].all("x-twice"), ["1", "2"]);
    }
}

/// Mistake 32: requests-scitokens replays a stream that has been read, announces a body and sends none, and hangs.
#[tokio::test]
async fn a_stream_gets_its_token_at_the_first_send_and_is_not_replayed() {
    let server = Server::http(|_| Reply::challenge("Bearer")).await;
    for attach in [Attach::WhenFound, Attach::OnChallenge, Attach::Required] {
        let session = session(Script::new(&["a", "b"])).attach(attach).build().unwrap();
        let response = session.put(server.url("/f")).body(stream(&["one", "two"])).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
    }
    assert_eq!(server.tokens(), ["a", "a", "a"]);
    assert!(server.seen().iter().all(|seen| &seen.body[..] == b"onetwo"));
}

#[tokio::test]
async fn a_refused_body_is_drained_so_that_the_connection_is_kept() {
    let server = Server::http(|seen| match seen.authorization() {
        Some("Bearer new") => Reply::ok("data"),
        _ => Reply::challenge("Bearer").body(vec![b'.'; 60_000]),
    })
    .await;
    let session = session(Script::new(&["old", "new"])).build().unwrap();
    assert_eq!(session.get(server.url("/f")).send().await.unwrap().status(), StatusCode::OK);
    assert_eq!((server.tokens(), server.connections()), (texts(&["old", "new"]), 1));
}

#[tokio::test]
async fn a_refusal_without_end_is_not_read_to_the_end() {
    let made = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&made);
    let server = Server::http(move |seen| match seen.authorization() {
        Some("Bearer new") => Reply::ok("data"),
        _ => Reply::challenge("Bearer").endless(&counter),
    })
    .await;
    let session = session(Script::new(&["old", "new"])).build().unwrap();
    let request = session.get(server.url("/f")).send();
    let response = tokio::time::timeout(Duration::from_secs(20), request).await.unwrap().unwrap();
    assert_eq!((response.status(), server.tokens()), (StatusCode::OK, texts(&["old", "new"])));
    // What the buffers on the way hold, and not what a client can read in the time that it has.
    assert!(made.load(Ordering::Relaxed) < 32 * 1024 * 1024, "{made:?} bytes were taken");
}

#[tokio::test]
async fn a_refusal_that_stalls_is_not_waited_for() {
    let server = Server::http(|seen| match seen.authorization() {
        Some("Bearer new") => Reply::ok("data"),
        _ => Reply::challenge("Bearer").stalling(),
    })
    .await;
    let session = session(Script::new(&["old", "new"])).build().unwrap();
    let request = session.get(server.url("/f")).send();
    let response = tokio::time::timeout(Duration::from_secs(20), request).await.unwrap().unwrap();
    assert_eq!((response.status(), server.tokens()), (StatusCode::OK, texts(&["old", "new"])));
}

#[tokio::test]
async fn a_challenge_without_bearer_or_none_at_all_is_final() {
    for challenge in [None, Some("Basic realm=\"x\""), Some("Negotiate"), Some("DPoP algs=\"ES256\"")] {
        let server = Server::http(move |_| challenge.map_or_else(|| Reply::new(401), Reply::challenge)).await;
        let session = session(Script::new(&["a", "b"])).build().unwrap();
        assert_eq!(session.get(server.url("/f")).send().await.unwrap().status(), StatusCode::UNAUTHORIZED);
        assert_eq!(server.tokens(), ["a"], "{challenge:?}");
    }
}

#[tokio::test]
async fn only_the_status_counts_not_the_header() {
    for status in [200, 400, 404, 407, 500] {
        let server =
            Server::http(move |_| Reply::new(status).header(header::WWW_AUTHENTICATE, "Bearer")).await;
        let session = session(Script::new(&["a", "b"])).build().unwrap();
        assert_eq!(session.get(server.url("/f")).send().await.unwrap().status().as_u16(), status);
        assert_eq!(server.tokens(), ["a"]);
    }
}

#[tokio::test]
async fn a_replay_that_finds_the_server_gone_is_an_error_and_not_a_401() {
    let server = Server::http(|seen| match seen.authorization() {
        Some("Bearer new") => Reply::hang_up(),
        _ => Reply::challenge("Bearer"),
    })
    .await;
    let session = session(Script::new(&["old", "new"])).build().unwrap();
    session.get(server.url("/f")).send().await.unwrap_err();
    assert!(server.tokens().ends_with(&["new".to_owned()]));
}

// ---- servers that refuse with 403

#[tokio::test]
async fn a_403_is_answered_once_if_the_source_has_another_token_now() {
    for method in [Method::GET, Method::HEAD] {
        let server = Server::http(|seen| match seen.authorization() {
            Some("Bearer new") => Reply::ok("data"),
            _ => Reply::new(403),
        })
        .await;
        let session = session(Script::new(&["old", "new"])).build().unwrap();
        let response = session.request(method, server.url("/f")).send().await.unwrap();
        assert_eq!((response.status(), server.tokens()), (StatusCode::OK, texts(&["old", "new"])));
    }
}

#[tokio::test]
async fn a_403_with_the_same_token_in_the_source_is_final() {
    let server = Server::http(|_| Reply::new(403).body("no")).await;
    let response = session(Script::new(&["t"])).build().unwrap().get(server.url("/f")).send().await.unwrap();
    assert_eq!((response.status(), response.text().await.unwrap().as_str()), (StatusCode::FORBIDDEN, "no"));
    assert_eq!(server.tokens(), ["t"]);
}

#[tokio::test]
async fn a_403_that_never_ends_is_asked_twice_and_no_more() {
    let server = Server::http(|_| Reply::new(403)).await;
    let session = session(Script::new(&["a", "b", "c"])).build().unwrap();
    session.get(server.url("/f")).send().await.unwrap();
    assert_eq!(server.tokens(), ["a", "b"]);
}

#[tokio::test]
async fn a_403_to_a_method_that_writes_is_final_by_default() {
    for method in [Method::PUT, Method::POST, Method::DELETE] {
        let server = Server::http(|_| Reply::new(403)).await;
        let session = session(Script::new(&["a", "b"])).build().unwrap();
        session.request(method, server.url("/f")).send().await.unwrap();
        assert_eq!(server.tokens(), ["a"]);
    }
}

// ---- where tokens may travel

#[tokio::test]
async fn plain_http_to_another_machine_never_carries_a_token() {
    let server = Place::http().named("site.test").start(|_| Reply::challenge("Bearer")).await;
    for attach in [Attach::WhenFound, Attach::OnChallenge, Attach::Required] {
        let session = session_knowing(Script::new(&["a", "b"]), &[&server]).attach(attach).build().unwrap();
        session.get(server.url("/f")).send().await.ok();
        session.put(server.url("/f")).body(stream(&["x"])).send().await.ok();
        let request = session.get(server.url("/f")).token(AccessToken::new("mine").unwrap());
        request.send().await.ok();
    }
    assert!(server.tokens().iter().all(|token| token == "-"), "{:?}", server.tokens());
}

#[tokio::test]
async fn required_on_plain_http_is_an_error_that_says_so_before_anything_is_sent() {
    let server = Place::http().named("site.test").start(|_| Reply::ok("x")).await;
    let session = session_knowing(Script::new(&["t"]), &[&server]).attach(Attach::Required).build().unwrap();
    let error = session.get(server.url("/f")).send().await.unwrap_err();
    assert!(Error::find(&error).unwrap().is_insecure_origin(), "{error:?}");
    assert_eq!(server.connections(), 0);
}

#[tokio::test]
async fn https_carries_a_token_over_http2_and_http1() {
    let two = Server::https(|seen| Reply::protected(seen, "t")).await;
    let one = Place::https("localhost").tls(crate::support::tls::authority().http1_acceptor());
    let one = one.start(|seen| Reply::protected(seen, "t")).await;
    for (server, version) in [(&two, http::Version::HTTP_2), (&one, http::Version::HTTP_11)] {
        let session = session(Script::new(&["old", "t"])).build().unwrap();
        assert_eq!(session.get(server.url("/f")).send().await.unwrap().status(), StatusCode::OK);
        assert_eq!(server.tokens(), ["old", "t"]);
        assert_eq!((server.connections(), server.seen()[0].version), (1, version));
    }
}

#[tokio::test]
async fn the_header_is_marked_sensitive() {
    #[derive(Default)]
    struct Inner(Arc<Mutex<HeaderMap>>);

    #[async_trait::async_trait]
    impl Middleware for Inner {
        async fn handle(
            &self,
            request: Request,
            extensions: &mut Extensions,
            next: Next<'_>,
        ) -> reqwest_middleware::Result<Response> {
            request.headers().clone_into(&mut self.0.lock().unwrap());
            next.run(request, extensions).await
        }
    }

    let server = Server::protected("t").await;
    let inner = Inner::default();
    let headers = Arc::clone(&inner.0);
    let client = reqwest_middleware::ClientBuilder::new(foreign().build().unwrap())
        .with(AuthMiddleware::new(Script::new(&["t"])))
        .with(inner)
        .build();
    client.get(server.url("/f")).send().await.unwrap();
    let headers = headers.lock().unwrap();
    assert!(headers[header::AUTHORIZATION].is_sensitive());
    assert!(!format!("{headers:?}").contains("Bearer"));
}

// ---- tokens that are replaced while the program runs

#[tokio::test]
async fn a_token_file_that_is_replaced_while_the_old_one_is_refused_is_read_again() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("token");
    crate::write_token(&path, "old");
    let file = path.clone();
    let server = Server::http(move |seen| {
        crate::write_token(&file, "new");
        Reply::protected(seen, "new")
    })
    .await;
    let session = session(FileSource::new(&path)).build().unwrap();
    assert_eq!(session.get(server.url("/f")).send().await.unwrap().status(), StatusCode::OK);
    assert_eq!(server.tokens(), ["old", "new"]);
}

#[tokio::test]
async fn a_token_of_another_audience_that_the_challenge_asks_for_is_a_better_one() {
    let server = Server::http(|seen| match seen.authorization() {
        Some("Bearer wider") => Reply::ok("data"),
        _ => {
            Reply::challenge(r#"Bearer error="insufficient_scope", scope="storage.modify:/x storage.read:/""#)
        }
    })
    .await;
    let source = Script::new(&["narrow", "wider"]);
    let session = session(source.clone()).build().unwrap();
    assert_eq!(session.get(server.url("/f")).send().await.unwrap().status(), StatusCode::OK);
    assert_eq!(source.asked()[1].challenge_scope.as_deref(), Some("storage.modify:/x storage.read:/"));
}

// ---- the trace

#[tokio::test]
async fn the_trace_names_every_attempt_and_no_token() {
    let server = Server::protected("newtokensecret").await;
    let session = session(Script::new(&["oldtokensecret", "newtokensecret"])).build().unwrap();
    let response = session.get(server.url("/f?key=querysecret&recursive=1")).send().await.unwrap();
    let trace = response.auth_trace().unwrap();
    let statuses: Vec<_> = trace.attempts().iter().map(Attempt::status).collect();
    assert_eq!(statuses, [Some(StatusCode::UNAUTHORIZED), Some(StatusCode::OK)]);
    let shown = format!("{trace:?}");
    assert!(!shown.contains("secret"), "{shown}");
    assert!(shown.contains("a script"), "{shown}");
}

#[tokio::test]
async fn an_explanation_of_a_refusal_sets_what_the_token_says_against_what_was_asked() {
    let token = tokens::jwt(&json!({
        "iss": "https://issuer.test/vo", "sub": "alice", "aud": "https://elsewhere.test",
        "scope": "storage.read:/other", "exp": tokens::in_an_hour(), "wlcg.ver": "1.0",
    }));
    let server = Server::http(|_| Reply::new(403).body("permission denied")).await;
    let response =
        session(Script::new(&[&token])).build().unwrap().get(server.url("/vo/f")).send().await.unwrap();
    let explained = response.explain().unwrap().to_string();
    for expected in ["https://elsewhere.test", "storage.read:/other", "https://issuer.test/vo", "403"] {
        assert!(explained.contains(expected), "no `{expected}` in:\n{explained}");
    }
    assert!(!explained.contains(&token));
}

// ---- bodies that can be made again, and other places for the token

#[tokio::test]
async fn a_stream_that_can_be_made_again_is_replayed() {
    let server = Server::protected("new").await;
    let session = session(Script::new(&["old", "new"])).build().unwrap();
    let request =
        session.put(server.url("/f")).header("X-Kept", "1").replayable_body(|| stream(&["one", "two"]));
    assert_eq!(request.send().await.unwrap().status(), StatusCode::OK);
    let seen = server.seen();
    assert_eq!(server.tokens(), ["old", "new"]);
    assert_eq!(seen[0].without_authorization(), seen[1].without_authorization());
    assert_eq!(&seen[1].body[..], b"onetwo");
}

#[tokio::test]
async fn a_stream_that_can_be_made_again_waits_for_a_challenge_if_asked_to() {
    let server = Server::protected("t").await;
    let session = session(Script::new(&["t"])).attach(Attach::OnChallenge).build().unwrap();
    let request = session.put(server.url("/f")).replayable_body(|| stream(&["one", "two"]));
    assert_eq!(request.send().await.unwrap().status(), StatusCode::OK);
    assert_eq!(server.tokens(), ["-", "t"]);
    assert!(server.seen().iter().all(|seen| &seen.body[..] == b"onetwo"));
}

#[tokio::test]
async fn a_token_as_a_user_name_is_replaced_once_as_well() {
    let server = Server::http(|seen| match seen.authorization() {
        // base64 of `new:x-oauth-basic`
        Some("Basic bmV3Ongtb2F1dGgtYmFzaWM=") => Reply::ok("data"),
        _ => Reply::challenge("Bearer"),
    })
    .await;
    let middleware = AuthMiddleware::builder(Script::new(&["old", "new"])).placement(Placement::XOauthBasic);
    let client = around(foreign(), middleware.build());
    assert_eq!(client.get(server.url("/f")).send().await.unwrap().status(), StatusCode::OK);
    assert_eq!(server.seen().len(), 2);
}

#[tokio::test]
async fn many_requests_with_tokens_of_their_own_do_not_touch_the_sessions_cache() {
    let server = Server::http(|_| Reply::ok("public")).await;
    let source = Script::new(&["t", "wrong"]);
    let clock = ManualClock::at_epoch_seconds(tokens::NOW);
    let client = around(foreign(), AuthMiddleware::builder(source.clone()).clock(clock).build());
    client.get(server.url("/f")).send().await.unwrap();
    for n in 0..1_100 {
        client
            .get(server.url("/f"))
            .token(AccessToken::new(format!("mine-{n}")).unwrap())
            .send()
            .await
            .unwrap();
    }
    client.get(server.url("/f")).send().await.unwrap();
    assert_eq!(server.tokens().last().unwrap(), "t");
    assert_eq!(source.calls(), 1);
}

#[tokio::test]
async fn a_large_refusal_costs_a_connection_and_no_more() {
    let server = Server::http(|seen| match seen.authorization() {
        Some("Bearer new") => Reply::ok("data"),
        _ => Reply::challenge("Bearer").body(vec![b'.'; 5_000_000]),
    })
    .await;
    let session = session(Script::new(&["old", "new"])).build().unwrap();
    assert_eq!(session.get(server.url("/f")).send().await.unwrap().text().await.unwrap(), "data");
    assert_eq!((server.tokens(), server.connections()), (texts(&["old", "new"]), 2));
}

#[tokio::test]
async fn an_ipv6_server_is_a_server() {
    let Ok(probe) = std::net::TcpListener::bind("[::1]:0") else { return };
    drop(probe);
    for place in [Place::http(), Place::https("::1")] {
        let server = place.at("::1").named("::1").start(|seen| Reply::protected(seen, "new")).await;
        let session = session(Script::new(&["old", "new"])).build().unwrap();
        assert_eq!(session.get(server.url("/f")).send().await.unwrap().status(), StatusCode::OK);
        assert_eq!(server.tokens(), ["old", "new"]);
    }
}

#[tokio::test]
async fn the_time_limit_of_a_request_holds_for_its_replay() {
    let server = Server::http(|seen| match seen.authorization() {
        Some("Bearer new") => Reply::ok("late").delayed(Duration::from_secs(60)),
        _ => Reply::challenge("Bearer"),
    })
    .await;
    let session = session(Script::new(&["old", "new"])).build().unwrap();
    let request = session.get(server.url("/f")).timeout(Duration::from_millis(300)).send();
    let error = tokio::time::timeout(Duration::from_secs(20), request).await.unwrap().unwrap_err();
    assert!(error.is_timeout(), "{error:?}");
}
