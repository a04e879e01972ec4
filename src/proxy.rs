//! Proxies from the environment.

use reqwest::{ClientBuilder, NoProxy, Proxy};

use crate::sys::Env;

/// This machine is reached directly: what goes to it without TLS must not pass another machine on the way.
const THIS_MACHINE: &str = "localhost,.localhost,127.0.0.0/8,::1";

/// Uses the proxies that the environment names (`http_proxy`, `https_proxy`, `all_proxy`, in either case, less
/// `no_proxy`), but never for this machine itself.
///
/// `HTTP_PROXY` in capitals is ignored where `REQUEST_METHOD` is set: there it may be a header that a stranger sent to a
/// CGI program.
pub(crate) fn from_environment(http: ClientBuilder, env: &Env) -> ClientBuilder {
    let text = |name: &str| env.get_non_empty(name)?.into_string().ok();
    let either = |name: &str| text(name).or_else(|| text(&name.to_ascii_uppercase()));
    let cgi = env.get("REQUEST_METHOD").is_some();
    let plain = text("http_proxy").or_else(|| if cgi { None } else { text("HTTP_PROXY") });
    let except = format!("{THIS_MACHINE},{}", either("no_proxy").unwrap_or_default());
    let proxies = [
        plain.map(Proxy::http),
        either("https_proxy").map(Proxy::https),
        either("all_proxy").map(Proxy::all),
    ];
    proxies.into_iter().flatten().fold(http.no_proxy(), |http, proxy| {
        if let Ok(proxy) = proxy {
            http.proxy(proxy.no_proxy(NoProxy::from_string(&except)))
        } else {
            tracing::warn!("a proxy in the environment is no URL and is not used");
            http
        }
    })
}
