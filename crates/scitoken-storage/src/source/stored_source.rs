//! The token source itself.

use std::fmt;
use std::sync::Arc;

use super::criteria::{Freshness, TokenCriteria};
use super::renewal::Renewal;
use super::storage_entry::StorageEntry;
use crate::login::UnsavedTokens;
use crate::oauth::{GrantRequest, OAuthClient};
use crate::{TokenStorage, TokenStorageData};
use reqwest_scitokens::{SourceError, TokenRequest, TokenSource};
use scitoken_types::AccessToken;

/// A token source that reads the entry of one resource server from a [`TokenStorage`].
///
/// The storage is read for each request that the cache does not answer, so that a token that another program stores
/// is used at once. A storage without the entry has no token ([`TokenSource`]'s `Ok(None)`).
///
/// # Renewal
/// With [`with_renewal`](Self::with_renewal), a token is renewed with its refresh token when less than a minute of
/// its lifetime is left ([`TokenRequest::min_validity`]; a quarter of the lifetime if that is below four minutes),
/// and when a server has rejected it. The token endpoint's answer is stored.
///
/// * One request of one process renews; the others wait and read what it stored. Rotating refresh tokens stay valid.
/// * Cancelling a request does not cancel the renewal, so that no rotated refresh token is lost.
/// * If the token endpoint cannot be reached, the stored token is used until it expires. After a failure the
///   endpoint is not asked again for five seconds; after `invalid_grant`, not before the stored entry has changed.
///
/// # Examples
/// ```
/// use scitoken_storage::{JsonTokenStorage, StoredSource};
///
/// let storage = JsonTokenStorage::new("/home/me/.globus/app/0000-id/app/tokens.json");
/// let source = StoredSource::new(storage, "transfer.api.globus.org");
/// let session = reqwest_scitokens::Session::builder().source(source);
/// # let _ = session;
/// ```
///
/// Renewed by an OAuth client:
/// ```no_run
/// use scitoken_storage::oauth::{OAuthClient, ProviderMetadata};
/// use scitoken_storage::{JsonTokenStorage, StoredSource};
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let session = reqwest_scitokens::Session::new()?;
/// let metadata = ProviderMetadata::discover(session.client(), &"https://iss.example".parse()?).await?;
/// let client = OAuthClient::new(&session, metadata, "my-client");
/// let source = StoredSource::new(JsonTokenStorage::new("tokens.json"), "https://data.example")
///     .with_renewal(client);
/// let session = reqwest_scitokens::Session::builder().source(source.clone()).build()?;
/// // ... and at the end of the program, so that no renewed token is lost:
/// source.finish().await?;
/// # let _ = session; Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct StoredSource {
    target: StorageEntry,
    renewal: Option<Arc<Renewal>>,
}

impl StoredSource {
    /// Reads the token that `storage` holds for `resource_server`, and renews nothing.
    pub fn new(storage: impl TokenStorage, resource_server: impl Into<Arc<str>>) -> Self {
        Self {
            target: StorageEntry { storage: Arc::new(storage), resource_server: resource_server.into() },
            renewal: None,
        }
    }

    /// Renews the token with its refresh token.
    pub fn with_renewal(mut self, client: OAuthClient) -> Self {
        self.renewal = Some(Arc::new(Renewal::by_refresh_token(client)));
        self
    }

    /// Obtains a token for the client itself when there is none or it is due (RFC 6749 section 4.4).
    pub fn with_client_credentials(mut self, client: OAuthClient, request: GrantRequest) -> Self {
        self.renewal = Some(Arc::new(Renewal::by_client_credentials(client, request)));
        self
    }

    /// Returns the renewed entry that could not be stored yet, because the storage failed.
    ///
    /// It is written with the next token that is asked for. A program that ends keeps it in another place: its refresh
    /// token may be the only one that is still valid.
    pub async fn pending_entry(&self) -> Option<TokenStorageData> {
        self.renewal.as_ref()?.pending().await
    }

    /// Waits for a renewal that is running, and stores the entry that could not be stored before. Call it before a program
    /// ends.
    ///
    /// # Errors
    /// [`UnsavedTokens`] with that entry, if the storage fails again.
    pub async fn finish(&self) -> Result<(), UnsavedTokens> {
        match &self.renewal {
            Some(renewal) => renewal.finish(&self.target).await,
            None => Ok(()),
        }
    }

    /// Returns a token that is due but that nothing renews, as long as it has not expired.
    fn without_renewal(
        &self,
        entry: &TokenStorageData,
        request: &TokenRequest<'_>,
    ) -> Result<Option<AccessToken>, SourceError> {
        let token = self.target.token(entry)?;
        if token.is_expired_at(request.now()) {
            return Err(SourceError::expired(&token, request.now()));
        }
        request.note(|| format!("{} is due, but renewal is not configured", self.target.label()));
        Ok(Some(token))
    }
}

impl TokenSource for StoredSource {
    async fn token(&self, request: &TokenRequest<'_>) -> Result<Option<AccessToken>, SourceError> {
        let criteria = TokenCriteria::of(request);
        let entry = self.target.read().await?;
        if let Some(renewal) = &self.renewal {
            return match criteria.evaluate(entry.as_ref(), request.now(), renewal.usual_lifetime()) {
                Freshness::Fresh => entry.map(|entry| self.target.token(&entry)).transpose(),
                Freshness::Absent if !renewal.needs_an_entry() => {
                    renewal.renew(&self.target, criteria, request).await
                }
                Freshness::Absent => {
                    request.note(|| format!("{} is empty", self.target.label()));
                    Ok(None)
                }
                Freshness::Due => renewal.renew(&self.target, criteria, request).await,
            };
        }
        match (criteria.evaluate(entry.as_ref(), request.now(), None), entry) {
            (Freshness::Fresh, Some(entry)) => self.target.token(&entry).map(Some),
            (_, Some(entry)) => self.without_renewal(&entry, request),
            (_, None) => {
                request.note(|| format!("{} is empty", self.target.label()));
                Ok(None)
            }
        }
    }
}

impl fmt::Debug for StoredSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("StoredSource");
        shown.field("storage", &self.target.storage).field("resource_server", &self.target.resource_server);
        shown.field("renewal", &self.renewal);
        shown.finish()
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use super::*;
    use crate::MemoryTokenStorage;

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
    }

    async fn ask(source: &StoredSource, now: u64) -> Result<Option<AccessToken>, SourceError> {
        let url = "https://h/f".parse().unwrap();
        source.token(&TokenRequest::new(&url).unwrap().at(at(now))).await
    }

    #[tokio::test]
    async fn without_renewal_a_token_is_used_until_it_expires_and_then_reported() {
        let storage = MemoryTokenStorage::new();
        let source = StoredSource::new(storage.clone(), "rs");
        assert!(ask(&source, 0).await.unwrap().is_none());
        storage.store_token_data(TokenStorageData::new("rs", "s", "AT", 1_000)).unwrap();
        let token = ask(&source, 999).await.unwrap().unwrap();
        assert_eq!(token.origin_label(), Some("token storage in memory, entry `rs`"));
        assert_eq!(token.expires_at(), Some(at(1_000)));
        assert!(ask(&source, 1_000).await.unwrap_err().is_expired());
    }

    #[tokio::test]
    async fn a_storage_that_is_broken_stops_the_search_and_a_validating_one_without_the_entry_does_not() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("tokens.json");
        fs_err::write(&path, "[").unwrap();
        let broken = StoredSource::new(crate::JsonTokenStorage::new(path), "rs");
        assert!(ask(&broken, 0).await.is_err());
        let validating = crate::ValidatingTokenStorage::new(MemoryTokenStorage::new()).unwrap();
        assert!(ask(&StoredSource::new(validating, "rs"), 0).await.unwrap().is_none());
    }

    #[tokio::test]
    async fn a_stored_text_that_is_no_token_is_reported_without_being_shown() {
        let storage = MemoryTokenStorage::new();
        storage.store_token_data(TokenStorageData::new("rs", "s", "hush hush", 1_000)).unwrap();
        let error = ask(&StoredSource::new(storage, "rs"), 0).await.unwrap_err();
        assert!(error.hint().unwrap().to_string().contains("log in again"));
        assert!(!format!("{error:?}").contains("hush"));
    }
}
