//! Challenges of XRootD and other servers.

use super::*;

#[tokio::test]
async fn every_challenge_that_was_seen_is_answered_once() {
    for challenge in [
        r#"Bearer realm="lab realm", error="invalid_request", error_description="No bearer token found in the request""#,
        r#"Bearer error="invalid_request", error_description="No bearer token found in the request""#,
        r#"Bearer error="invalid_token", error_description="JWT token could not be validated""#,
        r#"Bearer error="invalid_token", error_description="Token could not be verified.""#,
        r#"Bearer error="insufficient_scope", error_description="Different scope(s) or other claims required""#,
        "Bearer",
        "bearer realm=x",
    ] {
        let server = Server::http(move |seen| match seen.authorization() {
            Some("Bearer new") => Reply::ok("data"),
            _ => Reply::challenge(challenge),
        })
        .await;
        let session = session(Script::new(&["old", "new"])).build().unwrap();
        let response = session.get(server.url("/f")).send().await.unwrap();
        assert_eq!(
            (response.status(), server.tokens()),
            (StatusCode::OK, texts(&["old", "new"])),
            "{challenge}"
        );
    }
}

#[tokio::test]
async fn invalid_request_to_a_bare_request_is_answered_with_the_token() {
    let server = Server::http(|seen| match seen.authorization() {
        Some("Bearer t") => Reply::ok("data"),
        _ => Reply::challenge(r#"Bearer error="invalid_request""#),
    })
    .await;
    let session = session(Script::new(&["t"])).attach(Attach::OnChallenge).build().unwrap();
    assert_eq!(session.get(server.url("/f")).send().await.unwrap().status(), StatusCode::OK);
    assert_eq!(server.tokens(), ["-", "t"]);
}

#[tokio::test]
async fn a_401_without_challenge_for_a_failed_claim_is_final() {
    let server = Server::http(|_| Reply::new(401)).await;
    let session = session(Script::new(&["old", "new"])).build().unwrap();
    let response = session.get(server.url("/f")).send().await.unwrap();
    assert_eq!((response.status(), server.tokens()), (StatusCode::UNAUTHORIZED, texts(&["old"])));
}

#[tokio::test]
async fn insufficient_scope_never_sends_the_same_token_again() {
    for challenge in
        [r#"Bearer error="insufficient_scope""#, r#"Bearer error="insufficient_scope", scope="a b""#]
    {
        for status in [401, 403] {
            let server =
                Server::http(move |_| Reply::new(status).header(header::WWW_AUTHENTICATE, challenge)).await;
            let session = session(Script::new(&["t"])).build().unwrap();
            let response = session.get(server.url("/f")).send().await.unwrap();
            assert_eq!((response.status().as_u16(), server.tokens()), (status, texts(&["t"])));
        }
    }
}

#[tokio::test]
async fn bearer_counts_in_a_list_and_in_a_second_header() {
    let list = r#"Basic realm="a, Bearer realm=b", Bearer realm="q\"uote", scope="storage.read:/ storage.modify:/x", error=invalid_token"#;
    for values in [vec!["Negotiate", r#"Bearer realm="two, headers", error="invalid_token""#], vec![list]] {
        let server = Server::http(move |seen| match seen.authorization() {
            Some("Bearer new") => Reply::ok("data"),
            _ => values
                .iter()
                .fold(Reply::new(401), |reply, value| reply.header(header::WWW_AUTHENTICATE, value)),
        })
        .await;
        let session = session(Script::new(&["old", "new"])).build().unwrap();
        assert_eq!(session.get(server.url("/f")).send().await.unwrap().status(), StatusCode::OK);
        assert_eq!(server.tokens(), ["old", "new"]);
    }
}

#[tokio::test]
async fn a_challenge_on_a_200_is_no_challenge() {
    let server = Server::http(|_| {
        Reply::ok("data").header(header::WWW_AUTHENTICATE, r#"Bearer realm="nginx", error="invalid_token""#)
    })
    .await;
    let source = Script::new(&["old", "new"]);
    let session = session(source.clone()).build().unwrap();
    assert_eq!(session.get(server.url("/f")).send().await.unwrap().text().await.unwrap(), "data");
    assert_eq!((server.tokens(), source.calls()), (texts(&["old"]), 1));
}

#[tokio::test]
async fn a_challenge_over_http2_is_answered() {
    let server = Server::https(|seen| Reply::protected(seen, "t")).await;
    let session = session(Script::new(&["t"])).attach(Attach::OnChallenge).build().unwrap();
    let response = session.get(server.url("/f")).send().await.unwrap();
    assert_eq!((response.status(), response.version()), (StatusCode::OK, http::Version::HTTP_2));
    assert_eq!(server.tokens(), ["-", "t"]);
}

#[tokio::test]
async fn the_replay_reuses_the_connection() {
    for place in [Place::http(), Place::https("localhost")] {
        let server = place
            .start(|seen| match seen.authorization() {
                Some("Bearer t") => Reply::ok("data"),
                _ => Reply::challenge("Bearer").body(vec![b'x'; 421]),
            })
            .await;
        let session = session(Script::new(&["t"])).attach(Attach::OnChallenge).build().unwrap();
        session.get(server.url("/f")).send().await.unwrap();
        assert_eq!((server.tokens(), server.connections()), (texts(&["-", "t"]), 1));
    }
}

#[tokio::test]
async fn a_token_of_the_caller_works_against_5_5_on_a_client_in_title_case() {
    use reqwest_scitokens::{AuthMiddleware, RequestBuilderExt as _};
    let server = XRootD::data_server(V5_5_3, "good").await;
    let client = around(foreign().http1_title_case_headers(), AuthMiddleware::new(Script::new(&["-"])));
    let request = client.get(server.url("/vo/hello.txt")).token(AccessToken::new("good").unwrap());
    assert_eq!(request.send().await.unwrap().status(), StatusCode::OK);
}
