//! A blocking client, for programs that are not async.
//!
//! A [`Session`] has a runtime of its own and waits on it. Like `reqwest::blocking` it panics on a thread that runs async
//! code: use the async [`Session`](crate::Session) there, or `tokio::task::spawn_blocking`.
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

mod request;
mod response;

use std::fmt;
use std::sync::Arc;

use http::Method;
use reqwest::{Body, IntoUrl, Request};
use reqwest_middleware::{ClientWithMiddleware, Result};
use tokio::runtime::Runtime;

use crate::client::SessionBuilder;
use crate::error::{Error, Kind};
use crate::stated_url::start;

pub use request::RequestBuilder;
pub use response::Response;

/// A client for science data servers that finds tokens and attaches them; see [`Session`](crate::Session).
///
/// Cloning is cheap. Several threads may use it at once.
///
/// ```no_run
/// use reqwest_scitokens::ResponseExt;
/// use reqwest_scitokens::blocking::Session;
///
/// # fn run() -> Result<(), Box<dyn std::error::Error>> {
/// let response = Session::new()?.get("https://data.example.org/vo/file").query(&[("version", "2")]).send()?;
/// if let Some(explanation) = response.explain() {
///     eprintln!("{explanation}");
/// }
/// let size = response.error_for_status()?.copy_to(&mut std::fs::File::create("file")?)?;
/// # let _ = size;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Session {
    client: ClientWithMiddleware,
    runtime: Arc<Runtime>,
}

impl Session {
    /// Returns a session with tokens from [`Discovery`](crate::Discovery).
    ///
    /// # Errors
    /// When the HTTP client or the runtime cannot be built.
    pub fn new() -> std::result::Result<Self, Error> {
        Self::builder().build_blocking()
    }

    /// Returns a builder for a custom session, which [`build_blocking`](SessionBuilder::build_blocking) ends.
    ///
    /// ```no_run
    /// use reqwest_scitokens::{Attach, blocking};
    ///
    /// let session = blocking::Session::builder().attach(Attach::Required).build_blocking()?;
    /// # let _ = session;
    /// # Ok::<(), reqwest_scitokens::Error>(())
    /// ```
    pub fn builder() -> SessionBuilder {
        crate::Session::builder()
    }

    /// Wraps a client of reqwest-middleware.
    ///
    /// The client must not have been used on another runtime.
    ///
    /// # Errors
    /// When the runtime cannot be built.
    pub fn from_client(client: impl Into<ClientWithMiddleware>) -> std::result::Result<Self, Error> {
        // One worker, so that connections live on between requests.
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("scitokens-http")
            .enable_all()
            .build()
            .map_err(Kind::Runtime)?;
        Ok(Self { client: client.into(), runtime: Arc::new(runtime) })
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
        RequestBuilder::new(start(&self.client, method, url), Arc::clone(&self.runtime))
    }

    /// Sends a request that was [built](RequestBuilder::build) before, and waits for the head of the response.
    ///
    /// # Errors
    /// As the async client's.
    ///
    /// # Panics
    /// On a thread that runs async code.
    pub fn execute(&self, request: Request) -> Result<Response> {
        let inner = self.runtime.block_on(self.client.execute(request))?;
        Ok(Response::new(inner, Arc::clone(&self.runtime)))
    }
}

impl SessionBuilder {
    /// Builds a session for a program that is not async.
    ///
    /// # Errors
    /// As [`build`](Self::build), and when the runtime cannot be built.
    #[cfg_attr(docsrs, doc(cfg(feature = "blocking")))]
    pub fn build_blocking(self) -> std::result::Result<Session, Error> {
        Session::from_client(self.build()?)
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("client", &self.client).finish_non_exhaustive()
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
