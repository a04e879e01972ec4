//! Bad input: malformed answers, unusable files, failing commands.
//! a leaked token or a lost cause.

mod commands;
mod environment;
mod servers;
mod token_files;

use std::path::Path;
use std::time::Duration;

use http::StatusCode;
use reqwest::Response;
use reqwest_scitokens::source::CommandSource;
use reqwest_scitokens::{Attach, Discovery, Error, FileSource, ResponseExt as _, SharedTokenSource};
use scitoken_types::AccessToken;
use scitoken_types::sys::Env;

use scitoken_test_support::clients::{resolving, session, wrapped};
use scitoken_test_support::server::Place;
use scitoken_test_support::{Answer, Raw, Reply, Script, Server, tls};
use scitoken_test_support::{chain, texts, write_token};

type Sent = Result<Response, reqwest_middleware::Error>;

const TOKEN: &str = "secretsecretsecret";

/// Sends a GET with [`TOKEN`], and fails the test if it takes long or tells the token.
async fn send(url: url::Url) -> Sent {
    let session = session(Script::new(&[TOKEN, "other"])).build().unwrap();
    let sent = tokio::time::timeout(Duration::from_secs(20), session.get(url).send()).await;
    let sent = sent.expect("the request hangs");
    if let Err(error) = &sent {
        assert!(!chain(error).contains(TOKEN), "{}", chain(error));
    }
    sent
}
