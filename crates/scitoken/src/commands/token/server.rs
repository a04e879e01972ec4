//! The server that `token enforce` and `token acls` ask about.

use clap::Args;
use scitoken_authz::{
    Access, AuthorizationError, Enforcer, EnforcerBuilder, Issuer, VerifiedToken, Vocabulary,
};

use super::trust::TrustArgs;

/// The server that the question is about.
#[derive(Debug, Args)]
pub(super) struct ServerArgs {
    /// Name of the server in `aud`; repeatable
    #[arg(long, value_name = "AUDIENCE")]
    audience: Vec<String>,
    /// Accept tokens for every audience
    #[arg(long, conflicts_with = "audience")]
    any_audience: bool,
    /// Also accept the names of SciTokens (read, create, write) for WLCG tokens
    #[arg(long)]
    compat: bool,
}

impl ServerArgs {
    /// Returns the enforcer for these flags; `None` without an issuer.
    pub(super) fn enforcer(&self, trust: &TrustArgs, issuers: Vec<Issuer>) -> Option<Enforcer> {
        let vocabulary = if self.compat { Vocabulary::Compat } else { Vocabulary::Native };
        self.enforcer_with(vocabulary, trust, issuers)
    }

    /// Returns whether `--compat` would have permitted what was refused without it.
    pub(super) fn would_compat_permit(
        &self,
        trust: &TrustArgs,
        issuers: Vec<Issuer>,
        token: &VerifiedToken,
        access: Access<'_>,
    ) -> bool {
        let enforcer = self.enforcer_with(Vocabulary::Compat, trust, issuers);
        enforcer.is_some_and(|enforcer| enforcer.test(token, access).is_ok())
    }

    fn enforcer_with(
        &self,
        vocabulary: Vocabulary,
        trust: &TrustArgs,
        issuers: Vec<Issuer>,
    ) -> Option<Enforcer> {
        let mut issuers = issuers.into_iter();
        let mut builder = Enforcer::builder(issuers.next()?).clock(trust.clock()).leeway(trust.leeway());
        builder = issuers.fold(builder, EnforcerBuilder::issuer);
        builder = self.audience.iter().fold(builder, |builder, audience| builder.audience(audience.as_str()));
        if self.any_audience {
            builder = builder.accept_any_audience();
        }
        Some(builder.vocabulary(vocabulary).build())
    }

    /// Returns what to do about a refusal.
    pub(super) fn hint(refusal: &AuthorizationError) -> Option<&'static str> {
        match refusal {
            AuthorizationError::NoAudienceConfigured { .. } => {
                Some("pass the server's name with `--audience`, or accept all with `--any-audience`")
            }
            AuthorizationError::NotGranted => Some("`scitoken token acls` lists what the token permits"),
            _ => None,
        }
    }
}
