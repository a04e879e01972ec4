//! The client against a server that answers as Gafaelfawr's API does.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails there")]

use std::time::{Duration, SystemTime};

use reqwest_middleware::ClientWithMiddleware;
use scitoken_gafaelfawr::{
    AdminTokenRequest, GafaelfawrClient, InvalidTokenRequest, Scopes, SuggestedAction, TokenKey, TokenType,
    UserTokenModifyRequest, UserTokenRequest, Username,
};
use scitoken_test_support::gafaelfawr::{GafaelfawrServer, INFO};
use scitoken_types::sys::ManualClock;

const KEY: &str = "MLF5MB3Peg79wEC0BY8U8Q";
const NEW: &str = "gt-5KVApqcVbSQWtO3VIRgOhQ.DGO1OnPohl0r3C7wqhzRgQ";

trait ClientOf {
    fn client(&self) -> GafaelfawrClient;
}

impl ClientOf for GafaelfawrServer {
    fn client(&self) -> GafaelfawrClient {
        let http: ClientWithMiddleware = reqwest::Client::builder().no_proxy().build().unwrap().into();
        GafaelfawrClient::new(http, &self.url)
            .unwrap()
            .with_clock(ManualClock::at_epoch_seconds(1_616_000_000))
    }
}

fn user() -> Username {
    "someuser".parse().unwrap()
}

fn key() -> TokenKey {
    KEY.parse().unwrap()
}

#[tokio::test]
async fn token_info_returns_what_an_opaque_token_does_not_contain() {
    let server = GafaelfawrServer::answering((200, &[], INFO)).await;
    let info = server.client().token_info().await.unwrap();
    assert_eq!(info.key(), &key());
    assert_eq!(info.base().token_type(), TokenType::User);
    assert!(info.base().scopes().contains("read:all"));
    let expires = SystemTime::UNIX_EPOCH + Duration::from_secs(1_616_986_130);
    assert_eq!(info.base().expires(), Some(expires));
    assert_eq!(server.seen(), ["GET /auth/api/v1/token-info"]);
}

#[tokio::test]
async fn unknown_fields_of_a_newer_server_are_ignored() {
    let answer = r#"{"username": "someuser", "uid": 4123, "quota": {"api": {"tap": 5}, "gpu": {"x": 1}}}"#;
    let server = GafaelfawrServer::answering((200, &[], answer)).await;
    let user_info = server.client().user_info().await.unwrap();
    assert_eq!(user_info.uid(), Some(4123));
    assert_eq!(user_info.quota().unwrap().api("tap"), Some(5));
    server.client().user_info_of(&user()).await.unwrap();
    assert_eq!(server.seen(), ["GET /auth/api/v1/user-info", "GET /auth/api/v1/users/someuser"]);
}

#[tokio::test]
async fn tokens_are_listed_with_their_names() {
    let list: &'static str = format!("[{INFO}, {}]", INFO.replace("laptop", "phone")).leak();
    let server = GafaelfawrServer::answering((200, &[], list)).await;
    let tokens = server.client().tokens(&user()).await.unwrap();
    let names: Vec<_> = tokens.iter().filter_map(|token| token.token_name()).collect();
    assert_eq!(names, ["laptop token", "phone token"]);
    assert_eq!(server.seen(), ["GET /auth/api/v1/users/someuser/tokens"]);
}

#[tokio::test]
async fn own_tokens_are_those_of_the_user_of_the_token() {
    let server =
        GafaelfawrServer::answering_at(&[("/token-info", (200, &[], INFO)), ("/tokens", (200, &[], "[]"))])
            .await;
    assert!(server.client().own_tokens().await.unwrap().is_empty());
    assert_eq!(server.seen(), ["GET /auth/api/v1/token-info", "GET /auth/api/v1/users/someuser/tokens"]);

    let info: &'static str = INFO.replace("someuser", "..").leak();
    let server = GafaelfawrServer::answering((200, &[], info)).await;
    let error = server.client().own_tokens().await.unwrap_err();
    assert_eq!(error.to_string(), "the token belongs to `..`, which is not a user");
    assert_eq!(server.seen(), ["GET /auth/api/v1/token-info"]);
}

#[tokio::test]
async fn a_key_with_any_characters_stays_one_segment_of_the_path() {
    let server = GafaelfawrServer::answering((200, &[], INFO)).await;
    server.client().token(&user(), &"../../%2e?x#/////////é".parse().unwrap()).await.unwrap();
    assert_eq!(
        server.seen(),
        ["GET /auth/api/v1/users/someuser/tokens/..%2F..%2F%252e%3Fx%23%2F%2F%2F%2F%2F%2F%2F%2F%2F%C3%A9"]
    );
}

#[tokio::test]
async fn a_new_token_is_requested_and_returned() {
    let headers: &[(&str, &str)] =
        &[("location", "/auth/api/v1/users/someuser/tokens/5KVApqcVbSQWtO3VIRgOhQ")];
    let body: &'static str = format!(r#"{{"token": "{NEW}"}}"#).leak();
    let server = GafaelfawrServer::answering((201, headers, body)).await;
    let request = UserTokenRequest::new("laptop")
        .unwrap()
        .with_scopes(Scopes::from_comma_separated("read:all"))
        .with_expires(SystemTime::UNIX_EPOCH + Duration::from_secs(1_616_986_130));
    let token = server.client().create_user_token(&user(), &request).await.unwrap();
    assert_eq!(token.expose_secret(), NEW);
    let request = AdminTokenRequest::for_service("bot-x".parse().unwrap());
    server.client().create_token(&request).await.unwrap();
    assert_eq!(
        server.seen(),
        [
            r#"POST /auth/api/v1/users/someuser/tokens {"token_name":"laptop","scopes":["read:all"],"expires":"2021-03-29T02:48:50Z"}"#,
            r#"POST /auth/api/v1/tokens {"username":"bot-x","token_type":"service","token_name":null,"scopes":[],"expires":null,"name":null,"email":null,"uid":null,"gid":null,"groups":null}"#,
        ]
    );
}

#[tokio::test]
async fn only_changed_fields_are_sent() {
    let server = GafaelfawrServer::answering((200, &[], INFO)).await;
    let request = UserTokenModifyRequest::new().never_expiring();
    server.client().modify_token(&user(), &key(), &request).await.unwrap();
    assert_eq!(
        server.seen(),
        [format!(r#"PATCH /auth/api/v1/users/someuser/tokens/{KEY} {{"expires":null}}"#)]
    );
}

#[tokio::test]
async fn a_token_is_revoked_without_a_response_body() {
    let server = GafaelfawrServer::answering((204, &[], "")).await;
    server.client().delete_token(&user(), &key()).await.unwrap();
    assert_eq!(server.seen(), [format!("DELETE /auth/api/v1/users/someuser/tokens/{KEY}")]);
}

#[tokio::test]
async fn an_invalid_request_is_not_sent() {
    let server = GafaelfawrServer::answering((500, &[], "")).await;
    let client = server.client();
    let soon = SystemTime::UNIX_EPOCH + Duration::from_secs(1_616_000_299);
    let request = UserTokenRequest::new("n").unwrap().with_expires(soon);
    let error = client.create_user_token(&user(), &request).await.unwrap_err();
    assert_eq!(error.invalid_request(), Some(&InvalidTokenRequest::ExpiresTooSoon));
    let robot = AdminTokenRequest::for_service("robot".parse().unwrap());
    assert!(client.create_token(&robot).await.unwrap_err().invalid_request().is_some());
    let change = UserTokenModifyRequest::new().with_expires(soon);
    assert!(client.modify_token(&user(), &key(), &change).await.unwrap_err().invalid_request().is_some());
    assert!(server.seen().is_empty());
}

#[tokio::test]
async fn an_error_response_is_shown_with_its_intended_status() {
    let headers: &[(&str, &str)] =
        &[("x-error-status", "429"), ("retry-after", "Fri, 05 Mar 2021 23:15:30 GMT")];
    let body = r#"{"detail": [{"msg": "Rate limit exceeded", "type": "rate_limited"}]}"#;
    let server = GafaelfawrServer::answering((403, headers, body)).await;
    let error = server.client().token_info().await.unwrap_err();
    assert_eq!(error.status().unwrap().as_u16(), 429);
    let url = format!("{}auth/api/v1/token-info", server.url);
    assert_eq!(error.to_string(), format!("`{url}` returned 429 rate_limited: Rate limit exceeded"));
    let time = error.api_error().unwrap().retry_after(SystemTime::UNIX_EPOCH).unwrap();
    assert_eq!(time, SystemTime::UNIX_EPOCH + Duration::from_secs(1_614_986_130));
}

#[tokio::test]
async fn errors_of_the_api_keep_their_status_and_type() {
    for (status, kind) in [(403, "permission_denied"), (404, "not_found"), (409, "duplicate_token_name")] {
        let body: &'static str = format!(r#"{{"detail": [{{"msg": "m", "type": "{kind}"}}]}}"#).leak();
        let server = GafaelfawrServer::answering((status, &[], body)).await;
        let error = server.client().delete_token(&user(), &key()).await.unwrap_err();
        assert_eq!(error.status().unwrap().as_u16(), status);
        assert_eq!(error.api_error().unwrap().kind(), Some(kind));
    }
}

#[tokio::test]
async fn a_login_page_is_an_error() {
    let server =
        GafaelfawrServer::answering((200, &[("content-type", "text/html")], "<html>log in</html>")).await;
    let error = server.client().token_info().await.unwrap_err();
    assert!(error.to_string().ends_with("returned `text/html` instead of JSON"), "{error}");
    assert_eq!(error.suggested_action(), SuggestedAction::CheckUrl);
}

#[tokio::test]
async fn an_invalid_model_is_reported_field_by_field() {
    let server = GafaelfawrServer::answering((200, &[], r#"{"username": ""}"#)).await;
    let error = server.client().user_info().await.unwrap_err();
    let cause = std::error::Error::source(&error).unwrap().to_string();
    assert_eq!(cause, "invalid `UserInfo`: `username`: string should have at least 1 character");
    assert!(
        server
            .client()
            .tokens(&user())
            .await
            .unwrap_err()
            .to_string()
            .ends_with("did not return a list of tokens")
    );
    let request = UserTokenRequest::new("n").unwrap();
    let error = server.client().create_user_token(&user(), &request).await.unwrap_err();
    assert!(error.to_string().ends_with("did not return a new token"), "{error}");
}

#[tokio::test]
async fn the_urls_of_the_platform_and_of_the_api_are_equivalent() {
    let server = GafaelfawrServer::answering((200, &[], INFO)).await;
    for path in ["", "/", "/auth/api/v1", "/auth/api/v1/", "/?x=1#y"] {
        let url = server.url.join(path).unwrap();
        let http: ClientWithMiddleware = reqwest::Client::builder().no_proxy().build().unwrap().into();
        GafaelfawrClient::new(http, &url).unwrap().token_info().await.unwrap();
    }
    assert_eq!(server.seen(), ["GET /auth/api/v1/token-info"; 5]);
    let http: ClientWithMiddleware = reqwest::Client::builder().no_proxy().build().unwrap().into();
    let error = GafaelfawrClient::new(http, &"data:,x".parse().unwrap()).unwrap_err();
    assert!(error.to_string().ends_with("is not the URL of a server"));
}
