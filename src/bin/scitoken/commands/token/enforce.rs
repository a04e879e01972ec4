//! `scitoken token enforce`, and what it shares with `token acls`.

use clap::Args;
use reqwest_scitokens::ResourcePath;
use reqwest_scitokens::scitokens::{Access, Enforcer, EnforcerBuilder, Issuer, Refusal, Vocabulary};
use serde_json::{Map, json};

use super::input::Input;
use super::report::Format;
use super::trust::{Trust, Verdict};
use crate::exit::Exit;
use crate::failure::Failure;

/// Tell whether a token allows an operation
///
/// The token is verified first, so say whose tokens count: `--issuer`, or the issuer's keys with `--jwks` or `--key`. The
/// exit code is 0 for yes, 1 for no; the reason is the first rule that says so.
#[derive(Debug, Args)]
#[command(after_long_help = "Examples:
  scitoken token enforce token.jwt --issuer https://issuer.example --audience https://data.example --op read --path /vo/run1
  scitoken token enforce --jwks jwks.json --any-audience --op compute.create")]
pub(super) struct Enforce {
    #[command(flatten)]
    input: Input,
    #[command(flatten)]
    trust: Trust,
    #[command(flatten)]
    server: Server,
    /// The operation: read, write, storage.read, storage.create, compute.create, …
    #[arg(long, value_name = "NAME")]
    op: String,
    /// Where it is to be done, as in a URL; not needed for compute.* and the like
    #[arg(long)]
    path: Option<String>,
    #[command(flatten)]
    format: Format,
}

/// The server that the question is about.
#[derive(Debug, Args)]
pub(super) struct Server {
    /// A name of the server in `aud`; may be given several times
    #[arg(long)]
    audience: Vec<String>,
    /// Accept tokens for other servers too
    #[arg(long, conflicts_with = "audience")]
    any_audience: bool,
    /// Ask about WLCG tokens by SciTokens' names as well: read, create, write
    #[arg(long)]
    compat: bool,
}

impl Server {
    pub(super) fn enforcer(&self, trust: &Trust, issuers: Vec<Issuer>) -> Option<Enforcer> {
        let mut issuers = issuers.into_iter();
        let mut builder = Enforcer::builder(issuers.next()?).clock(trust.clock());
        builder = issuers.fold(builder, EnforcerBuilder::issuer);
        builder = self.audience.iter().fold(builder, |builder, audience| builder.audience(audience.as_str()));
        if self.any_audience {
            builder = builder.accept_any_audience();
        }
        if self.compat {
            builder = builder.vocabulary(Vocabulary::Compat);
        }
        Some(builder.build())
    }

    /// What to do about a refusal.
    pub(super) fn hint(&self, refusal: &Refusal) -> Option<&'static str> {
        match refusal {
            Refusal::NoAudienceConfigured { .. } => {
                Some("name the server as tokens do with `--audience`, or accept all with `--any-audience`")
            }
            Refusal::NotGranted if !self.compat => {
                Some("`token acls` lists what the token allows; `--compat` knows storage.read as read")
            }
            Refusal::NotGranted => Some("`token acls` lists what the token allows"),
            _ => None,
        }
    }
}

impl Enforce {
    pub(super) fn run(&self) -> Result<Exit, Failure> {
        let report = self.format.report();
        report.run(|| {
            self.trust.must_be_named()?;
            let path: Option<ResourcePath> = match &self.path {
                Some(text) => Some(text.parse().map_err(|error| {
                    Failure::new(Exit::Usage, format!("`--path` cannot be used: {error}"))
                })?),
                None => None,
            };
            let token = self.input.read()?;
            let verified = match self.trust.verify(&token)? {
                Verdict::Good(verified) => verified,
                Verdict::Refused(refusal) => return report.no(&refusal, None),
            };
            let access = match &path {
                Some(path) => Access::to(&self.op, path),
                None => Access::everywhere(&self.op),
            };
            let enforcer = self.server.enforcer(&self.trust, self.trust.issuers(&token)?);
            let outcome =
                enforcer.map_or(Err(Refusal::NothingAsked), |enforcer| enforcer.test(&verified, access));
            match outcome {
                Ok(()) => {
                    let place = path.as_ref().map(|path| format!(" on {path}")).unwrap_or_default();
                    let members = Map::from_iter([
                        ("op".to_owned(), json!(self.op)),
                        ("path".to_owned(), json!(path.as_ref().map(ToString::to_string))),
                    ]);
                    report.yes(&format!("yes: the token allows {}{place}", self.op), members)
                }
                Err(Refusal::NotGranted) if path.is_none() => report.no(
                    &Refusal::NotGranted,
                    Some("without `--path`, it would have to be allowed everywhere"),
                ),
                Err(refusal) => report.no(&refusal, self.server.hint(&refusal)),
            }
        })
    }
}
