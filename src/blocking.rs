//! The same for programs that are not async.
//!
//! A [`Session`] holds a small runtime and waits on it. Like `reqwest::blocking` it must not be used on a thread that
//! runs async code, where it panics: use the async [`Session`](crate::Session) there, or
//! `tokio::task::spawn_blocking`, where it works.
//!
//! ```no_run
//! # fn run() -> Result<(), Box<dyn std::error::Error>> {
//! use reqwest_scitokens::blocking::scitoken_get;
//!
//! let data = scitoken_get("https://data.example.org/vo/file")?.error_for_status()?.bytes()?;
//! # let _ = data;
//! # Ok(())
//! # }
//! ```

use std::fmt;
use std::future::Future;
use std::io::{self, Read};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use reqwest::{Body, IntoUrl};
use reqwest_middleware::{ClientWithMiddleware, Result};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::runtime::Runtime;
use url::Url;

use crate::auth::{AuthOptions, AuthTrace, Explanation, RequestBuilderExt, ResponseExt};
use crate::client::SessionBuilder;
use crate::error::{self, Error, Kind};

/// A client for science data servers that finds tokens and attaches them; see [`Session`](crate::Session).
///
/// Cloning is cheap. Several threads may use it at once.
#[derive(Clone)]
pub struct Session {
    client: ClientWithMiddleware,
    runtime: Arc<Runtime>,
}

impl Session {
    /// A session with tokens from [`Discovery`](crate::Discovery).
    ///
    /// # Errors
    /// When the HTTP client or the runtime cannot be built.
    pub fn new() -> std::result::Result<Self, Error> {
        Self::from_builder(crate::Session::builder())
    }

    /// A session to one's own wishes.
    ///
    /// # Errors
    /// As [`SessionBuilder::build`], and when the runtime cannot be built.
    pub fn from_builder(builder: SessionBuilder) -> std::result::Result<Self, Error> {
        Self::from_client(builder.build()?.into())
    }

    /// A session over any client of reqwest-middleware.
    ///
    /// The client must not have been used on another runtime.
    ///
    /// # Errors
    /// When the runtime cannot be built.
    pub fn from_client(client: ClientWithMiddleware) -> std::result::Result<Self, Error> {
        // One worker, so that connections live on between requests.
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("scitokens-http")
            .enable_all()
            .build()
            .map_err(Kind::Runtime)?;
        Ok(Self { client, runtime: Arc::new(runtime) })
    }

    /// Starts a `GET` request.
    pub fn get(&self, url: impl IntoUrl) -> RequestBuilder {
        self.request(Method::GET, url)
    }

    /// Starts a `HEAD` request.
    pub fn head(&self, url: impl IntoUrl) -> RequestBuilder {
        self.request(Method::HEAD, url)
    }

    /// Starts a `POST` request.
    pub fn post(&self, url: impl IntoUrl) -> RequestBuilder {
        self.request(Method::POST, url)
    }

    /// Starts a `PUT` request.
    pub fn put(&self, url: impl IntoUrl) -> RequestBuilder {
        self.request(Method::PUT, url)
    }

    /// Starts a `PATCH` request.
    pub fn patch(&self, url: impl IntoUrl) -> RequestBuilder {
        self.request(Method::PATCH, url)
    }

    /// Starts a `DELETE` request.
    pub fn delete(&self, url: impl IntoUrl) -> RequestBuilder {
        self.request(Method::DELETE, url)
    }

    /// Starts a request with any method.
    pub fn request(&self, method: Method, url: impl IntoUrl) -> RequestBuilder {
        RequestBuilder { inner: self.client.request(method, url), runtime: Arc::clone(&self.runtime) }
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("client", &self.client).finish_non_exhaustive()
    }
}

/// A request that is being put together; [`send`](Self::send) sends it and waits.
///
/// [`RequestBuilderExt`] gives it `token`, `audience`, `attach` and the rest.
#[must_use = "a request does nothing until it is sent"]
#[derive(Debug)]
pub struct RequestBuilder {
    inner: reqwest_middleware::RequestBuilder,
    runtime: Arc<Runtime>,
}

impl RequestBuilder {
    /// Adds a header.
    pub fn header<K, V>(self, name: K, value: V) -> Self
    where
        HeaderName: TryFrom<K>,
        <HeaderName as TryFrom<K>>::Error: Into<http::Error>,
        HeaderValue: TryFrom<V>,
        <HeaderValue as TryFrom<V>>::Error: Into<http::Error>,
    {
        self.map(|inner| inner.header(name, value))
    }

    /// Adds headers, replacing those of the same names.
    pub fn headers(self, headers: HeaderMap) -> Self {
        self.map(|inner| inner.headers(headers))
    }

    /// Sets the body.
    pub fn body(self, body: impl Into<Body>) -> Self {
        self.map(|inner| inner.body(body))
    }

    /// Sets the body to this value as JSON.
    pub fn json<T: Serialize + ?Sized>(self, value: &T) -> Self {
        self.map(|inner| inner.json(value))
    }

    /// Limits the time for the whole request, the body of the answer included.
    pub fn timeout(self, timeout: Duration) -> Self {
        self.map(|inner| inner.timeout(timeout))
    }

    /// Sends the request and waits for the head of the answer.
    ///
    /// # Errors
    /// As the async client's.
    ///
    /// # Panics
    /// On a thread that runs async code.
    pub fn send(self) -> Result<Response> {
        let inner = self.runtime.block_on(self.inner.send())?;
        Ok(Response { inner, runtime: self.runtime, left: Bytes::new() })
    }

    fn map(
        self,
        change: impl FnOnce(reqwest_middleware::RequestBuilder) -> reqwest_middleware::RequestBuilder,
    ) -> Self {
        Self { inner: change(self.inner), runtime: self.runtime }
    }
}

impl RequestBuilderExt for RequestBuilder {
    fn auth(self, change: impl FnOnce(AuthOptions) -> AuthOptions) -> Self {
        self.map(|inner| inner.auth(change))
    }

    fn replayable_body(self, make: impl Fn() -> Body + Send + Sync + 'static) -> Self {
        self.map(|inner| inner.replayable_body(make))
    }
}

/// An answer; its body is read as it comes by [`Read`], or at once.
#[derive(Debug)]
pub struct Response {
    inner: reqwest::Response,
    runtime: Arc<Runtime>,
    left: Bytes,
}

impl Response {
    /// The status.
    pub fn status(&self) -> StatusCode {
        self.inner.status()
    }

    /// The headers.
    pub fn headers(&self) -> &HeaderMap {
        self.inner.headers()
    }

    /// Where the answer came from. It can hold a credential; show it by [`SafeUrl`](crate::SafeUrl).
    pub fn url(&self) -> &Url {
        self.inner.url()
    }

    /// The length that the server has announced.
    pub fn content_length(&self) -> Option<u64> {
        self.inner.content_length()
    }

    /// Turns an answer with a status of 400 and above into an error.
    pub fn error_for_status(self) -> Result<Self> {
        let inner = self.inner.error_for_status().map_err(|error| error::masked(error.into()))?;
        Ok(Self { inner, ..self })
    }

    /// The whole body.
    ///
    /// What was taken by [`Read`] before is not in it.
    pub fn bytes(self) -> Result<Bytes> {
        let rest = Self::wait(&self.runtime, self.inner.bytes())?;
        Ok(if self.left.is_empty() { rest } else { [self.left, rest].concat().into() })
    }

    /// The whole body as text.
    ///
    /// After some of it was taken by [`Read`], what is left is taken for UTF-8.
    pub fn text(self) -> Result<String> {
        if self.left.is_empty() {
            return Self::wait(&self.runtime, self.inner.text());
        }
        Ok(String::from_utf8_lossy(&self.bytes()?).into_owned())
    }

    /// The whole body, parsed as JSON.
    pub fn json<T: DeserializeOwned>(self) -> Result<T> {
        if self.left.is_empty() {
            return Self::wait(&self.runtime, self.inner.json());
        }
        serde_json::from_slice(&self.bytes()?).map_err(reqwest_middleware::Error::middleware)
    }

    fn wait<T>(runtime: &Runtime, future: impl Future<Output = reqwest::Result<T>>) -> Result<T> {
        runtime.block_on(future).map_err(|error| error::masked(error.into()))
    }

    /// What happened to the request; see [`ResponseExt::auth_trace`].
    pub fn auth_trace(&self) -> Option<&AuthTrace> {
        self.inner.auth_trace()
    }

    /// Why the server refused, if it did; see [`AuthTrace::explain`].
    pub fn explain(&self) -> Option<Explanation> {
        self.inner.explain()
    }
}

impl Read for Response {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.left.is_empty() {
            // The error's URL could hold a credential.
            let chunk = self.runtime.block_on(self.inner.chunk());
            match chunk.map_err(|error| io::Error::other(error.without_url()))? {
                Some(chunk) => self.left = chunk,
                None => return Ok(0),
            }
        }
        let length = buffer.len().min(self.left.len());
        buffer[..length].copy_from_slice(&self.left.split_to(length));
        Ok(length)
    }
}

/// Sends a `GET` with the token that is found for it; see [`scitoken_get`](crate::scitoken_get).
pub fn scitoken_get(url: impl IntoUrl) -> Result<Response> {
    scitoken_request(Method::GET, url)?.send()
}

/// Sends a `HEAD` with the token that is found for it.
pub fn scitoken_head(url: impl IntoUrl) -> Result<Response> {
    scitoken_request(Method::HEAD, url)?.send()
}

/// Sends a `DELETE` with the token that is found for it.
pub fn scitoken_delete(url: impl IntoUrl) -> Result<Response> {
    scitoken_request(Method::DELETE, url)?.send()
}

/// Sends a `POST` with the token that is found for it.
pub fn scitoken_post(url: impl IntoUrl, body: impl Into<Body>) -> Result<Response> {
    scitoken_request(Method::POST, url)?.body(body).send()
}

/// Sends a `PUT` with the token that is found for it.
pub fn scitoken_put(url: impl IntoUrl, body: impl Into<Body>) -> Result<Response> {
    scitoken_request(Method::PUT, url)?.body(body).send()
}

/// Sends a `PATCH` with the token that is found for it.
pub fn scitoken_patch(url: impl IntoUrl, body: impl Into<Body>) -> Result<Response> {
    scitoken_request(Method::PATCH, url)?.body(body).send()
}

/// Starts a request with any method; see [`scitoken_request`](crate::scitoken_request).
///
/// # Errors
/// Those of a session that cannot be built.
pub fn scitoken_request(method: Method, url: impl IntoUrl) -> Result<RequestBuilder> {
    Ok(Session::new()?.request(method, url))
}
