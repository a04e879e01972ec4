//! What happened to a request, and how it ended.

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use http::{HeaderMap, HeaderValue, Method, StatusCode};
use reqwest::Response;
use serde::ser::{Serialize, SerializeStruct as _, Serializer};
use url::Url;

use super::outcome::{AuthOutcome, Credential, NotAttached, ReplayRefusal};
use super::refusal_answer::RefusalAnswer;
use super::request_template::RequestSummary;
use super::url_credentials;
use crate::challenge::Challenge;
use scitoken_types::redact::Redactor;
use scitoken_types::{AccessToken, SafeUrl};

/// What happened to a request: every time it was sent, and how it ended.
///
/// It is in the extensions of the response, most easily reached by [`ResponseExt::auth_trace`](super::ResponseExt::auth_trace).
/// Redirects, a replay and the tries of a retry middleware above send a request several times; the last 64 are kept.
/// `Debug` and `Display` show no secrets. Clones share the attempts.
///
/// Where there is no response, the trace stays in the extensions of the request; pass them to
/// [`execute_with_extensions`](reqwest_middleware::ClientWithMiddleware::execute_with_extensions) to look at it there.
///
/// ```
/// use reqwest_scitokens::auth::AuthTrace;
///
/// fn statuses(trace: &AuthTrace) -> Vec<u16> {
///     trace.into_iter().filter_map(|attempt| attempt.status()).map(|status| status.as_u16()).collect()
/// }
///
/// assert!(statuses(&AuthTrace::default()).is_empty());
/// ```
#[derive(Clone, Debug, Default)]
pub struct AuthTrace {
    attempts: Arc<[Attempt]>,
    outcome: AuthOutcome,
    header_case: HeaderCase,
}

/// One time that a request was sent.
#[derive(Clone)]
pub struct Attempt {
    pub(super) summary: RequestSummary,
    /// The URL to show, where the URL of the request repeats a credential.
    shown_url: Option<Box<Url>>,
    pub(super) credential: Credential,
    /// The `Authorization` of the caller or of `.netrc`.
    other_authorization: Option<HeaderValue>,
    pub(super) sent_at: SystemTime,
    /// `None` when no answer came.
    pub(super) answer: Option<ServerAnswer>,
}

/// What is kept of a server's answer.
#[derive(Clone, Debug)]
pub(super) struct ServerAnswer {
    pub(super) status: StatusCode,
    /// `Some` for a refusal.
    pub(super) refusal: Option<Box<RefusalAnswer>>,
}

/// How the HTTP client writes header names, as far as is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum HeaderCase {
    #[default]
    Unknown,
    /// `Authorization`, not `authorization`: XRootD 5.5 reads only this.
    Title,
}

impl AuthTrace {
    /// More attempts than this are not kept: a program may pass the same extensions for each of its requests.
    const MAX_ATTEMPTS: usize = 64;

    /// Returns each time that the request was sent, in order.
    pub fn attempts(&self) -> &[Attempt] {
        &self.attempts
    }

    /// Returns how the request ended.
    pub fn outcome(&self) -> &AuthOutcome {
        &self.outcome
    }

    /// Returns the token that the last answer is about, and the attempt that carried it. That is an earlier one where the
    /// server copied the token into the URL of a redirect.
    pub(super) fn attempt_with_token(&self) -> Option<(&AccessToken, &Attempt)> {
        let last = self.attempts.last()?;
        if let Some(token) = last.token() {
            return Some((token, last));
        }
        self.attempts
            .iter()
            .rev()
            .filter_map(|attempt| Some((attempt.token()?, attempt)))
            .find(|(token, _)| url_credentials::carries(last.summary.url(), token))
    }

    pub(super) fn header_case(&self) -> HeaderCase {
        self.header_case
    }

    /// Returns a masker that knows every credential that the request was sent with: tokens that were refused, the token
    /// that was accepted, passwords, the caller's own `Authorization`, and credentials in URLs.
    ///
    /// Servers repeat credentials in bodies, headers and redirects; pass a text of theirs through it before it is shown.
    ///
    /// ```
    /// use reqwest_scitokens::auth::AuthTrace;
    ///
    /// fn shown(trace: &AuthTrace, body: &str) -> String {
    ///     trace.redactor().redact(body).into_owned()
    /// }
    ///
    /// assert_eq!(shown(&AuthTrace::default(), "not found"), "not found");
    /// ```
    pub fn redactor(&self) -> Redactor {
        let redactor = Redactor::new();
        for attempt in self {
            if let Some(token) = attempt.token() {
                redactor.add_token(token);
            }
            if let Some(value) = &attempt.other_authorization {
                url_credentials::add_authorization(&redactor, value);
            }
            url_credentials::add_from_url(&redactor, attempt.summary.url());
        }
        redactor
    }

    /// Masks a URL that repeats a credential of this trace; `None` if it repeats none.
    pub(super) fn masked_url(&self, url: &Url) -> Option<Url> {
        // The user's own URL seldom repeats the token, and a masker is costly to make.
        let own = |token: &AccessToken| url.as_str().contains(token.expose_secret());
        let rare = |attempt: &Attempt| attempt.other_authorization.is_some();
        let suspicious =
            self.attempts.len() > 1 || url.as_str().contains('%') || self.attempts.iter().any(rare);
        if !suspicious && !self.attempts.iter().filter_map(Attempt::token).any(own) {
            return None;
        }
        url_credentials::masked(url, &self.redactor())
    }

    /// Appends an attempt.
    pub(super) fn append(&mut self, attempt: Attempt, header_case: HeaderCase) {
        self.header_case = header_case;
        self.outcome = AuthOutcome::NoAnswer;
        // Nearly always the only one.
        self.attempts = if self.attempts.is_empty() {
            Arc::new([attempt])
        } else {
            let surplus = (self.attempts.len() + 1).saturating_sub(Self::MAX_ATTEMPTS);
            self.attempts[surplus..].iter().cloned().chain([attempt]).collect()
        };
        let shown = self.attempts.last().and_then(|attempt| self.masked_url(attempt.summary.url()));
        if let (Some(shown), Some(attempt)) = (shown, Arc::make_mut(&mut self.attempts).last_mut()) {
            attempt.shown_url = Some(Box::new(shown));
        }
    }

    /// Records the answer to the last attempt.
    pub(super) fn set_answer(&mut self, answer: ServerAnswer) {
        if let Some(attempt) = Arc::make_mut(&mut self.attempts).last_mut() {
            attempt.answer = Some(answer);
        }
    }

    /// Sets how the request ended.
    pub(super) fn end(&mut self, outcome: AuthOutcome) {
        self.outcome = outcome;
    }
}

impl AuthTrace {
    /// Returns the attempts in order.
    pub fn iter(&self) -> std::slice::Iter<'_, Attempt> {
        self.attempts.iter()
    }
}

impl<'t> IntoIterator for &'t AuthTrace {
    type Item = &'t Attempt;
    type IntoIter = std::slice::Iter<'t, Attempt>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// Writes one line for each attempt, and one for a refusal.
impl fmt::Display for AuthTrace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for attempt in self {
            writeln!(f, "{attempt}")?;
        }
        match &self.outcome {
            // The line of the attempt says it.
            AuthOutcome::Refused(ReplayRefusal::SentWithoutToken(why))
                if self.attempts.last().and_then(Attempt::not_attached) == Some(why) =>
            {
                Ok(())
            }
            AuthOutcome::Refused(why) => writeln!(f, "not sent again: {why}"),
            AuthOutcome::NoAnswer | AuthOutcome::Answered | AuthOutcome::AnsweredReplay => Ok(()),
        }
    }
}

/// Writes an object with `attempts` and the `outcome` as text.
impl Serialize for AuthTrace {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_struct("AuthTrace", 2)?;
        object.serialize_field("attempts", self.attempts())?;
        object.serialize_field("outcome", &self.outcome.to_string())?;
        object.end()
    }
}

impl Attempt {
    pub(super) fn new(
        summary: RequestSummary,
        credential: Credential,
        other_authorization: Option<HeaderValue>,
        sent_at: SystemTime,
    ) -> Self {
        Self { summary, shown_url: None, credential, other_authorization, sent_at, answer: None }
    }

    /// Returns the method.
    pub fn method(&self) -> &Method {
        self.summary.method()
    }

    /// Returns the URL, without secrets.
    pub fn url(&self) -> SafeUrl<'_> {
        SafeUrl::new(self.shown_url.as_deref().unwrap_or_else(|| self.summary.url()))
    }

    /// Returns when the request was sent.
    pub fn sent_at(&self) -> SystemTime {
        self.sent_at
    }

    /// Returns the status of the answer; `None` when no answer came.
    pub fn status(&self) -> Option<StatusCode> {
        self.answer.as_ref().map(|answer| answer.status)
    }

    /// Returns the Bearer challenge of a refusal.
    pub fn challenge(&self) -> Option<&Challenge> {
        self.answer.as_ref()?.refusal.as_ref()?.challenge.as_ref()
    }

    /// Returns the token that the request was sent with.
    pub fn token(&self) -> Option<&AccessToken> {
        self.credential.token()
    }

    /// Returns why the request was sent without a token.
    pub fn not_attached(&self) -> Option<&NotAttached> {
        match &self.credential {
            Credential::Token(_) => None,
            Credential::None(NotAttached::CallersOwn) => Some(&NotAttached::CallersOwn),
            Credential::None(_) if self.other_authorization.is_some() => Some(&NotAttached::NetrcPassword),
            Credential::None(why) => Some(why),
        }
    }
}

impl fmt::Debug for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Attempt")
            .field("method", self.method())
            .field("url", &self.url())
            .field("credential", &self.credential)
            .field("sent_at", &self.sent_at)
            .field("answer", &self.answer)
            .finish_non_exhaustive()
    }
}

impl fmt::Display for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method(), self.url())?;
        match &self.credential {
            Credential::Token(token) => {
                write!(f, " with the token of {}", token.origin_label().unwrap_or("the source"))?;
            }
            Credential::None(NotAttached::CallersOwn) => f.write_str(" with the caller's `Authorization`")?,
            Credential::None(why) if self.other_authorization.is_some() => {
                write!(f, " with a password of `.netrc`, without a token ({why})")?;
            }
            Credential::None(why) => write!(f, " without a token ({why})")?,
        }
        match self.status() {
            Some(status) => write!(f, ": {status}"),
            None => f.write_str(": no answer"),
        }
    }
}

/// Writes an object with `method`, `url`, `token_origin`, `without_token`, `status` and `challenge`.
impl Serialize for Attempt {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let origin = self.token().map(|token| token.origin_label().unwrap_or("the source"));
        let mut object = serializer.serialize_struct("Attempt", 6)?;
        object.serialize_field("method", self.method().as_str())?;
        object.serialize_field("url", &self.url().to_string())?;
        object.serialize_field("token_origin", &origin)?;
        object.serialize_field("without_token", &self.not_attached().map(ToString::to_string))?;
        object.serialize_field("status", &self.status().map(|status| status.as_u16()))?;
        object.serialize_field("challenge", &self.challenge().map(ToString::to_string))?;
        object.end()
    }
}

impl ServerAnswer {
    pub(super) fn of(response: &Response, challenge: Option<&Challenge>, trace: &AuthTrace) -> Self {
        Self::from_parts(response.status(), response.headers(), challenge, trace)
    }

    pub(super) fn from_parts(
        status: StatusCode,
        headers: &HeaderMap,
        challenge: Option<&Challenge>,
        trace: &AuthTrace,
    ) -> Self {
        let refused = matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN);
        let refusal =
            refused.then(|| Box::new(RefusalAnswer::read(headers, challenge.cloned(), &trace.redactor())));
        Self { status, refusal }
    }
}
