//! `scitoken doctor`.

mod capabilities;
mod findings;
mod known_issues;
mod machine;

use clap::Args;

use self::capabilities::Capabilities;
use self::findings::DoctorFindings;
use self::machine::Machine;
use super::diagnosis::{ProbeRequest, READ_TIMEOUT, ReportLines, ReportVerdict, as_json, probe};
use super::examined::{ExaminedServer, Route};
use crate::args::{ConnectionArgs, FederationArgs, Operation, RetryArgs};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output;
use crate::runtime::block_on;

/// Examine a server and this machine, in one report to paste into a ticket
///
/// Contains what `scitoken explain` reports, and the proxy, IPv4 and IPv6, ranges, checksums, the clocks, the server's
/// software with its known problems, and the names of the variables that are set. Sends a few small requests that change
/// nothing; ranges and checksums are tried only if the file can be read. The report contains no token and no variable's
/// value. `-v` adds the variables that are not set, the whole chain of certificates, and each checksum that was asked for.
#[derive(Debug, Args)]
pub(crate) struct Doctor {
    /// File at the server
    url: String,
    #[command(flatten)]
    federation: FederationArgs,
    #[command(flatten)]
    connection: ConnectionArgs,
}

impl Doctor {
    pub(crate) fn run(&self, context: &Context) -> Result<Exit, Failure> {
        let route = Route {
            federation: &self.federation,
            retry: &RetryArgs::default(),
            connection: &self.connection,
            read_timeout: READ_TIMEOUT,
        };
        let server = ExaminedServer::find(context, &self.url, Operation::Read, route)?;
        let settings = context.settings()?;
        let (url, sessions) = (&server.url, &server.sessions);
        let accepted = server.accepted.as_deref();
        let request = ProbeRequest { url, operation: Operation::Read, sessions, accepted };
        let (report, capabilities) = block_on(async {
            let report = probe(&request).await?;
            let capabilities = Capabilities::of(&report, sessions, url).await;
            Ok::<_, Failure>((report, capabilities))
        })??;
        let mut report = report;
        if let Some(failure) = &server.failure {
            report.ends_before(failure);
        }
        let report = &report;
        let findings = DoctorFindings::new(report, capabilities, Machine::of(&settings));
        let verdict = findings.verdict(ReportVerdict::of(report));
        if context.output.json {
            let mut object = as_json(report, &verdict, context.output.command);
            object["doctor"] = findings.as_json();
            output::json_line(&object)?;
        } else {
            let mut lines = ReportLines::default();
            let in_detail = context.verbose > 0;
            findings.machine_lines(&mut lines, in_detail);
            lines.append(ReportLines::facts(report, in_detail));
            findings.server_lines(&mut lines, in_detail);
            if verdict.exit != Exit::Ok {
                findings.remark_lines(&mut lines);
            }
            lines.conclude(report, &verdict, context.output.command, in_detail);
            context.output.text(&lines.to_string())?;
        }
        Ok(verdict.exit)
    }
}
