//! The main job on one machine: an issuer, a data server that wants its tokens, and a client that finds one.
//!
//! ```text
//! cargo run --example quickstart
//! ```
//!
//! Everything is real but small: the issuer publishes its keys, the data server verifies each token against them and
//! answers RFC 6750 challenges, and the token lies in a file, as a batch system leaves it there.

mod servers;

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use http::StatusCode;
use reqwest_scitokens::sys::Env;
use reqwest_scitokens::{Attach, RequestBuilderExt, ResponseExt, Session};

use servers::{DataServer, Issuer, Stranger};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let issuer = Issuer::start().await?;
    let stranger = Stranger::start().await?;
    let server = DataServer::start(&issuer, &stranger).await?;
    say("an issuer, a data server and a stranger are listening:");
    say(&format!("  issuer       {}", issuer.url()));
    say(&format!("  data server  {}  (trusts that issuer)", server.url()));
    say(&format!("  stranger     {}  (trusts nobody, and should not be trusted)", stranger.url()));

    let directory = tempfile::tempdir()?;
    let file = directory.path().join("bt_u1000");
    write_token(&file, issuer.token("alice", &server)?.expose_secret())?;

    // In real life the variable is set already, and this is `Session::new()`.
    let env = Env::given([("BEARER_TOKEN_FILE", &file)]);
    // A token file is looked at once a second; the story below is faster than that.
    let session = Session::builder().env(env).auth(|auth| auth.recheck(Duration::ZERO)).build()?;
    let data = format!("{}/vo/hello.txt", server.url());

    step(1, "without a token the server says what it wants");
    let response = session.get(&data).attach(Attach::Never).send().await?;
    ensure!(response.status() == StatusCode::UNAUTHORIZED, "the server should have refused");
    let challenge = response.headers()["www-authenticate"].to_str()?;
    say(&format!("  {}\n  WWW-Authenticate: {challenge}", response.status()));

    step(2, "with the token that is discovered, the data comes");
    say(&format!("  BEARER_TOKEN_FILE={}", file.display()));
    tell(session.get(&data).send().await?).await?;

    step(3, "the batch system replaces the token; the next request has the new one");
    write_token(&file, issuer.token("alice-renewed", &server)?.expose_secret())?;
    tell(session.get(&data).send().await?).await?;

    step(4, "a redirect to a stranger is followed, but the token stays here");
    tell(session.get(format!("{}/vo/elsewhere", server.url())).send().await?).await?;
    let received = stranger.received();
    say(&format!("  the stranger saw these headers: {}", received.join(", ")));
    ensure!(!received.iter().any(|name| name == "authorization"), "the stranger got the token");

    step(5, "a refusal is explained");
    let refused = session.get(format!("{}/private/diary.txt", server.url())).send().await?;
    ensure!(refused.status() == StatusCode::FORBIDDEN, "the server should have refused");
    let explanation = refused.explain().context("a refusal has an explanation")?;
    for line in explanation.to_string().lines() {
        say(&format!("  {line}"));
    }
    Ok(())
}

/// Prints what happened and what came.
async fn tell(response: reqwest::Response) -> anyhow::Result<()> {
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

#[expect(clippy::print_stdout, reason = "this program tells a story")]
fn say(text: &str) {
    println!("{text}");
}
