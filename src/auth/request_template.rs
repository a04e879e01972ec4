//! A copy of a request, from which it is made again.

use std::sync::Arc;
use std::time::Duration;

use http::header::{AUTHORIZATION, COOKIE, HOST, HeaderName, PROXY_AUTHORIZATION, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, Method, Version};
use reqwest::Request;
use url::Url;

use super::options::ReplayableBody;

/// A copy of a request, from which it is made again after a redirect or a refusal.
///
/// Sending consumes a request, so each one is copied first, without what a second request does not need.
#[derive(Debug)]
pub(super) struct RequestTemplate {
    summary: RequestSummary,
    headers: HeaderMap,
    timeout: Option<Duration>,
    version: Version,
    body: TemplateBody,
}

/// Method and URL of a request; clones share them.
#[derive(Clone, Debug)]
pub(super) struct RequestSummary(Arc<(Method, Url)>);

/// Where the body of the next request comes from.
#[derive(Debug)]
enum TemplateBody {
    /// The request has none.
    Absent,
    /// A body in memory, inside a clone of the request.
    Buffered(Box<Request>),
    /// A function that makes the body, and may open a file for it.
    Replayable(ReplayableBody),
    /// A stream that the first request consumes.
    Consumed,
}

/// What a request without a body is made from again, just as it was sent.
#[derive(Debug)]
pub(crate) struct SentAgain {
    template: Arc<RequestTemplate>,
    /// The `Authorization` that was attached to it.
    authorization: Option<HeaderValue>,
}

impl RequestSummary {
    pub(super) fn new(method: Method, url: Url) -> Self {
        Self(Arc::new((method, url)))
    }

    pub(super) fn of(request: &Request) -> Self {
        Self::new(request.method().clone(), request.url().clone())
    }

    pub(super) fn method(&self) -> &Method {
        &self.0.0
    }

    pub(super) fn url(&self) -> &Url {
        &self.0.1
    }
}

impl SentAgain {
    /// Takes a request that was made from this template; `None` if it was not, or if it has a body.
    pub(super) fn new(template: &Arc<RequestTemplate>, request: &Request) -> Option<Self> {
        let is_same = template.method() == request.method() && template.url() == request.url();
        (is_same && request.body().is_none()).then(|| Self {
            template: Arc::clone(template),
            authorization: request.headers().get(AUTHORIZATION).cloned(),
        })
    }

    /// Makes the request again.
    pub(crate) fn to_request(&self) -> Request {
        let mut request = self.template.to_request_without_body();
        if let Some(value) = &self.authorization {
            request.headers_mut().insert(AUTHORIZATION, value.clone());
        }
        request
    }
}

impl RequestTemplate {
    /// Copies a request; its body is made by `body`, if that is given.
    pub(super) fn of(request: &Request, body: Option<&ReplayableBody>) -> Self {
        let body = match (request.body(), body) {
            // A redirect may have dropped the body that the option makes.
            (None, _) => TemplateBody::Absent,
            (Some(_), Some(body)) => TemplateBody::Replayable(body.clone()),
            (Some(_), None) => request
                .try_clone()
                .map_or(TemplateBody::Consumed, |request| TemplateBody::Buffered(Box::new(request))),
        };
        Self { headers: request.headers().clone(), body, ..Self::summary_only(request) }
    }

    /// Copies only what names the request, for one that is never sent again.
    pub(super) fn summary_only(request: &Request) -> Self {
        Self {
            summary: RequestSummary::of(request),
            headers: HeaderMap::new(),
            timeout: request.timeout().copied(),
            version: request.version(),
            body: TemplateBody::Consumed,
        }
    }

    /// Returns method and URL.
    pub(super) fn summary(&self) -> &RequestSummary {
        &self.summary
    }

    /// Returns the method.
    pub(super) fn method(&self) -> &Method {
        self.summary.method()
    }

    /// Returns the URL.
    pub(super) fn url(&self) -> &Url {
        self.summary.url()
    }

    /// Returns the caller's own `Authorization`.
    pub(super) fn authorization(&self) -> Option<&HeaderValue> {
        self.headers.get(AUTHORIZATION)
    }

    /// Returns whether the request can be made again, body included.
    pub(super) fn is_replayable(&self) -> bool {
        !matches!(self.body, TemplateBody::Consumed)
    }

    /// Makes the request again; `None` if its body was a stream.
    pub(super) fn to_request(&self) -> Option<Request> {
        match &self.body {
            TemplateBody::Absent => Some(self.to_request_without_body()),
            TemplateBody::Buffered(request) => request.try_clone(),
            TemplateBody::Replayable(body) => {
                let mut request = self.to_request_without_body();
                *request.body_mut() = Some(body.make());
                Some(request)
            }
            TemplateBody::Consumed => None,
        }
    }

    /// Makes the request again, without its body.
    pub(super) fn to_request_without_body(&self) -> Request {
        let mut request = Request::new(self.method().clone(), self.url().clone());
        request.headers_mut().clone_from(&self.headers);
        if let Some(timeout) = self.timeout {
            *request.timeout_mut() = Some(timeout);
        }
        *request.version_mut() = self.version;
        request
    }
}

/// Removes the headers that are meant for the origin that the request leaves.
pub(super) fn strip_origin_headers(request: &mut Request) {
    const FOR_ONE_ORIGIN: [HeaderName; 6] = [
        AUTHORIZATION,
        COOKIE,
        HeaderName::from_static("cookie2"),
        HOST,
        PROXY_AUTHORIZATION,
        WWW_AUTHENTICATE,
    ];
    for name in FOR_ONE_ORIGIN {
        request.headers_mut().remove(name);
    }
}
