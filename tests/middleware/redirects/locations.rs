//! A `Location` of every shape.

use super::*;

async fn follow(location: &str) -> (Sent, Server) {
    let server = redirecting(Place::http(), 302, location.to_owned()).await;
    let session = session(Script::new(&["t"])).build().unwrap();
    (session.get(server.url("/start")).send().await, server)
}

#[tokio::test]
async fn a_location_is_joined_to_the_current_address() {
    for (location, target) in [
        ("/end", "/end"),
        ("end", "/end"),
        ("./a/../end", "/end"),
        ("?a=b", "/start?a=b"),
        ("/sp ace", "/sp%20ace"),
        (" /end ", "/end"),
        ("/é", "/%C3%A9"),
        ("/a%2Fb", "/a%2Fb"),
    ] {
        // The first of two equal paths would loop.
        let server = Server::http({
            let location = location.to_owned();
            move |seen| if seen.target == "/start" { Reply::redirect(302, &location) } else { Reply::ok("") }
        })
        .await;
        let session = session(Script::new(&["t"])).build().unwrap();
        session.get(server.url("/start")).send().await.unwrap();
        assert_eq!(server.seen()[1].target, target, "{location:?}");
        assert_eq!(server.tokens(), ["t", "t"]);
    }
}

#[tokio::test]
async fn a_location_may_be_bytes_that_are_no_utf_8() {
    let server = Server::http(|seen| match seen.path() {
        "/start" => Reply::redirect(302, b"/caf\xe9"),
        _ => Reply::ok(""),
    })
    .await;
    let session = session(Script::new(&["t"])).build().unwrap();
    match session.get(server.url("/start")).send().await {
        Ok(response) => assert!(response.status().is_redirection() || server.seen().len() == 2),
        Err(error) => assert!(Error::find(&error).unwrap().is_redirect(), "{error:?}"),
    }
}

/// reqwest's `Response::url` has no fragment, so the trace has to tell.
#[tokio::test]
async fn the_fragment_is_kept() {
    for (from, location, kept) in [
        ("/start#mine", "/end", true),
        ("/start", "/end#theirs", true),
        ("/start#mine", "/end#theirs", true),
        ("/start", "/end", false),
    ] {
        let server = redirecting(Place::http(), 302, location.to_owned()).await;
        let session = session(Script::new(&["t"])).build().unwrap();
        let response = session.get(server.url(from)).send().await.unwrap();
        let last = response.auth_trace().unwrap().attempts()[1].url().to_string();
        assert_eq!(last.contains('#'), kept, "{from} {location}: {last}");
        assert_eq!(server.seen()[1].target, "/end");
    }
}

#[tokio::test]
async fn a_location_that_hides_another_host_is_another_host() {
    for shape in ["//HOST/end", "\\\\HOST/end", "/\\HOST/end", "http:\\\\HOST/end", "/\t/HOST/end"] {
        let second = Place::http().at("127.0.0.2").start(|_| Reply::ok("data")).await;
        let (location, second_tokens) =
            (shape.replace("HOST", &second.address().to_string()), || second.tokens());
        let (sent, first) = follow(&location).await;
        assert_eq!(first.tokens()[0], "t");
        assert!(second_tokens().iter().all(|token| token == "-"), "{shape:?}: {:?}", second_tokens());
        if let Err(error) = sent {
            assert!(Error::find(&error).unwrap().is_redirect(), "{error:?}");
        }
    }
}

#[tokio::test]
async fn a_location_of_another_scheme_is_an_error() {
    for location in
        ["file:///etc/passwd", "ftp://127.0.0.1/x", "data:,x", "javascript:x", "root://127.0.0.1/x"]
    {
        let (sent, server) = follow(location).await;
        let error = sent.unwrap_err();
        assert!(Error::find(&error).unwrap().is_redirect(), "{location}: {error:?}");
        assert_eq!(server.seen().len(), 1);
    }
}

#[tokio::test]
async fn a_location_that_is_no_address_is_an_error() {
    for location in ["http://", "https://[::1", "http://127.0.0.1:99999/", "http:// /"] {
        let (sent, server) = follow(location).await;
        let error = sent.unwrap_err();
        assert!(Error::find(&error).unwrap().is_redirect(), "{location}: {error:?}");
        assert_eq!(server.seen().len(), 1);
    }
}

#[tokio::test]
async fn an_empty_location_neither_loops_for_ever_nor_leaves_the_server() {
    let (sent, server) = follow("").await;
    match sent {
        Ok(response) => assert_eq!(response.status(), StatusCode::FOUND),
        Err(error) => assert!(Error::find(&error).unwrap().is_redirect(), "{error:?}"),
    }
    assert!(server.seen().len() <= 11);
}

#[tokio::test]
async fn user_info_is_refused_on_the_same_origin_too() {
    let server = Server::http(|seen| {
        let host = seen.header("host").unwrap();
        Reply::redirect(302, format!("http://me:pw-secret@{host}/end"))
    })
    .await;
    let session = session(Script::new(&["t"])).build().unwrap();
    let error = session.get(server.url("/start")).send().await.unwrap_err();
    assert!(Error::find(&error).unwrap().is_redirect());
    assert!(
        !scitoken_test_support::chain(&error).contains("pw-secret"),
        "{}",
        scitoken_test_support::chain(&error)
    );
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test]
async fn two_locations_are_not_mixed_up() {
    let server = Raw::http(|seen| match seen.path() {
        "/start" => Answer::lines(&["HTTP/1.1 302 Found", "Location: /one", "Location: /two"], ""),
        _ => Answer::lines(&["HTTP/1.1 200 OK"], ""),
    })
    .await;
    let session = session(Script::new(&["t"])).build().unwrap();
    session.get(server.url("/start")).send().await.ok();
    assert!(server.seen().get(1).is_none_or(|seen| seen.target == "/one"));
}

#[tokio::test]
async fn user_info_is_refused_however_it_is_written() {
    for shape in [
        "//me:pw@HOST/end",
        "https:me:pw@HOST/end",
        "https:/me:pw@HOST/end",
        "https:\\\\me:pw@HOST/end",
        " \thttps://me@HOST/end",
        "https://:pw@HOST/end",
    ] {
        let second = Place::https("localhost").start(|_| Reply::ok("data")).await;
        let host = format!("localhost:{}", second.address().port());
        // From plain http, so that a `https:` without slashes is not relative.
        let first = redirecting(Place::http(), 302, shape.replace("HOST", &host)).await;
        let session = session(Script::new(&["t"])).build().unwrap();
        let error = session.get(first.url("/start")).send().await.expect_err(shape);
        assert!(Error::find(&error).unwrap().is_redirect(), "{shape:?}: {error:?}");
        assert!(second.seen().is_empty());
    }
}

#[tokio::test]
async fn a_password_of_the_first_address_stays_there() {
    let second = Place::http().at("127.0.0.2").start(|_| Reply::ok("data")).await;
    let first = redirecting(Place::http(), 302, second.url("/end").to_string()).await;
    let mut url = first.url("/start");
    url.set_username("me").unwrap();
    url.set_password(Some("pw")).unwrap();
    let session = session(Script::new(&["t"])).build().unwrap();
    session.get(url).send().await.unwrap();
    assert_eq!(first.authorizations(), [Some("Basic bWU6cHc=".to_owned())]);
    assert_eq!(second.authorizations(), [None]);
}

#[tokio::test]
async fn a_credential_in_clear_is_followed_where_the_user_allows_it() {
    let server = Place::https("localhost").start(|_| Reply::ok("data")).await;
    let target = server.url_as("http", "localhost", "/end?authz=Bearer%20x").to_string();
    let first = redirecting(Place::https("localhost"), 302, target).await;
    let session = session(Script::new(&["t"]))
        .redirect(|redirect| redirect.cleartext(CleartextRedirects::Allow))
        .build()
        .unwrap();
    assert_eq!(session.get(first.url("/start")).send().await.unwrap().status(), StatusCode::OK);
    assert_eq!((first.tokens(), server.tokens()), (texts(&["t"]), texts(&["-"])));
    assert_eq!(server.seen()[0].target, "/end?authz=Bearer%20x");
}

#[tokio::test]
async fn a_stream_that_can_be_made_again_follows_a_307() {
    let server = redirecting(Place::http(), 307, "/end".to_owned()).await;
    let session = session(Script::new(&["t"])).build().unwrap();
    let make = || reqwest::Body::wrap_stream(futures_util::stream::iter([Ok::<_, std::io::Error>("again")]));
    let request = session.put(server.url("/start")).replayable_body(make);
    assert_eq!(request.send().await.unwrap().status(), StatusCode::OK);
    let seen = server.seen();
    assert_eq!((seen.len(), &seen[1].body[..], seen[1].method.as_str()), (2, &b"again"[..], "PUT"));
    assert_eq!(server.tokens(), ["t", "t"]);
}
