//! A request that can be sent a second time.

use reqwest::Request;

use super::options::ReplayableBody;

/// A copy of a request, body included; `None` when its body is a stream that nobody can make again.
pub(crate) fn copy(request: &Request, body: Option<&ReplayableBody>) -> Option<Request> {
    match body {
        Some(body) => {
            let mut copy = without_body(request);
            *copy.body_mut() = Some(body.make());
            Some(copy)
        }
        None => request.try_clone(),
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
