//! Refreshes a stored token, once for all requests and processes that wait for it.

mod write;

use std::fmt;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use secrecy::SecretString;
use tokio::sync::{Mutex, oneshot};

use super::criteria::{Freshness, TokenCriteria, refresh_token};
use super::refresh_error::{FailedRefresh, PastFailure, RefreshError};
use super::refresh_plan::{RefreshPlan, RenewalResult};
use super::refreshed_entry::{PendingWrite, RefreshedEntry};
use super::storage_entry::StorageEntry;
use crate::TokenStorageData;
use crate::login::UnsavedTokens;
use crate::oauth::{GrantRequest, OAuthClient, OAuthError};
use reqwest_scitokens::{SourceError, TokenRequest};
use scitoken_types::AccessToken;

/// How long to wait for a renewal of another process, as for its writes to the storage.
const LOCK_TIMEOUT: Duration = Duration::from_secs(30);
/// As [`LOCK_TIMEOUT`], while the stored token can be sent.
const LOCK_TIMEOUT_WITH_TOKEN: Duration = Duration::from_secs(5);

/// How a token is renewed, and what earlier renewals left behind.
pub(super) struct Renewal {
    client: OAuthClient,
    grant: RenewalGrant,
    /// Held during a renewal.
    state: Arc<Mutex<RenewalState>>,
    usual_lifetime: std::sync::Mutex<Option<Duration>>,
}

enum RenewalGrant {
    RefreshToken,
    ClientCredentials(GrantRequest),
}

#[derive(Default)]
struct RenewalState {
    failure: Option<PastFailure>,
    pending: Option<PendingWrite>,
}

impl Renewal {
    pub(super) fn by_refresh_token(client: OAuthClient) -> Self {
        Self::new(client, RenewalGrant::RefreshToken)
    }

    pub(super) fn by_client_credentials(client: OAuthClient, request: GrantRequest) -> Self {
        Self::new(client, RenewalGrant::ClientCredentials(request))
    }

    fn new(client: OAuthClient, grant: RenewalGrant) -> Self {
        Self { client, grant, state: Arc::default(), usual_lifetime: std::sync::Mutex::default() }
    }

    pub(super) fn needs_an_entry(&self) -> bool {
        matches!(self.grant, RenewalGrant::RefreshToken)
    }

    /// Returns the lifetime of the last token that was obtained here.
    pub(super) fn usual_lifetime(&self) -> Option<Duration> {
        *self.usual_lifetime.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the renewed entry that waits to be stored, if there is one. Waits for a renewal that is running.
    pub(super) async fn pending(&self) -> Option<TokenStorageData> {
        self.state.lock().await.pending.as_ref().map(|pending| pending.data.clone())
    }

    /// Waits for a renewal that is running, and stores the entry that waits to be stored.
    pub(super) async fn finish(&self, target: &StorageEntry) -> Result<(), UnsavedTokens> {
        let mut state = self.state.lock().await;
        let Some(pending) = state.pending.take() else { return Ok(()) };
        if self.needs_an_entry()
            && let Ok(stored) = target.read_for_replacement().await
            && !pending.replaces_entry(stored.as_ref())
        {
            // The user logged in or out in the meantime.
            return Ok(());
        }
        let stored = target.store(pending.data.clone()).await;
        stored.map_err(|error| UnsavedTokens::new(error, pending.data.into()))
    }

    /// Renews the entry unless another request or process has done so by now.
    ///
    /// The work continues when the caller is cancelled: once the server has rotated the refresh token, the new one
    /// must reach the storage. Only the wait for other renewals ends with the caller.
    pub(super) async fn renew(
        self: &Arc<Self>,
        target: &StorageEntry,
        criteria: TokenCriteria,
        request: &TokenRequest<'_>,
    ) -> Result<Option<AccessToken>, SourceError> {
        let (renewal, target) = (Arc::clone(self), target.clone());
        let (caller, mut caller_is_gone) = oneshot::channel();
        let work = tokio::spawn(async move {
            let mut state = tokio::select! {
                biased;
                _ = &mut caller_is_gone => return Ok(RenewalResult::nothing()),
                state = Arc::clone(&renewal.state).lock_owned() => state,
            };
            renewal.renew_exclusively(&mut state, &target, &criteria, caller_is_gone).await
        });
        let result = work.await;
        drop::<oneshot::Sender<()>>(caller);
        let result = match result {
            Ok(result) => result,
            Err(failed) => std::panic::resume_unwind(failed.into_panic()),
        };
        match &result {
            Ok(RenewalResult { note: Some(note), .. }) => request.note(|| note.clone()),
            Err(error) => request.note(|| error.to_string()),
            Ok(_) => {}
        }
        result.map(|renewed| renewed.token)
    }

    /// Runs while no other renewal of this process does.
    async fn renew_exclusively(
        &self,
        state: &mut RenewalState,
        target: &StorageEntry,
        criteria: &TokenCriteria,
        caller_is_gone: oneshot::Receiver<()>,
    ) -> Result<RenewalResult, SourceError> {
        let due = match self.plan(state, target, criteria).await? {
            RefreshPlan::Refresh(due) => due,
            other => return Ok(other.without_refresh(target)?.expect("only `Refresh` needs a refresh")),
        };
        let has_token = criteria.still_usable(due.clone(), self.client.now()).is_some();
        let limit = if has_token { LOCK_TIMEOUT_WITH_TOKEN } else { LOCK_TIMEOUT };
        let locked = tokio::select! {
            biased;
            _ = caller_is_gone => return Ok(RenewalResult::nothing()),
            locked = target.lock(limit) => locked,
        };
        let _lock = match locked {
            Ok(lock) => lock,
            Err(error) => return self.fail(state, target, criteria, due, RefreshError::Storage(error)),
        };
        // Another process may have renewed the entry during the wait for the lock.
        let old = match self.plan(state, target, criteria).await? {
            RefreshPlan::Refresh(old) => old,
            other => return Ok(other.without_refresh(target)?.expect("only `Refresh` needs a refresh")),
        };
        match self.obtain(target, old.clone()).await {
            Ok(Some(refreshed)) => self.store(state, target, refreshed).await,
            // The user logged out in the meantime.
            Ok(None) => Ok(RenewalResult::nothing()),
            Err(FailedRefresh { error, tried }) => {
                let tried = tried.map(|tried| *tried);
                if let (Some(tried), Some(rotated)) = (&tried, error.rotated_refresh_token()) {
                    // On disk before anything else: the refresh token that was sent may be invalid by now.
                    let data = tried.clone().with_refresh_token(rotated);
                    self.write(state, target, data, Some(tried)).await;
                }
                self.fail(state, target, criteria, tried, error)
            }
        }
    }

    /// Reads the entry and decides what to do.
    async fn plan(
        &self,
        state: &mut RenewalState,
        target: &StorageEntry,
        criteria: &TokenCriteria,
    ) -> Result<RefreshPlan, SourceError> {
        let now = self.client.now();
        let stored = self.current_entry(state, target).await?;
        match criteria.evaluate(stored.as_ref(), now, self.usual_lifetime()) {
            Freshness::Fresh => return Ok(RefreshPlan::Use(stored.expect("an absent entry is not fresh"))),
            Freshness::Absent if self.needs_an_entry() => return Ok(RefreshPlan::Absent),
            Freshness::Absent | Freshness::Due => {}
        }
        if self.needs_an_entry() && stored.as_ref().and_then(refresh_token).is_none() {
            return Ok(RefreshPlan::Unrenewable(stored.expect("an absent entry returned above"), now));
        }
        if let Some(failure) =
            state.failure.as_ref().filter(|failure| failure.applies_to(stored.as_ref(), now))
        {
            let error = failure.error.clone();
            return match criteria.still_usable(stored, now) {
                Some(entry) => Ok(RefreshPlan::Use(entry)),
                None => Err(error),
            };
        }
        Ok(RefreshPlan::Refresh(stored))
    }

    /// Asks the token endpoint; returns the new entry and the one that it follows.
    ///
    /// If the refresh token is no longer valid and the storage has another one by now (a program without our lock
    /// renewed it), asks once more with that one. `None`: the user logged out in the meantime.
    async fn obtain(
        &self,
        target: &StorageEntry,
        old: Option<TokenStorageData>,
    ) -> Result<Option<RefreshedEntry>, FailedRefresh> {
        if let RenewalGrant::ClientCredentials(request) = &self.grant {
            let answer = self.client.client_credentials(request).await;
            return RefreshedEntry::read(target, answer, old).map(Some);
        }
        let Some(first) = old.as_ref().and_then(refresh_token) else { return Ok(None) };
        let request = GrantRequest::new();
        let answer = self.client.refresh(first, &request).await;
        if !answer.as_ref().is_err_and(OAuthError::is_invalid_grant) {
            return RefreshedEntry::read(target, answer, old).map(Some);
        }
        let stored = match target.read().await {
            Ok(stored) => stored,
            Err(error) => {
                return Err(FailedRefresh { error: RefreshError::Storage(error), tried: old.map(Box::new) });
            }
        };
        match stored.as_ref().map(refresh_token) {
            None => Ok(None),
            Some(Some(other)) if other != first => {
                let answer = self.client.refresh(other, &request).await;
                RefreshedEntry::read(target, answer, stored).map(Some)
            }
            Some(_) => RefreshedEntry::read(target, answer, old).map(Some),
        }
    }

    /// Remembers the failure, and returns the stored token if that is still valid.
    fn fail(
        &self,
        state: &mut RenewalState,
        target: &StorageEntry,
        criteria: &TokenCriteria,
        stored: Option<TokenStorageData>,
        error: RefreshError,
    ) -> Result<RenewalResult, SourceError> {
        let now = self.client.now();
        let (error, scope) = error.into_source_error(target);
        tracing::debug!(entry = %target.label(), %error, "failed to renew a token");
        state.failure = Some(PastFailure {
            credential: stored.as_ref().and_then(refresh_token).map(SecretString::from),
            at: now,
            error: error.clone(),
            scope,
        });
        match criteria.still_usable(stored, now) {
            Some(entry) => {
                Ok(RenewalResult { token: Some(target.token(&entry)?), note: Some(error.to_string()) })
            }
            None => Err(error),
        }
    }
}

impl fmt::Debug for Renewal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let grant = match self.grant {
            RenewalGrant::RefreshToken => "refresh_token",
            RenewalGrant::ClientCredentials(_) => "client_credentials",
        };
        f.debug_struct("Renewal").field("client", &self.client).field("grant", &grant).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
