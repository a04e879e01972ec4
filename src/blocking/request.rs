//! A request of a blocking session.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Body, Request};
use reqwest_middleware::Result;
use serde::Serialize;
use tokio::runtime::Runtime;

use super::response::Response;
use crate::auth::{AuthOptions, RequestBuilderExt};
use crate::error;

/// A request to be sent; [`send`](Self::send) sends it and waits.
///
/// [`RequestBuilderExt`] gives it `token`, `audience`, `attach` and the rest.
#[must_use = "a request does nothing until it is sent"]
#[derive(Debug)]
pub struct RequestBuilder {
    inner: reqwest_middleware::RequestBuilder,
    runtime: Arc<Runtime>,
}

impl RequestBuilder {
    pub(super) fn new(inner: reqwest_middleware::RequestBuilder, runtime: Arc<Runtime>) -> Self {
        Self { inner, runtime }
    }

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
    ///
    /// A file is sent without reading it into memory by a stream; many servers, XRootD among them, need its length:
    ///
    /// ```no_run
    /// # fn run(session: &reqwest_scitokens::blocking::Session) -> Result<(), Box<dyn std::error::Error>> {
    /// let file = std::fs::File::open("run1.root")?;
    /// let length = file.metadata()?.len();
    /// session
    ///     .put("https://data.example.org/vo/run1.root")
    ///     .header("content-length", length)
    ///     .body(tokio::fs::File::from_std(file))
    ///     .send()?
    ///     .error_for_status()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn body(self, body: impl Into<Body>) -> Self {
        self.map(|inner| inner.body(body))
    }

    /// Sets the body to this value as JSON.
    pub fn json<T: Serialize + ?Sized>(self, value: &T) -> Self {
        self.map(|inner| inner.json(value))
    }

    /// Adds parameters to the query of the URL.
    pub fn query<T: Serialize + ?Sized>(self, query: &T) -> Self {
        self.map(|inner| inner.query(query))
    }

    /// Sets the body to this value as an HTML form.
    pub fn form<T: Serialize + ?Sized>(self, form: &T) -> Self {
        self.map(|inner| inner.form(form))
    }

    /// Limits the time for the whole request, the body of the response included.
    pub fn timeout(self, timeout: Duration) -> Self {
        self.map(|inner| inner.timeout(timeout))
    }

    /// Sends a user name and a password instead of a token.
    pub fn basic_auth(self, username: impl fmt::Display, password: Option<impl fmt::Display>) -> Self {
        self.map(|inner| inner.basic_auth(username, password))
    }

    /// Returns the request, for [`Session::execute`](super::Session::execute).
    ///
    /// # Errors
    /// The URL, a header or the body is not valid.
    pub fn build(self) -> Result<Request> {
        self.inner.build().map_err(|error| error::explained(error.into()))
    }

    /// Sends the request and waits for the head of the response.
    ///
    /// # Errors
    /// As the async client's.
    ///
    /// # Panics
    /// On a thread that runs async code.
    pub fn send(self) -> Result<Response> {
        let inner = self.runtime.block_on(self.inner.send()).map_err(error::explained)?;
        Ok(Response::new(inner, self.runtime))
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
