//! Clients that trust the servers of the tests.

use std::net::SocketAddr;

use reqwest_middleware::{ClientBuilder, ClientWithMiddleware};
use reqwest_scitokens::client::{ProxyRules, SystemAuthorities};
use reqwest_scitokens::{AuthMiddleware, Session, SessionBuilder, SharedTokenSource};

use super::{Server, tls};

/// A session with this source that trusts the authority of the tests and no other.
pub fn session(source: impl Into<SharedTokenSource>) -> SessionBuilder {
    let only = SystemAuthorities::Ignored;
    let builder = Session::builder().source(source).ca_certificates(tls::ca_pem());
    builder.system_authorities(only).proxies(ProxyRules::default())
}

/// The same, with servers that are reached by a name.
pub fn session_knowing(source: impl Into<SharedTokenSource>, servers: &[&Server]) -> SessionBuilder {
    let resolved =
        |builder: SessionBuilder, server: &&Server| resolving(builder, server.name(), server.address());
    servers.iter().fold(session(source), resolved)
}

/// The same, for which a name stands for an address.
pub fn resolving(builder: SessionBuilder, name: &str, address: SocketAddr) -> SessionBuilder {
    builder.http(|http| http.resolve(name, address))
}

/// A client of the caller's that follows redirects itself, with only the middleware added.
pub fn wrapped(source: impl Into<SharedTokenSource>) -> ClientWithMiddleware {
    around(foreign(), AuthMiddleware::new(source))
}

/// A client of the caller's with this middleware added.
pub fn around(
    client: reqwest::ClientBuilder,
    middleware: impl reqwest_middleware::Middleware,
) -> ClientWithMiddleware {
    ClientBuilder::new(client.build().unwrap()).with(middleware).build()
}

/// A client with reqwest's own defaults that trusts the tests' authority.
pub fn foreign() -> reqwest::ClientBuilder {
    let ca = reqwest::Certificate::from_pem(tls::ca_pem().as_bytes()).unwrap();
    reqwest::Client::builder().tls_certs_only([ca]).no_proxy()
}
