//! `scitoken explain`: one request, the whole story.

use std::time::Duration;

use clap::Args;
use serde_json::json;

use super::address::parse_url;
use super::diagnosis::{Asked, Rows, Told, Verdict, as_json, ask, tell};
use super::operation::Operation;
use crate::connect::Connect;
use crate::engine::block_on;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::print;
use crate::settings::Settings;

/// How long a server may say nothing: an XRootD manager without its data servers needs 20 s for an answer.
pub(super) const SILENCE: Duration = Duration::from_secs(30);

/// Tell the whole story of one request: token, name, TLS, redirects, refusal, causes
///
/// One request is sent, and nothing is changed at the server: for `--op write` and `--op delete` it is a `HEAD`, and
/// what the token says is laid beside what the change would need. Before it, a connection to each address is tried, and
/// a TLS handshake shows the certificates, trusted or not. No token is in the report.
#[derive(Debug, Args)]
pub(crate) struct Explain {
    /// What is to be read or written
    url: String,
    /// What is to be done there
    #[arg(long, value_enum, default_value_t = Operation::Read)]
    op: Operation,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connect: Connect,
}

impl Explain {
    pub(crate) fn run(&self, settings: &Settings) -> Result<Exit, Failure> {
        answer(self.json, || {
            let url = parse_url(&self.url)?;
            let connector = self.connect.connector(settings, SILENCE)?;
            let asked = Asked { url: &url, operation: self.op, connector: &connector, env: settings.env() };
            let Told { story, tokens, .. } = block_on(ask(&asked))??;
            let verdict = Verdict::of(&story);
            let text = if self.json {
                as_json(&story, &verdict).to_string()
            } else {
                let mut rows = Rows::facts(&story);
                rows.end(&story, &verdict);
                rows.to_string()
            };
            print::line(&tell(&text, &tokens));
            Ok(verdict.exit)
        })
    }
}

/// Runs a command; with `--json` what keeps it from an answer is told in JSON too.
pub(super) fn answer(json: bool, command: impl FnOnce() -> Result<Exit, Failure>) -> Result<Exit, Failure> {
    match command() {
        Err(failure) if json => {
            print::line(&json!({"ok": false, "error": failure.message(), "reason": "failed"}).to_string());
            Ok(failure.exit())
        }
        outcome => outcome,
    }
}
