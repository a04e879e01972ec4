//! `scitoken explain`.

use clap::Args;

use super::diagnosis::{ProbeRequest, READ_TIMEOUT, ReportLines, ReportVerdict, as_json, probe};
use super::examined::{ExaminedServer, Route};
use crate::args::{ConnectionArgs, FederationArgs, Operation, RetryArgs};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output;
use crate::runtime::block_on;

/// Explain one request: token, name, TLS, redirects, the server's answer, likely causes
///
/// Sends one request that changes nothing at the server: for `--op write` and `--op delete` it is a `HEAD`, and the token
/// is compared with what the change requires. Before it, a connection to each address is tried, and a TLS handshake shows
/// the certificates, trusted or not. The report contains no token. `-v` adds the whole chain of certificates, and each
/// request as it is sent.
#[derive(Debug, Args)]
pub(crate) struct Explain {
    /// File or directory
    url: String,
    /// Operation to explain
    #[arg(long, value_enum, default_value_t = Operation::Read)]
    op: Operation,
    #[command(flatten)]
    federation: FederationArgs,
    #[command(flatten)]
    retry: RetryArgs,
    #[command(flatten)]
    connection: ConnectionArgs,
}

impl Explain {
    pub(crate) fn run(&self, context: &Context) -> Result<Exit, Failure> {
        let route = Route {
            federation: &self.federation,
            retry: &self.retry,
            connection: &self.connection,
            read_timeout: READ_TIMEOUT,
        };
        let server = ExaminedServer::find(context, &self.url, self.op, route)?;
        let request = ProbeRequest {
            url: &server.url,
            operation: self.op,
            sessions: &server.sessions,
            accepted: server.accepted.as_deref(),
        };
        let mut report = block_on(probe(&request))??;
        if let Some(failure) = &server.failure {
            report.ends_before(failure);
        }
        let verdict = ReportVerdict::of(&report);
        if context.output.json {
            output::json_line(&as_json(&report, &verdict, context.output.command))?;
        } else {
            let mut lines = ReportLines::facts(&report, context.verbose > 0);
            lines.conclude(&report, &verdict, context.output.command, context.verbose > 0);
            context.output.text(&lines.to_string())?;
        }
        Ok(verdict.exit)
    }
}
