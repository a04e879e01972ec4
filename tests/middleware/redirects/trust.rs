//! Tokens and headers of the caller at redirect targets.

use super::*;

#[tokio::test]
async fn a_token_for_any_audience_does_not_follow_a_redirect() {
    for audience in ["ANY", "https://wlcg.cern.ch/jwt/v1/any"] {
        let second = Place::https("untrusted.test").start(|_| Reply::ok("data")).await;
        let first = redirecting(Place::https("site.test"), 302, second.url("/").to_string()).await;
        let token = tokens::for_audience(audience);
        let session = session_knowing(Script::new(&[&token]), &[&first, &second]).build().unwrap();
        session.get(first.url("/start")).send().await.unwrap();
        assert_eq!((first.tokens(), second.tokens()), (vec![token], texts(&["-"])));
    }
}

#[tokio::test]
async fn an_opaque_token_stays_with_the_server_that_the_user_named() {
    let second = Place::https("untrusted.test").start(|_| Reply::ok("data")).await;
    let first = redirecting(Place::https("site.test"), 302, second.url("/").to_string()).await;
    let session = session_knowing(Script::new(&["opaque"]), &[&first, &second]).build().unwrap();
    session.get(first.url("/start")).send().await.unwrap();
    assert_eq!((first.tokens(), second.tokens()), (texts(&["opaque"]), texts(&["-"])));
}

/// requests-scitokens sends the token to whatever host a redirect leads to, if that answers 401.
#[tokio::test]
async fn an_untrusted_origin_that_challenges_gets_no_token() {
    for attach in [Attach::WhenFound, Attach::OnChallenge] {
        for status in [401, 403] {
            let second = Place::https("untrusted.test")
                .start(move |_| Reply::new(status).header(header::WWW_AUTHENTICATE, "Bearer"))
                .await;
            let first = redirecting(Place::https("site.test"), 302, second.url("/").to_string()).await;
            let source = Script::new(&["a", "b"]);
            let session = session_knowing(source, &[&first, &second]).attach(attach).build().unwrap();
            let response = session.get(first.url("/start")).send().await.unwrap();
            assert_eq!(response.status().as_u16(), status);
            assert!(second.tokens().iter().all(|token| token == "-"), "{:?}", second.tokens());
        }
    }
}

#[tokio::test]
async fn required_gives_no_token_to_an_untrusted_origin() {
    let second = Place::https("untrusted.test").start(|_| Reply::ok("data")).await;
    let first = redirecting(Place::https("site.test"), 302, second.url("/").to_string()).await;
    let session = session_knowing(Script::new(&["opaque"]), &[&first, &second])
        .attach(Attach::Required)
        .build()
        .unwrap();
    session.get(first.url("/start")).send().await.unwrap();
    assert_eq!((first.tokens(), second.tokens()), (texts(&["opaque"]), texts(&["-"])));
}

#[tokio::test]
async fn a_token_for_one_request_follows_the_same_rules() {
    let second = Place::https("untrusted.test").start(|_| Reply::ok("data")).await;
    let first = redirecting(Place::https("site.test"), 302, second.url("/").to_string()).await;
    let session = session_knowing(Script::new(&["-"]), &[&first, &second]).build().unwrap();
    session.get(first.url("/start")).token(AccessToken::new("mine").unwrap()).send().await.unwrap();
    assert_eq!((first.tokens(), second.tokens()), (texts(&["mine"]), texts(&["-"])));
}

#[tokio::test]
async fn headers_of_the_caller_that_are_secret_stay_behind_as_well() {
    let second = Place::https("untrusted.test").start(|_| Reply::ok("data")).await;
    let first = redirecting(Place::https("site.test"), 307, second.url("/").to_string()).await;
    let session = session_knowing(Script::new(&["t"]), &[&first, &second]).build().unwrap();
    let request = session
        .get(first.url("/start"))
        .header(header::AUTHORIZATION, "Basic secret")
        .header(header::COOKIE, "secret=1")
        .header(header::PROXY_AUTHORIZATION, "Basic secret")
        .header("X-Kept", "1");
    request.send().await.unwrap();
    assert_eq!(first.seen()[0].header("cookie"), Some("secret=1"));
    let there = &second.seen()[0];
    for name in ["authorization", "cookie", "proxy-authorization"] {
        assert_eq!(there.header(name), None, "{name}");
    }
    assert_eq!(there.header("x-kept"), Some("1"));
}

#[tokio::test]
async fn headers_of_the_caller_stay_on_the_same_origin() {
    let server = redirecting(Place::http(), 302, "/end".to_owned()).await;
    let session = session(Script::new(&["t"])).build().unwrap();
    let request = session.get(server.url("/start")).header(header::COOKIE, "a=1");
    request.header(header::AUTHORIZATION, "Basic x").send().await.unwrap();
    let end = &server.seen()[1];
    assert_eq!((end.header("cookie"), end.authorization()), (Some("a=1"), Some("Basic x")));
}

#[tokio::test]
async fn headers_of_the_caller_do_not_come_back_with_the_way_back() {
    let place = Place::https("untrusted.test");
    let back = Arc::new(OnceLock::<String>::new());
    let back_to = Arc::clone(&back);
    let second = place.start(move |_| Reply::redirect(302, back_to.get().unwrap())).await;
    let first = redirecting(Place::https("site.test"), 302, second.url("/").to_string()).await;
    back.set(first.url("/end").to_string()).unwrap();
    let session = session_knowing(Script::new(&["t"]), &[&first, &second]).build().unwrap();
    let request = session.get(first.url("/start")).header(header::AUTHORIZATION, "Basic secret");
    request.header(header::COOKIE, "secret=1").send().await.unwrap();
    let end = &first.seen()[1];
    assert_eq!((end.authorization(), end.header("cookie")), (None, None));
}

#[tokio::test]
async fn no_presigned_url_is_sent_as_referer() {
    let second = Place::https("untrusted.test").start(|_| Reply::ok("data")).await;
    let location = second.url("/").to_string();
    let first = Place::https("site.test").start(move |_| Reply::redirect(302, &location)).await;
    let session = session_knowing(Script::new(&["t"]), &[&first, &second]).build().unwrap();
    session.get(first.url("/start?authz=querysecret")).send().await.unwrap();
    assert!(!format!("{:?}", second.seen()).contains("querysecret"));
}
