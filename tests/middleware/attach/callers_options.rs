//! Headers and options of the caller.

use reqwest_scitokens::{SourceError, source};

use super::*;

#[tokio::test]
async fn an_authorization_of_the_caller_is_never_replaced_nor_replayed() {
    let server = Server::http(|_| Reply::challenge("Bearer")).await;
    let source = Script::new(&["t"]);
    let session = session(source.clone()).build().unwrap();
    let request = session.get(server.url("/f")).header(header::AUTHORIZATION, "Basic abc");
    assert_eq!(request.send().await.unwrap().status(), StatusCode::UNAUTHORIZED);
    assert_eq!((server.authorizations(), source.calls()), (vec![Some("Basic abc".to_owned())], 0));
}

#[tokio::test]
async fn a_password_in_the_url_is_the_callers_authorization() {
    let server = Server::http(|_| Reply::ok("public")).await;
    let mut url = server.url("/f");
    url.set_username("me").unwrap();
    url.set_password(Some("pw")).unwrap();
    session(Script::new(&["t"])).build().unwrap().get(url).send().await.unwrap();
    assert_eq!(server.authorizations(), [Some("Basic bWU6cHc=".to_owned())]);
}

#[tokio::test]
async fn a_token_for_one_request_goes_with_that_request_only() {
    let server = Server::http(|_| Reply::ok("public")).await;
    let session = session(Script::new(&["t"])).build().unwrap();
    let mine = AccessToken::new("mine").unwrap();
    session.get(server.url("/f")).send().await.unwrap();
    session.get(server.url("/f")).token(mine).send().await.unwrap();
    session.get(server.url("/f")).send().await.unwrap();
    assert_eq!(server.tokens(), ["t", "mine", "t"]);
}

#[tokio::test]
async fn a_token_for_one_request_that_is_refused_is_not_replaced_by_another() {
    let server = Server::http(|_| Reply::challenge("Bearer")).await;
    let session = session(Script::new(&["t"])).build().unwrap();
    let mine = AccessToken::new("mine").unwrap();
    let response = session.get(server.url("/f")).token(mine).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(server.tokens(), ["mine"]);
}

#[tokio::test]
async fn attach_for_one_request_wins_over_the_session() {
    let server = Server::http(|_| Reply::ok("public")).await;
    let session = session(Script::new(&["t"])).attach(Attach::Never).build().unwrap();
    session.get(server.url("/f")).attach(Attach::WhenFound).send().await.unwrap();
    session.get(server.url("/f")).attach(Attach::Never).send().await.unwrap();
    assert_eq!(server.tokens(), ["t", "-"]);
}

#[tokio::test]
async fn audience_and_scope_of_the_caller_reach_the_source() {
    let server = Server::http(|_| Reply::ok("public")).await;
    let source = Script::new(&["t"]);
    let session = session(source.clone()).audience("https://client.test").build().unwrap();
    session.get(server.url("/f")).send().await.unwrap();
    let scope: Scope = "storage.read:/vo".parse().unwrap();
    session.get(server.url("/f")).audience("https://request.test").scope(scope).send().await.unwrap();
    let asked = source.asked();
    assert_eq!(asked[0].audience.as_deref(), Some("https://client.test"));
    assert_eq!(asked[1].audience.as_deref(), Some("https://request.test"));
    assert_eq!(asked[1].scopes, ["storage.read:/vo"]);
}

#[tokio::test]
async fn a_scope_is_given_as_text_and_one_that_is_none_is_named_before_a_request() {
    let server = Server::http(|_| Reply::ok("public")).await;
    let source = Script::new(&["t"]);
    let client = session(source.clone()).scope("storage.read:/client").build().unwrap();
    client.get(server.url("/f")).send().await.unwrap();
    client.get(server.url("/f")).scope("read:/a").scope("openid".to_owned()).send().await.unwrap();
    let asked: Vec<_> = source.asked().into_iter().map(|asked| asked.scopes).collect();
    assert_eq!(asked, [vec!["storage.read:/client"], vec!["read:/a", "openid"]]);
    for wrong in ["", "two words", "quo\"te"] {
        let refused = client.get(server.url("/f")).scope(wrong).send().await.unwrap_err();
        assert!(refused.to_string().contains("invalid scope"), "{wrong:?}: {refused}");
    }
    let refused = session(source).scope("a b").build().unwrap_err();
    assert!(refused.to_string().contains("invalid scope"), "{refused}");
    assert_eq!(server.tokens(), ["t", "t"], "no request was sent with an invalid scope");
}

#[tokio::test]
async fn a_function_is_a_source() {
    let server = Server::http(|_| Reply::ok("public")).await;
    let source = source::from_fn(|request| {
        let token = match request.url().path() {
            "/none" => None,
            path => Some(AccessToken::new(format!("for{}", path.replace('/', "-"))).unwrap()),
        };
        async move { Ok(token.map(|token| token.with_max_age(Duration::ZERO))) }
    });
    assert!(format!("{source:?}").starts_with("FnSource"), "{source:?}");
    let asking = session(source).auth(|auth| auth.poll_interval(Duration::ZERO)).build().unwrap();
    for path in ["/a", "/none", "/b"] {
        asking.get(server.url(path)).send().await.unwrap();
    }
    assert_eq!(server.tokens(), ["for-a", "-", "for-b"]);
    let broken = source::from_fn(|_| std::future::ready(Err(SourceError::new("broken"))));
    let requiring = session(broken).attach(Attach::Required).build().unwrap();
    let failure = requiring.get(server.url("/f")).send().await.unwrap_err();
    assert!(Error::find(&failure).unwrap().is_source_broken());
}
