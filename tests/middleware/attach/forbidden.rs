//! Servers that refuse with 403.

use super::*;

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
