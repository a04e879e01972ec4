//! `scitoken doctor`: everything about a server that a ticket should say.

mod known;
mod machine;
mod probes;
mod report;

use clap::Args;

use self::machine::Machine;
use self::probes::Probes;
use self::report::Findings;
use super::address::parse_url;
use super::diagnosis::{Asked, Rows, Told, Verdict, as_json, ask, tell};
use super::explain::{SILENCE, answer};
use super::operation::Operation;
use crate::connect::Connect;
use crate::engine::block_on;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::print;
use crate::settings::Settings;

/// Examine a server and this machine, in one report to paste into a ticket
///
/// All that `scitoken explain` tells, and the proxy, IPv4 and IPv6, ranges, checksums, the clocks, the server's software
/// and what is known about it, and which variables are set. A few small requests that change nothing are sent; those for
/// ranges and checksums only if the file can be read. Neither a token nor the value of any variable is in the report.
#[derive(Debug, Args)]
pub(crate) struct Doctor {
    /// A file at the server
    url: String,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connect: Connect,
}

impl Doctor {
    pub(crate) fn run(&self, settings: &Settings) -> Result<Exit, Failure> {
        answer(self.json, || {
            let url = parse_url(&self.url)?;
            let connector = self.connect.connector(settings, SILENCE)?;
            let operation = Operation::Read;
            let asked = Asked { url: &url, operation, connector: &connector, env: settings.env() };
            let (Told { story, tokens, .. }, probes) = block_on(async {
                let told = ask(&asked).await?;
                let probes = Probes::of(&told, &url).await;
                Ok::<_, Failure>((told, probes))
            })??;
            let findings = Findings::new(&story, probes, Machine::of(settings));
            let verdict = findings.verdict(Verdict::of(&story));
            let text = if self.json {
                let mut object = as_json(&story, &verdict);
                object["doctor"] = findings.as_json();
                object.to_string()
            } else {
                let mut rows = Rows::default();
                findings.machine_rows(&mut rows);
                rows.append(Rows::facts(&story));
                findings.server_rows(&mut rows);
                rows.end(&story, &verdict);
                rows.to_string()
            };
            print::line(&tell(&text, &tokens));
            Ok(verdict.exit)
        })
    }
}
