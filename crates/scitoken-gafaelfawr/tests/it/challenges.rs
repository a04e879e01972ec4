//! What the middleware does after Gafaelfawr's error responses, and what the caller learns.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails there")]

use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, Response, StatusCode};
use reqwest_scitokens::auth::{AuthOptions, AuthOutcome, AuthTrace, ForbiddenReplay, Placement};
use reqwest_scitokens::source::TokenSource;
use reqwest_scitokens::{
    AccessToken, Attach, RequestBuilderExt, ResponseExt, Session, SourceError, TokenRequest,
};
use scitoken_gafaelfawr::{ApiError, GafaelfawrClient, GafaelfawrToken, SuggestedAction};

const OLD: &str = "gt-MLF5MB3Peg79wEC0BY8U8Q.ChbkqEyp3EIJ2e_1Sqff3w";
const NEW: &str = "gt-5KVApqcVbSQWtO3VIRgOhQ.DGO1OnPohl0r3C7wqhzRgQ";

/// A recorded answer of Gafaelfawr, by its name among the vectors.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Case(&'static str);

/// A service behind Gafaelfawr: it accepts the new token and answers other requests with the recorded case.
#[derive(Clone, Debug)]
struct Service {
    case: Case,
    /// The credentials of each request.
    seen: Arc<Mutex<Vec<String>>>,
    url: url::Url,
}

impl Service {
    async fn refusing(case: &'static str) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap()).parse().unwrap();
        let service = Self { case: Case(case), seen: Arc::default(), url };
        let app = Router::new().fallback(answer).with_state(service.clone());
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        service
    }

    fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }
}

async fn answer(State(service): State<Service>, headers: HeaderMap) -> Response<Body> {
    let authorization = headers.get("authorization");
    let scheme = authorization.and_then(|value| value.to_str().ok()?.split_whitespace().next());
    let token = authorization.and_then(|value| GafaelfawrToken::from_authorization(value).ok().flatten());
    let shown = match (&scheme, &token) {
        (Some(scheme), Some(token)) => format!("{scheme} {}", token.key()),
        (Some(scheme), None) => (*scheme).to_owned(),
        (None, _) => "nothing".to_owned(),
    };
    service.seen.lock().unwrap().push(shown);
    if token.is_some_and(|token| token.expose_secret() == NEW) {
        let info =
            r#"{"token": "5KVApqcVbSQWtO3VIRgOhQ", "username": "u", "token_type": "user", "scopes": []}"#;
        return Response::new(Body::from(info));
    }
    service.case.response()
}

impl Case {
    fn response(self) -> Response<Body> {
        let vectors: serde_json::Value = serde_json::from_str(include_str!("../data/vectors.json")).unwrap();
        let case = vectors["challenges"].as_array().unwrap().iter().find(|case| case["name"] == self.0);
        let case = case.unwrap_or_else(|| panic!("no case `{}`", self.0));
        let status = u16::try_from(case["status"].as_u64().unwrap()).unwrap();
        let mut response = Response::builder().status(StatusCode::from_u16(status).unwrap());
        for (name, value) in case["headers"].as_object().unwrap() {
            response = response.header(name, value.as_str().unwrap());
        }
        response.body(Body::from(case["body"].to_string())).unwrap()
    }
}

/// A source that returns one token after the other, and then repeats the last one.
#[derive(Debug)]
struct Tokens(Mutex<Vec<&'static str>>);

impl Tokens {
    fn new(tokens: &[&'static str]) -> Self {
        Self(Mutex::new(tokens.iter().rev().copied().collect()))
    }
}

impl TokenSource for Tokens {
    async fn token(&self, _: &TokenRequest<'_>) -> Result<Option<AccessToken>, SourceError> {
        let mut tokens = self.0.lock().unwrap();
        let token = if tokens.len() > 1 { tokens.pop() } else { tokens.last().copied() };
        Ok(token.map(|token| AccessToken::from(&token.parse::<GafaelfawrToken>().unwrap())))
    }
}

fn session(tokens: &[&'static str]) -> Session {
    Session::builder().source(Tokens::new(tokens)).http(reqwest::ClientBuilder::no_proxy).build().unwrap()
}

/// Sends one request; returns the response and the trace.
async fn ask(session: &Session, service: &Service, options: AuthOptions) -> (ApiError, AuthTrace) {
    let response = session.get(service.url.clone()).auth(|_| options).send().await.unwrap();
    let trace = response.auth_trace().cloned().unwrap();
    let (status, headers) = (response.status(), response.headers().clone());
    (ApiError::new(status, &headers, &response.bytes().await.unwrap()), trace)
}

fn why(trace: &AuthTrace) -> String {
    match trace.outcome() {
        AuthOutcome::Refused(why) => why.to_string(),
        other => format!("{other:?}"),
    }
}

const WITH_OLD: &str = "Bearer MLF5MB3Peg79wEC0BY8U8Q";
const WITH_NEW: &str = "Bearer 5KVApqcVbSQWtO3VIRgOhQ";

#[tokio::test]
async fn without_credentials_a_token_is_attached_and_tried_once() {
    let service = Service::refusing("no credentials").await;
    let on_challenge = || AuthOptions::new().attach(Attach::OnChallenge);
    let (answer, trace) = ask(&session(&[NEW]), &service, on_challenge()).await;
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(trace.outcome(), &AuthOutcome::AnsweredReplay);
    assert_eq!(service.seen(), ["nothing", WITH_NEW]);

    let service = Service::refusing("no credentials").await;
    let (answer, _) = ask(&session(&[OLD]), &service, on_challenge()).await;
    assert_eq!(answer.suggested_action(), SuggestedAction::AttachToken);
    assert_eq!(service.seen(), ["nothing", WITH_OLD], "tried once");
}

#[tokio::test]
async fn an_invalid_token_is_final_unless_the_source_has_another() {
    for case in ["token unknown", "lifetime too short"] {
        let service = Service::refusing(case).await;
        let (answer, trace) = ask(&session(&[OLD]), &service, AuthOptions::new()).await;
        assert_eq!(answer.suggested_action(), SuggestedAction::ReplaceToken);
        assert_eq!(why(&trace), "no other token is available");
        assert_eq!(service.seen(), [WITH_OLD], "{case}");

        let service = Service::refusing(case).await;
        let (answer, trace) = ask(&session(&[OLD, NEW]), &service, AuthOptions::new()).await;
        assert_eq!(answer.status(), StatusCode::OK);
        assert_eq!(trace.outcome(), &AuthOutcome::AnsweredReplay);
        assert_eq!(service.seen(), [WITH_OLD, WITH_NEW], "{case}");
    }
}

#[tokio::test]
async fn a_missing_scope_is_final_and_explained_with_the_scopes() {
    let service = Service::refusing("missing scope").await;
    let (answer, trace) = ask(&session(&[OLD]), &service, AuthOptions::new()).await;
    assert_eq!(service.seen(), [WITH_OLD]);
    assert_eq!(answer.required_scopes().to_string(), "exec:admin exec:test");
    assert_eq!(answer.suggested_action(), SuggestedAction::RequestScopes);
    let explanation = trace.explain().unwrap().to_string();
    assert!(explanation.contains("does not permit this (exec:admin exec:test)"), "{explanation}");
}

#[tokio::test]
async fn a_403_for_ajax_is_a_401_under_the_policy_for_403() {
    let service = Service::refusing("no credentials, AJAX").await;
    let options = || AuthOptions::new().attach(Attach::OnChallenge);
    let (answer, _) = ask(&session(&[NEW]), &service, options()).await;
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(service.seen(), ["nothing", WITH_NEW]);

    let service = Service::refusing("no credentials, AJAX").await;
    let (answer, trace) = ask(&session(&[NEW]), &service, options().forbidden(ForbiddenReplay::Never)).await;
    assert_eq!(answer.suggested_action(), SuggestedAction::AttachToken);
    assert_eq!(why(&trace), "the server forbids the request");
    assert_eq!(service.seen(), ["nothing"]);
}

#[tokio::test]
async fn a_basic_challenge_gets_no_token() {
    let service = Service::refusing("no credentials, basic").await;
    let options = AuthOptions::new().attach(Attach::OnChallenge);
    let (answer, trace) = ask(&session(&[NEW]), &service, options).await;
    assert_eq!(answer.basic_realm(), Some("example.com"));
    assert_eq!(why(&trace), "the server did not ask for a bearer token");
    assert_eq!(service.seen(), ["nothing"]);
}

#[tokio::test]
async fn a_malformed_request_and_a_rate_limit_are_not_repeated() {
    let service = Service::refusing("malformed Authorization").await;
    let (answer, _) = ask(&session(&[OLD]), &service, AuthOptions::new()).await;
    assert_eq!(
        (answer.status(), answer.suggested_action()),
        (StatusCode::BAD_REQUEST, SuggestedAction::None)
    );
    assert_eq!(service.seen(), [WITH_OLD]);

    let service = Service::refusing("rate limit").await;
    let (answer, _) = ask(&session(&[OLD]), &service, AuthOptions::new()).await;
    assert_eq!(
        (answer.status(), answer.suggested_action()),
        (StatusCode::TOO_MANY_REQUESTS, SuggestedAction::Wait)
    );
    let reset = SystemTime::UNIX_EPOCH + Duration::from_secs(1_614_986_130);
    assert_eq!(answer.retry_after(SystemTime::UNIX_EPOCH), Some(reset));
    let limit = answer.rate_limit().unwrap();
    assert_eq!((limit.limit(), limit.used(), limit.remaining()), (10, Some(11), Some(0)));
    assert_eq!((limit.resource(), limit.reset()), (Some("api"), Some(reset)));
    assert_eq!(service.seen(), [WITH_OLD]);
}

#[tokio::test]
async fn a_token_can_go_as_basic_credentials() {
    let service = Service::refusing("no credentials").await;
    let options = AuthOptions::new().placement(Placement::XOauthBasic);
    let (answer, _) = ask(&session(&[NEW]), &service, options).await;
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(service.seen(), ["Basic 5KVApqcVbSQWtO3VIRgOhQ"]);
}

#[tokio::test]
async fn the_client_uses_the_tokens_of_the_session() {
    let service = Service::refusing("token unknown").await;
    let client = GafaelfawrClient::new(session(&[OLD, NEW]), &service.url).unwrap();
    assert_eq!(client.token_info().await.unwrap().key().as_str(), "5KVApqcVbSQWtO3VIRgOhQ");
    assert_eq!(service.seen(), [WITH_OLD, WITH_NEW]);

    let service = Service::refusing("token unknown").await;
    let client = GafaelfawrClient::new(session(&[OLD]), &service.url).unwrap();
    let error = client.token_info().await.unwrap_err();
    assert_eq!(error.api_error().map(ApiError::suggested_action), Some(SuggestedAction::ReplaceToken));
    assert_eq!(error.suggested_action(), SuggestedAction::ReplaceToken);
    assert!(!format!("{error:?} {error}").contains("ChbkqEyp"));
}
