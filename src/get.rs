//! One function for one request.

use http::Method;
use reqwest::{Body, IntoUrl, Response};
use reqwest_middleware::{RequestBuilder, Result};

use crate::client::Session;
use crate::error;
use crate::stated_url::stated;

/// Sends a `GET` with the token that is found for it.
///
/// Each call builds a [`Session`]; for more than a few requests keep one, so that connections and tokens are reused.
///
/// # Errors
/// Those of the connection, and those of a session that cannot be built; see [`Error::find`](crate::Error::find). A
/// response with a status such as `404` is no error.
///
/// # Examples
/// ```no_run
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// use reqwest_scitokens::scitoken_get;
///
/// let data = scitoken_get("https://data.example.org/vo/file").await?.error_for_status()?.bytes().await?;
/// # let _ = data;
/// # Ok(())
/// # }
/// ```
pub async fn scitoken_get(url: impl IntoUrl) -> Result<Response> {
    send(scitoken_request(Method::GET, url)?).await
}

/// Sends a `HEAD` with the token that is found for it; see [`scitoken_get`].
pub async fn scitoken_head(url: impl IntoUrl) -> Result<Response> {
    send(scitoken_request(Method::HEAD, url)?).await
}

/// Sends a `DELETE` with the token that is found for it; see [`scitoken_get`].
pub async fn scitoken_delete(url: impl IntoUrl) -> Result<Response> {
    send(scitoken_request(Method::DELETE, url)?).await
}

/// Sends a `POST` with the token that is found for it; see [`scitoken_get`].
pub async fn scitoken_post(url: impl IntoUrl, body: impl Into<Body>) -> Result<Response> {
    send(scitoken_request(Method::POST, url)?.body(body)).await
}

/// Sends a `PUT` with the token that is found for it; see [`scitoken_get`].
pub async fn scitoken_put(url: impl IntoUrl, body: impl Into<Body>) -> Result<Response> {
    send(scitoken_request(Method::PUT, url)?.body(body)).await
}

/// Sends a `PATCH` with the token that is found for it; see [`scitoken_get`].
pub async fn scitoken_patch(url: impl IntoUrl, body: impl Into<Body>) -> Result<Response> {
    send(scitoken_request(Method::PATCH, url)?.body(body)).await
}

/// Starts a request with any method, to which headers, a body and [options](crate::RequestBuilderExt) can be added.
///
/// # Errors
/// Those of a session that cannot be built, and those of a URL that is not valid.
///
/// # Examples
/// ```no_run
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// use http::Method;
/// use reqwest_scitokens::{RequestBuilderExt, scitoken_request};
///
/// let answer = scitoken_request(Method::from_bytes(b"PROPFIND")?, "https://data.example.org/vo/")?
///     .header("Depth", "1")
///     .audience("https://data.example.org")
///     .send()
///     .await?;
/// # let _ = answer;
/// # Ok(())
/// # }
/// ```
pub fn scitoken_request(method: Method, url: impl IntoUrl) -> Result<RequestBuilder> {
    let url = stated(url).map_err(|invalid| error::explained(invalid.into()))?;
    Ok(Session::new()?.request(method, url))
}

async fn send(request: RequestBuilder) -> Result<Response> {
    request.send().await.map_err(error::explained)
}
