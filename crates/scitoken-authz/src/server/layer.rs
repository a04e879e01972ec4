//! The layer and the service that it wraps around another.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::header::AUTHORIZATION;
use http::request::Parts;
use http::{HeaderMap, Method, Request, Response};
use tower_layer::Layer;
use tower_service::Service;

use super::Requirement;
use super::rejection::{Reason, Rejection};
use crate::{Enforcer, OfflineVerifier, VerifiedToken, Verifier, VerifyError};
use scitoken_types::{ResourcePath, redact};

/// Authorizes HTTP requests by bearer token (RFC 6750).
///
/// The token is read from the `Authorization` header only: URLs end up in logs. A function of the request and its path
/// returns the [`Requirement`]; the path is percent-decoded and has no `..`. The extensions of the request then have
///
/// * the authorized [`ResourcePath`], which the service must serve instead of the URL's path: two readers of one URL can
///   disagree about what it names;
/// * the [`VerifiedToken`], if one was required.
///
/// Other requests are answered with
///
/// * `401` and a challenge without an error code, if there is no token;
/// * `400` `invalid_request`, if there are two different tokens or the path is malformed;
/// * `401` `invalid_token`, if the token is refused;
/// * `403` `insufficient_scope` and the scope that would suffice, if the token allows something else;
/// * `503`, if the keys of the token's issuer are not available.
///
/// Each has a JSON body with `error`, `error_description` and, where known, the `scope` that would suffice and the
/// `token_scope`, so the service's response body must be made from a `String`. `OPTIONS *` names no resource (RFC 9110
/// section 9.3.7), so the function is not called: any valid token suffices.
///
/// # WLCG tokens
///
/// An [`Enforcer`] compares names as they stand by default ([`Vocabulary::Native`](crate::Vocabulary::Native)): a
/// requirement of `read` is met by a SciToken with `read:/`, and a WLCG token with `storage.read:/` gets `403`. A server for
/// both either builds its enforcer with [`Vocabulary::Compat`](crate::Vocabulary::Compat), with which `storage.read` meets
/// `read` and `storage.modify` meets `write`, or names both: `Requirement::access("read", path)`
/// `.or(Requirement::access("storage.read", path))`.
///
/// ```
/// use scitoken_authz::{AuthorizeLayer, Requirement, Enforcer, Verifier};
///
/// fn layer(verifier: Verifier, enforcer: Enforcer) -> AuthorizeLayer {
///     AuthorizeLayer::new(verifier, enforcer, |request, path| match request.method {
///         http::Method::GET | http::Method::HEAD => Requirement::access("read", path),
///         _ => Requirement::access("write", path),
///     })
///     .realm("data.example")
/// }
/// ```
#[derive(Clone)]
pub struct AuthorizeLayer(Arc<LayerSettings>);

/// The verifier of an [`AuthorizeLayer`].
#[derive(Clone, Debug)]
pub struct TokenVerifier(VerifierKind);

#[derive(Clone, Debug)]
enum VerifierKind {
    Online(Verifier),
    Offline(Arc<OfflineVerifier>),
}

impl From<Verifier> for TokenVerifier {
    fn from(verifier: Verifier) -> Self {
        Self(VerifierKind::Online(verifier))
    }
}

impl From<OfflineVerifier> for TokenVerifier {
    fn from(verifier: OfflineVerifier) -> Self {
        Self(VerifierKind::Offline(Arc::new(verifier)))
    }
}

impl TokenVerifier {
    async fn verify(&self, token: &str) -> Result<VerifiedToken, VerifyError> {
        match &self.0 {
            VerifierKind::Online(verifier) => verifier.verify(token).await,
            VerifierKind::Offline(verifier) => Ok(verifier.verify(token)?),
        }
    }

    fn leeway(&self) -> Duration {
        match &self.0 {
            VerifierKind::Online(verifier) => verifier.leeway(),
            VerifierKind::Offline(verifier) => verifier.allowed_leeway(),
        }
    }
}

struct LayerSettings {
    verifier: TokenVerifier,
    enforcer: Enforcer,
    requirement: Box<RequirementFn>,
    realm: String,
}

/// Returns what a request requires.
type RequirementFn = dyn Fn(&Parts, &ResourcePath) -> Requirement + Send + Sync;

/// The service that [`AuthorizeLayer`] wraps around another.
#[derive(Clone)]
pub struct Authorize<S> {
    settings: Arc<LayerSettings>,
    inner: S,
}

impl AuthorizeLayer {
    /// Returns a layer that requires of each request what the function returns. A [`Verifier`] fetches keys, an
    /// [`OfflineVerifier`] is given them.
    ///
    /// The leeway of the verifier applies to the enforcer as well: set it with [`VerifierBuilder::leeway`] or
    /// [`OfflineVerifier::leeway`].
    ///
    /// [`VerifierBuilder::leeway`]: crate::VerifierBuilder::leeway
    pub fn new(
        verifier: impl Into<TokenVerifier>,
        enforcer: Enforcer,
        requirement: impl Fn(&Parts, &ResourcePath) -> Requirement + Send + Sync + 'static,
    ) -> Self {
        let verifier = verifier.into();
        Self(Arc::new(LayerSettings {
            enforcer: enforcer.with_leeway_of(verifier.leeway()),
            verifier,
            requirement: Box::new(requirement),
            realm: "scitokens".to_owned(),
        }))
    }

    /// Sets the realm in challenges; `scitokens` by default.
    pub fn realm(self, realm: impl Into<String>) -> Self {
        let realm = realm.into();
        Self(match Arc::try_unwrap(self.0) {
            Ok(settings) => Arc::new(LayerSettings { realm, ..settings }),
            // A shared layer is in use already and keeps its realm.
            Err(shared) => shared,
        })
    }
}

impl<S> Layer<S> for AuthorizeLayer {
    type Service = Authorize<S>;

    fn layer(&self, inner: S) -> Authorize<S> {
        Authorize { settings: Arc::clone(&self.0), inner }
    }
}

impl<S, B, R> Service<Request<B>> for Authorize<S>
where
    S: Service<Request<B>, Response = Response<R>> + Clone + Send + 'static,
    S::Future: Send,
    B: Send + 'static,
    R: From<String> + 'static,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<R>, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let settings = Arc::clone(&self.settings);
        // The clone may not be ready; the original was polled.
        let clone = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, clone);
        Box::pin(async move {
            let (mut parts, body) = request.into_parts();
            match settings.authorize(&parts).await {
                Ok(Authorized { path, token }) => {
                    if let Some(path) = path {
                        parts.extensions.insert(path);
                    }
                    if let Some(token) = token {
                        parts.extensions.insert(token);
                    }
                    // Marks the token so that the service does not log it.
                    if let Some(value) = parts.headers.get_mut(AUTHORIZATION) {
                        value.set_sensitive(true);
                    }
                    inner.call(Request::from_parts(parts, body)).await
                }
                Err(rejection) => Ok(rejection.into_response(&settings.realm)),
            }
        })
    }
}

/// What a request was authorized for.
struct Authorized {
    /// The path; none for `OPTIONS *`.
    path: Option<ResourcePath>,
    token: Option<VerifiedToken>,
}

impl LayerSettings {
    async fn authorize(&self, parts: &Parts) -> Result<Authorized, Rejection> {
        // `*` is the asterisk form of RFC 9110 section 9.3.7, not a path.
        let (path, requirement) = if parts.method == Method::OPTIONS && parts.uri.path() == "*" {
            (None, Requirement::any_token())
        } else {
            let path = parts.uri.path().parse::<ResourcePath>();
            let path = path.map_err(|error| Reason::BadRequest(error.to_string().into()).without_scope())?;
            let requirement = (self.requirement)(parts, &path);
            (Some(path), requirement)
        };
        if requirement.is_nothing() {
            return Ok(Authorized { path, token: None });
        }
        let scope = || requirement.scope();
        let header = bearer(&parts.headers).map_err(|reason| reason.with_scope(scope()))?;
        let token = self.verifier.verify(header).await;
        let token = token.map_err(|error| Reason::from(error).with_scope(scope()))?;
        match requirement.check(&token, &self.enforcer) {
            Ok(()) => Ok(Authorized { path, token: Some(token) }),
            Err(error) => {
                let granted = token.claims().scope_text().map(redact::text);
                Err(Reason::BadToken { error, granted }.with_scope(scope()))
            }
        }
    }
}

/// Returns the token in the header; the scheme's name has no case (RFC 9110 section 11.1).
fn bearer(headers: &HeaderMap) -> Result<&str, Reason> {
    let mut values = headers.get_all(AUTHORIZATION).into_iter();
    let Some(value) = values.next() else { return Err(Reason::NoToken) };
    // Some clients, such as the WLCG compliance suite, send the same header twice; that is no second token.
    if values.any(|other| other != value) {
        return Err(Reason::BadRequest("more than one Authorization header".into()));
    }
    let value =
        value.to_str().map_err(|_| Reason::BadRequest("the Authorization header is not ASCII".into()))?;
    let (scheme, token) = value.split_once(' ').unwrap_or((value, ""));
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(Reason::NoToken);
    }
    match token.trim_matches(' ') {
        "" => Err(Reason::BadRequest("the Authorization header has no token".into())),
        token => Ok(token),
    }
}

impl fmt::Debug for AuthorizeLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt_as("AuthorizeLayer", f)
    }
}

impl<S> fmt::Debug for Authorize<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.settings.fmt_as("Authorize", f)
    }
}

impl LayerSettings {
    fn fmt_as(&self, name: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct(name)
            .field("verifier", &self.verifier)
            .field("enforcer", &self.enforcer)
            .field("realm", &self.realm)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(values: &[&str]) -> HeaderMap {
        values.iter().map(|value| (AUTHORIZATION, value.parse().unwrap())).collect()
    }

    #[test]
    fn the_token_is_what_follows_the_scheme() {
        assert_eq!(bearer(&headers(&["Bearer a.b.c"])).unwrap(), "a.b.c");
        assert_eq!(bearer(&headers(&["bearer  a.b.c "])).unwrap(), "a.b.c");
        assert!(matches!(bearer(&headers(&[])), Err(Reason::NoToken)));
        assert!(matches!(bearer(&headers(&["Basic YTpi"])), Err(Reason::NoToken)));
        assert!(matches!(bearer(&headers(&["Bearer"])), Err(Reason::BadRequest(_))));
        assert!(matches!(bearer(&headers(&["Bearer a", "Bearer b"])), Err(Reason::BadRequest(_))));
        assert!(matches!(
            bearer(&headers(&["Bearer a", "Bearer a", "Bearer b"])),
            Err(Reason::BadRequest(_))
        ));
        assert_eq!(bearer(&headers(&["Bearer a", "Bearer a"])).unwrap(), "a");
    }
}
