//! `scitoken explain`.

use clap::Args;
use scitoken_transfer::federation::FederationUrl;
use url::Url;

use super::diagnosis::{ProbeRequest, READ_TIMEOUT, ReportLines, ReportVerdict, as_json, probe};
use super::remote::{object_name, resolve, show_object};
use crate::args::{ConnectionArgs, FederationArgs, Operation, RetryArgs, parse_url};
use crate::context::Context;
use crate::engine::Engine;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output;
use crate::runtime::block_on;
use crate::sessions::SessionFactory;

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
        let (url, connection) = match object_name(&self.url)? {
            Some(name) => self.resolve(context, &name)?,
            None => (parse_url(&self.url)?, self.connection.clone()),
        };
        let sessions = SessionFactory::new(context, &connection, READ_TIMEOUT)?;
        let request = ProbeRequest { url: &url, operation: self.op, sessions: &sessions };
        let report = block_on(probe(&request))??;
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

    /// Resolves a name, shows its namespace and servers, and returns the first server's URL and how to reach it.
    fn resolve(&self, context: &Context, name: &FederationUrl) -> Result<(Url, ConnectionArgs), Failure> {
        let engine = Engine::new(context, &self.retry, &self.connection, 1)?;
        let object = resolve(context, &engine, &self.federation, &self.retry, name)?;
        if !context.output.json {
            show_object(context, &object)?;
        }
        let mut connection = self.connection.clone();
        connection.no_auth |= !object.namespace().requires_token();
        Ok((object.servers()[0].clone(), connection))
    }
}
