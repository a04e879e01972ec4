//! What a session is built from.

use std::fmt;
#[cfg(feature = "tls")]
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use reqwest_middleware::{ClientBuilder, Middleware};

use super::Session;
#[cfg(feature = "named-certificates")]
use super::server_trust::ServerTrust;
#[cfg(feature = "tls")]
use super::server_trust::{NamedAuthority, SystemAuthorities, with_authorities};
use crate::auth::{Attach, AuthMiddleware, AuthMiddlewareBuilder, RedirectMiddleware, RedirectTrust};
#[cfg(feature = "cookies")]
use crate::cookies::{CookieJar, CookieMiddleware};
use crate::error::{Error, Kind};
use crate::netrc::Netrc;
use crate::proxy::ProxyRules;
use crate::proxy_errors::ProxyMiddleware;
use crate::reconnect::ReconnectMiddleware;
use crate::resolver::LoopbackResolver;
use crate::source::{Discovery, SharedTokenSource};
use scitoken_types::sys::Env;
use scitoken_types::{Audience, Scope};

/// Builds a [`Session`].
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
    proxies: ProxyRules,
    #[cfg(feature = "cookies")]
    cookies: CookieJar,
    auth: Vec<AuthChange>,
    redirect: RedirectMiddleware,
    outer: Vec<Box<dyn FnOnce(ClientBuilder) -> ClientBuilder + Send>>,
    #[cfg(feature = "tls")]
    authorities: Vec<NamedAuthority>,
    #[cfg(feature = "tls")]
    system: SystemAuthorities,
    #[cfg(feature = "named-certificates")]
    trust: Option<ServerTrust>,
}

type AuthChange = Box<dyn FnOnce(AuthMiddlewareBuilder) -> AuthMiddlewareBuilder + Send>;

impl Session {
    /// Returns a session with tokens from [`Discovery`].
    ///
    /// # Errors
    /// When the HTTP client cannot be built, for example on a machine without any certificate authority.
    pub fn new() -> Result<Self, Error> {
        Self::builder().build()
    }

    /// Returns a builder for a custom session.
    pub fn builder() -> SessionBuilder {
        SessionBuilder::new()
    }
}

impl SessionBuilder {
    fn new() -> Self {
        let env = Env::process();
        let proxies = ProxyRules::from_env(&env);
        Self {
            http: proxies.apply(defaults()),
            source: None,
            env,
            proxies,
            #[cfg(feature = "cookies")]
            cookies: CookieJar::new(),
            auth: Vec::new(),
            redirect: RedirectMiddleware::new(),
            outer: Vec::new(),
            #[cfg(feature = "tls")]
            authorities: Vec::new(),
            #[cfg(feature = "tls")]
            system: SystemAuthorities::default(),
            #[cfg(feature = "named-certificates")]
            trust: None,
        }
    }

    /// Sets the source of tokens instead of [`Discovery`]: a token, a file, a command, a host map.
    pub fn source(mut self, source: impl Into<SharedTokenSource>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Sets when to attach a token.
    pub fn attach(self, attach: Attach) -> Self {
        self.auth(move |auth| auth.attach(attach))
    }

    /// Sets the audience that tokens should have, where a source can choose.
    pub fn audience(self, audience: impl Into<Audience>) -> Self {
        let audience = audience.into();
        self.auth(move |auth| auth.audience(audience))
    }

    /// Adds a scope that tokens should have, where a source can choose: a [`Scope`], or its text.
    pub fn scope<S>(self, scope: S) -> Self
    where
        S: TryInto<Scope, Error: fmt::Display> + Send + 'static,
    {
        self.auth(move |auth| auth.scope(scope))
    }

    /// Sets which redirect targets may receive the token.
    pub fn redirect_trust(self, trust: RedirectTrust) -> Self {
        self.auth(move |auth| auth.redirect_trust(trust))
    }

    /// Changes the options of the [`AuthMiddleware`].
    pub fn auth(
        mut self,
        change: impl FnOnce(AuthMiddlewareBuilder) -> AuthMiddlewareBuilder + Send + 'static,
    ) -> Self {
        self.auth.push(Box::new(change));
        self
    }

    /// Changes the [`RedirectMiddleware`].
    pub fn redirect(mut self, change: impl FnOnce(RedirectMiddleware) -> RedirectMiddleware) -> Self {
        self.redirect = change(self.redirect);
        self
    }

    /// Sends passwords of `.netrc` to servers for which there is no token. By default no `.netrc` is read.
    pub fn netrc(self, netrc: Netrc) -> Self {
        self.auth(move |auth| auth.netrc(netrc))
    }

    /// Changes the HTTP client: proxies, timeouts, resolving. Its redirect policy stays `none`.
    ///
    /// Put no credential into `default_headers`: reqwest adds them below all middlewares, so every server in a chain of
    /// redirects receives them.
    pub fn http(mut self, change: impl FnOnce(reqwest::ClientBuilder) -> reqwest::ClientBuilder) -> Self {
        self.http = change(self.http);
        self
    }

    /// Adds a middleware above those of this library, such as a retry or a tracer.
    pub fn with(mut self, middleware: impl Middleware) -> Self {
        self.outer.push(Box::new(move |client| client.with(middleware)));
        self
    }

    /// Replaces the process's environment: for [`Discovery`], `X509_CERT_DIR` and the proxies.
    ///
    /// It replaces proxies that were set before; call this first.
    pub fn env(self, env: Env) -> Self {
        let proxies = ProxyRules::from_env(&env);
        Self { env, ..self }.proxies(proxies)
    }

    /// Sets the proxies instead of those of the environment; `ProxyRules::default()` for none.
    ///
    /// Proxies that are set by [`http`](Self::http) instead are not named in errors.
    pub fn proxies(mut self, proxies: ProxyRules) -> Self {
        self.http = proxies.apply(self.http);
        self.proxies = proxies;
        self
    }

    /// Shares the cookies of this jar with other sessions. By default a session has a jar of its own.
    #[cfg(feature = "cookies")]
    #[cfg_attr(docsrs, doc(cfg(feature = "cookies")))]
    pub fn cookies(mut self, cookies: CookieJar) -> Self {
        self.cookies = cookies;
        self
    }

    /// Also trusts the certificate authorities in this PEM text. A text that has none is an error.
    ///
    /// With the feature `named-certificates`, a server whose own certificate is among them is trusted for the names in it. For
    /// such certificates the session has its own TLS configuration: HTTP/1.1, and none of the TLS settings of
    /// [`http`](Self::http).
    #[cfg(feature = "tls")]
    pub fn ca_certificates(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.authorities.push(NamedAuthority::Pem(pem.into()));
        self
    }

    /// Also trusts the certificate authorities in this PEM file. A file that has none is an error.
    #[cfg(feature = "tls")]
    pub fn ca_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.authorities.push(NamedAuthority::File(path.into()));
        self
    }

    /// Also trusts the certificate authorities in this directory. A directory that has none is an error.
    #[cfg(feature = "tls")]
    pub fn ca_directory(mut self, path: impl Into<PathBuf>) -> Self {
        self.authorities.push(NamedAuthority::Directory(path.into()));
        self
    }

    /// Sets whether to trust the certificate authorities of the machine.
    #[cfg(feature = "tls")]
    pub fn system_authorities(mut self, system: SystemAuthorities) -> Self {
        self.system = system;
        self
    }

    /// Reads the certificate authorities that a session of this builder would trust, for several sessions.
    ///
    /// # Errors
    /// An added authority has no usable certificate, the machine has none, or no authority is trusted at all.
    #[cfg(feature = "named-certificates")]
    #[cfg_attr(docsrs, doc(cfg(feature = "named-certificates")))]
    pub fn read_server_trust(self) -> Result<ServerTrust, Error> {
        ServerTrust::read(self.authorities, self.system, &self.env)
    }

    /// Sets which servers to trust, in place of all authorities of this builder.
    #[cfg(feature = "named-certificates")]
    #[cfg_attr(docsrs, doc(cfg(feature = "named-certificates")))]
    pub fn server_trust(mut self, trust: ServerTrust) -> Self {
        self.trust = Some(trust);
        self
    }

    /// Builds the session.
    ///
    /// # Errors
    /// An added authority has no usable certificate, a [`scope`](Self::scope) is no scope, or the HTTP client cannot be
    /// built.
    pub fn build(self) -> Result<Session, Error> {
        let http = self.http.redirect(reqwest::redirect::Policy::none());
        #[cfg(feature = "named-certificates")]
        let http = match self.trust {
            Some(trust) => trust.apply(http),
            None => with_authorities(http, self.authorities, self.system, &self.env)?,
        };
        #[cfg(all(feature = "tls", not(feature = "named-certificates")))]
        let http = with_authorities(http, self.authorities, self.system, &self.env)?;
        let http = http.build().map_err(Kind::Client)?;
        let source = self.source.unwrap_or_else(|| Discovery::new().with_env(self.env).into());
        let auth = AuthMiddleware::builder(source.clone()).title_case_headers();
        let auth = self.auth.into_iter().fold(auth, |auth, change| change(auth)).checked()?.build();
        let client = self.outer.into_iter().fold(ClientBuilder::new(http.clone()), |client, add| add(client));
        let client = client.with(self.redirect).with(auth).with(ReconnectMiddleware::default());
        // Each middleware costs each request an allocation.
        let client =
            if self.proxies.is_empty() { client } else { client.with(ProxyMiddleware(self.proxies)) };
        #[cfg(feature = "cookies")]
        let client = client.with(CookieMiddleware::new(self.cookies));
        Ok(Session { client: client.build(), http, source })
    }
}

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// An XRootD manager may send nothing for 20 seconds while it looks for a data server.
const READ_TIMEOUT: Duration = Duration::from_secs(60);
/// Metalink servers send a `Link` for each mirror. The whole head may have some 400 KiB, which is the HTTP client's limit.
const MOST_HEADER_LINES: usize = 512;
const _: () = assert!(READ_TIMEOUT.as_secs() >= 2 * 20, "an XRootD manager may be silent for 20 seconds");

fn defaults() -> reqwest::ClientBuilder {
    reqwest::Client::builder()
        .user_agent(concat!("reqwest-scitokens/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(CONNECT_TIMEOUT)
        .read_timeout(READ_TIMEOUT)
        .http1_title_case_headers()
        .http1_max_headers(MOST_HEADER_LINES)
        .http1_allow_spaces_after_header_name_in_responses(true)
        .http1_allow_obsolete_multiline_headers_in_responses(true)
        .http1_ignore_invalid_headers_in_responses(true)
        .http2_adaptive_window(true)
        .dns_resolver(Arc::new(LoopbackResolver))
}

impl fmt::Debug for SessionBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionBuilder")
            .field("source", &self.source)
            .field("env", &self.env)
            .finish_non_exhaustive()
    }
}
