//! What a source is asked for.

use std::borrow::Cow;
use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use url::Url;

use crate::auth::Challenge;
use crate::origin::{NoOrigin, Origin};
use crate::redact::SafeUrl;
use crate::sys::{Clock, SystemClock};
use crate::token::{AccessToken, Audience, Scope};

/// What a [`TokenSource`](super::TokenSource) is asked for: a token to send to this URL.
///
/// Everything but the URL is a wish. A source that can choose should choose by it; one that has a single token
/// gives that.
#[derive(Clone)]
pub struct TokenRequest<'a> {
    url: &'a Url,
    origin: Cow<'a, Origin>,
    now: SystemTime,
    audience: Option<&'a Audience>,
    scopes: &'a [Scope],
    min_validity: Duration,
    challenge: Option<&'a Challenge>,
    rejected: Option<&'a AccessToken>,
    notes: Option<&'a Notes>,
}

/// What sources said about why they have no token, for the trace of a request.
#[derive(Debug, Default)]
pub(crate) struct Notes(Mutex<Vec<String>>);

impl Notes {
    pub(crate) fn take(self) -> Vec<String> {
        self.0.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<'a> TokenRequest<'a> {
    /// How much life a token should still have, unless something else is asked for: 60 seconds, as Globus, rattler
    /// and htgettoken have it.
    pub const MIN_VALIDITY: Duration = Duration::from_secs(60);

    /// Asks for a token for `url`, at this moment.
    ///
    /// # Errors
    /// [`NoOrigin`] when the URL is none that a token could be sent to.
    pub fn new(url: &'a Url) -> Result<Self, NoOrigin> {
        let origin = Origin::try_from(url)?;
        Ok(Self::build(url, Cow::Owned(origin), SystemClock.now()))
    }

    pub(crate) fn for_origin(url: &'a Url, origin: &'a Origin, now: SystemTime) -> Self {
        Self::build(url, Cow::Borrowed(origin), now)
    }

    fn build(url: &'a Url, origin: Cow<'a, Origin>, now: SystemTime) -> Self {
        Self {
            url,
            origin,
            now,
            audience: None,
            scopes: &[],
            min_validity: Self::MIN_VALIDITY,
            challenge: None,
            rejected: None,
            notes: None,
        }
    }

    /// Asks as of another moment.
    pub fn at(mut self, now: SystemTime) -> Self {
        self.now = now;
        self
    }

    /// Asks for a token for this audience.
    pub fn with_audience(mut self, audience: &'a Audience) -> Self {
        self.audience = Some(audience);
        self
    }

    /// Asks for a token with all of these scopes.
    pub fn with_scopes(mut self, scopes: &'a [Scope]) -> Self {
        self.scopes = scopes;
        self
    }

    /// Asks for a token that lives at least this long.
    pub fn with_min_validity(mut self, min_validity: Duration) -> Self {
        self.min_validity = min_validity;
        self
    }

    /// States what the server said when it refused.
    pub fn with_challenge(mut self, challenge: &'a Challenge) -> Self {
        self.challenge = Some(challenge);
        self
    }

    /// States which token the server refused.
    pub fn with_rejected(mut self, rejected: &'a AccessToken) -> Self {
        self.rejected = Some(rejected);
        self
    }

    pub(crate) fn with_notes(mut self, notes: &'a Notes) -> Self {
        self.notes = Some(notes);
        self
    }

    /// Leaves a note for the trace: where a source looked and why it has no token. Never the token itself.
    ///
    /// The text is only made when somebody wants to know.
    pub fn note<N: fmt::Display>(&self, note: impl FnOnce() -> N) {
        if let Some(notes) = self.notes {
            notes.0.lock().unwrap_or_else(PoisonError::into_inner).push(note().to_string());
        }
    }

    /// Where the token will be sent.
    pub fn url(&self) -> &'a Url {
        self.url
    }

    /// The origin of that URL.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// The time of asking; sources judge lifetimes by it.
    pub fn now(&self) -> SystemTime {
        self.now
    }

    /// The audience that the caller wants, if any.
    pub fn audience(&self) -> Option<&'a Audience> {
        self.audience
    }

    /// The scopes that the caller wants, all of them.
    pub fn scopes(&self) -> &'a [Scope] {
        self.scopes
    }

    /// How long the token should live at least.
    pub fn min_validity(&self) -> Duration {
        self.min_validity
    }

    /// What the server said when it refused, parsed and never to be trusted as an address.
    pub fn challenge(&self) -> Option<&'a Challenge> {
        self.challenge
    }

    /// The token that the server refused.
    pub fn rejected(&self) -> Option<&'a AccessToken> {
        self.rejected
    }
}

impl fmt::Debug for TokenRequest<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenRequest")
            .field("url", &SafeUrl::new(self.url))
            .field("now", &self.now)
            .field("audience", &self.audience)
            .field("scopes", &self.scopes)
            .field("min_validity", &self.min_validity)
            .field("challenge", &self.challenge)
            .field("rejected", &self.rejected)
            .finish_non_exhaustive()
    }
}
