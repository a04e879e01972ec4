//! The redirect loop: each step gets its own decision about tokens.

mod context;
mod location;

use std::sync::Arc;

use async_trait::async_trait;
use http::Extensions;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, TRANSFER_ENCODING};
use reqwest::{Request, Response};
use reqwest_middleware::{Middleware, Next};

pub(crate) use self::context::RedirectContext;
pub use self::location::{CleartextRedirects, RefuseCollections};
use self::location::{RedirectRules, RedirectTarget};
use super::options::AuthOptions;
use super::request_template::{self, RequestTemplate};
use super::trace::AuthTrace;
use super::transport::drain_body;
use super::url_credentials;
use crate::error::{Error, RedirectProblem};
use scitoken_types::Origin;
use scitoken_types::redact::Redactor;

/// Follows redirects above the [`AuthMiddleware`](super::AuthMiddleware), for clients with
/// `redirect::Policy::none()`.
///
/// It follows up to ten steps of 301, 302, 303, 307 and 308, each as RFC 9110 section 15.4 says. When a step leads to
/// another origin, headers for the first one (`Authorization` of the caller's own, `Cookie`, `Proxy-Authorization`) are
/// removed and never come back; [`RedirectTrust`](super::RedirectTrust) decides whether a token is attached there. A step
/// from `https` to `http` never carries a token.
///
/// reqwest adds the `default_headers` of the HTTP client below this loop, for every origin: put no credential there.
///
/// A 307 or 308 for a body that was a stream is returned as it is.
///
/// ```
/// use reqwest_scitokens::RedirectMiddleware;
/// use reqwest_scitokens::auth::CleartextRedirects;
///
/// let redirects = RedirectMiddleware::new().limit(3).cleartext(CleartextRedirects::Refuse);
/// # let _ = redirects;
/// ```
#[derive(Clone, Debug)]
pub struct RedirectMiddleware {
    max_steps: usize,
    cleartext: CleartextRedirects,
}

impl RedirectMiddleware {
    /// Follows up to ten steps, and none that carries a credential in clear.
    pub fn new() -> Self {
        Self { max_steps: 10, cleartext: CleartextRedirects::default() }
    }

    /// Follows up to this many steps instead of ten; with zero every redirect is an error.
    pub fn limit(mut self, max_steps: usize) -> Self {
        self.max_steps = max_steps;
        self
    }

    /// Sets what to do with a `Location` that carries a token to plain `http`.
    pub fn cleartext(mut self, cleartext: CleartextRedirects) -> Self {
        self.cleartext = cleartext;
        self
    }
}

impl Default for RedirectMiddleware {
    fn default() -> Self {
        Self::new()
    }
}

#[async_trait]
impl Middleware for RedirectMiddleware {
    async fn handle(
        &self,
        request: Request,
        extensions: &mut Extensions,
        next: Next<'_>,
    ) -> reqwest_middleware::Result<Response> {
        let Ok(start) = Origin::try_from(request.url()) else { return next.run(request, extensions).await };
        let template = template(&request, extensions);
        // A new one each time: a retry middleware above passes the same extensions for each try.
        extensions.insert(RedirectContext::new(start, Arc::clone(&template)));
        let result = match next.clone().run(request, extensions).await {
            // Rare and large: kept out of the future of every request.
            Ok(response) if response.status().is_redirection() => {
                Box::pin(self.follow(response, template, extensions, &next)).await
            }
            result => result,
        };
        extensions.remove::<RedirectContext>();
        result
    }
}

impl RedirectMiddleware {
    /// Follows a redirect, and those that come after it.
    async fn follow(
        &self,
        mut response: Response,
        mut sent: Arc<RequestTemplate>,
        extensions: &mut Extensions,
        next: &Next<'_>,
    ) -> reqwest_middleware::Result<Response> {
        let mut steps = 0;
        loop {
            let (method, url) = (sent.method(), sent.url());
            let redactor = known_credentials(&sent, extensions);
            let rules = RedirectRules {
                cleartext: self.cleartext,
                redactor: &redactor,
                refuses_collections: extensions.get::<RefuseCollections>().is_some(),
                downgraded: extensions.get::<RedirectContext>().is_some_and(RedirectContext::is_downgraded),
            };
            let target =
                location::redirect_target(response.status(), response.headers(), method, url, &rules)
                    .map_err(Error::from)?;
            let Some(target) = target else { return Ok(response) };
            if steps == self.max_steps {
                let next = rules.shown(&target.url);
                return Err(Error::from(RedirectProblem::TooMany { followed: steps, next }).into());
            }
            tracing::debug!(
                from = rules.shown(url),
                to = rules.shown(&target.url),
                status = response.status().as_u16(),
                "following a redirect"
            );
            let downgrade = url.scheme() == "https" && target.url.scheme() == "http";
            let Some(request) = next_request(&sent, target) else { return Ok(response) };
            drain_body(response).await;
            sent = template(&request, extensions);
            if let Some(context) = extensions.get_mut::<RedirectContext>() {
                context.set_template(Arc::clone(&sent));
                if downgrade {
                    context.mark_downgraded();
                }
            }
            steps += 1;
            response = next.clone().run(request, extensions).await?;
        }
    }
}

/// Returns a masker that knows what the request was sent with so far.
fn known_credentials(sent: &RequestTemplate, extensions: &Extensions) -> Redactor {
    let redactor = extensions.get::<AuthTrace>().map(AuthTrace::redactor).unwrap_or_default();
    if let Some(value) = sent.authorization() {
        url_credentials::add_authorization(&redactor, value);
    }
    redactor
}

/// Copies a request, with the body that its options make.
fn template(request: &Request, extensions: &Extensions) -> Arc<RequestTemplate> {
    let body = extensions.get::<AuthOptions>().and_then(|options| options.body.as_ref());
    Arc::new(RequestTemplate::of(request, body))
}

/// Makes the request that a redirect asks for; `None` if it asks for a body that was a stream.
fn next_request(sent: &RequestTemplate, target: RedirectTarget) -> Option<Request> {
    let mut request = if target.drops_body { sent.to_request_without_body() } else { sent.to_request()? };
    let same_origin =
        matches!((Origin::try_from(sent.url()), Origin::try_from(&target.url)), (Ok(a), Ok(b)) if a == b);
    if !same_origin {
        request_template::strip_origin_headers(&mut request);
    }
    if target.drops_body {
        for name in [CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, TRANSFER_ENCODING] {
            request.headers_mut().remove(name);
        }
    }
    *request.method_mut() = target.method;
    *request.url_mut() = target.url;
    Some(request)
}
