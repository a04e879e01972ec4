//! A token that `scitoken login` or another program stored, renewed when it must be.

use std::time::Duration;

use reqwest_scitokens::storage::TokenStorage;
use reqwest_scitokens::sys::Env;
use reqwest_scitokens::{AccessToken, Session, SourceError, StoredSource, TokenRequest, TokenSource};
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::Authorities;
use crate::commands::{oauth_client, open_storage};
use crate::failure::Failure;
use crate::settings::{Client, Stored};

/// So long an issuer that could not be reached is not asked for its endpoints again.
const LEAVE_ALONE: Duration = Duration::from_secs(30);

/// An entry of a storage.
///
/// The issuer is asked for its endpoints when the first renewal is due, and not before: most runs are over by then, and
/// an issuer that is down is no trouble as long as the token is good.
#[derive(Debug)]
pub(super) struct StoredToken {
    as_it_is: StoredSource,
    client: Option<Client>,
    authorities: Authorities,
    env: Env,
    renewing: Mutex<Renewing>,
}

#[derive(Debug)]
enum Renewing {
    NotYet,
    Ready(StoredSource),
    Failed { at: Instant, why: SourceError },
}

impl StoredToken {
    pub(super) fn new(stored: &Stored, authorities: Authorities, env: Env) -> Result<Self, Failure> {
        let storage: Box<dyn TokenStorage> = open_storage(&stored.storage, &stored.namespace)?;
        Ok(Self {
            as_it_is: StoredSource::new(storage, stored.resource_server.as_str()),
            client: stored.client.clone(),
            authorities,
            env,
            renewing: Mutex::new(Renewing::NotYet),
        })
    }

    /// The same entry, with its issuer's help.
    async fn renewing(&self, client: &Client) -> Result<StoredSource, SourceError> {
        let mut renewing = self.renewing.lock().await;
        match &*renewing {
            Renewing::Ready(source) => return Ok(source.clone()),
            Renewing::Failed { at, why } if at.elapsed() < LEAVE_ALONE => return Err(why.clone()),
            _ => {}
        }
        let found = self.issuer(client).await.map(|client| self.as_it_is.clone().with_renewal(client));
        *renewing = match &found {
            Ok(source) => Renewing::Ready(source.clone()),
            Err(why) => Renewing::Failed { at: Instant::now(), why: why.clone() },
        };
        found
    }

    async fn issuer(&self, client: &Client) -> Result<reqwest_scitokens::oauth::OAuthClient, SourceError> {
        let mut session = Session::builder().env(self.env.clone());
        if let Some(file) = &self.authorities.file {
            session = session.ca_file(file);
        }
        if let Some(directory) = &self.authorities.directory {
            session = session.ca_directory(directory);
        }
        oauth_client(session, &client.issuer, &client.id, client.secret_file.as_deref()).await.map_err(
            |failure| {
                SourceError::new(format!("the stored token cannot be renewed: {}", failure.message()))
                    .with_hint("log in again with `scitoken login`")
            },
        )
    }
}

impl TokenSource for StoredToken {
    async fn token(&self, request: &TokenRequest<'_>) -> Result<Option<AccessToken>, SourceError> {
        let found = self.as_it_is.token(request).await;
        let Some(client) = self.client.as_ref().filter(|_| is_due(&found, request)) else { return found };
        match (self.renewing(client).await, found) {
            (Ok(renewing), _) => renewing.token(request).await,
            // It has some life left, or only this one server did not like it.
            (Err(why), Ok(token)) => {
                request.note(|| why.to_string());
                Ok(token)
            }
            (Err(why), Err(_)) => Err(why),
        }
    }
}

/// Whether the token that is there is not good enough.
fn is_due(found: &Result<Option<AccessToken>, SourceError>, request: &TokenRequest<'_>) -> bool {
    match found {
        Ok(Some(token)) => {
            request.rejected() == Some(token) || !token.is_valid_for(request.min_validity(), request.now())
        }
        Ok(None) => false,
        Err(error) => error.is_expired(),
    }
}
