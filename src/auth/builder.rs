//! How a middleware is put together.

use std::time::Duration;

use super::cache::TokenCache;
use super::challengers::Challengers;
use super::middleware::{AuthMiddleware, Inner};
use super::options::{Attach, ForbiddenReplay, Placement, RedirectTrust, Settings};
use super::trace::HeaderCase;
use crate::origin::OriginPattern;
use crate::source::{SharedTokenSource, TokenRequest};
use crate::sys::SharedClock;
use crate::token::{Audience, Scope};

/// The wishes of a client for all its requests; each can be changed for one request by
/// [`AuthOptions`](super::AuthOptions).
#[derive(Clone, Debug)]
pub struct AuthMiddlewareBuilder {
    settings: Settings,
    recheck: Duration,
    clock: SharedClock,
    headers: HeaderCase,
}

impl AuthMiddlewareBuilder {
    pub(crate) fn new(source: SharedTokenSource) -> Self {
        let settings = Settings {
            attach: Attach::default(),
            source,
            audience: None,
            scopes: Vec::new(),
            min_validity: TokenRequest::MIN_VALIDITY,
            redirect_trust: RedirectTrust::default(),
            forbidden: ForbiddenReplay::default(),
            placement: Placement::default(),
            plain_http: Vec::new(),
        };
        let clock = SharedClock::default();
        Self { settings, recheck: Duration::from_secs(1), clock, headers: HeaderCase::default() }
    }

    /// When to attach a token; [`Attach::WhenFound`] unless told otherwise.
    pub fn attach(mut self, attach: Attach) -> Self {
        self.settings.attach = attach;
        self
    }

    /// The audience that tokens should have, where a source can choose.
    pub fn audience(mut self, audience: impl Into<Audience>) -> Self {
        self.settings.audience = Some(audience.into());
        self
    }

    /// A scope that tokens should have, where a source can choose; in addition to those stated before.
    pub fn scope(mut self, scope: Scope) -> Self {
        self.settings.scopes.push(scope);
        self
    }

    /// How long tokens should live, where a source can choose; 60 seconds unless told otherwise.
    pub fn min_validity(mut self, min_validity: Duration) -> Self {
        self.settings.min_validity = min_validity;
        self
    }

    /// Which redirect targets may have the token; [`RedirectTrust::Audience`] unless told otherwise.
    pub fn redirect_trust(mut self, trust: RedirectTrust) -> Self {
        self.settings.redirect_trust = trust;
        self
    }

    /// What a `403` means; [`ForbiddenReplay::Reads`] unless told otherwise.
    pub fn forbidden(mut self, forbidden: ForbiddenReplay) -> Self {
        self.settings.forbidden = forbidden;
        self
    }

    /// Where in the request to put the token; [`Placement::Bearer`] unless told otherwise.
    pub fn placement(mut self, placement: Placement) -> Self {
        self.settings.placement = placement;
        self
    }

    /// Allows tokens to travel without TLS to these origins. The pattern has to say `http://`.
    ///
    /// This machine itself (`127.0.0.0/8`, `::1`, `localhost`) is always allowed.
    pub fn plain_http(mut self, pattern: OriginPattern) -> Self {
        self.settings.plain_http.push(pattern);
        self
    }

    /// How long a token is used before the source is asked whether it was replaced; a second unless told otherwise,
    /// zero for each request anew.
    ///
    /// An unchanged token file costs one `stat` then.
    pub fn recheck(mut self, recheck: Duration) -> Self {
        self.recheck = recheck;
        self
    }

    /// Takes the time from here.
    pub fn clock(mut self, clock: impl Into<SharedClock>) -> Self {
        self.clock = clock.into();
        self
    }

    /// States that the client writes header names in title case, for explanations.
    pub(crate) fn title_case_headers(mut self) -> Self {
        self.headers = HeaderCase::Title;
        self
    }

    /// The middleware.
    pub fn build(self) -> AuthMiddleware {
        AuthMiddleware::from_inner(Inner {
            cache: TokenCache::new(self.clock.clone(), self.recheck),
            settings: self.settings,
            clock: self.clock,
            headers: self.headers,
            challengers: Challengers::default(),
        })
    }
}
