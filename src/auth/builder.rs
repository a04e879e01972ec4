//! The builder of the middleware.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::attach::Attach;
use super::attempt::AuthState;
use super::cache::TokenCache;
use super::challenged_origins::ChallengedOrigins;
use super::middleware::AuthMiddleware;
use super::options::{AuthSettings, ForbiddenReplay, RedirectTrust, WantedScopes};
use super::placement::Placement;
use super::trace::HeaderCase;
use crate::error::Error;
use crate::netrc::Netrc;
use crate::source::{SharedTokenSource, TokenRequest};
use scitoken_types::OriginPattern;
use scitoken_types::sys::SharedClock;
use scitoken_types::{Audience, Scope};

impl AuthMiddleware {
    /// Takes tokens from this source: a [`Discovery`](crate::Discovery), an [`AccessToken`](crate::AccessToken), a chain.
    pub fn new(source: impl Into<SharedTokenSource>) -> Self {
        Self::builder(source).build()
    }

    /// Returns a builder for a middleware with tokens from this source.
    pub fn builder(source: impl Into<SharedTokenSource>) -> AuthMiddlewareBuilder {
        AuthMiddlewareBuilder::new(source.into())
    }
}

/// Builds an [`AuthMiddleware`]. Most options can be changed for one request by [`AuthOptions`](super::AuthOptions).
///
/// ```
/// use reqwest_scitokens::{Attach, AuthMiddleware, Discovery, RedirectTrust};
///
/// let middleware = AuthMiddleware::builder(Discovery::new())
///     .attach(Attach::Required)
///     .redirect_trust(RedirectTrust::Hosts(vec!["*.data.example.org".parse()?]))
///     .build();
/// # let _ = middleware;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct AuthMiddlewareBuilder {
    settings: AuthSettings,
    poll_interval: Duration,
    clock: SharedClock,
    headers: HeaderCase,
    netrc: Option<Netrc>,
}

impl AuthMiddlewareBuilder {
    fn new(source: SharedTokenSource) -> Self {
        let settings = AuthSettings {
            attach: Attach::default(),
            source,
            audience: None,
            scopes: WantedScopes::default(),
            method: None,
            min_validity: TokenRequest::MIN_VALIDITY,
            redirect_trust: RedirectTrust::default(),
            forbidden: ForbiddenReplay::default(),
            placement: Placement::default(),
            plain_http: Vec::new(),
        };
        let clock = SharedClock::default();
        let headers = HeaderCase::default();
        Self { settings, poll_interval: Duration::from_secs(1), clock, headers, netrc: None }
    }

    /// Sets when to attach a token; the default is [`Attach::WhenFound`].
    pub fn attach(mut self, attach: Attach) -> Self {
        self.settings.attach = attach;
        self
    }

    /// Sets the audience that tokens should have, where a source can choose.
    pub fn audience(mut self, audience: impl Into<Audience>) -> Self {
        self.settings.audience = Some(audience.into());
        self
    }

    /// Adds a scope that tokens should have, where a source can choose: a [`Scope`], or its text. With a text that is no
    /// scope, each request fails before it is sent.
    pub fn scope<S>(mut self, scope: S) -> Self
    where
        S: TryInto<Scope, Error: fmt::Display>,
    {
        self.settings.scopes.add(scope);
        self
    }

    /// Sets how long tokens should still be valid, where a source can choose; the default is 60 seconds.
    pub fn min_validity(mut self, min_validity: Duration) -> Self {
        self.settings.min_validity = min_validity;
        self
    }

    /// Sets which redirect targets may receive the token; the default is [`RedirectTrust::Audience`].
    pub fn redirect_trust(mut self, trust: RedirectTrust) -> Self {
        self.settings.redirect_trust = trust;
        self
    }

    /// Sets what a `403` means; the default is [`ForbiddenReplay::Reads`].
    pub fn forbidden(mut self, forbidden: ForbiddenReplay) -> Self {
        self.settings.forbidden = forbidden;
        self
    }

    /// Sets where in the request to put the token; the default is [`Placement::Bearer`].
    pub fn placement(mut self, placement: Placement) -> Self {
        self.settings.placement = placement;
        self
    }

    /// Allows tokens to travel without TLS to these origins. The pattern must begin with `http://`.
    ///
    /// This machine (`127.0.0.0/8`, `::1`, `localhost`) is always allowed.
    pub fn plain_http(mut self, pattern: OriginPattern) -> Self {
        self.settings.plain_http.push(pattern);
        self
    }

    /// Sets how long a token is used before the source is asked whether it was replaced; the default is one second, and
    /// zero asks for each request.
    ///
    /// An unchanged token file costs one `stat`.
    pub fn poll_interval(mut self, poll_interval: Duration) -> Self {
        self.poll_interval = poll_interval;
        self
    }

    /// Sends passwords of `.netrc` to servers for which there is no token. By default no `.netrc` is read.
    pub fn netrc(mut self, netrc: Netrc) -> Self {
        self.netrc = Some(netrc);
        self
    }

    /// Sets the clock.
    pub fn clock(mut self, clock: impl Into<SharedClock>) -> Self {
        self.clock = clock.into();
        self
    }

    /// Records that the client writes header names in title case, for explanations.
    pub(crate) fn title_case_headers(mut self) -> Self {
        self.headers = HeaderCase::Title;
        self
    }

    /// Returns an error for a text that was given as a scope and is none.
    pub(crate) fn checked(self) -> Result<Self, Error> {
        self.settings.scopes.check()?;
        Ok(self)
    }

    /// Builds the middleware.
    pub fn build(self) -> AuthMiddleware {
        AuthMiddleware(Arc::new(AuthState {
            cache: TokenCache::new(self.clock.clone(), self.poll_interval),
            settings: self.settings,
            clock: self.clock,
            header_case: self.headers,
            netrc: self.netrc,
            challenged_origins: ChallengedOrigins::default(),
        }))
    }
}
