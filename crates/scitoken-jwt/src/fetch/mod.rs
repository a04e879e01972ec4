//! Fetches the documents of an issuer over HTTP: metadata and key sets.
//!
//! A document is trusted because of its origin, so it comes over `https` from the URL that the caller gives, and the
//! request carries no credentials.

mod encoding;
mod error;

use std::fmt;
use std::time::Duration;

use http::StatusCode;
use http::header::{ACCEPT, ACCEPT_ENCODING, LOCATION};
use reqwest::Client;
use serde::de::DeserializeOwned;
use url::Url;

use scitoken_types::{Origin, SafeUrl};

pub use error::FetchError;

use crate::keys::JwkSet;
use error::FetchProblem;

/// The default size limit of a document in bytes.
pub const DEFAULT_LIMIT: usize = 1024 * 1024;

/// The default time limit of a document.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);

/// The most redirects that are followed.
const MOST_REDIRECTS: usize = 5;

/// Fetches JSON documents with the caller's HTTP client.
///
/// * Only `https`, or plain `http` to this machine if that is [enabled](Self::dangerously_allow_http_on_loopback). Up
///   to five redirects are followed, each to such a URL. An answer that the client reached by following a redirect
///   itself is refused, because no step of it was checked: build the client with `redirect::Policy::none()`.
///   `reqwest_scitokens::RedirectMiddleware` leaves redirects to this type.
/// * At most 1 MiB, decoded, and 10 seconds by default. `identity` is requested; gzip and deflate are decoded where
///   they come all the same.
/// * No credentials: a URL with a user name is refused, because reqwest turns it into a header, and the middleware of
///   `reqwest-scitokens` attaches no token.
///
/// ```no_run
/// use scitoken_jwt::fetch::Fetcher;
///
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build()?;
/// let fetcher = Fetcher::new(client).with_limit(64 * 1024);
/// let keys = fetcher.key_set(&"https://issuer.example.org/jwks".parse()?).await?;
/// # let _ = keys;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Fetcher {
    client: Client,
    limit: usize,
    timeout: Duration,
    http_on_loopback: bool,
    follows_redirects: bool,
}

/// A fetched document.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct FetchedDocument {
    /// The body.
    pub body: Vec<u8>,
    /// The URL of the last redirect.
    pub url: Url,
}

impl Fetcher {
    /// Returns a fetcher that uses this client.
    pub fn new(client: Client) -> Self {
        Self {
            client,
            limit: DEFAULT_LIMIT,
            timeout: DEFAULT_TIMEOUT,
            http_on_loopback: false,
            follows_redirects: true,
        }
    }

    /// Sets the size limit in bytes.
    pub fn with_limit(mut self, bytes: usize) -> Self {
        self.limit = bytes;
        self
    }

    /// Sets the time limit, from the start of the request to the end of the body.
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Accepts documents over plain `http` from this machine, where every local process can answer. For tests.
    pub fn dangerously_allow_http_on_loopback(mut self) -> Self {
        self.http_on_loopback = true;
        self
    }

    /// Refuses an answer that comes from another URL than the requested one.
    pub fn refuse_redirects(mut self) -> Self {
        self.follows_redirects = false;
        self
    }

    /// Fetches a document.
    ///
    /// # Errors
    /// [`FetchError`] names what is wrong with the URL, the connection or the answer.
    pub async fn get(&self, url: &Url) -> Result<FetchedDocument, FetchError> {
        self.check(url)?;
        tokio::time::timeout(self.timeout, self.exchange(url))
            .await
            .unwrap_or_else(|_| Err(FetchError::new(url, FetchProblem::TooSlow(self.timeout))))
    }

    /// Fetches a document and parses it as JSON.
    ///
    /// # Errors
    /// As [`get`](Self::get), and if the document is not JSON of this type.
    pub async fn json<T: DeserializeOwned>(&self, url: &Url) -> Result<T, FetchError> {
        let document = self.get(url).await?;
        serde_json::from_slice(scitoken_types::without_byte_order_mark(&document.body))
            .map_err(|error| FetchError::new(&document.url, FetchProblem::NotJson(error)))
    }

    /// Fetches a key set. The cache headers of the answer are ignored: many issuers forbid the caching that
    /// verification needs.
    ///
    /// # Errors
    /// As [`get`](Self::get), and if the document is not a key set.
    pub async fn key_set(&self, url: &Url) -> Result<JwkSet, FetchError> {
        let document = self.get(url).await?;
        JwkSet::parse(&document.body)
            .map_err(|error| FetchError::new(&document.url, FetchProblem::NotKeys(error)))
    }

    async fn exchange(&self, url: &Url) -> Result<FetchedDocument, FetchError> {
        let mut response = self.send(url).await?;
        for _ in 0..if self.follows_redirects { MOST_REDIRECTS } else { 0 } {
            let Some(next) = redirect(&response) else { break };
            self.check(&next)?;
            response = self.send(&next).await?;
        }
        let url = response.url().clone();
        if response.status() != StatusCode::OK {
            return Err(FetchError::new(&url, FetchProblem::Status(response.status())));
        }
        let too_large = || FetchError::new(&url, FetchProblem::TooLarge(self.limit));
        let announced = response.content_length().unwrap_or(0);
        if usize::try_from(announced).map_or(true, |length| length > self.limit) {
            return Err(too_large());
        }
        let encoding = encoding::check(&response).map_err(|problem| FetchError::new(&url, problem))?;
        let mut body = Vec::new();
        loop {
            let chunk = response.chunk().await;
            let chunk = chunk
                .map_err(|e| FetchError::new(&url, FetchProblem::Transport(Box::new(e.without_url()))))?;
            let Some(chunk) = chunk else {
                let body = encoding::decode(body, encoding, self.limit)
                    .map_err(|problem| FetchError::new(&url, problem))?;
                return Ok(FetchedDocument { body, url });
            };
            if chunk.len() > self.limit - body.len() {
                return Err(too_large());
            }
            body.extend_from_slice(&chunk);
        }
    }

    async fn send(&self, url: &Url) -> Result<reqwest::Response, FetchError> {
        let request = self.client.get(url.clone());
        let request = request.header(ACCEPT, "application/json").header(ACCEPT_ENCODING, "identity");
        let response = request
            .send()
            .await
            .map_err(|error| FetchError::new(url, FetchProblem::Transport(Box::new(error.without_url()))))?;
        // A client that follows redirects has skipped the check of each step.
        if response.url() != url {
            let to = SafeUrl::new(response.url()).to_string();
            let problem = if self.follows_redirects {
                FetchProblem::Followed(to)
            } else {
                FetchProblem::Redirected(to)
            };
            return Err(FetchError::new(url, problem));
        }
        Ok(response)
    }

    fn check(&self, url: &Url) -> Result<(), FetchError> {
        let is_trusted = Origin::try_from(url)
            .is_ok_and(|origin| origin.is_https() || (self.http_on_loopback && origin.is_loopback()));
        if !is_trusted {
            return Err(FetchError::new(url, FetchProblem::NotHttps));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(FetchError::new(url, FetchProblem::Credentials));
        }
        Ok(())
    }
}

impl fmt::Debug for Fetcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fetcher")
            .field("limit", &self.limit)
            .field("timeout", &self.timeout)
            .field("http_on_loopback", &self.http_on_loopback)
            .finish_non_exhaustive()
    }
}

/// Returns the target of a redirect; `None` for any other answer.
fn redirect(response: &reqwest::Response) -> Option<Url> {
    if !response.status().is_redirection() {
        return None;
    }
    let location = response.headers().get(LOCATION)?.to_str().ok()?;
    response.url().join(location).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_https_without_credentials_is_asked() {
        let client = Client::builder().build().unwrap();
        let fetcher = Fetcher::new(client);
        let refusal = |fetcher: &Fetcher, url: &str| {
            fetcher.check(&Url::parse(url).unwrap()).map_err(|error| error.to_string())
        };
        assert!(refusal(&fetcher, "https://issuer.example/jwks").is_ok());
        assert!(refusal(&fetcher, "http://issuer.example/").unwrap_err().contains("is not https"));
        assert!(refusal(&fetcher, "http://127.0.0.1/").is_err());
        assert!(refusal(&fetcher, "file:///etc/passwd").is_err());
        assert_eq!(
            refusal(&fetcher, "https://me:pw@issuer.example/").unwrap_err(),
            "`https://…@issuer.example/` has a user name; keys are fetched without credentials"
        );
        let fetcher = fetcher.dangerously_allow_http_on_loopback();
        assert!(refusal(&fetcher, "http://127.0.0.1/").is_ok());
        assert!(refusal(&fetcher, "http://issuer.example/").is_err());
    }
}
