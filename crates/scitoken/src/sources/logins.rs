//! The tokens of logins for namespaces of federations.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use reqwest_scitokens::{SourceError, TokenRequest, TokenSource};
use scitoken_storage::login::RegisteredClients;
use scitoken_storage::{DEFAULT_NAMESPACE, IssuerEntry, StorageError, TokenDataMap};
use scitoken_types::AccessToken;
use scitoken_types::sys::{Clock as _, Env, SystemClock};

use super::renewing::RenewingTokenSource;
use crate::authorities::AuthorityFiles;
use crate::failure::Failure;
use crate::settings::{OAuthClientSettings, StoredTokenSettings};
use crate::storage::StorageAddress;

/// The tokens that `scitoken login NAME` stored, refreshed when they expire: for each request those of its issuers with its
/// scopes, the best first.
#[derive(Debug)]
pub(crate) struct FederationLogins {
    storage: StorageAddress,
    authorities: AuthorityFiles,
    env: Env,
    sources: Mutex<HashMap<String, Arc<RenewingTokenSource>>>,
}

impl FederationLogins {
    pub(crate) fn new(storage: StorageAddress, authorities: AuthorityFiles, env: Env) -> Self {
        Self { storage, authorities, env, sources: Mutex::default() }
    }

    /// Reads all entries; none if there is no storage.
    async fn entries(&self) -> Result<TokenDataMap, SourceError> {
        if self.storage.file().is_some_and(|path| !path.exists()) {
            return Ok(TokenDataMap::new());
        }
        let storage = self.storage.clone();
        let read = tokio::task::spawn_blocking(move || {
            let storage = storage.open(DEFAULT_NAMESPACE)?;
            storage.get_token_data_by_resource_server().map_err(|error| crate::storage::failure(&error))
        });
        let read =
            read.await.map_err(|error| SourceError::caused_by("failed to read a token storage", error))?;
        read.map_err(|failure| broken(&failure))
    }

    /// Returns the source of one entry.
    fn source(&self, entry: &IssuerEntry, name: &str) -> Result<Arc<RenewingTokenSource>, SourceError> {
        let mut sources = self.sources.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(source) = sources.get(name) {
            return Ok(Arc::clone(source));
        }
        let settings = StoredTokenSettings {
            storage: self.storage.clone(),
            namespace: DEFAULT_NAMESPACE.to_owned(),
            resource_server: name.to_owned(),
            client: self.client(entry).map_err(|failure| broken(&failure))?,
        };
        let source = RenewingTokenSource::new(&settings, self.authorities.clone(), self.env.clone());
        let source = Arc::new(source.map_err(|failure| broken(&failure))?);
        sources.insert(name.to_owned(), Arc::clone(&source));
        Ok(source)
    }

    /// Returns the client that obtained the tokens of an entry.
    fn client(&self, entry: &IssuerEntry) -> Result<Option<OAuthClientSettings>, Failure> {
        let storage = self.storage.open(RegisteredClients::NAMESPACE)?;
        let read = RegisteredClients::new(&*storage).of_entry(&entry.to_string(), SystemClock.now());
        let registered = read.map_err(|error: StorageError| crate::storage::failure(&error))?;
        Ok(registered.map(|client| OAuthClientSettings {
            issuer: entry.issuer().clone(),
            id: client.client_id().to_owned(),
            secret_file: None,
            registered: Some(client),
        }))
    }
}

impl TokenSource for FederationLogins {
    async fn token(&self, request: &TokenRequest<'_>) -> Result<Option<AccessToken>, SourceError> {
        if request.issuers().is_empty() {
            return Ok(None);
        }
        let mut first_error = None;
        for (entry, name) in IssuerEntry::choose(&self.entries().await?, request) {
            match self.source(&entry, &name)?.token(request).await {
                Ok(Some(token)) if request.rejected() != Some(&token) => return Ok(Some(token)),
                Ok(_) => {}
                Err(error) => first_error = first_error.or(Some(error)),
            }
        }
        first_error.map_or(Ok(None), Err)
    }
}

fn broken(failure: &Failure) -> SourceError {
    SourceError::new(failure.message().to_owned())
}
