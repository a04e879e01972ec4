//! The target of a login.

use std::time::Duration;

use super::unsaved::UnsavedTokens;
use crate::entry::TokenDataMap;
use crate::storage::{BearerTokenFile, RenewalLock, StorageError, TokenStorage};
use scitoken_types::sys::Env;

/// How long a login waits for a renewal of another process before it stores its tokens all the same.
const LOCK_TIMEOUT: Duration = Duration::from_secs(30);
const LOCK_INTERVAL: Duration = Duration::from_millis(50);
/// A longer wait is told of.
const NOTED_WAIT: Duration = Duration::from_secs(2);

/// Where the tokens of a login go: a storage, or a token file.
///
/// Tokens that a user has confirmed cannot be requested again without the user. So [`prepare`](Self::prepare) opens, locks
/// and tests the target before the first request, and what cannot be stored after it is handed back as [`UnsavedTokens`].
///
/// ```no_run
/// use scitoken_storage::login::LoginTarget;
/// use scitoken_storage::oauth::{GrantRequest, OAuthClient};
/// use scitoken_storage::JsonTokenStorage;
///
/// # async fn example(client: OAuthClient) -> Result<(), Box<dyn std::error::Error>> {
/// let target = LoginTarget::storage(JsonTokenStorage::new("tokens.json")).prepare()?;
/// let authorization = client.authorize_device(&GrantRequest::new()).await?;
/// println!("open {} and enter {}", authorization.verification_uri(), authorization.user_code());
/// let tokens = client.wait_for_authorization(authorization).await?.for_resource_server("https://data.example");
/// target.store(tokens.token_data()?)?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct LoginTarget(Target);

#[derive(Debug)]
enum Target {
    Storage(Box<dyn TokenStorage>),
    File(BearerTokenFile),
}

impl LoginTarget {
    /// Stores the tokens in a storage.
    pub fn storage(storage: impl TokenStorage) -> Self {
        Self(Target::Storage(Box::new(storage)))
    }

    /// Writes the access token to a token file, which cannot hold a refresh token.
    pub fn bearer_file(file: BearerTokenFile) -> Self {
        Self(Target::File(file))
    }

    /// Writes the access token to the [first file](BearerTokenFile::prepared) that discovery reads and that can be
    /// written. `None` on systems without user ids.
    ///
    /// # Errors
    /// When no such file can be written.
    pub fn discovered(env: &Env) -> Result<Option<Self>, StorageError> {
        Ok(BearerTokenFile::prepared(env)?.map(Self::bearer_file))
    }

    /// Opens, locks and tests the target, without changing what it has.
    ///
    /// # Errors
    /// When the tokens could not be stored.
    pub fn prepare(self) -> Result<PreparedTarget, StorageError> {
        match &self.0 {
            Target::Storage(storage) => {
                storage.prepare()?;
                // Tested and released: a renewal must not wait for a user.
                drop(storage.try_lock_for_renewal()?);
            }
            Target::File(file) => file.prepare()?,
        }
        Ok(PreparedTarget(self.0))
    }
}

/// A target that was tested; made by [`LoginTarget::prepare`].
#[derive(Debug)]
pub struct PreparedTarget(Target);

impl PreparedTarget {
    /// Returns a label for messages: `token storage /home/me/tokens.json`.
    pub fn label(&self) -> String {
        match &self.0 {
            Target::Storage(storage) => storage.label(),
            Target::File(file) => file.label(),
        }
    }

    /// Returns the token file, if the target is one.
    pub fn file(&self) -> Option<&BearerTokenFile> {
        match &self.0 {
            Target::Storage(_) => None,
            Target::File(file) => Some(file),
        }
    }

    /// Returns whether refresh tokens are stored; a token file holds an access token only.
    pub fn stores_refresh_tokens(&self) -> bool {
        matches!(self.0, Target::Storage(_))
    }

    /// Stores the tokens; a token file gets the first one. Blocks on files and locks.
    ///
    /// If another process renews tokens for more than half a minute, the tokens are stored without its lock: a renewal does not
    /// replace an entry that changed during it.
    ///
    /// # Errors
    /// [`UnsavedTokens`], with the tokens.
    pub fn store(&self, tokens: TokenDataMap) -> Result<(), UnsavedTokens> {
        let stored = match &self.0 {
            Target::Storage(storage) => {
                let _lock = wait_for_renewals(&**storage);
                storage.store_token_data_by_resource_server(&tokens)
            }
            Target::File(file) => write_first(file, &tokens),
        };
        stored.map_err(|error| UnsavedTokens::new(error, tokens))
    }
}

fn wait_for_renewals(storage: &dyn TokenStorage) -> RenewalLock {
    let mut waited = Duration::ZERO;
    loop {
        match storage.try_lock_for_renewal() {
            Ok(Some(lock)) => return lock,
            Ok(None) if waited < LOCK_TIMEOUT => {
                if waited == NOTED_WAIT {
                    let label = storage.label();
                    tracing::warn!("another process is renewing tokens of {label}: waiting for it");
                }
                std::thread::sleep(LOCK_INTERVAL);
                waited += LOCK_INTERVAL;
            }
            Ok(None) => return RenewalLock::none(),
            Err(error) => {
                tracing::warn!(%error, "storing the tokens of a login without the renewal lock");
                return RenewalLock::none();
            }
        }
    }
}

fn write_first(file: &BearerTokenFile, tokens: &TokenDataMap) -> Result<(), StorageError> {
    let Some((_, entry)) = tokens.iter().next() else {
        return Err(StorageError::new(file.label(), "no token to write"));
    };
    let token = entry.access_token().map_err(|error| {
        StorageError::new(file.label(), "the access token is not a valid bearer token").with_source(error)
    })?;
    file.write(&token)
}

#[cfg(test)]
mod tests;
