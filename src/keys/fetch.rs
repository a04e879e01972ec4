//! Documents of an issuer over HTTP: metadata and key sets.
//!
//! What they say is believed because of where they come from, so they come over `https`, from where the caller
//! says, with nothing of the caller's in the request.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use http::StatusCode;
use http::header::{ACCEPT, LOCATION};
use reqwest_middleware::ClientWithMiddleware;
use serde::de::DeserializeOwned;
use url::Url;

use super::{JwkSet, KeyError};
use crate::auth::DontFollow;
use crate::{Attach, AuthOptions, Origin, SafeUrl};

/// The most bytes of a document, unless the caller says otherwise.
pub const DEFAULT_LIMIT: usize = 1024 * 1024;

/// The longest that a document may take, unless the caller says otherwise.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);

/// How many redirects are followed.
const MOST_REDIRECTS: usize = 5;

/// Gets JSON documents through a client of the caller's.
///
/// * Only `https`, or plain `http` to this machine where that is
///   [allowed by hand](Self::dangerously_allow_http_on_loopback). Up to five redirects are followed here, each to such
///   a URL, and this crate's [`RedirectMiddleware`](crate::RedirectMiddleware) leaves them to us. A client that
///   follows one by itself may have passed through anything on its way, so its answer is refused: build it with
///   `redirect::Policy::none()`.
/// * No more than 1 MiB and 10 seconds, unless said otherwise.
/// * No credentials: a URL with a user name is refused, because it would turn into a header, and this crate's
///   middleware attaches no token, also where the client has it.
#[derive(Clone)]
pub struct Fetcher {
    client: ClientWithMiddleware,
    limit: usize,
    timeout: Duration,
    http_on_loopback: bool,
    follows_redirects: bool,
}

/// A document as it came.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Document {
    /// Its bytes.
    pub body: Vec<u8>,
    /// Where it came from in the end.
    pub url: Url,
}

impl Fetcher {
    /// Fetches through this client.
    pub fn new(client: ClientWithMiddleware) -> Self {
        Self {
            client,
            limit: DEFAULT_LIMIT,
            timeout: DEFAULT_TIMEOUT,
            http_on_loopback: false,
            follows_redirects: true,
        }
    }

    /// Accepts up to so many bytes.
    pub fn with_limit(mut self, bytes: usize) -> Self {
        self.limit = bytes;
        self
    }

    /// Gives up after so long, from the start of the request to the end of the body.
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Takes documents over plain `http` from this machine itself too, where every process of every user can
    /// answer. For tests.
    pub fn dangerously_allow_http_on_loopback(mut self) -> Self {
        self.http_on_loopback = true;
        self
    }

    /// Refuses an answer that comes from another URL than the one that was asked, wherever the client went.
    pub fn refuse_redirects(mut self) -> Self {
        self.follows_redirects = false;
        self
    }

    /// Gets a document.
    ///
    /// # Errors
    /// [`FetchError`] says what is wrong with the URL, the connection or the answer.
    pub async fn get(&self, url: &Url) -> Result<Document, FetchError> {
        self.check(url)?;
        tokio::time::timeout(self.timeout, self.exchange(url))
            .await
            .unwrap_or_else(|_| Err(FetchError::new(url, Problem::TooSlow(self.timeout))))
    }

    /// Gets a document and reads it as JSON.
    ///
    /// # Errors
    /// As [`get`](Self::get), and when the document is not the JSON that was asked for.
    pub async fn json<T: DeserializeOwned>(&self, url: &Url) -> Result<T, FetchError> {
        let document = self.get(url).await?;
        serde_json::from_slice(&document.body)
            .map_err(|error| FetchError::new(&document.url, Problem::NotJson(error)))
    }

    /// Gets a key set. How long it may be kept is for who keeps it to say: issuers forbid caches that their tokens need.
    ///
    /// # Errors
    /// As [`get`](Self::get), and when the document is no key set.
    pub async fn key_set(&self, url: &Url) -> Result<JwkSet, FetchError> {
        let document = self.get(url).await?;
        JwkSet::parse(&document.body).map_err(|error| FetchError::new(&document.url, Problem::NotKeys(error)))
    }

    async fn exchange(&self, url: &Url) -> Result<Document, FetchError> {
        let mut response = self.send(url).await?;
        for _ in 0..if self.follows_redirects { MOST_REDIRECTS } else { 0 } {
            let Some(next) = redirect(&response) else { break };
            self.check(&next)?;
            response = self.send(&next).await?;
        }
        let url = response.url().clone();
        if response.status() != StatusCode::OK {
            return Err(FetchError::new(&url, Problem::Status(response.status())));
        }
        let too_large = || FetchError::new(&url, Problem::TooLarge(self.limit));
        let announced = response.content_length().unwrap_or(0);
        if usize::try_from(announced).map_or(true, |length| length > self.limit) {
            return Err(too_large());
        }
        let mut body = Vec::new();
        loop {
            let chunk = response.chunk().await;
            let chunk =
                chunk.map_err(|e| FetchError::new(&url, Problem::Transport(Box::new(e.without_url()))))?;
            let Some(chunk) = chunk else { return Ok(Document { body, url }) };
            if chunk.len() > self.limit - body.len() {
                return Err(too_large());
            }
            body.extend_from_slice(&chunk);
        }
    }

    async fn send(&self, url: &Url) -> Result<reqwest::Response, FetchError> {
        let request = self.client.get(url.clone()).header(ACCEPT, "application/json");
        let request =
            request.with_extension(AuthOptions::new().attach(Attach::Never)).with_extension(DontFollow);
        let response = request.send().await.map_err(|error| {
            let error = match error {
                reqwest_middleware::Error::Reqwest(error) => error.without_url().into(),
                other @ reqwest_middleware::Error::Middleware(_) => other,
            };
            FetchError::new(url, Problem::Transport(Box::new(error)))
        })?;
        // A client that follows by itself has skipped the check of each step.
        if response.url() != url {
            let to = SafeUrl::new(response.url()).to_string();
            let problem =
                if self.follows_redirects { Problem::Followed(to) } else { Problem::Redirected(to) };
            return Err(FetchError::new(url, problem));
        }
        Ok(response)
    }

    fn check(&self, url: &Url) -> Result<(), FetchError> {
        let is_trusted = Origin::try_from(url)
            .is_ok_and(|origin| origin.is_https() || (self.http_on_loopback && origin.is_loopback()));
        if !is_trusted {
            return Err(FetchError::new(url, Problem::NotHttps));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(FetchError::new(url, Problem::Credentials));
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

/// Where a redirect leads; `None` for anything else.
fn redirect(response: &reqwest::Response) -> Option<Url> {
    if !response.status().is_redirection() {
        return None;
    }
    let location = response.headers().get(LOCATION)?.to_str().ok()?;
    response.url().join(location).ok()
}

/// A document could not be had.
///
/// `Display` names the document, with the parts of its URL that could be secret masked.
#[derive(Debug)]
pub struct FetchError {
    url: String,
    problem: Problem,
}

#[derive(Debug)]
enum Problem {
    NotHttps,
    Credentials,
    TooSlow(Duration),
    Transport(Box<dyn Error + Send + Sync>),
    Status(StatusCode),
    Redirected(String),
    Followed(String),
    TooLarge(usize),
    NotJson(serde_json::Error),
    NotKeys(KeyError),
}

impl FetchError {
    fn new(url: &Url, problem: Problem) -> Self {
        Self { url: SafeUrl::new(url).to_string(), problem }
    }

    /// The status that the server answered with, where that is what is wrong.
    pub fn status(&self) -> Option<StatusCode> {
        if let Problem::Status(status) = self.problem { Some(status) } else { None }
    }

    /// Whether the same request may work later: the network, the time or the server is to blame.
    pub fn is_transient(&self) -> bool {
        match &self.problem {
            Problem::TooSlow(_) | Problem::Transport(_) => true,
            Problem::Status(status) => status.is_server_error() || *status == StatusCode::TOO_MANY_REQUESTS,
            _ => false,
        }
    }

    /// Whether it took too long.
    pub fn is_timeout(&self) -> bool {
        matches!(self.problem, Problem::TooSlow(_))
    }

    /// Whether the document came, but is not what it should be.
    pub fn is_malformed(&self) -> bool {
        matches!(self.problem, Problem::NotJson(_) | Problem::NotKeys(_) | Problem::TooLarge(_))
    }
}

impl fmt::Display for FetchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let url = &self.url;
        match &self.problem {
            Problem::NotHttps => write!(f, "`{url}` is not `https`, so nobody can vouch for what it says"),
            Problem::Credentials => {
                write!(f, "`{url}` has a user name in it; keys are fetched without credentials")
            }
            Problem::TooSlow(limit) => write!(f, "`{url}` took longer than {limit:?}"),
            Problem::Transport(_) => write!(f, "cannot get `{url}`"),
            Problem::Status(status) => write!(f, "`{url}` answered with status {status}"),
            Problem::Redirected(to) => write!(f, "`{url}` leads to `{to}`; name that one if you trust it"),
            Problem::Followed(to) => write!(
                f,
                "the HTTP client has followed `{url}` to `{to}` by itself, past every check; build it with \
                 `redirect::Policy::none()`"
            ),
            Problem::TooLarge(limit) => write!(f, "`{url}` is larger than {limit} bytes"),
            Problem::NotJson(_) => write!(f, "`{url}` is not the JSON document that it should be"),
            Problem::NotKeys(_) => write!(f, "`{url}` is no key set"),
        }
    }
}

impl Error for FetchError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &self.problem {
            Problem::Transport(error) => Some(&**error),
            Problem::NotJson(error) => Some(error),
            Problem::NotKeys(error) => Some(error),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_https_without_credentials_is_asked() {
        let client =
            reqwest_middleware::ClientBuilder::new(reqwest::Client::builder().build().unwrap()).build();
        let fetcher = Fetcher::new(client);
        let refusal = |fetcher: &Fetcher, url: &str| {
            fetcher.check(&Url::parse(url).unwrap()).map_err(|error| error.to_string())
        };
        assert!(refusal(&fetcher, "https://issuer.example/jwks").is_ok());
        assert!(refusal(&fetcher, "http://issuer.example/").unwrap_err().contains("is not `https`"));
        assert!(refusal(&fetcher, "http://127.0.0.1/").is_err());
        assert!(refusal(&fetcher, "file:///etc/passwd").is_err());
        assert_eq!(
            refusal(&fetcher, "https://me:pw@issuer.example/").unwrap_err(),
            "`https://…@issuer.example/` has a user name in it; keys are fetched without credentials"
        );
        let fetcher = fetcher.dangerously_allow_http_on_loopback();
        assert!(refusal(&fetcher, "http://127.0.0.1/").is_ok());
        assert!(refusal(&fetcher, "http://issuer.example/").is_err());
    }
}
