//! Redirects of a manager.

use super::*;

#[tokio::test]
async fn get_is_redirected_with_302_and_the_rest_with_307() {
    for release in BOTH {
        let data = XRootD::data_server(release, "good").await;
        let address = data.url("").as_str().trim_end_matches('/').to_owned();
        let manager = XRootD::manager(release, address).await;
        let session = session(Script::new(&["good"])).build().unwrap();
        let get = session.get(manager.url("/vo/hello.txt")).send().await.unwrap();
        assert_eq!(get.text().await.unwrap(), "hello scitokens");
        assert_eq!(session.head(manager.url("/vo/hello.txt")).send().await.unwrap().status(), StatusCode::OK);
        let put = session.put(manager.url("/vo/new")).body("seven b").send().await.unwrap();
        assert!(put.status().is_success());
        assert_eq!(data.file("/vo/new").as_deref(), Some(&b"seven b"[..]));
        let methods: Vec<_> = data.seen().iter().map(|seen| seen.method.clone()).collect();
        assert_eq!(methods, ["GET", "HEAD", "PUT"]);
        assert_eq!(manager.connections(), 1, "a redirect keeps the connection");
    }
}

#[tokio::test]
async fn the_token_in_the_location_is_used_once_and_shown_nowhere() {
    let token = tokens::for_audience("https://localhost");
    let data = XRootD::data_server(V5_5_3, "another").await;
    let manager = XRootD::manager(V5_5_3, data.url("").as_str().trim_end_matches('/').to_owned()).await;
    let session = session(Script::new(&[&token])).build().unwrap();
    let response = session.get(manager.url("/vo/hello.txt")).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::FORBIDDEN);
    let there = &data.seen()[0];
    assert_eq!(there.query("authz"), Some(format!("Bearer%20{token}").as_str()));
    assert_eq!(there.authorization(), None);
    let shown = format!("{:?}\n{}", response.auth_trace().unwrap(), response.explain().unwrap());
    assert!(!shown.contains(&token), "{shown}");
    assert!(shown.contains("authz=…"), "{shown}");
}

#[tokio::test]
async fn an_error_at_the_end_of_a_redirect_does_not_show_the_token() {
    let token = tokens::for_audience("https://localhost");
    // No server listens at the port that was free a moment ago.
    let gone = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let manager = XRootD::manager(V5_5_3, format!("https://localhost:{gone}")).await;
    let session = session(Script::new(&[&token])).build().unwrap();
    let error = session.get(manager.url("/vo/hello.txt")).send().await.unwrap_err();
    assert!(!chain(&error).contains(&token), "{}", chain(&error));
}

#[tokio::test]
async fn https_to_http_with_the_token_in_the_address_is_refused() {
    for release in BOTH {
        let data = XRootD::data_server(release, "good").await;
        let plain = data.url_as("http", "127.0.0.1", "").as_str().trim_end_matches('/').to_owned();
        let manager = XRootD::manager(release, plain).await;
        let session = session(Script::new(&["good"])).build().unwrap();
        let error = session.get(manager.url("/vo/hello.txt")).send().await.unwrap_err();
        let found = Error::find(&error).unwrap();
        assert!(found.is_redirect(), "{found:?}");
        assert_eq!(found.hint(), Some(Hint::RedirectToHttps), "{found:?}");
        assert!(data.seen().is_empty());
        assert!(!chain(&error).contains("authz=Bearer%20good"));
    }
}

#[tokio::test]
async fn a_manager_that_strips_the_token_needs_a_host_that_the_user_trusts() {
    let data = XRootD::data_server(V6_1, "good").await;
    let address = data.url_as("https", "127.0.0.1", "").as_str().trim_end_matches('/').to_owned();
    let manager = XRootD::stripping_manager(address).await;
    let by_default = session(Script::new(&["good"])).build().unwrap();
    let refused = by_default.get(manager.url("/vo/hello.txt")).send().await.unwrap();
    assert_eq!(refused.status(), StatusCode::FORBIDDEN);
    let explained = refused.explain().unwrap().to_string();
    assert!(explained.contains("127.0.0.1"), "{explained}");

    let trusting = session(Script::new(&["good"])).redirect_trust(trusting(&["127.0.0.1"])).build().unwrap();
    let granted = trusting.get(manager.url("/vo/hello.txt")).send().await.unwrap();
    assert_eq!(granted.status(), StatusCode::OK);
    assert_eq!(tokens_of(&data.seen()), ["-", "good"]);
    assert!(data.seen().iter().all(|seen| seen.query("authz").is_none()));
}

#[tokio::test]
async fn blanks_and_letters_in_a_location_are_followed() {
    for release in BOTH {
        let data = XRootD::data_server(release, "good").await;
        let manager = XRootD::manager(release, data.url("").as_str().trim_end_matches('/').to_owned()).await;
        let session = session(Script::new(&["good"])).build().unwrap();
        let response = session.get(manager.url("/vo/sp ace+é.txt?foo=bar&x=1")).send().await.unwrap();
        assert_eq!(response.text().await.unwrap(), "é");
        let there = &data.seen()[0];
        assert_eq!(there.path(), "/vo/sp%20ace+%C3%A9.txt");
        assert_eq!((there.query("foo"), there.query("x")), (Some("bar"), Some("1")));
    }
}

/// A real manager is silent for 20 seconds; the session's default limit is three times that.
#[tokio::test]
async fn a_manager_that_is_silent_for_less_than_the_limit_is_waited_for() {
    let silence = Duration::from_millis(400);
    let manager = XRootD::lonely_manager(silence).await;
    let begin = tokio::time::Instant::now();
    let patient =
        session(Script::new(&["good"])).http(|http| http.read_timeout(silence * 50)).build().unwrap();
    let response = patient.get(manager.url("/vo/hello.txt")).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::NOT_FOUND);
    assert_eq!(response.text().await.unwrap(), "Could not run close request.");
    assert!(begin.elapsed() >= silence);

    let impatient =
        session(Script::new(&["good"])).http(|http| http.read_timeout(silence / 4)).build().unwrap();
    impatient.get(manager.url("/vo/hello.txt")).send().await.unwrap_err();
    assert_eq!(manager.seen().len(), 2);
}
