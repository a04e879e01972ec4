//! A request that can be sent a second time.

use http::header::{AUTHORIZATION, COOKIE, HOST, HeaderName, PROXY_AUTHORIZATION, WWW_AUTHENTICATE};
use reqwest::Request;

use super::options::ReplayableBody;

/// A copy of a request, from which it can be made again.
#[derive(Debug)]
pub(crate) struct Spare {
    request: Request,
    /// Makes the body when it is needed; it may open a file.
    body: Option<ReplayableBody>,
}

impl Spare {
    /// A copy of the request; `None` when its body is a stream that nobody can make again.
    pub(crate) fn of(request: &Request, body: Option<&ReplayableBody>) -> Option<Self> {
        match body {
            // The wish to make a body again holds only while there is one: a redirect may have dropped it.
            Some(body) if request.body().is_some() => {
                Some(Self { request: without_body(request), body: Some(body.clone()) })
            }
            _ => Some(Self { request: request.try_clone()?, body: None }),
        }
    }

    /// The request once more.
    pub(crate) fn make(&self) -> Option<Request> {
        let mut request = self.request.try_clone()?;
        if let Some(body) = &self.body {
            *request.body_mut() = Some(body.make());
        }
        Some(request)
    }
}

/// A copy of a request without its body.
pub(crate) fn without_body(request: &Request) -> Request {
    let mut copy = Request::new(request.method().clone(), request.url().clone());
    copy.headers_mut().clone_from(request.headers());
    *copy.timeout_mut() = request.timeout().copied();
    *copy.version_mut() = request.version();
    copy
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
