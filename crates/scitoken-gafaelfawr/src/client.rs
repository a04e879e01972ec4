//! A client of Gafaelfawr's API.

use http::StatusCode;
use http::header::CONTENT_TYPE;
use reqwest::Response;
use reqwest_middleware::{ClientWithMiddleware, RequestBuilder};
use serde::Serialize;
use serde_json::Value;
use url::Url;

use crate::api_error::ApiError;
use crate::error::GafaelfawrError;
use crate::models::create::{AdminTokenRequest, UserTokenRequest};
use crate::models::modify::UserTokenModifyRequest;
use crate::models::token_info::TokenInfo;
use crate::models::user::UserInfo;
use crate::names::Username;
use crate::pydantic::reader::{self, Model, UnknownFields};
use crate::token::{GafaelfawrToken, TokenKey};
use scitoken_types::sys::SharedClock;

/// Where the API is below the server.
const API_PATH: &str = "auth/api/v1";
/// The limit on the size of a response.
const MAX_RESPONSE_BYTES: usize = 16 * 1024 * 1024;

/// A client of Gafaelfawr's API.
///
/// The session attaches the token and replaces a refused one; the client sends each request once.
///
/// # Examples
/// ```no_run
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// use reqwest_scitokens::Session;
/// use scitoken_gafaelfawr::GafaelfawrClient;
///
/// let client = GafaelfawrClient::new(Session::new()?, &"https://data.example.org".parse()?)?;
/// let info = client.token_info().await?;
/// println!("{} may {}", info.base().username(), info.base().scopes());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct GafaelfawrClient {
    http: ClientWithMiddleware,
    base: Url,
    clock: SharedClock,
}

impl GafaelfawrClient {
    /// Returns a client of the server at `server`: the URL of the science platform, or of the API
    /// (`…/auth/api/v1`).
    ///
    /// # Errors
    /// [`GafaelfawrError`] for a URL without a path, such as `data:`.
    pub fn new(http: impl Into<ClientWithMiddleware>, server: &Url) -> Result<Self, GafaelfawrError> {
        let mut base = server.clone();
        base.set_query(None);
        base.set_fragment(None);
        let path = server.path().trim_end_matches('/');
        if !path.ends_with(&format!("/{API_PATH}")) {
            let path = format!("{path}/{API_PATH}");
            base.set_path(&path);
        }
        if base.cannot_be_a_base() {
            return Err(GafaelfawrError::invalid_base_url(server));
        }
        Ok(Self { http: http.into(), base, clock: SharedClock::default() })
    }

    /// Sets the clock that the expiry of requested tokens is checked against.
    pub fn with_clock(mut self, clock: impl Into<SharedClock>) -> Self {
        self.clock = clock.into();
        self
    }

    /// Returns the server's data about the session's token: scopes, expiry and more (`GET token-info`).
    ///
    /// # Errors
    /// [`GafaelfawrError`]; with an [`ApiError`] when the server answered with an error.
    pub async fn token_info(&self) -> Result<TokenInfo, GafaelfawrError> {
        self.get(&["token-info"]).await
    }

    /// Returns the server's data about the user of the session's token (`GET user-info`).
    ///
    /// # Errors
    /// [`GafaelfawrError`]; with an [`ApiError`] when the server answered with an error.
    pub async fn user_info(&self) -> Result<UserInfo, GafaelfawrError> {
        self.get(&["user-info"]).await
    }

    /// Returns the server's data about any user (`GET users/{username}`); requires the scope `admin:userinfo`.
    ///
    /// # Errors
    /// [`GafaelfawrError`]; `not_found` also where the server has no directory of users.
    pub async fn user_info_of(&self, username: &Username) -> Result<UserInfo, GafaelfawrError> {
        self.get(&["users", username.as_str()]).await
    }

    /// Returns the tokens, of all types, of the user of the session's token: [`token_info`](Self::token_info) for the name,
    /// then [`tokens`](Self::tokens).
    ///
    /// # Errors
    /// [`GafaelfawrError`]; also when the token is one of the server's own, which belong to `<bootstrap>`.
    pub async fn own_tokens(&self) -> Result<Vec<TokenInfo>, GafaelfawrError> {
        let info = self.token_info().await?;
        let username = info.base().username();
        self.tokens(&username.parse().map_err(|_| GafaelfawrError::not_a_user(username))?).await
    }

    /// Returns the tokens of a user, of all types (`GET users/{username}/tokens`).
    ///
    /// # Errors
    /// [`GafaelfawrError`]; with an [`ApiError`] when the server answered with an error.
    pub async fn tokens(&self, username: &Username) -> Result<Vec<TokenInfo>, GafaelfawrError> {
        let url = self.url(&["users", username.as_str(), "tokens"]);
        let value = self.send_for_json(self.http.get(url)).await?;
        let Value::Array(tokens) = &value.json else {
            return Err(value.unexpected("a list of tokens"));
        };
        tokens.iter().map(|token| self.read(token).map_err(|error| value.invalid(error))).collect()
    }

    /// Returns one token of a user (`GET users/{username}/tokens/{key}`).
    ///
    /// # Errors
    /// [`GafaelfawrError`]; `not_found` when the user has no such token.
    pub async fn token(&self, username: &Username, key: &TokenKey) -> Result<TokenInfo, GafaelfawrError> {
        self.get(&["users", username.as_str(), "tokens", key.as_str()]).await
    }

    /// Creates a token of the calling user (`POST users/{username}/tokens`). The server discloses it only here.
    ///
    /// ```no_run
    /// use std::time::{Duration, SystemTime};
    /// use scitoken_gafaelfawr::UserTokenRequest;
    ///
    /// # async fn example(client: scitoken_gafaelfawr::GafaelfawrClient) -> Result<(), Box<dyn std::error::Error>> {
    /// let request = UserTokenRequest::new("laptop")?
    ///     .with_scopes(["read:tap"].into_iter().collect())
    ///     .with_expires(SystemTime::now() + Duration::from_secs(30 * 86_400));
    /// let token = client.create_user_token(&"alice".parse()?, &request).await?;
    /// println!("{:?}", token.key());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`GafaelfawrError`]; `duplicate_token_name` when the user has a token of that name. A request
    /// that [`UserTokenRequest::check`] rejects is not sent.
    pub async fn create_user_token(
        &self,
        username: &Username,
        request: &UserTokenRequest,
    ) -> Result<GafaelfawrToken, GafaelfawrError> {
        request.check(self.clock.now())?;
        self.create(&["users", username.as_str(), "tokens"], request).await
    }

    /// Creates a token of a user or a service (`POST tokens`); requires the scope `admin:token`.
    ///
    /// # Errors
    /// [`GafaelfawrError`]; a request that [`AdminTokenRequest::check`] rejects is not sent.
    pub async fn create_token(
        &self,
        request: &AdminTokenRequest,
    ) -> Result<GafaelfawrToken, GafaelfawrError> {
        request.check(self.clock.now())?;
        self.create(&["tokens"], request).await
    }

    /// Changes a user token (`PATCH users/{username}/tokens/{key}`); requires the scope `admin:token`.
    ///
    /// # Errors
    /// [`GafaelfawrError`]; a request that [`UserTokenModifyRequest::check`] rejects is not sent.
    pub async fn modify_token(
        &self,
        username: &Username,
        key: &TokenKey,
        request: &UserTokenModifyRequest,
    ) -> Result<TokenInfo, GafaelfawrError> {
        request.check(self.clock.now())?;
        let url = self.url(&["users", username.as_str(), "tokens", key.as_str()]);
        let value = self.send_for_json(self.http.patch(url).json(request)).await?;
        self.read(&value.json).map_err(|error| value.invalid(error))
    }

    /// Revokes a token and all tokens created from it (`DELETE users/{username}/tokens/{key}`).
    ///
    /// # Errors
    /// [`GafaelfawrError`]; `not_found` when the user has no such token.
    pub async fn delete_token(&self, username: &Username, key: &TokenKey) -> Result<(), GafaelfawrError> {
        let url = self.url(&["users", username.as_str(), "tokens", key.as_str()]);
        self.send(self.http.delete(url)).await.map(drop)
    }

    async fn get<M: Model>(&self, path: &[&str]) -> Result<M, GafaelfawrError> {
        let value = self.send_for_json(self.http.get(self.url(path))).await?;
        self.read(&value.json).map_err(|error| value.invalid(error))
    }

    async fn create(
        &self,
        path: &[&str],
        request: &(impl Serialize + Sync),
    ) -> Result<GafaelfawrToken, GafaelfawrError> {
        let value = self.send_for_json(self.http.post(self.url(path)).json(request)).await?;
        match value.json["token"].as_str().map(str::parse) {
            Some(Ok(token)) => Ok(token),
            _ => Err(value.unexpected("a new token")),
        }
    }

    fn read<M: Model>(&self, value: &Value) -> Result<M, crate::ValidationError> {
        reader::read(value, self.clock.now(), UnknownFields::Ignore)
    }

    fn url(&self, path: &[&str]) -> Url {
        let mut url = self.base.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(path);
        }
        url
    }

    async fn send_for_json(&self, request: RequestBuilder) -> Result<JsonResponse, GafaelfawrError> {
        let RawResponse { url, content_type, body } = self.send(request).await?;
        match serde_json::from_slice(&body) {
            Ok(json) => Ok(JsonResponse { url, json }),
            Err(_) => Err(GafaelfawrError::not_json(&url, content_type.as_deref())),
        }
    }

    /// Sends the request and reads the whole answer, if it is one.
    async fn send(&self, request: RequestBuilder) -> Result<RawResponse, GafaelfawrError> {
        let response = request.send().await.map_err(GafaelfawrError::transport)?;
        let (url, status) = (response.url().clone(), response.status());
        let headers = response.headers().clone();
        let body = read_body(response, &url).await?;
        if !status.is_success() {
            return Err(GafaelfawrError::refused(&url, ApiError::new(status, &headers, &body)));
        }
        if status == StatusCode::NO_CONTENT {
            return Ok(RawResponse { url, content_type: None, body });
        }
        let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).map(str::to_owned);
        Ok(RawResponse { url, content_type, body })
    }
}

/// A successful response.
struct RawResponse {
    url: Url,
    content_type: Option<String>,
    body: Vec<u8>,
}

/// A JSON document and its URL.
struct JsonResponse {
    url: Url,
    json: Value,
}

impl JsonResponse {
    fn invalid(&self, error: crate::ValidationError) -> GafaelfawrError {
        GafaelfawrError::invalid(&self.url, error)
    }

    fn unexpected(&self, expected: &'static str) -> GafaelfawrError {
        GafaelfawrError::unexpected(&self.url, expected)
    }
}

async fn read_body(mut response: Response, url: &Url) -> Result<Vec<u8>, GafaelfawrError> {
    let mut body = Vec::new();
    while let Some(chunk) =
        response.chunk().await.map_err(|error| GafaelfawrError::transport(error.without_url().into()))?
    {
        if body.len() + chunk.len() > MAX_RESPONSE_BYTES {
            return Err(GafaelfawrError::too_long(url, MAX_RESPONSE_BYTES));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}
