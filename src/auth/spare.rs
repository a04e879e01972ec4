//! What a request was, kept for when it has been sent.

use std::time::Duration;

use http::header::{AUTHORIZATION, COOKIE, HOST, HeaderName, PROXY_AUTHORIZATION, WWW_AUTHENTICATE};
use http::{HeaderMap, Method, Version};
use reqwest::Request;
use url::Url;

use super::options::ReplayableBody;

/// A copy of a request: to make it again from, and to tell about it.
///
/// Sending takes a request away, so this is made for each one, and only what is needed later is copied.
#[derive(Debug)]
pub(crate) struct Spare {
    method: Method,
    url: Url,
    headers: HeaderMap,
    timeout: Option<Duration>,
    version: Version,
    body: SpareBody,
}

/// How the body is had again.
#[derive(Debug)]
enum SpareBody {
    /// There was none.
    None,
    /// It was in memory: here is the request with it.
    Whole(Box<Request>),
    /// This makes it when it is needed; it may open a file.
    Made(ReplayableBody),
    /// Not at all: it was a stream.
    Gone,
}

impl Spare {
    /// A copy of the request, which gets its body from `body` if it is told how to make one.
    pub(crate) fn of(request: &Request, body: Option<&ReplayableBody>) -> Self {
        let body = match (request.body(), body) {
            // The wish to make a body again holds only while there is one: a redirect may have dropped it.
            (None, _) => SpareBody::None,
            (Some(_), Some(body)) => SpareBody::Made(body.clone()),
            (Some(_), None) => {
                request.try_clone().map_or(SpareBody::Gone, |request| SpareBody::Whole(Box::new(request)))
            }
        };
        Self { headers: request.headers().clone(), body, ..Self::of_line(request) }
    }

    /// A copy that only tells what was asked of whom.
    pub(crate) fn of_line(request: &Request) -> Self {
        Self {
            method: request.method().clone(),
            url: request.url().clone(),
            headers: HeaderMap::new(),
            timeout: request.timeout().copied(),
            version: request.version(),
            body: SpareBody::Gone,
        }
    }

    /// The method.
    pub(crate) fn method(&self) -> &Method {
        &self.method
    }

    /// Where the request was sent to.
    pub(crate) fn url(&self) -> &Url {
        &self.url
    }

    /// Method and URL.
    pub(crate) fn line(&self) -> (Method, Url) {
        (self.method.clone(), self.url.clone())
    }

    /// The same, without copying them.
    pub(crate) fn into_line(self) -> (Method, Url) {
        (self.method, self.url)
    }

    /// Whether the request can be made again, body and all.
    pub(crate) fn is_whole(&self) -> bool {
        !matches!(self.body, SpareBody::Gone)
    }

    /// The request once more; `None` if its body cannot be had again.
    pub(crate) fn make(&self) -> Option<Request> {
        match &self.body {
            SpareBody::None => Some(self.without_body()),
            SpareBody::Whole(request) => request.try_clone(),
            SpareBody::Made(body) => {
                let mut request = self.without_body();
                *request.body_mut() = Some(body.make());
                Some(request)
            }
            SpareBody::Gone => None,
        }
    }

    /// The request once more, but for its body.
    pub(crate) fn without_body(&self) -> Request {
        let mut request = Request::new(self.method.clone(), self.url.clone());
        request.headers_mut().clone_from(&self.headers);
        if let Some(timeout) = self.timeout {
            *request.timeout_mut() = Some(timeout);
        }
        *request.version_mut() = self.version;
        request
    }
}

/// Takes off what is meant for the origin that the request leaves.
pub(crate) fn leave_origin(request: &mut Request) {
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
