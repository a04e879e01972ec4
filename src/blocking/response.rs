//! The response to a blocking request.

use std::future::Future;
use std::io::{self, Read};
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::{Extensions, HeaderMap, StatusCode, Version};
use reqwest_middleware::Result;
use serde::de::DeserializeOwned;
use tokio::runtime::Runtime;
use url::Url;

use crate::auth::{AuthTrace, ResponseExt};
use crate::error;

/// A response; its body is read as it arrives by [`Read`], or at once.
#[derive(Debug)]
pub struct Response {
    inner: reqwest::Response,
    runtime: Arc<Runtime>,
    left: Bytes,
}

impl Response {
    pub(super) fn new(inner: reqwest::Response, runtime: Arc<Runtime>) -> Self {
        Self { inner, runtime, left: Bytes::new() }
    }

    /// Returns the status.
    pub fn status(&self) -> StatusCode {
        self.inner.status()
    }

    /// Returns the version of HTTP.
    pub fn version(&self) -> Version {
        self.inner.version()
    }

    /// Returns the headers.
    pub fn headers(&self) -> &HeaderMap {
        self.inner.headers()
    }

    /// Returns the URL of the response. It may hold a credential; show it by [`SafeUrl`](crate::types::SafeUrl).
    pub fn url(&self) -> &Url {
        self.inner.url()
    }

    /// Returns the address of the server that answered.
    pub fn remote_addr(&self) -> Option<SocketAddr> {
        self.inner.remote_addr()
    }

    /// Returns what middlewares have recorded.
    pub fn extensions(&self) -> &Extensions {
        self.inner.extensions()
    }

    /// Returns the length that the server announced.
    pub fn content_length(&self) -> Option<u64> {
        self.inner.content_length()
    }

    /// Turns a response with a status of 400 and above into an error.
    pub fn error_for_status(self) -> Result<Self> {
        let inner = self.inner.error_for_status().map_err(|error| error::masked(error.into()))?;
        Ok(Self { inner, ..self })
    }

    /// Writes the rest of the body to a writer as it arrives, and returns its length.
    ///
    /// # Errors
    /// The body ended early, or the writer failed.
    pub fn copy_to(&mut self, writer: &mut (impl io::Write + ?Sized)) -> io::Result<u64> {
        io::copy(self, writer)
    }

    /// Reads the rest of the body.
    pub fn bytes(self) -> Result<Bytes> {
        let rest = Self::wait(&self.runtime, self.inner.bytes())?;
        Ok(if self.left.is_empty() { rest } else { [self.left, rest].concat().into() })
    }

    /// Reads the rest of the body as text.
    ///
    /// After a [`Read`], the rest is read as UTF-8, whatever its charset.
    pub fn text(self) -> Result<String> {
        if self.left.is_empty() {
            return Self::wait(&self.runtime, self.inner.text());
        }
        Ok(String::from_utf8_lossy(&self.bytes()?).into_owned())
    }

    /// Reads the rest of the body as JSON.
    pub fn json<T: DeserializeOwned>(self) -> Result<T> {
        if self.left.is_empty() {
            return Self::wait(&self.runtime, self.inner.json());
        }
        serde_json::from_slice(&self.bytes()?).map_err(reqwest_middleware::Error::middleware)
    }

    fn wait<T>(runtime: &Runtime, future: impl Future<Output = reqwest::Result<T>>) -> Result<T> {
        runtime.block_on(future).map_err(|error| error::masked(error.into()))
    }
}

impl ResponseExt for Response {
    fn auth_trace(&self) -> Option<&AuthTrace> {
        self.inner.auth_trace()
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
