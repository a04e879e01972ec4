//! Arguments that name an OAuth client.

use std::path::PathBuf;

use clap::Args;
use scitoken_types::names_host;
use url::Url;

use super::AuthorityArgs;
use crate::exit::Exit;
use crate::failure::Failure;

/// An OAuth client on the command line.
#[derive(Debug, Args)]
pub(crate) struct OAuthClientArgs {
    /// Issuer
    #[arg(long, value_name = "URL", env = "SCITOKEN_ISSUER", hide_env = true, value_parser = parse_issuer)]
    pub(crate) issuer: Url,
    /// Client id of this program at the issuer
    #[arg(long, value_name = "ID", env = "SCITOKEN_CLIENT_ID", hide_env = true)]
    pub(crate) client_id: String,
    #[command(flatten)]
    pub(crate) connection: OAuthConnectionArgs,
}

/// How an OAuth client authenticates, and which servers it trusts.
#[derive(Clone, Debug, Args)]
pub(crate) struct OAuthConnectionArgs {
    /// File with the client secret, if the client has one
    #[arg(long, value_name = "FILE")]
    pub(crate) client_secret_file: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) authorities: AuthorityArgs,
}

/// An OAuth client on the command line of a login, which finds issuer and client by itself for a name of a federation.
#[derive(Clone, Debug, Args)]
pub(crate) struct LoginClientArgs {
    /// Issuer; of NAME's issuers, this one
    #[arg(
        long,
        value_name = "URL",
        env = "SCITOKEN_ISSUER",
        hide_env = true,
        value_parser = parse_issuer,
        required_unless_present = "name"
    )]
    pub(crate) issuer: Option<Url>,
    /// Client id of this program at the issuer; for NAME, the issuer is asked for one
    #[arg(
        long,
        value_name = "ID",
        env = "SCITOKEN_CLIENT_ID",
        hide_env = true,
        required_unless_present = "name"
    )]
    pub(crate) client_id: Option<String>,
    #[command(flatten)]
    pub(crate) connection: OAuthConnectionArgs,
}

impl LoginClientArgs {
    /// Returns the client that was named.
    pub(crate) fn required(&self) -> Result<OAuthClientArgs, Failure> {
        let (Some(issuer), Some(client_id)) = (&self.issuer, &self.client_id) else {
            return Err(Failure::new(Exit::Usage, "`--issuer` and `--client-id` are required"));
        };
        let connection = self.connection.clone();
        Ok(OAuthClientArgs { issuer: issuer.clone(), client_id: client_id.clone(), connection })
    }
}

/// Parses the URL of an issuer, which must name its host.
fn parse_issuer(text: &str) -> Result<Url, String> {
    if names_host(text) {
        text.parse().map_err(|error: url::ParseError| error.to_string())
    } else {
        Err("it names no host: write `https://host/path`".to_owned())
    }
}
