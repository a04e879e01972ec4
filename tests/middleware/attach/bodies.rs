//! Bodies that can be made again, other placements, time limits.

use super::*;

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
async fn many_requests_with_their_own_tokens_do_not_touch_the_sessions_cache() {
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
