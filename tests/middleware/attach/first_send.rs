//! What the first request carries.

use super::*;

/// a token of bytes becomes `Bearer b'eyJ…'` in requests-scitokens and igwn-auth-utils.
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

/// requests-scitokens raises an `OSError` where a server asks for a token and there is none.
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

/// what is wrong with a token reaches the caller of requests-scitokens as exceptions of four libraries.
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
async fn an_expired_token_is_never_sent() {
    let server = Server::http(|_| Reply::ok("public")).await;
    let old = tokens::expired("https://storage.test");
    for client in
        [session(Script::new(&[&old])).build().unwrap().client().clone(), wrapped(Script::new(&[&old]))]
    {
        client.get(server.url("/f")).send().await.unwrap();
        client.get(server.url("/f")).token(AccessToken::new(old.clone()).unwrap()).send().await.ok();
    }
    assert_eq!(server.tokens(), ["-"; 4]);
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
    let chain = scitoken_test_support::chain(&error);
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
