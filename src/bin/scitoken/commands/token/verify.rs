//! `scitoken token verify`.

use clap::Args;
use serde_json::{Map, json};

use super::input::Input;
use super::report::{self, Format};
use super::trust::{Trust, Verdict};
use crate::exit::Exit;
use crate::failure::Failure;

/// Verify a token's signature, times and profile
///
/// The keys are the issuer's, fetched over https and kept in the user's key cache, or those given. Without `--issuer`
/// the token's own issuer is asked: the answer then says who made the token, not that you trust them. Audience and
/// scopes are the business of `token enforce`.
///
/// The exit code is 0 for a good token, 1 for one that is refused.
#[derive(Debug, Args)]
#[command(after_long_help = "Examples:
  scitoken token verify --issuer https://issuer.example
  scitoken token verify - --jwks jwks.json < token.jwt")]
pub(super) struct Verify {
    #[command(flatten)]
    input: Input,
    #[command(flatten)]
    trust: Trust,
    #[command(flatten)]
    format: Format,
}

impl Verify {
    pub(super) fn run(&self) -> Result<Exit, Failure> {
        let report = self.format.report();
        report.run(|| match self.trust.verify(&self.input.read()?)? {
            Verdict::Refused(refusal) => report.no(&refusal, None),
            Verdict::Good(token) => {
                let members = Map::from_iter([
                    ("profile".to_owned(), json!(token.profile().to_string())),
                    ("kid".to_owned(), json!(token.key_id())),
                    ("claims".to_owned(), report::claims_object(token.claims())),
                ]);
                report.yes(&format!("good: {}", report::summary(&token)), members)
            }
        })
    }
}
