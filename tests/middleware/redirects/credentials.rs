//! A `Location` that carries a credential.

use super::*;

#[tokio::test]
async fn a_location_with_a_credential_in_it_gets_no_header() {
    for query in [
        "authz=Bearer%20x",
        "AUTHZ=x",
        "access_token=x",
        "X-Amz-Signature=x",
        "x-amz-signature=x",
        "AWSAccessKeyId=k&Signature=x&Expires=1",
        "X-Goog-Signature=x",
        "a=b&authz=x",
    ] {
        let server = Place::https("localhost").start(|_| Reply::ok("data")).await;
        let target = server.url(&format!("/end?{query}")).to_string();
        let first = redirecting(Place::https("localhost"), 307, target).await;
        let token = tokens::jwt(&serde_json::json!({"aud": [first.origin(), server.origin()]}));
        session(Script::new(&[&token])).build().unwrap().get(first.url("/start")).send().await.unwrap();
        assert_eq!((first.tokens(), server.tokens()), (vec![token], texts(&["-"])), "{query}");
        assert_eq!(server.seen()[0].target, format!("/end?{query}"));
    }
}

#[tokio::test]
async fn a_query_that_only_looks_like_a_credential_changes_nothing() {
    for query in ["author=x", "path=/authz=", "token_type=x"] {
        let server = redirecting(Place::http(), 307, format!("/end?{query}")).await;
        session(Script::new(&["t"])).build().unwrap().get(server.url("/start")).send().await.unwrap();
        assert_eq!(server.tokens(), ["t", "t"], "{query}");
    }
}

#[tokio::test]
async fn a_credential_in_a_location_over_plain_http_is_refused_with_the_option_that_allows_it() {
    for query in ["authz=Bearer%20x", "access_token=x", "X-Amz-Signature=x"] {
        let server = Place::https("localhost").start(|_| Reply::ok("data")).await;
        let target = server.url_as("http", "localhost", &format!("/end?{query}")).to_string();
        let first = redirecting(Place::https("localhost"), 302, target).await;
        let session = session(Script::new(&["t"])).build().unwrap();
        let error = session.get(first.url("/start")).send().await.unwrap_err();
        let found = Error::find(&error).unwrap();
        assert!(found.is_redirect(), "{found:?}");
        assert!(server.seen().is_empty());
        assert_eq!(found.hint(), Some(Hint::RedirectToHttps));
    }
}

#[tokio::test]
async fn the_token_that_was_sent_is_not_followed_in_clear_in_any_form() {
    let token = "opaque.sent.token-0123456789";
    let encoded = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, token);
    for rest in [
        format!("?%61uthz=Bearer%20{token}"),
        format!("?bearer={token}"),
        format!("?token={token}"),
        format!("?xrd.authz={token}"),
        format!("?anything={token}"),
        format!("?anything=%6f{}", &token[1..]),
        format!("/{token}/f"),
        format!(";session={token}"),
        format!("?x={encoded}"),
        "?Access%5FToken=another".to_owned(),
        "?jwt=another".to_owned(),
    ] {
        let server = Place::https("localhost").start(|_| Reply::ok("data")).await;
        let target = server.url_as("http", "localhost", &format!("/end{rest}")).to_string();
        let first = redirecting(Place::https("localhost"), 302, target).await;
        let refusing = session(Script::new(&[token])).build().unwrap();
        let error = refusing.get(first.url("/start")).send().await.unwrap_err();
        assert!(Error::find(&error).unwrap().is_insecure_origin(), "{rest}: {error}");
        assert_eq!((server.seen().len(), first.tokens()), (0, vec![token.to_owned()]), "{rest}");
        let allowing = session(Script::new(&[token]));
        let allowing =
            allowing.redirect(|redirect| redirect.cleartext(CleartextRedirects::Allow)).build().unwrap();
        let response = allowing.get(first.url("/start")).send().await.unwrap();
        assert_eq!((response.status(), server.tokens()), (StatusCode::OK, vec!["-".to_owned()]), "{rest}");
    }
}

#[tokio::test]
async fn a_credential_of_the_caller_is_not_followed_in_clear_either() {
    let server = Place::https("localhost").start(|_| Reply::ok("data")).await;
    let target = server.url_as("http", "localhost", "/end?q=callers-own-0123456789").to_string();
    let first = redirecting(Place::https("localhost"), 302, target).await;
    let session = session(Script::new(&["-"])).build().unwrap();
    let request =
        session.get(first.url("/start")).header(header::AUTHORIZATION, "Bearer callers-own-0123456789");
    let error = request.send().await.unwrap_err();
    assert!(Error::find(&error).unwrap().is_insecure_origin(), "{error}");
    assert!(server.seen().is_empty());
}
