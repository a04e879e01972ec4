//! Connections to OAuth servers.

use std::path::Path;

use reqwest_middleware::ClientWithMiddleware;
use reqwest_scitokens::{Attach, SessionBuilder};
use scitoken_storage::oauth::{OAuthClient, OAuthError, ProviderMetadata};
use url::Url;

use crate::args::OAuthClientArgs;
use crate::authorities;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::files;
use crate::hints;
use crate::open_session::open_session;

/// Discovers the issuer's endpoints for the client of the command line.
pub(crate) async fn connect(context: &Context, client: &OAuthClientArgs) -> Result<OAuthClient, Failure> {
    let session = authorities::session(context, &client.connection.authorities)?;
    discover(session, &client.issuer, &client.client_id, client.connection.client_secret_file.as_deref())
        .await
}

/// Discovers an issuer's endpoints.
pub(crate) async fn discover(
    session: SessionBuilder,
    issuer: &Url,
    id: &str,
    secret_file: Option<&Path>,
) -> Result<OAuthClient, Failure> {
    let (http, metadata) = metadata(session, issuer).await?;
    let client = OAuthClient::new(http, metadata, id);
    Ok(match secret_file {
        Some(path) => client.with_secret(files::read_secret(path)?),
        None => client,
    })
}

/// Returns a client for requests to an issuer, and the issuer's endpoints.
pub(crate) async fn metadata(
    session: SessionBuilder,
    issuer: &Url,
) -> Result<(ClientWithMiddleware, ProviderMetadata), Failure> {
    // Requests to an OAuth server carry no bearer token, and no redirect may carry the secrets on.
    let session = session.attach(Attach::Never).redirect(|redirect| redirect.limit(0));
    let session = open_session(session)?;
    let http = session.client().clone();
    let metadata = ProviderMetadata::discover(&http, issuer).await.map_err(|error| failure(&error))?;
    Ok((http, metadata))
}

/// Returns what an OAuth server's error means to the shell.
pub(crate) fn failure(error: &OAuthError) -> Failure {
    let exit = if error.is_refused_by_policy() {
        Exit::Policy
    } else if error.is_unreachable() {
        Exit::Connect
    } else if error.is_timeout() {
        Exit::Timeout
    } else if error.code().is_some() && !error.is_transient() {
        Exit::TokenRefused
    } else {
        Exit::Server
    };
    let hint = error.hint().map(hints::of_oauth).or_else(|| hints::of_connection(error));
    Failure::from_error(exit, error).with_optional_hint(hint).with_transience(error.is_transient())
}
