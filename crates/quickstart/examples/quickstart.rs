//! The main use on one machine: an issuer, a data server that requires its tokens, and a client that finds one.
//!
//! ```text
//! cargo run --example quickstart
//! ```
//!
//! Everything is real but small: the issuer publishes its keys, the data server verifies each token against them and
//! answers RFC 6750 challenges, and the token is in a file, where a batch system leaves it.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use http::StatusCode;
use reqwest_scitokens::types::sys::Env;
use reqwest_scitokens::{Attach, RequestBuilderExt, ResponseExt, Session};

use scitoken_quickstart::{DataServer, OtherServer, TokenIssuer};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let issuer = TokenIssuer::start().await?;
    let other = OtherServer::start().await?;
    let server = DataServer::start(&issuer, &other).await?;
    say("an issuer and two servers are listening:");
    say(&format!("  issuer       {}", issuer.url()));
    say(&format!("  data server  {}  (trusts that issuer)", server.url()));
    say(&format!("  other server {}  (of another party: it must not get the token)", other.url()));

    let directory = tempfile::tempdir()?;
    let file = directory.path().join("bt_u1000");
    write_token(&file, issuer.token("alice", &server)?.expose_secret())?;

    // In a batch job the variable is set already, and this is `Session::new()`.
    let env = Env::given([("BEARER_TOKEN_FILE", &file)]);
    // A token file is looked at once a second; the steps below are faster than that.
    let session = Session::builder().env(env).auth(|auth| auth.poll_interval(Duration::ZERO)).build()?;
    let data = format!("{}/vo/hello.txt", server.url());

    step(1, "without a token the server answers 401 with a challenge");
    let response = session.get(&data).attach(Attach::Never).send().await?;
    ensure!(response.status() == StatusCode::UNAUTHORIZED, "the server should have refused");
    let challenge = response.headers()["www-authenticate"].to_str()?;
    say(&format!("  {}\n  WWW-Authenticate: {challenge}", response.status()));

    step(2, "with the discovered token the server sends the data");
    say(&format!("  BEARER_TOKEN_FILE={}", file.display()));
    report(session.get(&data).send().await?).await?;

    step(3, "the batch system replaces the token; the next request carries the new one");
    write_token(&file, issuer.token("alice-renewed", &server)?.expose_secret())?;
    report(session.get(&data).send().await?).await?;

    step(4, "a redirect to the other server is followed without the token");
    report(session.get(format!("{}/vo/elsewhere", server.url())).send().await?).await?;
    let received = other.received();
    say(&format!("  the other server received these headers: {}", received.join(", ")));
    ensure!(!received.iter().any(|name| name == "authorization"), "the other server got the token");

    step(5, "a refusal is explained");
    let refused = session.get(format!("{}/private/diary.txt", server.url())).send().await?;
    ensure!(refused.status() == StatusCode::FORBIDDEN, "the server should have refused");
    let explanation = refused.explain().context("a refusal has an explanation")?;
    for line in explanation.to_string().lines() {
        say(&format!("  {line}"));
    }
    Ok(())
}

/// Prints each attempt and the answer.
async fn report(response: reqwest::Response) -> anyhow::Result<()> {
    if let Some(trace) = response.auth_trace() {
        trace.attempts().iter().for_each(|attempt| say(&format!("  {attempt}")));
    }
    say(&format!("  -> {}", response.error_for_status()?.text().await?.trim_end()));
    Ok(())
}

/// Puts a token into a file as careful programs do: readable by its owner only, and all at once.
fn write_token(path: &Path, token: &str) -> anyhow::Result<()> {
    let directory = path.parent().context("a file has a directory")?;
    let file = tempfile::NamedTempFile::new_in(directory)?;
    fs_err::write(file.path(), token)?;
    file.persist(path)?;
    Ok(())
}

fn step(number: usize, what: &str) {
    say(&format!("\n{number}. {what}"));
}

#[expect(clippy::print_stdout, reason = "this program prints what it does")]
fn say(text: &str) {
    println!("{text}");
}
