//! Methods and bodies after a redirect.

use super::*;

async fn methods(status: u16, method: Method) -> (String, String, String) {
    let server = redirecting(Place::http(), status, "/end".to_owned()).await;
    let session = session(Script::new(&["t"])).build().unwrap();
    let request = session.request(method, server.url("/start")).header("Content-Type", "text/x-thing");
    assert_eq!(request.body("body").send().await.unwrap().status(), StatusCode::OK);
    let seen = server.seen();
    assert_eq!((seen.len(), server.tokens()), (2, texts(&["t", "t"])));
    let end = &seen[1];
    (
        end.method.clone(),
        String::from_utf8(end.body.to_vec()).unwrap(),
        end.header("content-type").unwrap_or("-").to_owned(),
    )
}

#[tokio::test]
async fn a_post_becomes_a_get_after_301_302_and_303() {
    for status in [301, 302, 303] {
        let (method, body, content_type) = methods(status, Method::POST).await;
        assert_eq!((method.as_str(), body.as_str(), content_type.as_str()), ("GET", "", "-"), "{status}");
    }
}

#[tokio::test]
async fn a_put_becomes_a_get_after_303_only() {
    assert_eq!(methods(303, Method::PUT).await, ("GET".to_owned(), String::new(), "-".to_owned()));
    for status in [301, 302, 307, 308] {
        let kept = ("PUT".to_owned(), "body".to_owned(), "text/x-thing".to_owned());
        assert_eq!(methods(status, Method::PUT).await, kept, "{status}");
    }
}

#[tokio::test]
async fn method_and_body_stay_after_307_and_308() {
    for status in [307, 308] {
        let kept = ("POST".to_owned(), "body".to_owned(), "text/x-thing".to_owned());
        assert_eq!(methods(status, Method::POST).await, kept, "{status}");
    }
}

#[tokio::test]
async fn a_head_stays_a_head() {
    for status in [301, 302, 303, 307, 308] {
        let server = redirecting(Place::http(), status, "/end".to_owned()).await;
        session(Script::new(&["t"])).build().unwrap().head(server.url("/start")).send().await.unwrap();
        assert_eq!(server.seen()[1].method, "HEAD");
    }
}

#[tokio::test]
async fn other_3xx_and_a_redirect_without_location_are_answers() {
    for status in [300, 304, 305, 306] {
        let server = redirecting(Place::http(), status, "/end".to_owned()).await;
        let session = session(Script::new(&["t"])).build().unwrap();
        let response = session.get(server.url("/start")).send().await.unwrap();
        assert_eq!((response.status().as_u16(), server.seen().len()), (status, 1));
    }
    let server = Server::http(|_| Reply::new(302).body("where?")).await;
    let session = session(Script::new(&["t"])).build().unwrap();
    let response = session.get(server.url("/start")).send().await.unwrap();
    assert_eq!((response.status(), server.seen().len()), (StatusCode::FOUND, 1));
}

#[tokio::test]
async fn a_stream_is_never_sent_again_after_a_307() {
    let server = redirecting(Place::http(), 307, "/end".to_owned()).await;
    let session = session(Script::new(&["t"])).build().unwrap();
    let body = futures_util::stream::iter([Ok::<_, std::io::Error>("once")]);
    let sent = session.put(server.url("/start")).body(reqwest::Body::wrap_stream(body)).send().await;
    assert_eq!((server.seen().len(), &server.seen()[0].body[..]), (1, &b"once"[..]));
    match sent {
        Ok(response) => assert_eq!(response.status(), StatusCode::TEMPORARY_REDIRECT),
        Err(error) => assert!(Error::find(&error).unwrap().is_redirect(), "{error:?}"),
    }
}

#[tokio::test]
async fn a_refusal_after_a_redirect_is_answered_where_it_came_from() {
    let server = Server::http(|seen| match (seen.path(), seen.authorization()) {
        ("/start", _) => Reply::redirect(302, "/end"),
        (_, Some("Bearer new")) => Reply::ok("data"),
        _ => Reply::challenge("Bearer"),
    })
    .await;
    let session = session(Script::new(&["old", "new"])).build().unwrap();
    let response = session.get(server.url("/start")).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    let paths: Vec<_> = server.seen().iter().map(|seen| seen.target.clone()).collect();
    assert_eq!(paths, ["/start", "/end", "/end"]);
    assert_eq!(server.tokens(), ["old", "old", "new"]);
    let statuses: Vec<_> = response.auth_trace().unwrap().attempts().iter().map(Attempt::status).collect();
    let expected = [302, 401, 200].map(|status| Some(StatusCode::from_u16(status).unwrap()));
    assert_eq!(statuses, expected);
}
