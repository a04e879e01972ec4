//! What a source is asked for.

use std::borrow::Cow;
use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use http::Method;
use url::Url;

use crate::challenge::Challenge;
use scitoken_types::SafeUrl;
use scitoken_types::sys::{Clock, SystemClock};
use scitoken_types::{AccessToken, Audience, Scope, TokenFit, TokenNeed};
use scitoken_types::{NoOrigin, Origin};

/// What a [`TokenSource`](super::TokenSource) is asked for: a token to send to this URL.
///
/// Everything but the URL is a preference: a source with several tokens chooses by it, and one with a single token returns
/// that.
///
/// ```
/// use reqwest_scitokens::TokenRequest;
///
/// let url = "https://data.example.org/f".parse()?;
/// let request = TokenRequest::new(&url)?;
/// assert_eq!(request.origin().to_string(), "https://data.example.org");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct TokenRequest<'a> {
    url: &'a Url,
    origin: Cow<'a, Origin>,
    now: SystemTime,
    method: Option<&'a Method>,
    audience: Option<&'a Audience>,
    scopes: &'a [Scope],
    issuers: &'a [Url],
    credential_name: Option<&'a str>,
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
    /// The default for how long a token should still be valid: 60 seconds, as in Globus, rattler and htgettoken.
    pub const MIN_VALIDITY: Duration = Duration::from_secs(60);

    /// Asks for a token for `url`, as of now.
    ///
    /// # Errors
    /// [`NoOrigin`] when no token could be sent to the URL.
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
            method: None,
            audience: None,
            scopes: &[],
            issuers: &[],
            credential_name: None,
            min_validity: Self::MIN_VALIDITY,
            challenge: None,
            rejected: None,
            notes: None,
        }
    }

    /// Asks as of another time.
    pub fn at(mut self, now: SystemTime) -> Self {
        self.now = now;
        self
    }

    /// Asks for a token for a request with this method, so that a source with several tokens can choose by method and path.
    pub fn with_method(mut self, method: &'a Method) -> Self {
        self.method = Some(method);
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

    /// Asks for a token of one of these issuers.
    pub fn with_issuers(mut self, issuers: &'a [Url]) -> Self {
        self.issuers = issuers;
        self
    }

    /// Asks for the token that the user calls this, as in `igwn+osdf:///x`. HTCondor keeps it in `igwn.use`.
    pub fn with_credential_name(mut self, name: &'a str) -> Self {
        self.credential_name = Some(name);
        self
    }

    /// Asks for a token that is valid for at least this long.
    pub fn with_min_validity(mut self, min_validity: Duration) -> Self {
        self.min_validity = min_validity;
        self
    }

    /// Adds the challenge with which the server refused the last token.
    pub fn with_challenge(mut self, challenge: &'a Challenge) -> Self {
        self.challenge = Some(challenge);
        self
    }

    /// Adds the token that the server refused.
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
    /// The text is only made when a trace is kept.
    pub fn note<N: fmt::Display>(&self, note: impl FnOnce() -> N) {
        if let Some(notes) = self.notes {
            notes.0.lock().unwrap_or_else(PoisonError::into_inner).push(note().to_string());
        }
    }

    /// Returns the URL that the token is for.
    pub fn url(&self) -> &'a Url {
        self.url
    }

    /// Returns the origin of that URL.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// Returns the time as of which the token should be valid.
    pub fn now(&self) -> SystemTime {
        self.now
    }

    /// Returns the method of the request, if it is known.
    pub fn method(&self) -> Option<&'a Method> {
        self.method
    }

    /// Returns the audience that the token should have, if the caller asks for one.
    pub fn audience(&self) -> Option<&'a Audience> {
        self.audience
    }

    /// Returns the scopes that the token should have, all of them.
    pub fn scopes(&self) -> &'a [Scope] {
        self.scopes
    }

    /// The issuers whose tokens the server accepts; empty: unknown.
    pub fn issuers(&self) -> &'a [Url] {
        self.issuers
    }

    /// Returns what the user calls the token, if the request says so.
    pub fn credential_name(&self) -> Option<&'a str> {
        self.credential_name
    }

    /// Returns how well a token fits this request, by its unverified claims.
    ///
    /// ```
    /// use reqwest_scitokens::{AccessToken, TokenRequest};
    ///
    /// let url = "https://data.example.org/f".parse()?;
    /// let opaque = AccessToken::new("gt-MLF5MB3Peg79wEC0BY8U8Q.ChbkqEyp3EIJ2e_1Sqff3w")?;
    /// assert!(TokenRequest::new(&url)?.fit(&opaque).is_acceptable());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn fit(&self, token: &AccessToken) -> TokenFit {
        let asked: Vec<Scope> = self.challenge.map(|c| c.scopes().collect()).unwrap_or_default();
        let mut need = TokenNeed::new(self.url, self.now);
        need.method = self.method;
        need.audience = self.audience;
        need.scopes = self.scopes;
        need.challenge_scopes = &asked;
        need.issuers = self.issuers;
        need.min_validity = self.min_validity;
        TokenFit::of(token, &need)
    }

    /// Returns how long the token should be valid at least.
    pub fn min_validity(&self) -> Duration {
        self.min_validity
    }

    /// Returns the challenge with which the server refused the last token, parsed; never use it as an address.
    pub fn challenge(&self) -> Option<&'a Challenge> {
        self.challenge
    }

    /// Returns the token that the server refused.
    pub fn rejected(&self) -> Option<&'a AccessToken> {
        self.rejected
    }
}

impl fmt::Debug for TokenRequest<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenRequest")
            .field("url", &SafeUrl::new(self.url))
            .field("now", &self.now)
            .field("method", &self.method)
            .field("audience", &self.audience)
            .field("scopes", &self.scopes)
            .field("issuers", &self.issuers.iter().map(SafeUrl::new).collect::<Vec<_>>())
            .field("min_validity", &self.min_validity)
            .field("challenge", &self.challenge)
            .field("rejected", &self.rejected)
            .finish_non_exhaustive()
    }
}
