//! The trace and the explanation.

use super::*;

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
async fn an_explanation_of_a_refusal_compares_the_token_with_the_request() {
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
