//! `scitoken token acls`.

use clap::Args;
use scitoken_authz::{Acl, AuthorizationError};
use serde_json::{Value, json};

use super::answer;
use super::input::TokenArg;
use super::server::ServerArgs;
use super::trust::{TokenVerdict, TrustArgs};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;

/// List what a token permits, one `operation:path` a line
///
/// Verifies the token first, so pass the trusted issuers with `--issuer`, or their keys with `--jwks` or `--key`.
#[derive(Debug, Args)]
pub(super) struct Acls {
    #[command(flatten)]
    token: TokenArg,
    #[command(flatten)]
    trust: TrustArgs,
    #[command(flatten)]
    server: ServerArgs,
}

impl Acls {
    pub(super) fn run(&self, context: &Context) -> Result<Exit, Failure> {
        self.trust.require_issuer()?;
        let token = self.token.read(context, None, None)?;
        let verified = match self.trust.verify(context, &token)? {
            TokenVerdict::Valid(verified) => verified,
            TokenVerdict::Refused(refusal) => return Err(answer::refused(&refusal, None)),
        };
        let enforcer = self.server.enforcer(&self.trust, self.trust.issuers(&token)?);
        match enforcer
            .map_or(Err(AuthorizationError::EmptyAuthorization), |enforcer| enforcer.acls(&verified))
        {
            Ok(acls) => {
                let lines: Vec<String> = acls.iter().map(ToString::to_string).collect();
                let object = |acl: &Acl| json!({ "op": acl.authorization(), "path": acl.path().to_string() });
                let list: Value = acls.iter().map(object).collect();
                context.output.result(&lines.join("\n"), json!({ "acls": list }))?;
                Ok(Exit::Ok)
            }
            Err(refusal) => Err(answer::refused(&refusal, ServerArgs::hint(&refusal))),
        }
    }
}
