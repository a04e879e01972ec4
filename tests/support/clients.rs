//! Clients that know the servers of the tests.

use std::net::SocketAddr;

use reqwest_middleware::{ClientBuilder, ClientWithMiddleware};
use reqwest_scitokens::{AuthMiddleware, Session, SessionBuilder, SharedTokenSource, SystemAuthorities};

use super::{Server, tls};

/// A session with this source that trusts the authority of the tests and no other.
pub(crate) fn session(source: impl Into<SharedTokenSource>) -> SessionBuilder {
    let only = SystemAuthorities::Ignored;
    let builder = Session::builder().source(source).ca_certificates(tls::ca_pem());
    builder.system_authorities(only).http(reqwest::ClientBuilder::no_proxy)
}

/// The same, with servers that are reached by a name.
pub(crate) fn session_knowing(source: impl Into<SharedTokenSource>, servers: &[&Server]) -> SessionBuilder {
    let resolved =
        |builder: SessionBuilder, server: &&Server| resolving(builder, server.name(), server.address());
    servers.iter().fold(session(source), resolved)
}

/// The same, for which a name stands for an address.
pub(crate) fn resolving(builder: SessionBuilder, name: &str, address: SocketAddr) -> SessionBuilder {
    builder.http(|http| http.resolve(name, address))
}

/// A client that somebody else built, which follows redirects itself, with nothing but the middleware in it.
pub(crate) fn wrapped(source: impl Into<SharedTokenSource>) -> ClientWithMiddleware {
    around(foreign(), AuthMiddleware::new(source))
}

/// A client that somebody else built, with this middleware in it.
pub(crate) fn around(
    client: reqwest::ClientBuilder,
    middleware: impl reqwest_middleware::Middleware,
) -> ClientWithMiddleware {
    ClientBuilder::new(client.build().unwrap()).with(middleware).build()
}

/// What somebody else would build: reqwest's own defaults, but for the tests' authority.
pub(crate) fn foreign() -> reqwest::ClientBuilder {
    let ca = reqwest::Certificate::from_pem(tls::ca_pem().as_bytes()).unwrap();
    reqwest::Client::builder().tls_certs_only([ca]).no_proxy()
}
