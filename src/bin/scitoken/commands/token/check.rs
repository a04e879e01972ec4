//! `scitoken token check`: would a server accept the token for this?

use clap::Args;
use reqwest_scitokens::sys::{Clock as _, SystemClock};
use reqwest_scitokens::{Verdict, check_token};
use serde_json::json;
use url::Url;

use super::input::Input;
use crate::commands::operation::Operation;
use crate::exit::Exit;
use crate::failure::Failure;

/// Tell whether a server would accept the token for a URL, and if not, by which rule
///
/// Nobody is asked and nothing is verified: what the token says is laid beside what the request would need. Exit code
/// 0: nothing speaks against it, 1: it would be refused.
#[derive(Debug, Args)]
pub(crate) struct Check {
    /// What is to be read or written
    url: Url,
    /// What is to be done there
    #[arg(long, value_enum, default_value_t = Operation::Read)]
    op: Operation,
    #[command(flatten)]
    token: Input,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

impl Check {
    #[expect(clippy::print_stdout, reason = "this is where the program speaks")]
    pub(super) fn run(&self) -> Result<Exit, Failure> {
        let token = self.token.read()?;
        let checks = check_token(&token, &self.op.method(), &self.url, SystemClock.now());
        let refused = checks.iter().find(|check| check.verdict == Verdict::Fails);
        if self.json {
            let rules: Vec<_> = checks
                .iter()
                .map(|check| {
                    let verdict = format!("{:?}", check.verdict).to_lowercase();
                    json!({"rule": check.what, "verdict": verdict, "token": check.token, "request": check.request})
                })
                .collect();
            let (error, reason) = match refused {
                Some(check) => (json!("refused"), json!(check.what)),
                None => (json!(null), json!(null)),
            };
            println!(
                "{}",
                json!({"ok": refused.is_none(), "error": error, "reason": reason, "checks": rules})
            );
        } else {
            for check in &checks {
                println!("{check}");
            }
            println!(
                "{}",
                match refused {
                    Some(check) => format!("would be refused: {}", check.what),
                    None => "nothing speaks against it; the server decides".to_owned(),
                }
            );
        }
        Ok(if refused.is_none() { Exit::Ok } else { Exit::Refused })
    }
}
