//! The redirect loop, so that each step gets its own decision about tokens.

use std::sync::Arc;

use async_trait::async_trait;
use http::Extensions;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, TRANSFER_ENCODING};
use reqwest::{Request, Response};
use reqwest_middleware::{Middleware, Next};

use super::chain::Chain;
use super::drain::drain;
use super::location::{self, BodyFate, NextHop};
use super::options::AuthOptions;
use super::spare::{self, Spare};
use crate::error::{Error, RedirectProblem};
use crate::origin::Origin;
use crate::redact::SafeUrl;

/// Follows redirects above the [`AuthMiddleware`](super::AuthMiddleware), for clients with
/// `redirect::Policy::none()`.
///
/// Up to ten steps of 301, 302, 303, 307 and 308, each as RFC 9110 section 15.4 says. When a step leads to another
/// origin, headers that belong to the first one (`Authorization` of the caller's own, `Cookie`,
/// `Proxy-Authorization`) are taken off and never come back; whether a token of ours goes there is decided by
/// [`RedirectTrust`](super::RedirectTrust). A step from `https` to `http` never carries a token.
///
/// What reqwest adds by itself is beyond this loop: `default_headers` of the HTTP client go to every origin, so put no
/// credential there.
///
/// A redirect that asks for a streamed body once more (307, 308) and cannot have it is returned as it is.
#[derive(Clone, Debug)]
pub struct RedirectMiddleware {
    most: usize,
    cleartext: CleartextRedirects,
}

/// What to do with a `Location` that carries a token in its query and leads to plain `http`, as XRootD's manager sends
/// it unless it is told `http.desthttps yes`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum CleartextRedirects {
    /// An error that says so. The default: the data would still come, but the token would be public.
    #[default]
    Refuse,
    /// Follow.
    Allow,
}

impl Default for RedirectMiddleware {
    fn default() -> Self {
        Self::new()
    }
}

impl RedirectMiddleware {
    /// Up to ten steps, no credential in clear.
    pub fn new() -> Self {
        Self { most: 10, cleartext: CleartextRedirects::default() }
    }

    /// Follows up to this many steps instead of ten; with zero every redirect is an error.
    pub fn limit(mut self, most: usize) -> Self {
        self.most = most;
        self
    }

    /// What to do with a `Location` that carries a token to plain `http`.
    pub fn cleartext(mut self, cleartext: CleartextRedirects) -> Self {
        self.cleartext = cleartext;
        self
    }

    /// Goes where a redirect leads, and on from there.
    async fn follow(
        &self,
        mut response: Response,
        mut spare: Arc<Spare>,
        extensions: &mut Extensions,
        next: &Next<'_>,
    ) -> reqwest_middleware::Result<Response> {
        let mut followed = 0;
        loop {
            let (method, url) = (spare.method(), spare.url());
            let hop = location::next_hop(response.status(), response.headers(), method, url, self.cleartext)
                .map_err(Error::from)?;
            let Some(hop) = hop else { return Ok(response) };
            if followed == self.most {
                let next = SafeUrl::new(&hop.url).to_string();
                return Err(Error::from(RedirectProblem::TooMany { followed, next }).into());
            }
            tracing::debug!(
                from = %SafeUrl::new(url), to = %SafeUrl::new(&hop.url), status = response.status().as_u16(),
                "following a redirect"
            );
            let request = match hop.body {
                BodyFate::Kept => spare.make(),
                // A stream that is not wanted any more need not be made again.
                BodyFate::Dropped => Some(spare.without_body()),
            };
            let Some(mut request) = request else { return Ok(response) };
            aim(&mut request, hop, url);
            if let (Some(chain), "https", "http") =
                (extensions.get_mut::<Chain>(), url.scheme(), request.url().scheme())
            {
                chain.lose_tls();
            }
            drain(response).await;
            followed += 1;
            spare = copy(&request, extensions);
            if let Some(chain) = extensions.get_mut::<Chain>() {
                chain.step(Arc::clone(&spare));
            }
            response = next.clone().run(request, extensions).await?;
        }
    }
}

/// A copy of a request, with the wishes that came with it.
fn copy(request: &Request, extensions: &Extensions) -> Arc<Spare> {
    let body = extensions.get::<AuthOptions>().and_then(|options| options.body.as_ref());
    Arc::new(Spare::of(request, body))
}

/// An extension of a request whose redirects are its sender's business: each answer comes back as it is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DontFollow;

#[async_trait]
impl Middleware for RedirectMiddleware {
    async fn handle(
        &self,
        request: Request,
        extensions: &mut Extensions,
        next: Next<'_>,
    ) -> reqwest_middleware::Result<Response> {
        if extensions.get::<DontFollow>().is_some() {
            return next.run(request, extensions).await;
        }
        let Ok(start) = Origin::try_from(request.url()) else { return next.run(request, extensions).await };
        let spare = copy(&request, extensions);
        // A new one each time: a retry middleware above hands the same extensions to each try.
        extensions.insert(Chain::new(start, Arc::clone(&spare)));
        let answered = match next.clone().run(request, extensions).await {
            // Rare and large: kept out of the future that every request is.
            Ok(response) if response.status().is_redirection() => {
                Box::pin(self.follow(response, spare, extensions, &next)).await
            }
            answered => answered,
        };
        let trace = extensions.remove::<Chain>().and_then(Chain::into_trace);
        match (answered, trace) {
            (Ok(mut response), Some(trace)) => {
                response.extensions_mut().insert(trace);
                Ok(response)
            }
            (Err(error), Some(trace)) => {
                extensions.insert(trace);
                Err(error)
            }
            (answered, None) => answered,
        }
    }
}

/// Makes the request the one that the redirect asks for.
fn aim(request: &mut Request, hop: NextHop, from: &url::Url) {
    let same = matches!((Origin::try_from(from), Origin::try_from(&hop.url)), (Ok(a), Ok(b)) if a == b);
    *request.method_mut() = hop.method;
    *request.url_mut() = hop.url;
    if !same {
        spare::leave_origin(request);
    }
    if hop.body == BodyFate::Dropped {
        for name in [CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, TRANSFER_ENCODING] {
            request.headers_mut().remove(name);
        }
        *request.body_mut() = None;
    }
}
