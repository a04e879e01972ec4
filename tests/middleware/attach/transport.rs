//! Transports that a token may use.

use super::*;

#[tokio::test]
async fn plain_http_to_another_machine_never_carries_a_token() {
    let server = Place::http().named("site.test").start(|_| Reply::challenge("Bearer")).await;
    let mut answers = Vec::new();
    for attach in [Attach::WhenFound, Attach::OnChallenge, Attach::Required] {
        let session = session_knowing(Script::new(&["a", "b"]), &[&server]).attach(attach).build().unwrap();
        for request in [
            session.get(server.url("/f")),
            session.put(server.url("/f")).body(stream(&["x"])),
            session.get(server.url("/f")).token(AccessToken::new("mine").unwrap()),
        ] {
            match request.send().await {
                Ok(response) => answers.push(response.status()),
                Err(error) => {
                    assert!(Error::find(&error).unwrap().is_insecure_origin(), "{attach:?}: {error:?}");
                }
            }
        }
    }
    assert_eq!(answers, [StatusCode::UNAUTHORIZED]);
    assert_eq!(server.tokens(), ["-"], "only a session that waits for a challenge sends its first request");
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
    let one = Place::https("localhost").tls(scitoken_test_support::tls::authority().http1_acceptor());
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
