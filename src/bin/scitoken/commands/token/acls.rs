//! `scitoken token acls`.

use clap::Args;
use reqwest_scitokens::scitokens::Refusal;
use serde_json::{Map, json};

use super::enforce::Server;
use super::input::Input;
use super::report::Format;
use super::trust::{Trust, Verdict};
use crate::exit::Exit;
use crate::failure::Failure;

/// List what a token allows, one `operation:path` a line
///
/// The token is verified first, so say whose tokens count: `--issuer`, or the issuer's keys with `--jwks` or `--key`.
#[derive(Debug, Args)]
pub(super) struct Acls {
    #[command(flatten)]
    input: Input,
    #[command(flatten)]
    trust: Trust,
    #[command(flatten)]
    server: Server,
    #[command(flatten)]
    format: Format,
}

impl Acls {
    pub(super) fn run(&self) -> Result<Exit, Failure> {
        let report = self.format.report();
        report.run(|| {
            self.trust.must_be_named()?;
            let token = self.input.read()?;
            let verified = match self.trust.verify(&token)? {
                Verdict::Good(verified) => verified,
                Verdict::Refused(refusal) => return report.no(&refusal, None),
            };
            let enforcer = self.server.enforcer(&self.trust, self.trust.issuers(&token)?);
            let outcome = enforcer.map_or(Err(Refusal::NothingAsked), |enforcer| enforcer.acls(&verified));
            match outcome {
                Ok(acls) => {
                    let lines: Vec<String> = acls.iter().map(ToString::to_string).collect();
                    let object = |acl: &reqwest_scitokens::scitokens::Acl| {
                        json!({"op": acl.authorization(), "path": acl.path().to_string()})
                    };
                    let list = acls.iter().map(object).collect();
                    report.yes(&lines.join("\n"), Map::from_iter([("acls".to_owned(), list)]))
                }
                Err(refusal) => report.no(&refusal, self.server.hint(&refusal)),
            }
        })
    }
}
