//! What a caller can ask of the middleware, for a client or for one request.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::Extensions;
use reqwest::Body;
use reqwest_middleware::RequestBuilder;

use crate::origin::{Origin, OriginPattern};
use crate::source::SharedTokenSource;
use crate::token::{Audience, Scope};

/// When a token is attached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Attach {
    /// With the first request, if there is a token; without one the request is sent bare. The default, because
    /// servers such as XRootD never ask for a token.
    #[default]
    WhenFound,
    /// When the server has asked for one by a `401` with a Bearer challenge, as requests-scitokens does. A server that
    /// has asked once gets a token at once from then on. A request whose body cannot be sent twice has its token from
    /// the start.
    OnChallenge,
    /// With the first request; having no token is an error before anything is sent.
    Required,
    /// Never.
    Never,
}

/// Which servers that a *server* named, by a redirect, may have the token.
///
/// The origin that the user named always may. A token that was held back at one step of a chain of redirects is
/// held back at the following ones too, unless the rule allows them in their own right.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum RedirectTrust {
    /// None.
    SameOrigin,
    /// Those that the token's own `aud` claim names: scheme, host and port. A token for everybody (`ANY`) names nobody.
    #[default]
    Audience,
    /// Those that match one of the patterns, such as the data servers of one's own site.
    Hosts(Vec<OriginPattern>),
}

/// What a `403` means.
///
/// XRootD answers `403` where others answer `401`, without any challenge. Asking the source again helps when the
/// token was replaced meanwhile; the request is repeated only if the source has a *different* token.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ForbiddenReplay {
    /// A refusal, nothing else.
    Never,
    /// For `GET` and `HEAD`: a reason to look for another token.
    #[default]
    Reads,
    /// For every method: a reason to look for another token.
    Always,
}

/// Where in the request the token is put.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Placement {
    /// `Authorization: Bearer <token>` (RFC 6750 section 2.1).
    #[default]
    Bearer,
    /// `Authorization: Basic`, the token as user name and `x-oauth-basic` as password: what Gafaelfawr takes from tools
    /// that cannot send anything else.
    XOauthBasic,
}

/// A body that can be made again, so that a streamed upload survives a `401` and a redirect.
#[derive(Clone)]
pub struct ReplayableBody(Arc<dyn Fn() -> Body + Send + Sync>);

impl ReplayableBody {
    /// A body that this function makes; each call must give the same bytes.
    pub fn new(make: impl Fn() -> Body + Send + Sync + 'static) -> Self {
        Self(Arc::new(make))
    }

    /// The body once more.
    pub(crate) fn make(&self) -> Body {
        (self.0)()
    }
}

impl fmt::Debug for ReplayableBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ReplayableBody")
    }
}

/// Wishes for one request; what is not stated is as the client has it.
///
/// They travel in the request's extensions, so they reach the middleware through
/// [`RequestBuilder::send`] but not through [`ClientWithMiddleware::execute`](reqwest_middleware::ClientWithMiddleware::execute),
/// which drops extensions; [`execute_with_extensions`](reqwest_middleware::ClientWithMiddleware::execute_with_extensions)
/// keeps them.
#[derive(Clone, Debug, Default)]
pub struct AuthOptions {
    pub(crate) attach: Option<Attach>,
    pub(crate) source: Option<SharedTokenSource>,
    pub(crate) audience: Option<Audience>,
    pub(crate) scopes: Vec<Scope>,
    pub(crate) min_validity: Option<Duration>,
    pub(crate) redirect_trust: Option<RedirectTrust>,
    pub(crate) forbidden: Option<ForbiddenReplay>,
    pub(crate) placement: Option<Placement>,
    pub(crate) body: Option<ReplayableBody>,
}

impl AuthOptions {
    /// No wishes.
    pub fn new() -> Self {
        Self::default()
    }

    /// When to attach a token.
    pub fn attach(mut self, attach: Attach) -> Self {
        self.attach = Some(attach);
        self
    }

    /// Which source to ask: a token, or anything that has some.
    pub fn token(mut self, source: impl Into<SharedTokenSource>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Which audience the token should have.
    pub fn audience(mut self, audience: impl Into<Audience>) -> Self {
        self.audience = Some(audience.into());
        self
    }

    /// A scope that the token should have, in addition to those stated before.
    pub fn scope(mut self, scope: Scope) -> Self {
        self.scopes.push(scope);
        self
    }

    /// How long the token should live, instead of 60 seconds.
    pub fn min_validity(mut self, min_validity: Duration) -> Self {
        self.min_validity = Some(min_validity);
        self
    }

    /// Which redirect targets may have the token.
    pub fn redirect_trust(mut self, trust: RedirectTrust) -> Self {
        self.redirect_trust = Some(trust);
        self
    }

    /// What a `403` means.
    pub fn forbidden(mut self, forbidden: ForbiddenReplay) -> Self {
        self.forbidden = Some(forbidden);
        self
    }

    /// Where to put the token.
    pub fn placement(mut self, placement: Placement) -> Self {
        self.placement = Some(placement);
        self
    }

    /// How to make the request's body again.
    pub fn body(mut self, body: ReplayableBody) -> Self {
        self.body = Some(body);
        self
    }
}

/// [`AuthOptions`] on the requests of reqwest-middleware, one call each.
///
/// ```
/// # fn run(client: reqwest_middleware::ClientWithMiddleware) -> Result<(), Box<dyn std::error::Error>> {
/// use reqwest_scitokens::{AccessToken, Attach, RequestBuilderExt};
///
/// let request = client
///     .get("https://data.example.org/f")
///     .token(AccessToken::new("c2VjcmV0")?)
///     .attach(Attach::Required);
/// # let _ = request;
/// # Ok(())
/// # }
/// ```
pub trait RequestBuilderExt: Sized {
    /// Changes the options of this request.
    fn auth(self, change: impl FnOnce(AuthOptions) -> AuthOptions) -> Self;

    /// Takes the token from here: a token, or any source.
    fn token(self, source: impl Into<SharedTokenSource>) -> Self {
        self.auth(|options| options.token(source))
    }

    /// Asks for a token with this audience.
    fn audience(self, audience: impl Into<Audience>) -> Self {
        self.auth(|options| options.audience(audience))
    }

    /// Asks for a token with this scope too.
    fn scope(self, scope: Scope) -> Self {
        self.auth(|options| options.scope(scope))
    }

    /// Says when to attach the token.
    fn attach(self, attach: Attach) -> Self {
        self.auth(|options| options.attach(attach))
    }

    /// Sends a body that can be made again when a refusal or a redirect demands it.
    fn replayable_body(self, make: impl Fn() -> Body + Send + Sync + 'static) -> Self;
}

impl RequestBuilderExt for RequestBuilder {
    fn auth(mut self, change: impl FnOnce(AuthOptions) -> AuthOptions) -> Self {
        let options = self.extensions().remove::<AuthOptions>().unwrap_or_default();
        self.extensions().insert(change(options));
        self
    }

    fn replayable_body(self, make: impl Fn() -> Body + Send + Sync + 'static) -> Self {
        let body = ReplayableBody::new(make);
        let first = body.make();
        self.auth(|options| options.body(body)).body(first)
    }
}

/// The wishes of a client and of one request, put together.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) attach: Attach,
    pub(crate) source: SharedTokenSource,
    pub(crate) audience: Option<Audience>,
    pub(crate) scopes: Vec<Scope>,
    pub(crate) min_validity: Duration,
    pub(crate) redirect_trust: RedirectTrust,
    pub(crate) forbidden: ForbiddenReplay,
    pub(crate) placement: Placement,
    pub(crate) plain_http: Vec<OriginPattern>,
}

impl Settings {
    /// What holds for a request with wishes of its own; `None` where it has none.
    pub(crate) fn with(&self, extensions: &Extensions) -> Option<Box<Self>> {
        let wishes = extensions.get::<AuthOptions>()?;
        let scopes = if wishes.scopes.is_empty() { &self.scopes } else { &wishes.scopes };
        Some(Box::new(Self {
            attach: wishes.attach.unwrap_or(self.attach),
            source: wishes.source.as_ref().unwrap_or(&self.source).clone(),
            audience: wishes.audience.as_ref().or(self.audience.as_ref()).cloned(),
            scopes: scopes.clone(),
            min_validity: wishes.min_validity.unwrap_or(self.min_validity),
            redirect_trust: wishes.redirect_trust.as_ref().unwrap_or(&self.redirect_trust).clone(),
            forbidden: wishes.forbidden.unwrap_or(self.forbidden),
            placement: wishes.placement.unwrap_or(self.placement),
            plain_http: self.plain_http.clone(),
        }))
    }

    /// Whether a token may travel to the origin as far as its transport goes.
    pub(crate) fn transport_is_fine(&self, origin: &Origin) -> bool {
        origin.is_trustworthy() || self.plain_http.iter().any(|pattern| pattern.matches(origin))
    }
}
