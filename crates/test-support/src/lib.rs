//! Servers, tokens and clients for the tests of this workspace.
//!
//! The usual test starts a server, sends a request with a session that trusts it, and asserts what the server received:
//!
//! ```
//! use scitoken_test_support::{Reply, Script, Server, clients};
//!
//! # tokio::runtime::Runtime::new().unwrap().block_on(async {
//! let server = Server::https(|_| Reply::ok("data")).await;
//! let session = clients::session(Script::new(&["token"])).build().unwrap();
//! session.get(server.url("/f")).send().await.unwrap();
//! assert_eq!(server.tokens(), ["token"]);
//! # });
//! ```
//!
//! # Servers
//! All listen on loopback, keep every request, and end when they are dropped.
//!
//! | server | use it for |
//! |---|---|
//! | [`Server`] | HTTP/1.1 and HTTP/2, with or without TLS; a closure answers each [`Seen`] request with a [`Reply`] |
//! | [`XRootD`] | what needs XRootD's own behaviour: it answers as releases 5.5.3 and 6.1 were recorded to answer |
//! | [`chaos_server`] | downloads: cut, delayed and slow bodies, ranges, changed files |
//! | [`Raw`] | bytes that no HTTP library sends: malformed heads, early closes, silence |
//! | [`federation`] | a Pelican federation: discovery, director, two caches and an origin |
//! | [`issuer`] | an OAuth issuer with client registration, device codes and rotating refresh tokens |
//! | [`vault`] | HashiCorp Vault as `htgettoken` uses it |
//! | [`copy_sites`] | two storage servers that copy from each other as XRootD 5 and 6 and dCache do |
//! | [`gafaelfawr`] | Gafaelfawr's API, with recorded answers |
//!
//! # Tokens and sources
//! [`tokens`] makes JWTs with given claims. [`Script`] is a token source that returns given answers in order and records what
//! it was asked. [`write_token`] writes a token file as a batch system does.
//!
//! # Clients
//! [`clients::session`] trusts the certificates of [`tls`], and reaches servers by the names in [`tls::NAMES`].
//!
//! # Secrets
//! [`secrecy::assert_silent`] fails if a text contains a token in any form; [`logs`] captures what was logged, down to
//! TRACE.
#![allow(clippy::unwrap_used, reason = "a test that fails here stops")]
#![allow(
    missing_docs,
    missing_debug_implementations,
    clippy::missing_panics_doc,
    clippy::new_without_default,
    reason = "for the tests of this workspace only"
)]

pub mod chaos_server;
pub mod clients;
pub mod copy_sites;
pub mod example;
pub mod federation;
pub mod gafaelfawr;
pub mod issuer;
pub mod listener;
pub mod logs;
pub mod raw;
mod relocation;
pub mod reply;
pub mod secrecy;
pub mod seen;
pub mod server;
pub mod sources;
pub mod tee;
pub mod tls;
pub mod tokens;
pub mod vault;
pub mod wire;
pub mod xrootd;

pub use raw::{Answer, Raw};
pub use reply::Reply;
pub use seen::Seen;
pub use server::Server;
pub use sources::Script;
pub use xrootd::XRootD;

use std::fmt::Write as _;

/// Returns owned texts, for comparisons.
pub fn texts(items: &[&str]) -> Vec<String> {
    items.iter().map(|item| (*item).to_owned()).collect()
}

/// Returns an error and all its causes, displayed and debugged.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = format!("{error} | {error:?}");
    let mut next = error.source();
    while let Some(cause) = next {
        let _ = write!(text, "\n{cause} | {cause:?}");
        next = cause.source();
    }
    text
}

/// Writes a token file for its owner only, replaced atomically.
pub fn write_token(path: &std::path::Path, token: &str) {
    let directory = path.parent().unwrap();
    let file = tempfile::NamedTempFile::new_in(directory).unwrap();
    fs_err::write(file.path(), token).unwrap();
    file.persist(path).unwrap();
}
