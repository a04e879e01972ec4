//! The ready-made client.

#[cfg(feature = "rustls")]
use std::path::PathBuf;
use std::time::Duration;

use http::Method;
use reqwest::IntoUrl;
use reqwest_middleware::{ClientBuilder, ClientWithMiddleware, Middleware, RequestBuilder};

use crate::auth::{
    Attach, AuthMiddleware, AuthMiddlewareBuilder, NetrcMiddleware, RedirectMiddleware, RedirectTrust,
};
#[cfg(feature = "rustls")]
use crate::authorities::Authorities;
use crate::error::{Error, Kind};
use crate::netrc::Netrc;
use crate::proxy;
use crate::source::{Discovery, SharedTokenSource};
use crate::sys::Env;
use crate::token::Audience;

/// A client for science data servers that finds tokens and attaches them.
///
/// It is a [`ClientWithMiddleware`] set up the way that such servers need it:
///
/// * tokens from [`Discovery`], attached [when found](Attach::WhenFound);
/// * redirects followed step by step, each with a decision of its own about the token;
/// * HTTP/1 header names in title case, without which XRootD 5.5 refuses everything;
/// * the grid's certificate authorities (`X509_CERT_DIR`, else `/etc/grid-security/certificates`) beside the system's;
/// * the proxies of the environment, but never for this machine itself;
/// * 10 seconds to connect, 60 seconds of silence at most, no limit on the whole.
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
pub struct Session(ClientWithMiddleware);

impl Session {
    /// A session with tokens from [`Discovery`].
    ///
    /// # Errors
    /// When the HTTP client cannot be built, for example on a machine without any certificate authority.
    pub fn new() -> Result<Self, Error> {
        Self::builder().build()
    }

    /// A session to one's own wishes.
    pub fn builder() -> SessionBuilder {
        SessionBuilder::new()
    }

    /// Starts a `GET` request.
    pub fn get(&self, url: impl IntoUrl) -> RequestBuilder {
        self.0.get(url)
    }

    /// Starts a `HEAD` request.
    pub fn head(&self, url: impl IntoUrl) -> RequestBuilder {
        self.0.head(url)
    }

    /// Starts a `POST` request.
    pub fn post(&self, url: impl IntoUrl) -> RequestBuilder {
        self.0.post(url)
    }

    /// Starts a `PUT` request.
    pub fn put(&self, url: impl IntoUrl) -> RequestBuilder {
        self.0.put(url)
    }

    /// Starts a `PATCH` request.
    pub fn patch(&self, url: impl IntoUrl) -> RequestBuilder {
        self.0.patch(url)
    }

    /// Starts a `DELETE` request.
    pub fn delete(&self, url: impl IntoUrl) -> RequestBuilder {
        self.0.delete(url)
    }

    /// Starts a request with any method.
    pub fn request(&self, method: Method, url: impl IntoUrl) -> RequestBuilder {
        self.0.request(method, url)
    }

    /// The client within, for code that wants one.
    pub fn client(&self) -> &ClientWithMiddleware {
        &self.0
    }
}

impl From<Session> for ClientWithMiddleware {
    fn from(session: Session) -> Self {
        session.0
    }
}

/// How a [`Session`] is put together.
///
/// ```no_run
/// # fn run() -> Result<(), Box<dyn std::error::Error>> {
/// use reqwest_scitokens::{Attach, FileSource, RedirectTrust, Session};
///
/// let session = Session::builder()
///     .source(FileSource::new("/var/run/transfer/token"))
///     .attach(Attach::Required)
///     .redirect_trust(RedirectTrust::Hosts(vec!["*.data.example.org".parse()?]))
///     .ca_file("/etc/pki/site-ca.pem")
///     .build()?;
/// # let _ = session;
/// # Ok(())
/// # }
/// ```
pub struct SessionBuilder {
    http: reqwest::ClientBuilder,
    source: Option<SharedTokenSource>,
    env: Env,
    auth: Vec<Change>,
    redirect: RedirectMiddleware,
    netrc: Option<Netrc>,
    outer: Vec<Box<dyn FnOnce(ClientBuilder) -> ClientBuilder + Send>>,
    #[cfg(feature = "rustls")]
    authorities: Vec<Named>,
    #[cfg(feature = "rustls")]
    system: SystemAuthorities,
}

type Change = Box<dyn FnOnce(AuthMiddlewareBuilder) -> AuthMiddlewareBuilder + Send>;

#[cfg(feature = "rustls")]
enum Named {
    Pem(Vec<u8>),
    File(PathBuf),
    Directory(PathBuf),
}

/// Whether a [`Session`] trusts the authorities of the machine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
#[cfg(feature = "rustls")]
pub enum SystemAuthorities {
    /// The system's and the grid's, and those that were named.
    #[default]
    Trusted,
    /// Only those that were named.
    Ignored,
}

impl SessionBuilder {
    fn new() -> Self {
        Self {
            http: proxy::from_environment(defaults(), &Env::process()),
            source: None,
            env: Env::process(),
            auth: Vec::new(),
            redirect: RedirectMiddleware::new(),
            netrc: None,
            outer: Vec::new(),
            #[cfg(feature = "rustls")]
            authorities: Vec::new(),
            #[cfg(feature = "rustls")]
            system: SystemAuthorities::default(),
        }
    }

    /// Takes tokens from here instead of [`Discovery`]: a token, a file, a command, a host map.
    pub fn source(mut self, source: impl Into<SharedTokenSource>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Says when to attach a token.
    pub fn attach(self, attach: Attach) -> Self {
        self.auth(move |auth| auth.attach(attach))
    }

    /// Says which audience tokens should have, where a source can choose.
    pub fn audience(self, audience: impl Into<Audience>) -> Self {
        let audience = audience.into();
        self.auth(move |auth| auth.audience(audience))
    }

    /// Says which redirect targets may have the token.
    pub fn redirect_trust(self, trust: RedirectTrust) -> Self {
        self.auth(move |auth| auth.redirect_trust(trust))
    }

    /// Changes anything else about how tokens are attached.
    pub fn auth(
        mut self,
        change: impl FnOnce(AuthMiddlewareBuilder) -> AuthMiddlewareBuilder + Send + 'static,
    ) -> Self {
        self.auth.push(Box::new(change));
        self
    }

    /// Changes how redirects are followed.
    pub fn redirect(mut self, change: impl FnOnce(RedirectMiddleware) -> RedirectMiddleware) -> Self {
        self.redirect = change(self.redirect);
        self
    }

    /// Sends names and passwords of `.netrc` to servers that no token goes to; without this nobody reads that file.
    pub fn netrc(mut self, netrc: Netrc) -> Self {
        self.netrc = Some(netrc);
        self
    }

    /// Changes the HTTP client: proxies, timeouts, resolving. Its redirect policy stays `none`.
    ///
    /// Put no credential into `default_headers`: reqwest adds those beneath all middlewares, so every server along a
    /// redirect gets them.
    pub fn http(mut self, change: impl FnOnce(reqwest::ClientBuilder) -> reqwest::ClientBuilder) -> Self {
        self.http = change(self.http);
        self
    }

    /// Adds a middleware of one's own outside those of this library: a retry, a tracer.
    pub fn with(mut self, middleware: impl Middleware) -> Self {
        self.outer.push(Box::new(move |client| client.with(middleware)));
        self
    }

    /// Takes these variables for the process's environment: for [`Discovery`], `X509_CERT_DIR` and the proxies.
    ///
    /// Proxies that were set by [`http`](Self::http) before are given up; state the environment first.
    pub fn env(mut self, env: Env) -> Self {
        self.http = proxy::from_environment(self.http, &env);
        self.env = env;
        self
    }

    /// Trusts the certificate authorities in this PEM text too. One that has none is an error.
    #[cfg(feature = "rustls")]
    pub fn ca_certificates(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.authorities.push(Named::Pem(pem.into()));
        self
    }

    /// Trusts the certificate authorities in this PEM file too. One that has none is an error.
    #[cfg(feature = "rustls")]
    pub fn ca_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.authorities.push(Named::File(path.into()));
        self
    }

    /// Trusts the certificate authorities in this directory too. One that has none is an error.
    #[cfg(feature = "rustls")]
    pub fn ca_directory(mut self, path: impl Into<PathBuf>) -> Self {
        self.authorities.push(Named::Directory(path.into()));
        self
    }

    /// Says whether to trust the authorities of the machine.
    #[cfg(feature = "rustls")]
    pub fn system_authorities(mut self, system: SystemAuthorities) -> Self {
        self.system = system;
        self
    }

    /// The session.
    ///
    /// # Errors
    /// When a named authority has no certificate that can be used, or the HTTP client cannot be built.
    pub fn build(self) -> Result<Session, Error> {
        let http = self.http.redirect(reqwest::redirect::Policy::none());
        #[cfg(feature = "rustls")]
        let http = with_authorities(http, self.authorities, self.system, &self.env)?;
        let http = http.build().map_err(Kind::Client)?;
        let source = self.source.unwrap_or_else(|| Discovery::new().with_env(self.env).into());
        let auth = AuthMiddleware::builder(source).title_case_headers();
        let auth = self.auth.into_iter().fold(auth, |auth, change| change(auth)).build();
        let client = self.outer.into_iter().fold(ClientBuilder::new(http), |client, add| add(client));
        let client = client.with(self.redirect).with(auth);
        Ok(Session(match self.netrc {
            Some(netrc) => client.with(NetrcMiddleware::new(netrc)).build(),
            None => client.build(),
        }))
    }
}

fn defaults() -> reqwest::ClientBuilder {
    reqwest::Client::builder()
        .user_agent(concat!("reqwest-scitokens/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(Duration::from_secs(10))
        .read_timeout(Duration::from_secs(60))
        .http1_title_case_headers()
        .http2_adaptive_window(true)
}

#[cfg(feature = "rustls")]
fn with_authorities(
    http: reqwest::ClientBuilder,
    named: Vec<Named>,
    system: SystemAuthorities,
    env: &Env,
) -> Result<reqwest::ClientBuilder, Error> {
    let mut authorities = Authorities::default();
    for place in named {
        match place {
            Named::Pem(pem) => authorities.add_pem(&pem)?,
            Named::File(path) => authorities.add_file(&path)?,
            Named::Directory(path) => authorities.add_directory(&path)?,
        }
    }
    if system == SystemAuthorities::Ignored {
        return Ok(http.tls_certs_only(authorities.into_certificates()));
    }
    authorities.add_grid(env);
    Ok(http.tls_certs_merge(authorities.into_certificates()))
}

impl std::fmt::Debug for SessionBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SessionBuilder")
            .field("source", &self.source)
            .field("env", &self.env)
            .finish_non_exhaustive()
    }
}

/// Adds token-awareness to a client that somebody else builds.
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

    /// Attaches tokens as this middleware does, each step of a redirect by itself.
    fn with_auth(self, auth: AuthMiddleware) -> Self;
}

impl ClientBuilderExt for ClientBuilder {
    fn with_auth(self, auth: AuthMiddleware) -> Self {
        self.with(RedirectMiddleware::new()).with(auth)
    }
}
