//! Options of the middleware, for a client or for one request.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::{Extensions, Method};
use reqwest::Body;
use reqwest_middleware::RequestBuilder;

use super::attach::Attach;
use super::placement::Placement;
use crate::error::{Error, Kind};
use crate::source::SharedTokenSource;
use scitoken_types::OriginPattern;
use scitoken_types::{Audience, Scope};

/// Which redirect targets may receive the token.
///
/// The origin that the user named always may. After a redirect target got no token, the following ones get none
/// either, unless the rule allows them by themselves.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum RedirectTrust {
    /// No other origin.
    SameOrigin,
    /// Origins that the token's `aud` claim names: scheme, host and port. The any-audience values name no origin.
    #[default]
    Audience,
    /// Origins that match one of the patterns, such as the data servers of a site.
    Hosts(Vec<OriginPattern>),
}

/// What a `403` means.
///
/// XRootD answers `403` where others answer `401`, without any challenge. Asking the source again helps when the
/// token was replaced meanwhile; the request is repeated only if the source has a *different* token.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ForbiddenReplay {
    /// It is final.
    Never,
    /// For `GET` and `HEAD`, look for another token.
    #[default]
    Reads,
    /// For every method, look for another token.
    Always,
}

/// A body that can be made again, so that a streamed upload survives a `401` and a redirect.
///
/// ```
/// use reqwest_scitokens::auth::{AuthOptions, ReplayableBody};
///
/// let options = AuthOptions::new().body(ReplayableBody::new(|| reqwest::Body::from("data")));
/// # let _ = options;
/// ```
#[derive(Clone)]
pub struct ReplayableBody(Arc<dyn Fn() -> Body + Send + Sync>);

impl ReplayableBody {
    /// Wraps a function that makes the body; each call must make the same bytes.
    pub fn new(make: impl Fn() -> Body + Send + Sync + 'static) -> Self {
        Self(Arc::new(make))
    }

    /// Makes the body.
    pub(crate) fn make(&self) -> Body {
        (self.0)()
    }
}

impl fmt::Debug for ReplayableBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ReplayableBody")
    }
}

/// Options of one request; the client's hold for what is not set here.
///
/// ```
/// use reqwest_scitokens::Attach;
/// use reqwest_scitokens::auth::AuthOptions;
///
/// # async fn run(client: reqwest_middleware::ClientWithMiddleware) -> reqwest_middleware::Result<()> {
/// let options = AuthOptions::new().attach(Attach::Required).audience("https://data.example.org");
/// let request = client.get("https://data.example.org/f").with_extension(options);
/// # let _ = request.send().await?;
/// # Ok(())
/// # }
/// ```
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
    pub(crate) scopes: WantedScopes,
    pub(crate) method: Option<Method>,
    pub(crate) min_validity: Option<Duration>,
    pub(crate) redirect_trust: Option<RedirectTrust>,
    pub(crate) forbidden: Option<ForbiddenReplay>,
    pub(crate) placement: Option<Placement>,
    pub(crate) body: Option<ReplayableBody>,
    pub(crate) is_named_by_server: bool,
}

impl AuthOptions {
    /// Returns options that change nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets when to attach a token.
    pub fn attach(mut self, attach: Attach) -> Self {
        self.attach = Some(attach);
        self
    }

    /// Sets the source of tokens: a token, or any source.
    pub fn token(mut self, source: impl Into<SharedTokenSource>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Sets the audience that the token should have.
    pub fn audience(mut self, audience: impl Into<Audience>) -> Self {
        self.audience = Some(audience.into());
        self
    }

    /// Adds a scope that the token should have: a [`Scope`], or its text. A request with a text that is no scope fails
    /// before it is sent.
    pub fn scope<S>(mut self, scope: S) -> Self
    where
        S: TryInto<Scope, Error: fmt::Display>,
    {
        self.scopes.add(scope);
        self
    }

    /// Asks the sources for the token of a request with this method, which the request itself only probes.
    pub fn for_method(mut self, method: Method) -> Self {
        self.method = Some(method);
        self
    }

    /// Sets how long the token should still be valid, instead of 60 seconds.
    pub fn min_validity(mut self, min_validity: Duration) -> Self {
        self.min_validity = Some(min_validity);
        self
    }

    /// Sets which redirect targets may receive the token.
    pub fn redirect_trust(mut self, trust: RedirectTrust) -> Self {
        self.redirect_trust = Some(trust);
        self
    }

    /// Sets what a `403` means.
    pub fn forbidden(mut self, forbidden: ForbiddenReplay) -> Self {
        self.forbidden = Some(forbidden);
        self
    }

    /// Sets where in the request to put the token.
    pub fn placement(mut self, placement: Placement) -> Self {
        self.placement = Some(placement);
        self
    }

    /// Says that a server named this server, such as a director its caches, and not the user: it gets a password of
    /// `.netrc` only by an entry of its own, not by `default`.
    pub fn named_by_server(mut self) -> Self {
        self.is_named_by_server = true;
        self
    }

    /// Sets how to make the request's body again.
    pub fn body(mut self, body: ReplayableBody) -> Self {
        self.body = Some(body);
        self
    }
}

/// [`AuthOptions`] on the requests of reqwest-middleware, one call each.
///
/// ```
/// # fn run(client: reqwest_middleware::ClientWithMiddleware) -> Result<(), Box<dyn std::error::Error>> {
/// use reqwest_scitokens::AccessToken;
/// use reqwest_scitokens::{Attach, RequestBuilderExt};
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

    /// Asks for a token that also has this scope: a [`Scope`], or its text.
    fn scope<S>(self, scope: S) -> Self
    where
        S: TryInto<Scope, Error: fmt::Display>,
    {
        self.auth(|options| options.scope(scope))
    }

    /// Sets when to attach the token.
    fn attach(self, attach: Attach) -> Self {
        self.auth(|options| options.attach(attach))
    }

    /// Sends a body that can be made again after a refusal or a redirect.
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

/// The scopes that a token should have.
#[derive(Clone, Debug, Default)]
pub(crate) struct WantedScopes {
    scopes: Vec<Scope>,
    /// What is wrong with a text that was given as a scope.
    invalid: Option<String>,
}

impl WantedScopes {
    pub(crate) fn add<S>(&mut self, scope: S)
    where
        S: TryInto<Scope, Error: fmt::Display>,
    {
        match scope.try_into() {
            Ok(scope) => self.scopes.push(scope),
            Err(error) => self.invalid = Some(error.to_string()),
        }
    }

    pub(crate) fn as_slice(&self) -> &[Scope] {
        &self.scopes
    }

    /// Fails if one of them is no scope.
    pub(crate) fn check(&self) -> Result<(), Error> {
        match &self.invalid {
            Some(what) => Err(Kind::InvalidScope(what.clone()).into()),
            None => Ok(()),
        }
    }

    fn is_default(&self) -> bool {
        self.scopes.is_empty() && self.invalid.is_none()
    }
}

/// The options of a client, with those of one request applied.
#[derive(Clone, Debug)]
pub(crate) struct AuthSettings {
    pub(crate) attach: Attach,
    pub(crate) source: SharedTokenSource,
    pub(crate) audience: Option<Audience>,
    pub(crate) scopes: WantedScopes,
    /// The method that the token is for, where it is not the request's.
    pub(crate) method: Option<Method>,
    pub(crate) min_validity: Duration,
    pub(crate) redirect_trust: RedirectTrust,
    pub(crate) forbidden: ForbiddenReplay,
    pub(crate) placement: Placement,
    pub(crate) plain_http: Vec<OriginPattern>,
}

impl AuthSettings {
    /// Applies the options of a request; `None` where it has none.
    pub(crate) fn overridden_by(&self, extensions: &Extensions) -> Option<Box<Self>> {
        let options = extensions.get::<AuthOptions>()?;
        let scopes = if options.scopes.is_default() { &self.scopes } else { &options.scopes };
        Some(Box::new(Self {
            attach: options.attach.unwrap_or(self.attach),
            source: options.source.as_ref().unwrap_or(&self.source).clone(),
            audience: options.audience.as_ref().or(self.audience.as_ref()).cloned(),
            scopes: scopes.clone(),
            method: options.method.clone(),
            min_validity: options.min_validity.unwrap_or(self.min_validity),
            redirect_trust: options.redirect_trust.as_ref().unwrap_or(&self.redirect_trust).clone(),
            forbidden: options.forbidden.unwrap_or(self.forbidden),
            placement: options.placement.unwrap_or(self.placement),
            plain_http: self.plain_http.clone(),
        }))
    }
}
