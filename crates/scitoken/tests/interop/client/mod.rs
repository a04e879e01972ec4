//! The client against the real servers.

mod copy;
mod dav;
mod download;
mod manager;
mod peers;
mod web;
mod xrootd;

use std::error::Error as StdError;
use std::path::Path;
use std::time::Duration;

use reqwest_middleware::{ClientBuilder, ClientWithMiddleware};
use reqwest_scitokens::{AuthMiddleware, Discovery, Session, SessionBuilder, SharedTokenSource};
use scitoken_types::AccessToken;
use scitoken_types::sys::Env;

use crate::lab::Lab;

/// Longer than any test: a token that is kept for so long is only given up when a server refuses it.
const HOUR: Duration = Duration::from_secs(3600);

/// A source that had nothing better to offer after a refusal is left in peace for a second.
async fn after_a_pause() {
    tokio::time::sleep(Duration::from_millis(1_100)).await;
}

/// A session that finds its token as a job does whose environment names this token file.
pub(crate) fn session(lab: &Lab, token_file: &Path) -> SessionBuilder {
    session_with(lab, discovery(token_file))
}

fn session_with(lab: &Lab, source: impl Into<SharedTokenSource>) -> SessionBuilder {
    let authority = fs_err::read(lab.pki().authority()).expect("the lab has an authority");
    Session::builder().source(source).ca_certificates(authority)
}

fn discovery(token_file: &Path) -> Discovery {
    Discovery::new().with_env(Env::given([("BEARER_TOKEN_FILE", token_file)]))
}

/// Nothing to be found: no variable, and no file of the user's.
fn no_token(lab: &Lab) -> Discovery {
    Discovery::new()
        .with_env(Env::given([("XDG_RUNTIME_DIR", "/nonexistent")]))
        .with_tmp(lab.empty_directory())
}

fn access_token(token: &str) -> AccessToken {
    AccessToken::new(token).expect("the lab's tokens are tokens")
}

/// A client of the caller's, with the middleware around it.
fn wrapped(client: reqwest::ClientBuilder, source: impl Into<SharedTokenSource>) -> ClientWithMiddleware {
    let client = client.build().expect("a client can be built");
    ClientBuilder::new(client).with(AuthMiddleware::new(source)).build()
}

/// An error and all its causes, in both forms.
fn chain(error: &dyn StdError) -> String {
    let causes = std::iter::successors(Some(error), |&error| error.source());
    causes.map(|error| format!("{error} | {error:?}")).collect::<Vec<_>>().join("\n")
}
