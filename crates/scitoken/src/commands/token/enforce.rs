//! `scitoken token enforce`.

use clap::Args;
use scitoken_authz::{Access, AuthorizationError};
use scitoken_types::ResourcePath;
use serde_json::json;

use super::answer;
use super::input::TokenArg;
use super::server::ServerArgs;
use super::trust::{TokenVerdict, TrustArgs};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::sanitize;

/// Check whether a token permits an operation
///
/// Verifies the token first, so pass the trusted issuers with `--issuer`, or their keys with `--jwks` or `--key`. Exit
/// code 0: yes, 1: no, with the first rule that says so.
#[derive(Debug, Args)]
#[command(after_long_help = "Examples:
  scitoken token enforce token.jwt --issuer https://issuer.example --audience https://data.example --op read --path /vo/run1
  scitoken token enforce --jwks jwks.json --any-audience --op compute.create")]
pub(super) struct Enforce {
    #[command(flatten)]
    token: TokenArg,
    #[command(flatten)]
    trust: TrustArgs,
    #[command(flatten)]
    server: ServerArgs,
    /// Operation: read, write, storage.read, storage.create, compute.create, …
    #[arg(long, value_name = "NAME")]
    op: String,
    /// Path of the operation, as in a URL; not needed for compute.* and the like
    #[arg(long, value_name = "PATH")]
    path: Option<String>,
}

impl Enforce {
    pub(super) fn run(&self, context: &Context) -> Result<Exit, Failure> {
        self.trust.require_issuer()?;
        let path: Option<ResourcePath> = match &self.path {
            // No token permits an operation on such a path, so the answer is no.
            Some(text) => Some(text.parse().map_err(|error| {
                Failure::new(Exit::No, format!("refused: the path is invalid: {error}"))
                    .with_reason("invalid_path")
            })?),
            None => None,
        };
        let token = self.token.read(context, None, None)?;
        let verified = match self.trust.verify(context, &token)? {
            TokenVerdict::Valid(verified) => verified,
            TokenVerdict::Refused(refusal) => return Err(answer::refused(&refusal, None)),
        };
        let access = match &path {
            Some(path) => Access::to(&self.op, path),
            None => Access::everywhere(&self.op),
        };
        let issuers = self.trust.issuers(&token)?;
        let enforcer = self.server.enforcer(&self.trust, issuers.clone());
        match enforcer
            .map_or(Err(AuthorizationError::EmptyAuthorization), |enforcer| enforcer.test(&verified, access))
        {
            Ok(()) => {
                let place = path.as_ref().map(|path| format!(" on {path}")).unwrap_or_default();
                let members = json!({ "op": self.op, "path": path.as_ref().map(ToString::to_string) });
                context.output.result(&format!("yes: the token permits {}{place}", self.op), members)?;
                Ok(Exit::Ok)
            }
            Err(AuthorizationError::NotGranted) => {
                let refusal = AuthorizationError::NotGranted;
                let hint = match &path {
                    Some(_) if self.server.would_compat_permit(&self.trust, issuers, &verified, access) => {
                        Some("`--compat` accepts the token: `storage.read` then permits `read`, and so on")
                    }
                    Some(_) => ServerArgs::hint(&refusal),
                    None => Some("without `--path`, the operation must be permitted on every path"),
                };
                let place = path.as_ref().map_or("every path".to_owned(), |path| format!("`{path}`"));
                let granted = verified.claims().scope_text().map(sanitize::line).unwrap_or_default();
                let amount = format!("required is `{}` on {place}, and it has `{granted}`", self.op);
                Err(answer::refused(&refusal, hint).with_cause(&amount))
            }
            Err(refusal) => Err(answer::refused(&refusal, ServerArgs::hint(&refusal))),
        }
    }
}
