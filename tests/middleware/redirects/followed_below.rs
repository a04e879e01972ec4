//! An HTTP client that follows redirects by itself.

use super::*;

#[tokio::test]
async fn on_a_client_that_follows_by_itself_the_second_server_gets_no_token() {
    for status in [302, 307] {
        let second = Place::http().at("127.0.0.2").start(|_| Reply::challenge("Bearer")).await;
        let first = redirecting(Place::http(), status, second.url("/end").to_string()).await;
        let response = wrapped(Script::new(&["a", "b"])).get(first.url("/start")).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
        assert!(second.tokens().iter().all(|token| token == "-"), "{:?}", second.tokens());
        assert_eq!(first.tokens(), ["a"]);
    }
}

#[tokio::test]
async fn on_a_client_that_follows_by_itself_a_refusal_of_the_same_server_is_answered() {
    let server = Server::http(|seen| match (seen.path(), seen.authorization()) {
        ("/start", _) => Reply::redirect(302, "/end"),
        (_, Some("Bearer new")) => Reply::ok("data"),
        _ => Reply::challenge("Bearer"),
    })
    .await;
    let response = wrapped(Script::new(&["old", "new"])).get(server.url("/start")).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(server.tokens().last().unwrap(), "new");
}
