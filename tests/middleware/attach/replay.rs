//! A refusal is answered once with another token.

use super::*;

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

/// requests-scitokens replays a stream that has been read, announces a body and sends none, and hangs.
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
async fn a_request_that_waited_for_a_challenge_has_the_same_tokens_to_try_as_any_other() {
    for (refusal, attach, expected) in [
        (403, Attach::OnChallenge, &["-", "a", "b"][..]),
        (401, Attach::OnChallenge, &["-", "a", "b"]),
        (403, Attach::WhenFound, &["a", "b"]),
        (401, Attach::WhenFound, &["a", "b"]),
    ] {
        let server = Server::http(move |seen| match seen.authorization() {
            Some("Bearer b") => Reply::ok("data"),
            Some(_) if refusal == 403 => Reply::new(403),
            _ => Reply::challenge("Bearer"),
        })
        .await;
        let session = session(Script::new(&["a", "b", "c"])).attach(attach).build().unwrap();
        let response = session.get(server.url("/f")).send().await.unwrap();
        assert_eq!((response.status(), server.tokens()), (StatusCode::OK, texts(expected)), "{refusal}");
    }
    // No more than two tokens are sent.
    let server = Server::http(|_| Reply::challenge("Bearer")).await;
    let session = session(Script::new(&["a", "b", "c"])).attach(Attach::OnChallenge).build().unwrap();
    assert_eq!(session.get(server.url("/f")).send().await.unwrap().status(), StatusCode::UNAUTHORIZED);
    assert_eq!(server.tokens(), ["-", "a", "b"]);
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
