//! A stored token, refreshed when it expires.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use reqwest_scitokens::{Session, SourceError, TokenRequest, TokenSource};
use scitoken_storage::oauth::OAuthError;
use scitoken_storage::{StoredSource, TokenStorage};
use scitoken_types::sys::Env;
use scitoken_types::{AccessToken, ErrorChain};
use tokio::sync::{Mutex, oneshot};
use tokio::time::Instant;
use url::Url;

use crate::authorities::AuthorityFiles;
use crate::failure::Failure;
use crate::hints::{self, RepeatedLogin};
use crate::settings::{OAuthClientSettings, StoredTokenSettings};
use crate::storage::{self, StoragePlace};
use crate::{oauth, obtaining};

/// The longest wait for a renewal of a token that is still valid.
const LONGEST_PATIENCE: Duration = Duration::from_secs(10);

/// How long an issuer that could not be reached is not contacted again.
const PAUSE_AFTER_FAILURE: Duration = Duration::from_secs(5);

/// An entry of a token storage.
///
/// Discovers the issuer's endpoints only when the first refresh is due, so that a valid token works while the issuer is
/// down.
#[derive(Debug)]
pub(super) struct RenewingTokenSource(Arc<RenewingEntry>);

#[derive(Debug)]
struct RenewingEntry {
    stored: StoredSource,
    settings: StoredTokenSettings,
    authorities: AuthorityFiles,
    env: Env,
    renewing: Mutex<RenewalState>,
}

#[derive(Debug)]
enum RenewalState {
    NotYet,
    Ready(StoredSource),
    Failed { at: Instant, why: SourceError },
}

impl RenewingTokenSource {
    pub(super) fn new(
        settings: &StoredTokenSettings,
        authorities: AuthorityFiles,
        env: Env,
    ) -> Result<Self, Failure> {
        let storage: Box<dyn TokenStorage> = settings.storage.open(&settings.namespace)?;
        Ok(Self(Arc::new(RenewingEntry {
            stored: StoredSource::new(storage, settings.resource_server.as_str()),
            settings: settings.clone(),
            authorities,
            env,
            renewing: Mutex::new(RenewalState::NotYet),
        })))
    }
}

impl RenewingEntry {
    /// Returns the source that refreshes the entry at the issuer.
    async fn renewing(&self, client: &OAuthClientSettings) -> Result<StoredSource, SourceError> {
        let mut renewing = self.renewing.lock().await;
        match &*renewing {
            RenewalState::Ready(source) => return Ok(source.clone()),
            RenewalState::Failed { at, why } if at.elapsed() < PAUSE_AFTER_FAILURE => return Err(why.clone()),
            _ => {}
        }
        let found = self.issuer(client).await.map(|client| self.stored.clone().with_renewal(client));
        *renewing = match &found {
            Ok(source) => {
                obtaining::add(source.clone(), self.settings.clone());
                RenewalState::Ready(source.clone())
            }
            Err(why) => RenewalState::Failed { at: Instant::now(), why: why.clone() },
        };
        found
    }

    async fn issuer(
        &self,
        client: &OAuthClientSettings,
    ) -> Result<scitoken_storage::oauth::OAuthClient, SourceError> {
        let session = self.authorities.add_to(Session::builder().env(self.env.clone()));
        let found = match &client.registered {
            Some(registered) => oauth::metadata(session, &client.issuer)
                .await
                .map(|(http, metadata)| registered.client(http, metadata)),
            None => oauth::discover(session, &client.issuer, &client.id, client.secret_file.as_deref()).await,
        };
        found.map_err(|failure| {
            let message = format!("failed to refresh the stored token: {}", failure.message());
            let error = SourceError::new(message);
            let later = failure.is_transient().then_some("try again later: the issuer may answer then");
            let error = match failure.hint().or(later) {
                Some(hint) => error.with_hint(hint.to_owned()),
                None => error,
            };
            if failure.is_transient() { error.with_retry_after(PAUSE_AFTER_FAILURE) } else { error }
        })
    }

    /// Adds the command for a new login to the error of a refresh token that is no longer valid.
    async fn with_login(&self, error: SourceError) -> SourceError {
        let is_dead = |cause: &(dyn std::error::Error + 'static)| {
            cause.downcast_ref::<OAuthError>().is_some_and(OAuthError::is_invalid_grant)
        };
        let Some(client) = &self.settings.client else { return error };
        if !ErrorChain::new(&error).iter().any(is_dead) {
            return error;
        }
        let settings = self.settings.clone();
        let read = tokio::task::spawn_blocking(move || {
            let storage = settings.storage.open(&settings.namespace).ok()?;
            let entry = storage.get_token_data(&settings.resource_server).ok()??;
            Some(entry.scope().to_owned())
        });
        let scope = read.await.ok().flatten().unwrap_or_default();
        error.with_hint(hints::log_in_again(&self.login(client, &scope, &self.place().flags())))
    }

    fn place(&self) -> StoragePlace<'_> {
        StoragePlace { address: self.settings.storage.clone(), namespace: &self.settings.namespace }
    }

    fn login<'a>(
        &'a self,
        client: &'a OAuthClientSettings,
        scope: &'a str,
        place: &'a str,
    ) -> RepeatedLogin<'a> {
        RepeatedLogin {
            issuer: client.issuer.as_str(),
            client_id: &client.id,
            secret_file: client.secret_file.as_deref(),
            scope,
            resource_server: &self.settings.resource_server,
            place,
            is_registered: client.registered.is_some(),
        }
    }

    /// Returns the error of an entry that the settings name and that does not exist.
    async fn missing(&self) -> SourceError {
        let settings = self.settings.clone();
        let described = tokio::task::spawn_blocking(move || {
            let place = StoragePlace { address: settings.storage.clone(), namespace: &settings.namespace };
            storage::missing_entry(&place, &settings.resource_server)
        });
        let described = described.await;
        let (message, has_entries) =
            described.unwrap_or_else(|_| ("the token storage has no such entry".to_owned(), false));
        let place = self.place().flags();
        let hint = match &self.settings.client {
            Some(client) if !has_entries => hints::log_in(&self.login(client, "", &place)),
            _ if has_entries => format!(
                "correct `resource-server` in the settings, or log in; `scitoken store list {place}` lists the entries"
            ),
            _ => format!("log in with `scitoken login --issuer URL --client-id ID {place}`"),
        };
        SourceError::new(message).with_hint(hint)
    }
}

/// A request for a token as the renewal needs it, which outlives the caller's.
#[derive(Debug)]
struct RenewalRequest {
    url: Url,
    now: SystemTime,
    min_validity: Duration,
    rejected: Option<AccessToken>,
}

impl RenewalRequest {
    fn of(request: &TokenRequest<'_>) -> Self {
        Self {
            url: request.url().clone(),
            now: request.now(),
            min_validity: request.min_validity(),
            rejected: request.rejected().cloned(),
        }
    }

    async fn ask(&self, source: &StoredSource) -> Result<Option<AccessToken>, SourceError> {
        let request = TokenRequest::new(&self.url)
            .map_err(|error| SourceError::caused_by("no token is sent to this URL", error))?
            .at(self.now)
            .with_min_validity(self.min_validity);
        match &self.rejected {
            Some(rejected) => source.token(&request.with_rejected(rejected)).await,
            None => source.token(&request).await,
        }
    }
}

impl TokenSource for RenewingTokenSource {
    async fn token(&self, request: &TokenRequest<'_>) -> Result<Option<AccessToken>, SourceError> {
        let found = match self.0.stored.token(request).await {
            Ok(None) => Err(self.0.missing().await),
            found => found,
        };
        if self.0.settings.client.is_none() || !is_due(&found, request) {
            return found;
        }
        let runtime = obtaining::runtime().ok_or_else(|| SourceError::new("failed to start a runtime"))?;
        let (entry, asked) = (Arc::clone(&self.0), RenewalRequest::of(request));
        // The end of the caller ends what the source does not have to finish.
        let (caller, caller_is_gone) = oneshot::channel::<()>();
        let renewal = runtime.spawn(async move {
            let _obtaining = obtaining::begin_renewal().await;
            let renewing = async {
                let client = entry.settings.client.as_ref().expect("checked above");
                let source = entry.renewing(client).await?;
                Ok::<_, SourceError>(match asked.ask(&source).await {
                    Err(error) => Err(entry.with_login(error).await),
                    found => found,
                })
            };
            tokio::select! {
                biased;
                () = obtaining::program_ends() => None,
                _ = caller_is_gone => None,
                renewed = renewing => Some(renewed),
            }
        });
        let mut renewal = renewal;
        let ended = tokio::select! {
            ended = &mut renewal => ended,
            () = sleep_or_never(patience(&found, request)) => {
                request.note(|| "the issuer has not answered yet; the stored token is still valid");
                return found;
            }
        };
        let renewed = match ended {
            // A signal ends the program: a command that went on without the token would only report a failure.
            Ok(None) => std::future::pending().await,
            Ok(Some(renewed)) => Ok(renewed),
            Err(failed) => Err(failed),
        };
        drop(caller);
        match (renewed, found) {
            (Ok(Ok(renewed)), _) => renewed,
            // The token has not expired yet, or only this server refused it.
            (Ok(Err(why)), Ok(token)) => {
                request.note(|| why.to_string());
                Ok(token)
            }
            (Ok(Err(why)), Err(_)) => Err(why),
            (Err(failed), _) => std::panic::resume_unwind(failed.into_panic()),
        }
    }
}

/// Returns how long a renewal may take before the stored token is sent, which is valid for a while: no longer than half of that.
fn patience(
    found: &Result<Option<AccessToken>, SourceError>,
    request: &TokenRequest<'_>,
) -> Option<Duration> {
    let token = found.as_ref().ok()?.as_ref().filter(|token| request.rejected() != Some(token))?;
    let left = token.expires_at()?.duration_since(request.now()).ok()?;
    Some(LONGEST_PATIENCE.min(left / 2))
}

async fn sleep_or_never(limit: Option<Duration>) {
    match limit {
        Some(limit) => tokio::time::sleep(limit).await,
        None => std::future::pending().await,
    }
}

/// Returns whether the stored token must be refreshed.
fn is_due(found: &Result<Option<AccessToken>, SourceError>, request: &TokenRequest<'_>) -> bool {
    match found {
        Ok(Some(token)) => {
            request.rejected() == Some(token) || !token.is_valid_for(request.min_validity(), request.now())
        }
        Ok(None) => false,
        Err(error) => error.is_expired(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_renewal_is_waited_for_while_half_of_the_tokens_time_is_left() {
        let url: Url = "https://h/f".parse().unwrap();
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000);
        let request = TokenRequest::new(&url).unwrap().at(now);
        let token = |left| AccessToken::new("AT").unwrap().with_expiry(now + Duration::from_secs(left));
        for (left, expected) in [(8, 4), (20, 10), (50, 10)] {
            let wait = patience(&Ok(Some(token(left))), &request);
            assert_eq!(wait, Some(Duration::from_secs(expected)), "{left}");
        }
        let refused = token(8);
        assert_eq!(patience(&Ok(Some(token(8))), &request.with_rejected(&refused)), None);
        let request = TokenRequest::new(&url).unwrap().at(now);
        assert_eq!(patience(&Err(SourceError::new("expired")), &request), None);
    }
}
