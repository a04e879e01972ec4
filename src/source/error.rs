//! Why a configured source returns no token.

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::hint::Hint;
use scitoken_types::sys;
use scitoken_types::{AccessToken, HumanDuration, InvalidToken};

/// The error of a source that is configured but broken: the second half of [`TokenSource`](super::TokenSource)'s contract.
///
/// Cheap to clone, so that every request that waits for one answer gets it.
///
/// ```
/// use reqwest_scitokens::source::SourceError;
///
/// let error = SourceError::new("the vault is sealed").with_hint("unseal it, then try again");
/// assert_eq!(error.to_string(), "the vault is sealed");
/// assert!(!error.is_expired());
/// ```
#[derive(Clone, Debug)]
pub struct SourceError(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    message: String,
    hint: Option<Hint>,
    is_expired: bool,
    is_transient: bool,
    retry_after: Option<Duration>,
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl SourceError {
    /// Creates an error with this message: lower case, no full stop, and never the token.
    pub fn new(message: impl Into<String>) -> Self {
        Self::build(message.into(), false, None)
    }

    /// Creates an error with this message and its cause.
    pub fn caused_by(message: impl Into<String>, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::build(message.into(), false, Some(source.into()))
    }

    /// Creates the error for a token that has expired; a [`ChainSource`](super::ChainSource) then asks its next source.
    pub fn expired(token: &AccessToken, now: SystemTime) -> Self {
        let place = token.origin_label().unwrap_or("the source");
        let ago = token.expires_at().map_or(Duration::ZERO, |end| sys::elapsed(end, now));
        let message = format!("the token in {place} expired {} ago", HumanDuration::new(ago));
        Self::build(message, true, None).with_hint(Hint::RenewToken)
    }

    /// Adds what the user can do about it; a text becomes [`Hint::Other`].
    pub fn with_hint(self, hint: impl Into<Hint>) -> Self {
        let hint = Some(hint.into());
        self.modified(|inner| inner.hint = hint)
    }

    /// Marks the error as one that a renewal ends: [`is_expired`](Self::is_expired) holds, and a
    /// [`ChainSource`](super::ChainSource) asks its next source.
    pub fn into_expired(self) -> Self {
        self.modified(|inner| inner.is_expired = true)
    }

    /// Marks the error as one that may pass: [`is_transient`](Self::is_transient) holds.
    ///
    /// ```
    /// use reqwest_scitokens::source::SourceError;
    ///
    /// let error = SourceError::new("the issuer answered 503 Service Unavailable").into_transient();
    /// assert!(error.is_transient());
    /// ```
    pub fn into_transient(self) -> Self {
        self.modified(|inner| inner.is_transient = true)
    }

    /// Marks the error as one that may pass, and says how long the source gives the same answer at least.
    pub fn with_retry_after(self, wait: Duration) -> Self {
        self.modified(|inner| {
            inner.is_transient = true;
            inner.retry_after = Some(wait);
        })
    }

    fn modified(self, modify: impl FnOnce(&mut Inner)) -> Self {
        let mut inner = match Arc::try_unwrap(self.0) {
            Ok(inner) => inner,
            Err(shared) => Inner {
                message: shared.message.clone(),
                hint: shared.hint.clone(),
                is_expired: shared.is_expired,
                is_transient: shared.is_transient,
                retry_after: shared.retry_after,
                source: Some(Box::new(Self(shared))),
            },
        };
        modify(&mut inner);
        Self(Arc::new(inner))
    }

    /// Returns whether the source may have a token later, without a change by the user: its server is busy or cannot be
    /// reached.
    pub fn is_transient(&self) -> bool {
        self.0.is_transient
    }

    /// Returns how long the source gives the same answer at least, if that is known.
    pub fn retry_after(&self) -> Option<Duration> {
        self.0.retry_after
    }

    /// Returns whether the only problem is that the token has expired.
    pub fn is_expired(&self) -> bool {
        self.0.is_expired
    }

    /// Returns what the user can do about it.
    pub fn hint(&self) -> Option<&Hint> {
        self.0.hint.as_ref()
    }

    fn build(message: String, is_expired: bool, source: Option<Box<dyn Error + Send + Sync>>) -> Self {
        let (hint, is_transient, retry_after) = (None, false, None);
        Self(Arc::new(Inner { message, hint, is_expired, is_transient, retry_after, source }))
    }
}

impl fmt::Display for SourceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl Error for SourceError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source.as_deref().map(|source| source as &(dyn Error + 'static))
    }
}

impl From<InvalidToken> for SourceError {
    fn from(error: InvalidToken) -> Self {
        Self::caused_by("the source returned a text that is not a bearer token", error)
    }
}

/// Two errors are equal when their texts are.
impl PartialEq for SourceError {
    fn eq(&self, other: &Self) -> bool {
        self.0.message == other.0.message && self.0.is_expired == other.0.is_expired
    }
}

impl Eq for SourceError {}
