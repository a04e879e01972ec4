//! Connections that the server closed while they were idle.

use std::collections::HashSet;
use std::error::Error as StdError;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use http::{Extensions, Method};
use reqwest::{Request, Response};
use reqwest_middleware::{Middleware, Next};

use crate::auth::{RedirectContext, SentAgain};
use crate::broken_connection::is_broken_connection;
use crate::error::{Error, Kind};
use scitoken_types::Origin;

/// Repeats a request at once when the server closed an idle connection as the request arrived.
///
/// It does so once, for methods that change nothing, at an origin that answered before: only there can a connection wait in
/// the pool (RFC 9112 section 9.3.1). Other requests fail with an error that says so.
#[derive(Clone, Debug, Default)]
pub(crate) struct ReconnectMiddleware {
    /// The origins to which a connection may be open.
    connected: Arc<Mutex<HashSet<Origin>>>,
}

impl ReconnectMiddleware {
    fn connected(&self) -> MutexGuard<'_, HashSet<Origin>> {
        self.connected.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Middleware for ReconnectMiddleware {
    async fn handle(
        &self,
        request: Request,
        extensions: &mut Extensions,
        next: Next<'_>,
    ) -> reqwest_middleware::Result<Response> {
        let redirects = extensions.get::<RedirectContext>();
        let known = redirects.and_then(|redirects| redirects.origin_of(request.url()));
        let Some(origin) = known.or_else(|| Origin::try_from(request.url()).ok()) else {
            return next.run(request, extensions).await;
        };
        let was_connected = self.connected().contains(&origin);
        let copy = if was_connected && changes_nothing(request.method()) {
            RequestCopy::of(&request, redirects)
        } else {
            None
        };
        let first = next.clone().run(request, extensions).await;
        let mut is_new = !was_connected;
        let result = match (first, copy) {
            (Err(error), copy) if was_connected && ended_before_the_answer(&error) => {
                // The other idle connections are as old.
                self.connected().remove(&origin);
                is_new = true;
                match copy {
                    Some(copy) => {
                        tracing::debug!(%origin, "the server closed an idle connection; sending the request again");
                        next.run(copy.into_request(), extensions).await
                    }
                    None => return Err(stale(error)),
                }
            }
            (result, _) => result,
        };
        if result.is_ok() && is_new {
            self.connected().insert(origin);
        }
        result
    }
}

/// From which a request is made again.
enum RequestCopy {
    /// The copy that the redirect middleware has anyway.
    Shared(SentAgain),
    Own(Box<Request>),
}

impl RequestCopy {
    fn of(request: &Request, redirects: Option<&RedirectContext>) -> Option<Self> {
        if let Some(shared) = redirects.and_then(|redirects| redirects.sent_again(request)) {
            return Some(Self::Shared(shared));
        }
        request.try_clone().map(|request| Self::Own(Box::new(request)))
    }

    fn into_request(self) -> Request {
        match self {
            Self::Shared(shared) => shared.to_request(),
            Self::Own(request) => *request,
        }
    }
}

/// The failure of a request that cannot be repeated unseen, without its URL, which may have secrets.
fn stale(error: reqwest_middleware::Error) -> reqwest_middleware::Error {
    match error {
        reqwest_middleware::Error::Reqwest(error) => {
            Error::from(Kind::StaleConnection(error.without_url())).into()
        }
        error @ reqwest_middleware::Error::Middleware(_) => error,
    }
}

fn changes_nothing(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS | Method::TRACE) || method == "PROPFIND"
}

/// Returns whether a connection that was established ended without an answer.
fn ended_before_the_answer(error: &reqwest_middleware::Error) -> bool {
    let reqwest_middleware::Error::Reqwest(http) = error else { return false };
    if http.is_connect() || http.is_timeout() || http.is_builder() {
        return false;
    }
    is_broken_connection(http)
        || std::iter::successors(Some(http as &(dyn StdError + 'static)), |error| (*error).source())
            .any(|error| error.to_string().starts_with("connection closed before message completed"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_methods_that_change_nothing_are_repeated_unseen() {
        for (method, expected) in [
            ("GET", true),
            ("HEAD", true),
            ("PROPFIND", true),
            ("PUT", false),
            ("POST", false),
            ("DELETE", false),
            ("MOVE", false),
        ] {
            assert_eq!(changes_nothing(&method.parse().unwrap()), expected, "{method}");
        }
    }
}
