//! Why a source that has something cannot give it.

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use crate::sys;
use crate::token::{AccessToken, InvalidToken};

/// A source has something, and it is broken: the second half of [`TokenSource`](super::TokenSource)'s contract.
///
/// Cheap to clone, so that all who wait for one answer can have it.
#[derive(Clone, Debug)]
pub struct SourceError(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    message: String,
    hint: Option<String>,
    expired: Expired,
    source: Option<Box<dyn Error + Send + Sync>>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Expired {
    Yes,
    No,
}

impl SourceError {
    /// An error with this message: lower case, no full stop, and of course without the token.
    pub fn new(message: impl Into<String>) -> Self {
        Self::build(message.into(), Expired::No, None)
    }

    /// An error with this message that another one explains.
    pub fn caused_by(message: impl Into<String>, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::build(message.into(), Expired::No, Some(source.into()))
    }

    /// The token that was found has ended; a chain goes on to its next source.
    pub fn expired(token: &AccessToken, now: SystemTime) -> Self {
        let place = token.found_in().unwrap_or("the source");
        let ago = token.expires_at().map_or(0, |end| sys::elapsed(end, now).as_secs());
        let message = format!("the token in {place} expired {} ago", sys::in_words(ago));
        Self::build(message, Expired::Yes, None)
            .with_hint("get a new one the way that you got this one (for example `htgettoken`), or look why it is not renewed")
    }

    /// Adds what the user can do about it.
    pub fn with_hint(self, hint: impl Into<String>) -> Self {
        let hint = Some(hint.into());
        match Arc::try_unwrap(self.0) {
            Ok(inner) => Self(Arc::new(Inner { hint, ..inner })),
            Err(shared) => Self(Arc::new(Inner {
                message: shared.message.clone(),
                hint,
                expired: shared.expired,
                source: Some(Box::new(Self(shared))),
            })),
        }
    }

    /// Whether the trouble is only that the token has ended.
    pub fn is_expired(&self) -> bool {
        self.0.expired == Expired::Yes
    }

    /// What the user can do about it.
    pub fn hint(&self) -> Option<&str> {
        self.0.hint.as_deref()
    }

    fn build(message: String, expired: Expired, source: Option<Box<dyn Error + Send + Sync>>) -> Self {
        Self(Arc::new(Inner { message, hint: None, expired, source }))
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
        Self::caused_by("the source gave something that is no bearer token", error)
    }
}

/// Two errors are equal when they say the same.
impl PartialEq for SourceError {
    fn eq(&self, other: &Self) -> bool {
        self.0.message == other.0.message && self.0.expired == other.0.expired
    }
}

impl Eq for SourceError {}
