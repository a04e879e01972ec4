//! `scitoken token check`.

use clap::Args;
use reqwest_scitokens::auth::{TokenCheck, Verdict, check_token};
use scitoken_transfer::federation::FederationUrl;
use scitoken_types::AccessToken;
use scitoken_types::sys::{Clock as _, SystemClock};
use serde_json::{Value, json};
use url::Url;

use super::input::TokenArg;
use crate::args::{AuthorityArgs, FederationArgs, Operation, RetryArgs, parse_url};
use crate::commands::remote::{object_name, resolver, wait};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::runtime::block_on;
use crate::sanitize;

/// Check whether a server would accept the token for a URL, without a request
///
/// Compares the token's claims with what the request requires; verifies no signature. Exit code 0: every check passed,
/// 1: the token would be refused. For the name of an object in a federation, the director is asked for the namespace, whose
/// issuers and base path count.
#[derive(Debug, Args)]
pub(super) struct Check {
    /// File or directory
    url: String,
    /// Operation to check
    #[arg(long, value_enum, default_value_t = Operation::Read)]
    op: Operation,
    #[command(flatten)]
    federation: FederationArgs,
    #[command(flatten)]
    authorities: AuthorityArgs,
    #[command(flatten)]
    token: TokenArg,
}

/// What a token is compared with.
struct Requirement {
    url: Url,
    /// The issuers of the namespace; empty where any issuer may do.
    issuers: Vec<String>,
    /// The token that a transfer would send, if one fits.
    token: Option<AccessToken>,
}

impl Requirement {
    /// Of an object: its first server, with the path that scopes are relative to.
    fn of_object(check: &Check, context: &Context, name: &FederationUrl) -> Result<Self, Failure> {
        let retry = RetryArgs::default();
        let federation = resolver(context, &check.federation, &check.authorities)?;
        let object = wait(&retry, federation.resolve(name))?;
        let token = block_on(federation.token_for(&object, check.op.object_access()))?;
        let namespace = object.namespace();
        let mut url = object.servers()[0].clone();
        if let Some(path) =
            namespace.read_scopes(name.path()).first().and_then(|scope| scope.as_str().split_once(':'))
        {
            url.set_path(path.1);
        }
        let issuers = namespace.issuers().iter().map(|issuer| issuer.url().to_string()).collect();
        Ok(Self { url, issuers, token })
    }

    /// Compares the token's issuer with those of the namespace.
    fn issuer(&self, token: &AccessToken) -> Option<TokenCheck> {
        let claims = token.claims().filter(|_| !self.issuers.is_empty())?;
        let request = self.issuers.join(" or ");
        let trimmed = |issuer: &str| issuer.trim_end_matches('/').to_owned();
        let (token, verdict) = match claims.issuer() {
            None => ("no `iss` claim".to_owned(), Verdict::Unknown),
            Some(issuer) if self.issuers.iter().any(|known| trimmed(known) == trimmed(issuer)) => {
                (issuer.to_owned(), Verdict::Fits)
            }
            Some(issuer) => (issuer.to_owned(), Verdict::Fails),
        };
        Some(TokenCheck::new("issuer", sanitize::line(&token), request, verdict))
    }
}

impl Check {
    pub(super) fn run(&self, context: &Context) -> Result<Exit, Failure> {
        let output = context.output;
        let method = self.op.method();
        let needed = match object_name(&self.url)? {
            Some(name) => Requirement::of_object(self, context, &name)?,
            None => Requirement { url: parse_url(&self.url)?, issuers: Vec::new(), token: None },
        };
        let token = match needed.token.clone().filter(|_| !self.token.is_given()) {
            Some(token) => token,
            None => self.token.read(context, Some(&needed.url), Some(method.clone()))?,
        };
        let checks = check_token(&token, &method, &needed.url, SystemClock.now());
        let checks: Vec<_> = checks.into_iter().chain(needed.issuer(&token)).collect();
        let refused = checks.iter().find(|check| check.verdict == Verdict::Fails);
        for check in &checks {
            output.text(&check.to_string())?;
        }
        output.text(&match refused {
            Some(check) => format!("would be refused: {}", check.what),
            None => "every check passed; the server decides".to_owned(),
        })?;
        let rules: Value = checks
            .iter()
            .map(|check| {
                let verdict = format!("{:?}", check.verdict).to_lowercase();
                json!({ "rule": check.what, "verdict": verdict, "token": check.token, "request": check.request })
            })
            .collect();
        match refused {
            None => {
                output.object(true, json!({ "checks": rules }))?;
                Ok(Exit::Ok)
            }
            Some(check) => {
                let error = format!("would be refused: {}", check.what);
                output.object(
                    false,
                    json!({ "error": error, "reason": check.what, "exit": Exit::No as u8, "checks": rules }),
                )?;
                Ok(Exit::No)
            }
        }
    }
}
