//! Connections that the server closed while they were idle.

use std::collections::HashSet;
use std::error::Error as StdError;
use std::io::{self, ErrorKind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use http::{Extensions, Method};
use reqwest::{Request, Response};
use reqwest_middleware::{Middleware, Next};

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
        let Ok(origin) = Origin::try_from(request.url()) else { return next.run(request, extensions).await };
        let was_connected = self.connected().contains(&origin);
        let spare =
            if was_connected && changes_nothing(request.method()) { request.try_clone() } else { None };
        let first = next.clone().run(request, extensions).await;
        let mut is_new = !was_connected;
        let result = match (first, spare) {
            (Err(error), spare) if was_connected && ended_before_the_answer(&error) => {
                // The other idle connections are as old.
                self.connected().remove(&origin);
                is_new = true;
                match spare {
                    Some(spare) => {
                        tracing::debug!(%origin, "the server closed an idle connection; sending the request again");
                        next.run(spare, extensions).await
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

/// Returns whether the other side closed the connection, as XRootD does when it refuses a request before it read the body.
pub(crate) fn is_broken_connection(error: &(dyn StdError + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(error) = error.downcast_ref::<io::Error>() {
            match error.kind() {
                ErrorKind::ConnectionReset | ErrorKind::BrokenPipe | ErrorKind::ConnectionAborted => {
                    return true;
                }
                // An `io::Error` hides the error within from `source`.
                _ => match error.get_ref() {
                    Some(within) if is_broken_connection(within) => return true,
                    _ => {}
                },
            }
        }
        next = error.source();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reset_is_found_however_deep_it_is() {
        let reset = || io::Error::from(ErrorKind::ConnectionReset);
        assert!(is_broken_connection(&reset()));
        assert!(is_broken_connection(&io::Error::other(reset())));
        assert!(is_broken_connection(&crate::SourceError::caused_by("x", reset())));
        assert!(!is_broken_connection(&io::Error::from(ErrorKind::TimedOut)));
    }

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
