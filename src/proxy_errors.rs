//! Failures of a proxy, told apart from failures of the server behind it.

use std::error::Error as StdError;
use std::time::Duration;

use async_trait::async_trait;
use http::{Extensions, Method, StatusCode};
use reqwest::{Client, Proxy, Request, Response};
use reqwest_middleware::{Middleware, Next};
use url::Url;

use crate::error::{Error, Kind};
use crate::proxy::{ProxyChoice, ProxyRules};
use crate::proxy_failure::{ProxyFailure, ProxyProblem};
use scitoken_types::SafeUrl;

/// How long a proxy is asked for the status of a refusal.
const ASK: Duration = Duration::from_secs(5);

/// Names the proxy in the errors of requests that pass one; directly above the HTTP client.
#[derive(Clone, Debug)]
pub(crate) struct ProxyMiddleware(pub(crate) ProxyRules);

#[async_trait]
impl Middleware for ProxyMiddleware {
    async fn handle(
        &self,
        request: Request,
        extensions: &mut Extensions,
        next: Next<'_>,
    ) -> reqwest_middleware::Result<Response> {
        let (proxy, named_by, is_supported) = match self.0.choose(request.url()) {
            ProxyChoice::Direct(_) => return next.run(request, extensions).await,
            ProxyChoice::Unsupported { proxy, named_by } => (proxy, named_by, false),
            ProxyChoice::Through { proxy, named_by } => (proxy, named_by, true),
        };
        let url = request.url().clone();
        let failure = |problem| ProxyFailure {
            proxy: SafeUrl::new(&proxy).to_string(),
            named_by: named_by.clone(),
            target: target(&url),
            problem,
        };
        let failed = |problem, cause| Err(Error::from(Kind::Proxy(failure(problem), cause)).into());
        if !is_supported {
            return failed(ProxyProblem::Unsupported, None);
        }
        let error = match next.run(request, extensions).await {
            Ok(answer) if answer.status() == StatusCode::PROXY_AUTHENTICATION_REQUIRED => {
                return failed(ProxyProblem::Refused(Some(answer.status())), None);
            }
            Err(reqwest_middleware::Error::Reqwest(error)) => error,
            result => return result,
        };
        match Obstacle::of(&error, &url) {
            None => Err(error.into()),
            Some(Obstacle::Unreachable) => failed(ProxyProblem::Unreachable, Some(error.without_url())),
            Some(Obstacle::AuthorizationRequired) => {
                failed(ProxyProblem::Refused(Some(StatusCode::PROXY_AUTHENTICATION_REQUIRED)), None)
            }
            // The HTTP client does not tell the status.
            Some(Obstacle::TunnelRefused) => {
                failed(ProxyProblem::Refused(refusal_status(&proxy, &url).await), None)
            }
        }
    }
}

/// What stood in the way of a request through a proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Obstacle {
    Unreachable,
    AuthorizationRequired,
    TunnelRefused,
}

impl Obstacle {
    /// Reads an error of the HTTP client; `None` if it is not the proxy's.
    fn of(error: &reqwest::Error, url: &Url) -> Option<Self> {
        if !error.is_connect() {
            return None;
        }
        let causes = std::iter::successors(error.source(), |error| (*error).source());
        let tunnel = causes.map(ToString::to_string).find_map(|text| {
            text.strip_prefix("tunnel error: ").map(|what| match what {
                "proxy authorization required" => Self::AuthorizationRequired,
                "unsuccessful" | "proxy response headers too long" => Self::TunnelRefused,
                _ => Self::Unreachable,
            })
        });
        // Without a tunnel every connection is to the proxy.
        tunnel.or((url.scheme() == "http").then_some(Self::Unreachable))
    }
}

/// Asks the proxy once more for a tunnel, and returns the status of its refusal.
async fn refusal_status(proxy: &Url, url: &Url) -> Option<StatusCode> {
    let client = Client::builder()
        .no_proxy()
        .proxy(Proxy::all(proxy.clone()).ok()?)
        .redirect(reqwest::redirect::Policy::none())
        .timeout(ASK)
        .build()
        .ok()?;
    let answer = client.request(Method::CONNECT, format!("http://{}/", target(url))).send().await.ok()?;
    Some(answer.status()).filter(|status| !status.is_success())
}

fn target(url: &Url) -> String {
    let port = url.port_or_known_default().unwrap_or_default();
    format!("{}:{port}", url.host_str().unwrap_or_default())
}
