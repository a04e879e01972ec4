//! The layer and the service that it makes.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::header::AUTHORIZATION;
use http::request::Parts;
use http::{HeaderMap, Method, Request, Response};
use tower_layer::Layer;
use tower_service::Service;

use super::super::{Enforcer, OfflineVerifier, VerifiedToken, Verifier, VerifyError};
use super::Demand;
use super::challenge::Denial;
use crate::token::ResourcePath;

/// Lets a request through to its service if it brings a token for it (RFC 6750).
///
/// The token comes in the `Authorization` header and nowhere else: one in a URL ends up in logs. What it must allow is
/// said by a function of the request and its path, percent-decoded and without anything that could climb. The service
/// finds the [`VerifiedToken`] in the extensions of the request. Who is not let in gets
///
/// * `401` with a challenge and no error, where there is no token;
/// * `400` `invalid_request`, where there are two, or the path is none;
/// * `401` `invalid_token`, where the token is refused;
/// * `403` `insufficient_scope`, with the scope that would do, where it allows something else;
/// * `503`, where the keys of its issuer are not to be had.
///
/// `OPTIONS *` is about the server and no resource of it, so that the function is not asked: any good token will do.
///
/// ```
/// use reqwest_scitokens::scitokens::{AuthorizeLayer, Demand, Enforcer, Verifier};
///
/// fn layer(verifier: Verifier, enforcer: Enforcer) -> AuthorizeLayer {
///     AuthorizeLayer::new(verifier, enforcer, |request, path| match request.method {
///         http::Method::GET | http::Method::HEAD => Demand::access("read", path),
///         _ => Demand::access("write", path),
///     })
///     .realm("data.example")
/// }
/// ```
#[derive(Clone)]
pub struct AuthorizeLayer(Arc<Settings>);

/// Who verifies the tokens of an [`AuthorizeLayer`].
#[derive(Clone, Debug)]
pub struct AnyVerifier(Kind);

#[derive(Clone, Debug)]
enum Kind {
    Online(Verifier),
    Offline(Arc<OfflineVerifier>),
}

impl From<Verifier> for AnyVerifier {
    fn from(verifier: Verifier) -> Self {
        Self(Kind::Online(verifier))
    }
}

impl From<OfflineVerifier> for AnyVerifier {
    fn from(verifier: OfflineVerifier) -> Self {
        Self(Kind::Offline(Arc::new(verifier)))
    }
}

impl AnyVerifier {
    async fn verify(&self, token: &str) -> Result<VerifiedToken, VerifyError> {
        match &self.0 {
            Kind::Online(verifier) => verifier.verify(token).await,
            Kind::Offline(verifier) => Ok(verifier.verify(token)?),
        }
    }
}

struct Settings {
    verifier: AnyVerifier,
    enforcer: Enforcer,
    demand: Box<Demander>,
    realm: String,
}

/// Says what a request needs.
type Demander = dyn Fn(&Parts, &ResourcePath) -> Demand + Send + Sync;

/// The service that an [`AuthorizeLayer`] makes of another.
#[derive(Clone)]
pub struct Authorize<S> {
    settings: Arc<Settings>,
    inner: S,
}

impl AuthorizeLayer {
    /// A layer that demands of each request what the function says. Keys come from a [`Verifier`], which fetches them, or
    /// from an [`OfflineVerifier`].
    pub fn new(
        verifier: impl Into<AnyVerifier>,
        enforcer: Enforcer,
        demand: impl Fn(&Parts, &ResourcePath) -> Demand + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(Settings {
            verifier: verifier.into(),
            enforcer,
            demand: Box::new(demand),
            realm: "scitokens".to_owned(),
        }))
    }

    /// Names the realm in challenges; without it, `scitokens`.
    pub fn realm(self, realm: impl Into<String>) -> Self {
        let realm = realm.into();
        Self(match Arc::try_unwrap(self.0) {
            Ok(settings) => Arc::new(Settings { realm, ..settings }),
            // Only a layer that is in use already is shared; it keeps its realm.
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
    R: Default + 'static,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<R>, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let settings = Arc::clone(&self.settings);
        // The clone may not be ready; the one that was asked is.
        let clone = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, clone);
        Box::pin(async move {
            let (mut parts, body) = request.into_parts();
            match settings.admit(&parts).await {
                Ok(token) => {
                    if let Some(token) = token {
                        parts.extensions.insert(token);
                    }
                    // What the service logs must not have the token in it.
                    if let Some(value) = parts.headers.get_mut(AUTHORIZATION) {
                        value.set_sensitive(true);
                    }
                    inner.call(Request::from_parts(parts, body)).await
                }
                Err((denial, scope)) => Ok(denial.into_response(&settings.realm, scope.as_deref())),
            }
        })
    }
}

impl Settings {
    async fn admit(&self, parts: &Parts) -> Result<Option<VerifiedToken>, (Denial, Option<String>)> {
        let demand = self.demand(parts).map_err(|denial| (denial, None))?;
        if demand.is_nothing() {
            return Ok(None);
        }
        let outcome = async {
            let token = self.verifier.verify(bearer(&parts.headers)?).await?;
            demand.is_met_by(&token, &self.enforcer).map_err(Denial::BadToken)?;
            Ok(token)
        };
        outcome.await.map(Some).map_err(|denial| (denial, demand.scope()))
    }

    fn demand(&self, parts: &Parts) -> Result<Demand, Denial> {
        // The asterisk of RFC 9110 section 9.3.7, which is no path.
        if parts.method == Method::OPTIONS && parts.uri.path() == "*" {
            return Ok(Demand::any_token());
        }
        let path = parts.uri.path().parse();
        let path: ResourcePath = path.map_err(|_| Denial::BadRequest("the path is not one of a resource"))?;
        Ok((self.demand)(parts, &path))
    }
}

/// The token in the header; the scheme's name has no case (RFC 9110 section 11.1).
fn bearer(headers: &HeaderMap) -> Result<&str, Denial> {
    let mut values = headers.get_all(AUTHORIZATION).into_iter();
    let Some(value) = values.next() else { return Err(Denial::NoToken) };
    if values.next().is_some() {
        return Err(Denial::BadRequest("more than one Authorization header"));
    }
    let value =
        value.to_str().map_err(|_| Denial::BadRequest("the Authorization header is not plain text"))?;
    let (scheme, token) = value.split_once(' ').unwrap_or((value, ""));
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(Denial::NoToken);
    }
    match token.trim_matches(' ') {
        "" => Err(Denial::BadRequest("the Authorization header has no token")),
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

impl Settings {
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
        assert!(matches!(bearer(&headers(&[])), Err(Denial::NoToken)));
        assert!(matches!(bearer(&headers(&["Basic YTpi"])), Err(Denial::NoToken)));
        assert!(matches!(bearer(&headers(&["Bearer"])), Err(Denial::BadRequest(_))));
        assert!(matches!(bearer(&headers(&["Bearer a", "Bearer b"])), Err(Denial::BadRequest(_))));
    }
}
