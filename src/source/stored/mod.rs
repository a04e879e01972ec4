//! Tokens of a token storage, renewed in time.

mod entry;
#[cfg(feature = "oauth")]
mod outcome;
#[cfg(feature = "oauth")]
mod renewal;
mod slot;
#[cfg(feature = "oauth")]
mod trouble;

use std::fmt;
use std::sync::Arc;

use self::entry::{Need, Verdict};
use self::slot::Slot;
use super::{SourceError, TokenRequest, TokenSource};
use crate::storage::{TokenStorage, TokenStorageData};
use crate::token::AccessToken;

/// The token that a [`TokenStorage`] holds for one resource server.
///
/// The storage is read anew for each request that the cache does not answer, so whatever another program stores
/// there is used at once. A storage without the entry has no token ([`TokenSource`]'s `Ok(None)`).
///
/// # Renewal (feature `oauth`)
/// With `with_renewal`, a token is renewed with its refresh token when it has less than a
/// minute to live ([`TokenRequest::min_validity`]; for tokens that live less than four minutes, a quarter of their
/// life), and when a server has refused it. What the token endpoint answers is written back.
///
/// * However many requests and processes wait, one of them renews; the others read what it stored. Refresh tokens
///   that rotate survive that.
/// * A request that is cancelled does not cancel the renewal, which would lose a rotated refresh token.
/// * When the token endpoint cannot be reached, a token that has still some life is used. After a failure it is
///   not asked again for five seconds; after `invalid_grant`, not before the stored entry has changed.
///
/// # Examples
/// ```
/// use reqwest_scitokens::StoredSource;
/// use reqwest_scitokens::storage::JsonTokenStorage;
///
/// let storage = JsonTokenStorage::new("/home/me/.globus/app/0000-id/app/tokens.json");
/// let source = StoredSource::new(storage, "transfer.api.globus.org");
/// # let _ = source;
/// ```
#[derive(Clone)]
pub struct StoredSource {
    slot: Slot,
    #[cfg(feature = "oauth")]
    renewal: Option<Arc<renewal::Renewal>>,
}

impl StoredSource {
    /// The token that `storage` holds for `resource_server`.
    pub fn new(storage: impl TokenStorage, resource_server: impl Into<Arc<str>>) -> Self {
        Self {
            slot: Slot { storage: Arc::new(storage), resource_server: resource_server.into() },
            #[cfg(feature = "oauth")]
            renewal: None,
        }
    }

    /// Renews the token with its refresh token.
    #[cfg(feature = "oauth")]
    #[cfg_attr(docsrs, doc(cfg(feature = "oauth")))]
    pub fn with_renewal(mut self, client: crate::oauth::OAuthClient) -> Self {
        self.renewal = Some(Arc::new(renewal::Renewal::by_refresh_token(client)));
        self
    }

    /// Gets a token for the client itself when there is none, or it ends (RFC 6749 section 4.4).
    #[cfg(feature = "oauth")]
    #[cfg_attr(docsrs, doc(cfg(feature = "oauth")))]
    pub fn with_client_credentials(
        mut self,
        client: crate::oauth::OAuthClient,
        wanted: crate::oauth::GrantRequest,
    ) -> Self {
        self.renewal = Some(Arc::new(renewal::Renewal::by_client_credentials(client, wanted)));
        self
    }

    /// What to do with a stored token that is not good enough and that nothing renews.
    fn without_renewal(
        &self,
        entry: &TokenStorageData,
        request: &TokenRequest<'_>,
    ) -> Result<Option<AccessToken>, SourceError> {
        let token = self.slot.token(entry)?;
        if token.is_expired_at(request.now()) {
            return Err(SourceError::expired(&token, request.now()));
        }
        request.note(|| format!("{} is all that there is, and nothing renews it", self.slot.place()));
        Ok(Some(token))
    }
}

impl TokenSource for StoredSource {
    async fn token(&self, request: &TokenRequest<'_>) -> Result<Option<AccessToken>, SourceError> {
        let need = Need::of(request);
        let entry = self.slot.read().await?;
        #[cfg(feature = "oauth")]
        if let Some(renewal) = &self.renewal {
            return match need.judge(entry.as_ref(), request.now(), renewal.usual_lifetime()) {
                Verdict::Good => entry.map(|entry| self.slot.token(&entry)).transpose(),
                Verdict::Absent if !renewal.needs_an_entry() => {
                    renewal.renew(&self.slot, need, request).await
                }
                Verdict::Absent => {
                    request.note(|| format!("{} is empty", self.slot.place()));
                    Ok(None)
                }
                Verdict::Renew => renewal.renew(&self.slot, need, request).await,
            };
        }
        match (need.judge(entry.as_ref(), request.now(), None), entry) {
            (Verdict::Good, Some(entry)) => self.slot.token(&entry).map(Some),
            (_, Some(entry)) => self.without_renewal(&entry, request),
            (_, None) => {
                request.note(|| format!("{} is empty", self.slot.place()));
                Ok(None)
            }
        }
    }
}

impl fmt::Debug for StoredSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("StoredSource");
        shown.field("storage", &self.slot.storage).field("resource_server", &self.slot.resource_server);
        #[cfg(feature = "oauth")]
        shown.field("renewal", &self.renewal);
        shown.finish()
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use super::*;
    use crate::storage::MemoryTokenStorage;

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
    }

    async fn ask(source: &StoredSource, now: u64) -> Result<Option<AccessToken>, SourceError> {
        let url = "https://h/f".parse().unwrap();
        source.token(&TokenRequest::new(&url).unwrap().at(at(now))).await
    }

    #[tokio::test]
    async fn without_renewal_a_token_is_used_to_its_end_and_then_told() {
        let storage = MemoryTokenStorage::new();
        let source = StoredSource::new(storage.clone(), "rs");
        assert!(ask(&source, 0).await.unwrap().is_none());
        storage.store_token_data(TokenStorageData::new("rs", "s", "AT", 1_000)).unwrap();
        let token = ask(&source, 999).await.unwrap().unwrap();
        assert_eq!(token.found_in(), Some("token storage in memory, entry `rs`"));
        assert_eq!(token.expires_at(), Some(at(1_000)));
        assert!(ask(&source, 1_000).await.unwrap_err().is_expired());
    }

    #[tokio::test]
    async fn a_storage_that_is_broken_stops_the_search_and_a_validating_one_without_the_entry_does_not() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("tokens.json");
        fs_err::write(&path, "[").unwrap();
        let broken = StoredSource::new(crate::storage::JsonTokenStorage::new(path), "rs");
        assert!(ask(&broken, 0).await.is_err());
        let validating = crate::storage::ValidatingTokenStorage::new(MemoryTokenStorage::new()).unwrap();
        assert!(ask(&StoredSource::new(validating, "rs"), 0).await.unwrap().is_none());
    }

    #[tokio::test]
    async fn a_stored_text_that_is_no_token_is_told_without_being_shown() {
        let storage = MemoryTokenStorage::new();
        storage.store_token_data(TokenStorageData::new("rs", "s", "hush hush", 1_000)).unwrap();
        let error = ask(&StoredSource::new(storage, "rs"), 0).await.unwrap_err();
        assert!(error.hint().unwrap().contains("log in again"));
        assert!(!format!("{error:?}").contains("hush"));
    }
}
