//! What happened to a request, told afterwards.

use std::fmt;
use std::time::SystemTime;

use http::header::{DATE, SERVER};
use http::{HeaderMap, Method, StatusCode};
use reqwest::Response;
use url::Url;

use super::challenge::Challenge;
use super::explain::Explanation;
use super::in_url;
use super::outcome::{Credential, NotAttached, Outcome};
use crate::redact::{self, SafeUrl};
use crate::token::AccessToken;

/// The story of a request: every time it was sent, and how it ended.
///
/// Found in the extensions of the response, most easily by [`ResponseExt::auth_trace`]. With redirects and a replay a
/// request is sent several times. `Debug` and `Display` show no secrets.
///
/// Where there is no answer, the trace stays in the extensions of the request, which
/// [`execute_with_extensions`](reqwest_middleware::ClientWithMiddleware::execute_with_extensions) lets one look at.
#[derive(Clone, Debug, Default)]
pub struct AuthTrace {
    attempts: Vec<Attempt>,
    outcome: Outcome,
    headers: HeaderCase,
}

/// One time that a request was sent.
#[derive(Clone)]
pub struct Attempt {
    pub(crate) method: Method,
    pub(crate) url: Url,
    pub(crate) credential: Credential,
    pub(crate) sent_at: SystemTime,
    /// `None` when there was none.
    pub(crate) answer: Option<ServerAnswer>,
}

/// What of a server's answer is worth keeping.
#[derive(Clone, Debug)]
pub(crate) struct ServerAnswer {
    pub(crate) status: StatusCode,
    /// Kept for refusals only.
    pub(crate) refusal: Option<Box<RefusalAnswer>>,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct RefusalAnswer {
    pub(crate) challenge: Option<Challenge>,
    pub(crate) server: Option<String>,
    pub(crate) date: Option<String>,
}

impl ServerAnswer {
    pub(crate) fn of(response: &Response, challenge: Option<&Challenge>) -> Self {
        Self::from_parts(response.status(), response.headers(), challenge)
    }

    pub(crate) fn from_parts(status: StatusCode, headers: &HeaderMap, challenge: Option<&Challenge>) -> Self {
        let refused = matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN);
        let text = |name| headers.get(name).map(|v| redact::text(&String::from_utf8_lossy(v.as_bytes())));
        let refusal = refused.then(|| {
            Box::new(RefusalAnswer { challenge: challenge.cloned(), server: text(SERVER), date: text(DATE) })
        });
        Self { status, refusal }
    }
}

/// How the HTTP client writes the names of headers, as far as is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum HeaderCase {
    #[default]
    Unknown,
    /// `Authorization`, not `authorization`: what XRootD 5.5 insists on.
    Title,
}

impl AuthTrace {
    /// Each time that the request was sent, in order.
    pub fn attempts(&self) -> &[Attempt] {
        &self.attempts
    }

    /// How it ended.
    pub fn outcome(&self) -> &Outcome {
        &self.outcome
    }

    /// Why the server refused, as far as can be told from the token, the request and the answer.
    ///
    /// `None` when it did not refuse.
    pub fn explain(&self) -> Option<Explanation> {
        Explanation::of(self)
    }

    /// The token that the last answer is about, and the attempt that was made with it. That is an earlier one where the
    /// server took the token over into the URL of a redirect.
    pub(crate) fn judged(&self) -> Option<(&AccessToken, &Attempt)> {
        let last = self.attempts.last()?;
        if let Some(token) = last.token() {
            return Some((token, last));
        }
        let earlier = self.attempts.iter().rev().filter_map(|attempt| Some((attempt.token()?, attempt)));
        earlier.into_iter().find(|(token, _)| in_url::carries(&last.url, token))
    }

    pub(crate) fn header_case(&self) -> HeaderCase {
        self.headers
    }

    /// Notes that the request was sent, and what came of it.
    pub(crate) fn record(&mut self, attempt: Attempt, headers: HeaderCase) {
        self.headers = headers;
        self.outcome = Outcome::NoAnswer;
        // Nearly always the only one.
        self.attempts.reserve_exact(1);
        self.attempts.push(attempt);
    }

    pub(crate) fn end(&mut self, outcome: Outcome) {
        self.outcome = outcome;
    }
}

impl fmt::Display for AuthTrace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for attempt in &self.attempts {
            writeln!(f, "{attempt}")?;
        }
        match &self.outcome {
            Outcome::Refused(why) => writeln!(f, "not tried again: {why}"),
            Outcome::NoAnswer | Outcome::Answered | Outcome::AnsweredReplay => Ok(()),
        }
    }
}

impl Attempt {
    /// The method.
    pub fn method(&self) -> &Method {
        &self.method
    }

    /// Where it was sent to, fit for showing.
    pub fn url(&self) -> SafeUrl<'_> {
        SafeUrl::new(&self.url)
    }

    /// When it was sent.
    pub fn sent_at(&self) -> SystemTime {
        self.sent_at
    }

    /// What the server answered; `None` when it did not.
    pub fn status(&self) -> Option<StatusCode> {
        self.answer.as_ref().map(|answer| answer.status)
    }

    /// The Bearer challenge of a refusal.
    pub fn challenge(&self) -> Option<&Challenge> {
        self.answer.as_ref()?.refusal.as_ref()?.challenge.as_ref()
    }

    /// The token that it was sent with.
    pub fn token(&self) -> Option<&AccessToken> {
        self.credential.token()
    }

    /// Why it was sent without a token.
    pub fn not_attached(&self) -> Option<&NotAttached> {
        match &self.credential {
            Credential::Token(_) => None,
            Credential::None(why) => Some(why),
        }
    }
}

impl fmt::Debug for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Attempt")
            .field("method", &self.method)
            .field("url", &self.url())
            .field("credential", &self.credential)
            .field("sent_at", &self.sent_at)
            .field("answer", &self.answer)
            .finish()
    }
}

impl fmt::Display for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method, self.url())?;
        match &self.credential {
            Credential::Token(token) => {
                write!(f, " with the token of {}", token.found_in().unwrap_or("the source"))?;
            }
            Credential::None(why) => write!(f, " without a token ({why})")?,
        }
        match self.status() {
            Some(status) => write!(f, ": {status}"),
            None => f.write_str(": no answer"),
        }
    }
}

/// The trace of a response.
pub trait ResponseExt {
    /// What happened to the request; `None` when no middleware of this library took part.
    fn auth_trace(&self) -> Option<&AuthTrace>;

    /// Why the server refused, if it did; see [`AuthTrace::explain`].
    fn explain(&self) -> Option<Explanation> {
        self.auth_trace()?.explain()
    }
}

impl ResponseExt for Response {
    fn auth_trace(&self) -> Option<&AuthTrace> {
        self.extensions().get()
    }
}

impl<T> ResponseExt for http::Response<T> {
    fn auth_trace(&self) -> Option<&AuthTrace> {
        self.extensions().get()
    }
}
