//! The OAuth server and client that `login` and `logout` speak for.

use std::future::Future;
use std::path::{Path, PathBuf};

use clap::Args;
use reqwest_scitokens::oauth::{OAuthClient, OAuthError, ProviderMetadata};
use reqwest_scitokens::{Attach, Session, SessionBuilder};
use url::Url;

use crate::exit::Exit;
use crate::failure::Failure;

/// An OAuth client on the command line.
#[derive(Debug, Args)]
pub(super) struct ClientArguments {
    /// The issuer's address
    #[arg(long, value_name = "URL", env = "SCITOKEN_ISSUER")]
    issuer: Url,
    /// The name by which the issuer knows this program
    #[arg(long, value_name = "ID", env = "SCITOKEN_CLIENT_ID")]
    client_id: String,
    /// The file with the client's secret, if it has one
    #[arg(long, value_name = "FILE")]
    client_secret_file: Option<PathBuf>,
    /// Trust the certificate authorities in this PEM file too
    #[arg(long, value_name = "FILE")]
    cacert: Option<PathBuf>,
}

impl ClientArguments {
    /// Asks the issuer for its endpoints.
    pub(super) async fn connect(&self) -> Result<OAuthClient, Failure> {
        let mut session = Session::builder();
        if let Some(path) = &self.cacert {
            session = session.ca_file(path);
        }
        oauth_client(session, &self.issuer, &self.client_id, self.client_secret_file.as_deref()).await
    }

    pub(super) fn issuer(&self) -> &str {
        self.issuer.as_str()
    }

    pub(super) fn id(&self) -> &str {
        &self.client_id
    }

    pub(super) fn secret_file(&self) -> Option<&Path> {
        self.client_secret_file.as_deref()
    }
}

/// A client that knows its issuer's endpoints.
pub(crate) async fn oauth_client(
    session: SessionBuilder,
    issuer: &Url,
    id: &str,
    secret_file: Option<&Path>,
) -> Result<OAuthClient, Failure> {
    // No token of the user belongs there, and no redirect may carry the secrets on.
    let session = session.attach(Attach::Never).redirect(|redirect| redirect.limit(0));
    let session = session.build().map_err(|error| Failure::from_error(Exit::Usage, &error))?;
    let http = session.client().clone();
    let metadata = ProviderMetadata::discover(&http, issuer).await.map_err(|error| refused(&error))?;
    let client = OAuthClient::new(http, metadata, id);
    Ok(match secret_file {
        Some(path) => client.with_secret(secret(path)?),
        None => client,
    })
}

/// The secret in a file, without the line end that editors put behind it.
fn secret(path: &Path) -> Result<String, Failure> {
    let secret = fs_err::read_to_string(path).map_err(|error| Failure::from_error(Exit::Local, &error))?;
    Ok(secret.trim_end_matches(['\r', '\n']).to_owned())
}

/// What an OAuth server's refusal means to the shell.
pub(super) fn refused(error: &OAuthError) -> Failure {
    let exit = if error.is_unreachable() {
        Exit::Connect
    } else if error.is_timeout() {
        Exit::Timeout
    } else if error.code().is_some() && !error.is_transient() {
        Exit::TokenRefused
    } else {
        Exit::Server
    };
    let failure = Failure::from_error(exit, error);
    match error.hint() {
        Some(hint) => failure.with_hint(hint),
        None => failure,
    }
}

/// Runs a command that waits for servers.
pub(super) fn wait_for<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::from_error(Exit::Local, &error))?
        .block_on(work)
}
