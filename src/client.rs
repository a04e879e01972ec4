//! The ready-made client.

mod builder;
#[cfg(feature = "tls")]
mod server_trust;

use http::Method;
use reqwest::IntoUrl;
use reqwest_middleware::{ClientBuilder, ClientWithMiddleware, RequestBuilder};

use crate::auth::{AuthMiddleware, RedirectMiddleware};
#[cfg(feature = "cookies")]
#[cfg_attr(docsrs, doc(cfg(feature = "cookies")))]
pub use crate::cookies::{CookieJar, CookieMiddleware};
pub use crate::proxy::{DirectReason, InvalidProxy, ProxyChoice, ProxyRules};
pub use crate::proxy_failure::ProxyProblem;
use crate::source::{Discovery, SharedTokenSource};
use crate::stated_url::start;
pub use builder::SessionBuilder;
#[cfg(feature = "named-certificates")]
pub use server_trust::ServerTrust;
#[cfg(feature = "tls")]
pub use server_trust::SystemAuthorities;

/// A client for science data servers that finds tokens and attaches them.
///
/// It is a [`ClientWithMiddleware`] with the settings that such servers need:
///
/// * tokens from [`Discovery`], attached [when found](crate::Attach::WhenFound);
/// * redirects followed step by step, each with its own decision about the token;
/// * HTTP/1 header names in title case, because XRootD 5.5 reads no others;
/// * the grid's certificate authorities (`X509_CERT_DIR`, else `/etc/grid-security/certificates`) beside the system's;
/// * the proxies of the environment, but never for this machine;
/// * with the feature `cookies`, the cookies of a run, in memory and each for the origin that set it;
/// * requests that change nothing are sent again when the server closed an idle connection as they arrived;
/// * 10 seconds to connect, at most 60 seconds without data, no limit on the whole.
///
/// Cloning is cheap and shares connections and tokens.
///
/// ```no_run
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// use reqwest_scitokens::Session;
///
/// let session = Session::new()?;
/// let response = session.get("https://data.example.org/vo/file").send().await?.error_for_status()?;
/// println!("{} bytes", response.bytes().await?.len());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Session {
    client: ClientWithMiddleware,
    http: reqwest::Client,
    source: SharedTokenSource,
}

impl Session {
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
        start(&self.client, method, url)
    }

    /// Returns the client with the middlewares.
    pub fn client(&self) -> &ClientWithMiddleware {
        &self.client
    }

    /// Returns the HTTP client below the middlewares, with the same authorities and proxies: it attaches no token and
    /// follows no redirect.
    pub fn http_client(&self) -> &reqwest::Client {
        &self.http
    }

    /// Returns the source of the tokens: the one that was [given](SessionBuilder::source), or the [`Discovery`].
    pub fn token_source(&self) -> &SharedTokenSource {
        &self.source
    }
}

impl From<&Session> for ClientWithMiddleware {
    fn from(session: &Session) -> Self {
        session.client.clone()
    }
}

impl From<Session> for ClientWithMiddleware {
    fn from(session: Session) -> Self {
        session.client
    }
}

/// Adds tokens to a client that the caller builds.
///
/// ```
/// use reqwest_middleware::ClientBuilder;
/// use reqwest_scitokens::ClientBuilderExt;
///
/// # fn run() -> Result<(), Box<dyn std::error::Error>> {
/// let http = reqwest::Client::builder()
///     .redirect(reqwest::redirect::Policy::none())
///     .http1_title_case_headers()
///     .build()?;
/// let client = ClientBuilder::new(http).with_scitokens().build();
/// # let _ = client;
/// # Ok(())
/// # }
/// ```
pub trait ClientBuilderExt: Sized {
    /// Attaches tokens from [`Discovery`].
    fn with_scitokens(self) -> Self {
        self.with_tokens(Discovery::new())
    }

    /// Attaches tokens from this source.
    fn with_tokens(self, source: impl Into<SharedTokenSource>) -> Self {
        self.with_auth(AuthMiddleware::new(source))
    }

    /// Adds this middleware, below one that follows redirects step by step.
    fn with_auth(self, auth: AuthMiddleware) -> Self;
}

impl ClientBuilderExt for ClientBuilder {
    fn with_auth(self, auth: AuthMiddleware) -> Self {
        self.with(RedirectMiddleware::new()).with(auth)
    }
}
