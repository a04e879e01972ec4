//! `scitoken token verify`.

use clap::Args;
use serde_json::json;

use super::answer;
use super::input::TokenArg;
use super::trust::{TokenVerdict, TrustArgs};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;

/// Verify a token's signature, times and profile
///
/// The keys are those given, or the issuer's, fetched over https and cached. Without `--issuer`, the token's own issuer is
/// asked: the answer then says who made the token, not whether you trust it. `token enforce` checks audience and scopes.
///
/// Exit code 0: valid, 1: refused.
#[derive(Debug, Args)]
#[command(after_long_help = "Examples:
  scitoken token verify --issuer https://issuer.example
  scitoken token verify - --jwks jwks.json < token.jwt")]
pub(super) struct Verify {
    #[command(flatten)]
    token: TokenArg,
    #[command(flatten)]
    trust: TrustArgs,
}

impl Verify {
    pub(super) fn run(&self, context: &Context) -> Result<Exit, Failure> {
        match self.trust.verify(context, &self.token.read(context, None, None)?)? {
            TokenVerdict::Refused(refusal) => Err(answer::refused(&refusal, None)),
            TokenVerdict::Valid(token) => {
                let members = json!({
                    "profile": token.profile().to_string(), "kid": token.key_id(),
                    "claims": answer::claims_object(token.claims()),
                });
                context.output.result(&format!("valid: {}", answer::summary(&token)), members)?;
                Ok(Exit::Ok)
            }
        }
    }
}
