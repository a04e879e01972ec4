//! Gafaelfawr's API, over any of our sessions.

use http::StatusCode;
use http::header::CONTENT_TYPE;
use reqwest::Response;
use reqwest_middleware::{ClientWithMiddleware, RequestBuilder};
use serde::Serialize;
use serde_json::Value;
use url::Url;

use super::error::ClientError;
use super::info::TokenInfo;
use super::modify::UserTokenModifyRequest;
use super::names::Username;
use super::reader::{self, Model, Unknown};
use super::refusal::Refusal;
use super::request::{AdminTokenRequest, UserTokenRequest};
use super::token::{Token, TokenKey};
use super::user::UserInfo;
use crate::sys::SharedClock;

/// Where the API is below the server.
const API: &str = "auth/api/v1";
/// No answer of the API comes near this; what does is none of it.
const LONGEST_ANSWER: usize = 16 * 1024 * 1024;

/// A client of one Gafaelfawr.
///
/// Tokens are attached by the session that it is given; the client itself has none. It never asks twice: whether a
/// refused token is replaced is the session's business.
///
/// # Examples
/// ```no_run
/// # async fn run(session: reqwest_middleware::ClientWithMiddleware) -> Result<(), Box<dyn std::error::Error>> {
/// use reqwest_scitokens::gafaelfawr::Client;
///
/// let client = Client::new(session, &"https://data.example.org".parse()?)?;
/// let info = client.token_info().await?;
/// println!("{} may {}", info.base().username(), info.base().scopes());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Client {
    http: ClientWithMiddleware,
    base: Url,
    clock: SharedClock,
}

impl Client {
    /// A client of the Gafaelfawr at `server`: the address of the science platform, or of the API itself
    /// (`…/auth/api/v1`).
    ///
    /// # Errors
    /// When the URL is none that has paths, such as `data:`.
    pub fn new(http: ClientWithMiddleware, server: &Url) -> Result<Self, ClientError> {
        let mut base = server.clone();
        base.set_query(None);
        base.set_fragment(None);
        let path = server.path().trim_end_matches('/');
        if !path.ends_with(&format!("/{API}")) {
            let path = format!("{path}/{API}");
            base.set_path(&path);
        }
        if base.cannot_be_a_base() {
            return Err(ClientError::no_server(server));
        }
        Ok(Self { http, base, clock: SharedClock::default() })
    }

    /// Uses another clock, by which the lifetimes of requested tokens are checked.
    pub fn with_clock(mut self, clock: impl Into<SharedClock>) -> Self {
        self.clock = clock.into();
        self
    }

    /// What the server knows about the session's token (`GET token-info`): its scopes and its end, among others.
    ///
    /// # Errors
    /// [`ClientError`]; with a [`Refusal`] when the server answered with an error.
    pub async fn token_info(&self) -> Result<TokenInfo, ClientError> {
        self.get(&["token-info"]).await
    }

    /// What the server knows about the user of the session's token (`GET user-info`).
    ///
    /// # Errors
    /// [`ClientError`]; with a [`Refusal`] when the server answered with an error.
    pub async fn user_info(&self) -> Result<UserInfo, ClientError> {
        self.get(&["user-info"]).await
    }

    /// What the server knows about any user (`GET users/{username}`); the token needs `admin:userinfo`.
    ///
    /// # Errors
    /// [`ClientError`]; `not_found` also where the server has no directory of users.
    pub async fn user_info_of(&self, username: &Username) -> Result<UserInfo, ClientError> {
        self.get(&["users", username.as_str()]).await
    }

    /// The tokens of the user of the session's token, of every type: [`token_info`](Self::token_info) for the name,
    /// then [`tokens`](Self::tokens).
    ///
    /// # Errors
    /// [`ClientError`]; also when the token is one of the server's own, which belong to `<bootstrap>`.
    pub async fn own_tokens(&self) -> Result<Vec<TokenInfo>, ClientError> {
        let info = self.token_info().await?;
        let username = info.base().username();
        self.tokens(&username.parse().map_err(|_| ClientError::no_user(username))?).await
    }

    /// The tokens of a user (`GET users/{username}/tokens`), of every type.
    ///
    /// # Errors
    /// [`ClientError`]; with a [`Refusal`] when the server answered with an error.
    pub async fn tokens(&self, username: &Username) -> Result<Vec<TokenInfo>, ClientError> {
        let url = self.url(&["users", username.as_str(), "tokens"]);
        let value = self.ask(self.http.get(url)).await?;
        let Value::Array(tokens) = &value.json else {
            return Err(value.misfit("a list of tokens"));
        };
        tokens.iter().map(|token| self.read(token).map_err(|error| value.invalid(error))).collect()
    }

    /// One token of a user (`GET users/{username}/tokens/{key}`).
    ///
    /// # Errors
    /// [`ClientError`]; `not_found` when the user has no such token.
    pub async fn token(&self, username: &Username, key: &TokenKey) -> Result<TokenInfo, ClientError> {
        self.get(&["users", username.as_str(), "tokens", key.as_str()]).await
    }

    /// Makes a token for oneself (`POST users/{username}/tokens`). It is shown this once.
    ///
    /// # Errors
    /// [`ClientError`]; `duplicate_token_name` when the user has a token of that name. A token that would live less
    /// than five minutes is not asked for.
    pub async fn create_user_token(
        &self,
        username: &Username,
        request: &UserTokenRequest,
    ) -> Result<Token, ClientError> {
        request.check(self.clock.now())?;
        self.create(&["users", username.as_str(), "tokens"], request).await
    }

    /// Makes a token for a user or a service (`POST tokens`); the session's token needs `admin:token`.
    ///
    /// # Errors
    /// [`ClientError`]; what [`AdminTokenRequest::check`] refuses is not asked for.
    pub async fn create_token(&self, request: &AdminTokenRequest) -> Result<Token, ClientError> {
        request.check(self.clock.now())?;
        self.create(&["tokens"], request).await
    }

    /// Changes a user token (`PATCH users/{username}/tokens/{key}`); the session's token needs `admin:token`.
    ///
    /// # Errors
    /// [`ClientError`]; what [`UserTokenModifyRequest::check`] refuses is not asked for.
    pub async fn modify_token(
        &self,
        username: &Username,
        key: &TokenKey,
        request: &UserTokenModifyRequest,
    ) -> Result<TokenInfo, ClientError> {
        request.check(self.clock.now())?;
        let url = self.url(&["users", username.as_str(), "tokens", key.as_str()]);
        let value = self.ask(self.http.patch(url).json(request)).await?;
        self.read(&value.json).map_err(|error| value.invalid(error))
    }

    /// Revokes a token (`DELETE users/{username}/tokens/{key}`), and those that were made from it.
    ///
    /// # Errors
    /// [`ClientError`]; `not_found` when the user has no such token.
    pub async fn delete_token(&self, username: &Username, key: &TokenKey) -> Result<(), ClientError> {
        let url = self.url(&["users", username.as_str(), "tokens", key.as_str()]);
        self.send(self.http.delete(url)).await.map(drop)
    }

    async fn get<M: Model>(&self, path: &[&str]) -> Result<M, ClientError> {
        let value = self.ask(self.http.get(self.url(path))).await?;
        self.read(&value.json).map_err(|error| value.invalid(error))
    }

    async fn create(&self, path: &[&str], request: &(impl Serialize + Sync)) -> Result<Token, ClientError> {
        let value = self.ask(self.http.post(self.url(path)).json(request)).await?;
        match value.json["token"].as_str().map(str::parse) {
            Some(Ok(token)) => Ok(token),
            _ => Err(value.misfit("a new token")),
        }
    }

    fn read<M: Model>(&self, value: &Value) -> Result<M, super::ValidationError> {
        reader::read(value, self.clock.now(), Unknown::Ignored)
    }

    fn url(&self, path: &[&str]) -> Url {
        let mut url = self.base.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(path);
        }
        url
    }

    async fn ask(&self, request: RequestBuilder) -> Result<Answer, ClientError> {
        let Received { url, content_type, body } = self.send(request).await?;
        match serde_json::from_slice(&body) {
            Ok(json) => Ok(Answer { url, json }),
            Err(_) => Err(ClientError::no_json(&url, content_type.as_deref())),
        }
    }

    /// Sends the request and reads the whole answer, if it is one.
    async fn send(&self, request: RequestBuilder) -> Result<Received, ClientError> {
        let response = request.send().await.map_err(ClientError::transport)?;
        let (url, status) = (response.url().clone(), response.status());
        let headers = response.headers().clone();
        let body = read_body(response, &url).await?;
        if !status.is_success() {
            return Err(ClientError::refused(&url, Refusal::new(status, &headers, &body)));
        }
        if status == StatusCode::NO_CONTENT {
            return Ok(Received { url, content_type: None, body });
        }
        let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).map(str::to_owned);
        Ok(Received { url, content_type, body })
    }
}

/// A response that is no error.
struct Received {
    url: Url,
    content_type: Option<String>,
    body: Vec<u8>,
}

/// An answer in JSON, and where it came from.
struct Answer {
    url: Url,
    json: Value,
}

impl Answer {
    fn invalid(&self, error: super::ValidationError) -> ClientError {
        ClientError::invalid(&self.url, error)
    }

    fn misfit(&self, wanted: &'static str) -> ClientError {
        ClientError::misfit(&self.url, wanted)
    }
}

async fn read_body(mut response: Response, url: &Url) -> Result<Vec<u8>, ClientError> {
    let mut body = Vec::new();
    while let Some(chunk) =
        response.chunk().await.map_err(|error| ClientError::transport(error.without_url().into()))?
    {
        if body.len() + chunk.len() > LONGEST_ANSWER {
            return Err(ClientError::too_long(url, LONGEST_ANSWER));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}
