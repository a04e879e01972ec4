//! The client against a server that answers as Gafaelfawr's API does.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails there")]

use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{Request, Response, StatusCode};
use http_body_util::BodyExt;
use reqwest_middleware::ClientWithMiddleware;
use reqwest_scitokens::gafaelfawr::{
    AdminTokenRequest, Client, RequestProblem, Scopes, TokenKey, TokenType, UserTokenModifyRequest,
    UserTokenRequest, Username,
};
use reqwest_scitokens::sys::ManualClock;

const KEY: &str = "MLF5MB3Peg79wEC0BY8U8Q";
const NEW: &str = "gt-5KVApqcVbSQWtO3VIRgOhQ.DGO1OnPohl0r3C7wqhzRgQ";

pub(crate) type Answer = (u16, &'static [(&'static str, &'static str)], &'static str);

/// A server with one answer, or one for each path, and the requests that it saw: method, path and body.
#[derive(Clone, Debug)]
pub(crate) struct Server {
    seen: Arc<Mutex<Vec<String>>>,
    answers: Vec<(&'static str, Answer)>,
    pub(crate) url: url::Url,
}

impl Server {
    pub(crate) async fn answering(answer: Answer) -> Self {
        Self::answering_at(&[("", answer)]).await
    }

    /// Answers where the path ends so.
    pub(crate) async fn answering_at(answers: &[(&'static str, Answer)]) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
        let server = Self { seen: Arc::default(), answers: answers.to_vec(), url };
        let app = Router::new().fallback(reply).with_state(server.clone());
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        server
    }

    fn client(&self) -> Client {
        let http: ClientWithMiddleware = reqwest::Client::builder().no_proxy().build().unwrap().into();
        Client::new(http, &self.url).unwrap().with_clock(ManualClock::at_epoch_seconds(1_616_000_000))
    }

    pub(crate) fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }
}

async fn reply(State(server): State<Server>, request: Request<Body>) -> Response<Body> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let line = format!("{} {} {}", head.method, head.uri, String::from_utf8_lossy(&body));
    server.seen.lock().unwrap().push(line.trim_end().to_owned());
    let answer = server.answers.iter().find(|(path, _)| head.uri.path().ends_with(path));
    let (status, headers, body) = answer.map_or((404, [].as_slice(), ""), |(_, answer)| *answer);
    let mut response = Response::builder().status(StatusCode::from_u16(status).unwrap());
    for (name, value) in headers {
        response = response.header(*name, *value);
    }
    response.body(Body::from(body)).unwrap()
}

fn user() -> Username {
    "someuser".parse().unwrap()
}

fn key() -> TokenKey {
    KEY.parse().unwrap()
}

pub(crate) const INFO: &str = r#"{"token": "MLF5MB3Peg79wEC0BY8U8Q", "username": "someuser", "token_type": "user",
    "scopes": ["read:all", "user:token"], "created": 1614986130, "expires": 1616986130,
    "token_name": "laptop token", "from_a_newer_server": true}"#;

#[tokio::test]
async fn token_info_tells_what_an_opaque_token_does_not() {
    let server = Server::answering((200, &[], INFO)).await;
    let info = server.client().token_info().await.unwrap();
    assert_eq!(info.key(), &key());
    assert_eq!(info.base().token_type(), TokenType::User);
    assert!(info.base().scopes().contains("read:all"));
    let expires = SystemTime::UNIX_EPOCH + Duration::from_secs(1_616_986_130);
    assert_eq!(info.base().expires(), Some(expires));
    assert_eq!(server.seen(), ["GET /auth/api/v1/token-info"]);
}

#[tokio::test]
async fn user_info_of_a_newer_server_is_read_as_far_as_it_is_known() {
    let answer = r#"{"username": "someuser", "uid": 4123, "quota": {"api": {"tap": 5}, "gpu": {"x": 1}}}"#;
    let server = Server::answering((200, &[], answer)).await;
    let user_info = server.client().user_info().await.unwrap();
    assert_eq!(user_info.uid(), Some(4123));
    assert_eq!(user_info.quota().unwrap().api("tap"), Some(5));
    server.client().user_info_of(&user()).await.unwrap();
    assert_eq!(server.seen(), ["GET /auth/api/v1/user-info", "GET /auth/api/v1/users/someuser"]);
}

#[tokio::test]
async fn tokens_are_listed_with_their_names() {
    let list: &'static str = format!("[{INFO}, {}]", INFO.replace("laptop", "phone")).leak();
    let server = Server::answering((200, &[], list)).await;
    let tokens = server.client().tokens(&user()).await.unwrap();
    let names: Vec<_> = tokens.iter().filter_map(|token| token.token_name()).collect();
    assert_eq!(names, ["laptop token", "phone token"]);
    assert_eq!(server.seen(), ["GET /auth/api/v1/users/someuser/tokens"]);
}

#[tokio::test]
async fn own_tokens_are_those_of_the_user_of_the_token() {
    let server =
        Server::answering_at(&[("/token-info", (200, &[], INFO)), ("/tokens", (200, &[], "[]"))]).await;
    assert!(server.client().own_tokens().await.unwrap().is_empty());
    assert_eq!(server.seen(), ["GET /auth/api/v1/token-info", "GET /auth/api/v1/users/someuser/tokens"]);

    let info: &'static str = INFO.replace("someuser", "..").leak();
    let server = Server::answering((200, &[], info)).await;
    let error = server.client().own_tokens().await.unwrap_err();
    assert_eq!(error.to_string(), "the token belongs to `..`, who is no user");
    assert_eq!(server.seen(), ["GET /auth/api/v1/token-info"]);
}

#[tokio::test]
async fn a_key_with_any_characters_stays_one_segment_of_the_path() {
    let server = Server::answering((200, &[], INFO)).await;
    server.client().token(&user(), &"../../%2e?x#/////////é".parse().unwrap()).await.unwrap();
    assert_eq!(
        server.seen(),
        ["GET /auth/api/v1/users/someuser/tokens/..%2F..%2F%252e%3Fx%23%2F%2F%2F%2F%2F%2F%2F%2F%2F%C3%A9"]
    );
}

#[tokio::test]
async fn a_new_token_is_asked_for_and_shown_once() {
    let headers: &[(&str, &str)] =
        &[("location", "/auth/api/v1/users/someuser/tokens/5KVApqcVbSQWtO3VIRgOhQ")];
    let body: &'static str = format!(r#"{{"token": "{NEW}"}}"#).leak();
    let server = Server::answering((201, headers, body)).await;
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
async fn only_what_is_to_change_is_sent() {
    let server = Server::answering((200, &[], INFO)).await;
    let request = UserTokenModifyRequest::new().never_expiring();
    server.client().modify_token(&user(), &key(), &request).await.unwrap();
    assert_eq!(
        server.seen(),
        [format!(r#"PATCH /auth/api/v1/users/someuser/tokens/{KEY} {{"expires":null}}"#)]
    );
}

#[tokio::test]
async fn a_revoked_token_needs_no_answer() {
    let server = Server::answering((204, &[], "")).await;
    server.client().delete_token(&user(), &key()).await.unwrap();
    assert_eq!(server.seen(), [format!("DELETE /auth/api/v1/users/someuser/tokens/{KEY}")]);
}

#[tokio::test]
async fn what_the_server_would_refuse_is_not_sent() {
    let server = Server::answering((500, &[], "")).await;
    let client = server.client();
    let soon = SystemTime::UNIX_EPOCH + Duration::from_secs(1_616_000_299);
    let request = UserTokenRequest::new("n").unwrap().with_expires(soon);
    let error = client.create_user_token(&user(), &request).await.unwrap_err();
    assert_eq!(error.request_problem(), Some(&RequestProblem::ExpiresTooSoon));
    let robot = AdminTokenRequest::for_service("robot".parse().unwrap());
    assert!(client.create_token(&robot).await.unwrap_err().request_problem().is_some());
    let change = UserTokenModifyRequest::new().with_expires(soon);
    assert!(client.modify_token(&user(), &key(), &change).await.unwrap_err().request_problem().is_some());
    assert!(server.seen().is_empty());
}

#[tokio::test]
async fn a_refusal_is_told_with_what_it_means() {
    let headers: &[(&str, &str)] =
        &[("x-error-status", "429"), ("retry-after", "Fri, 05 Mar 2021 23:15:30 GMT")];
    let body = r#"{"detail": [{"msg": "Rate limit exceeded", "type": "rate_limited"}]}"#;
    let server = Server::answering((403, headers, body)).await;
    let error = server.client().token_info().await.unwrap_err();
    assert_eq!(error.status().unwrap().as_u16(), 429);
    let url = format!("{}auth/api/v1/token-info", server.url);
    assert_eq!(
        error.to_string(),
        format!("Gafaelfawr answered `{url}` with 429 rate_limited: Rate limit exceeded")
    );
    let time = error.refusal().unwrap().retry_after(SystemTime::UNIX_EPOCH).unwrap();
    assert_eq!(time, SystemTime::UNIX_EPOCH + Duration::from_secs(1_614_986_130));
}

#[tokio::test]
async fn errors_of_the_api_keep_their_status_and_type() {
    for (status, kind) in [(403, "permission_denied"), (404, "not_found"), (409, "duplicate_token_name")] {
        let body: &'static str = format!(r#"{{"detail": [{{"msg": "m", "type": "{kind}"}}]}}"#).leak();
        let server = Server::answering((status, &[], body)).await;
        let error = server.client().delete_token(&user(), &key()).await.unwrap_err();
        assert_eq!(error.status().unwrap().as_u16(), status);
        assert_eq!(error.refusal().unwrap().kind(), Some(kind));
    }
}

#[tokio::test]
async fn a_login_page_is_no_answer() {
    let server = Server::answering((200, &[("content-type", "text/html")], "<html>log in</html>")).await;
    let error = server.client().token_info().await.unwrap_err();
    assert!(error.to_string().ends_with("is `text/html`, not JSON"), "{error}");
    assert!(error.hint().unwrap().contains("login page"));
}

#[tokio::test]
async fn an_answer_that_is_no_model_is_told_field_by_field() {
    let server = Server::answering((200, &[], r#"{"username": ""}"#)).await;
    let error = server.client().user_info().await.unwrap_err();
    let cause = std::error::Error::source(&error).unwrap().to_string();
    assert_eq!(cause, "this is no `UserInfo`: `username`: string should have at least 1 character");
    assert!(server.client().tokens(&user()).await.unwrap_err().to_string().ends_with("not a list of tokens"));
    let request = UserTokenRequest::new("n").unwrap();
    let error = server.client().create_user_token(&user(), &request).await.unwrap_err();
    assert!(error.to_string().ends_with("is not a new token"), "{error}");
}

#[tokio::test]
async fn the_address_of_the_platform_and_of_the_api_are_the_same_thing() {
    let server = Server::answering((200, &[], INFO)).await;
    for path in ["", "/", "/auth/api/v1", "/auth/api/v1/", "/?x=1#y"] {
        let url = server.url.join(path).unwrap();
        let http: ClientWithMiddleware = reqwest::Client::builder().no_proxy().build().unwrap().into();
        Client::new(http, &url).unwrap().token_info().await.unwrap();
    }
    assert_eq!(server.seen(), ["GET /auth/api/v1/token-info"; 5]);
    let http: ClientWithMiddleware = reqwest::Client::builder().no_proxy().build().unwrap().into();
    let error = Client::new(http, &"data:,x".parse().unwrap()).unwrap_err();
    assert!(error.to_string().ends_with("is not the address of a server"));
}
