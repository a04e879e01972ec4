//! The middleware: attach a token, and answer a challenge once.

use std::sync::Arc;

use async_trait::async_trait;
use http::{Extensions, Method, StatusCode};
use reqwest::{Request, Response};
use reqwest_middleware::{Middleware, Next};
use url::Url;

use super::broken;
use super::builder::AuthMiddlewareBuilder;
use super::cache::TokenCache;
use super::chain::{Chain, Permission};
use super::challenge::Challenge;
use super::challengers::Challengers;
use super::conceal::conceal;
use super::decide::{self, AnsweredBy, AttemptNumber, BodyState, Challenged, Facts, MethodKind, Step};
use super::drain::drain;
use super::hop::{Departure, Hop};
use super::options::Settings;
use super::outcome::{Credential, NotAttached, Outcome, Refusal};
use super::spare::{self, Spare};
use super::trace::{Attempt, AuthTrace, HeaderCase, ServerAnswer};
use crate::error::{self, Error, Kind};
use crate::origin::Origin;
use crate::source::SharedTokenSource;
use crate::sys::SharedClock;
use crate::token::AccessToken;

/// Finds a token for each request, attaches it, and answers a `401` with a Bearer challenge once with another one.
///
/// It stands directly above the HTTP client. On a client that does not follow redirects itself (as
/// [`Session`](crate::Session) builds it, or any with `redirect::Policy::none()`) put a
/// [`RedirectMiddleware`](super::RedirectMiddleware) before it, so that each step of a redirect gets a decision of its
/// own. On a client that follows redirects itself it works too: reqwest takes the header away when a redirect leads to
/// another origin, and a challenge from there is answered only if [`RedirectTrust`](super::RedirectTrust) covers it.
///
/// Cloning is cheap and shares the cache.
///
/// ```
/// use reqwest_middleware::ClientBuilder;
/// use reqwest_scitokens::{AuthMiddleware, Discovery, RedirectMiddleware};
///
/// # fn run() -> Result<(), Box<dyn std::error::Error>> {
/// let http = reqwest::Client::builder()
///     .redirect(reqwest::redirect::Policy::none())
///     .http1_title_case_headers() // or XRootD 5.5 refuses everything
///     .build()?;
/// let client = ClientBuilder::new(http)
///     .with(RedirectMiddleware::new())
///     .with(AuthMiddleware::new(Discovery::new()))
///     .build();
/// # let _ = client;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct AuthMiddleware(Arc<Inner>);

#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) settings: Settings,
    pub(crate) cache: TokenCache,
    pub(crate) clock: SharedClock,
    pub(crate) headers: HeaderCase,
    pub(crate) challengers: Challengers,
}

impl AuthMiddleware {
    /// Takes tokens from this source: a [`Discovery`](crate::Discovery), an [`AccessToken`], a chain.
    pub fn new(source: impl Into<SharedTokenSource>) -> Self {
        Self::builder(source).build()
    }

    /// The same, with wishes.
    pub fn builder(source: impl Into<SharedTokenSource>) -> AuthMiddlewareBuilder {
        AuthMiddlewareBuilder::new(source.into())
    }

    pub(crate) fn from_inner(inner: Inner) -> Self {
        Self(Arc::new(inner))
    }
}

#[async_trait]
impl Middleware for AuthMiddleware {
    async fn handle(
        &self,
        mut request: Request,
        extensions: &mut Extensions,
        next: Next<'_>,
    ) -> reqwest_middleware::Result<Response> {
        let Ok(origin) = Origin::try_from(request.url()) else {
            return next.run(request, extensions).await.map_err(error::masked);
        };
        let wishes = self.0.settings.with(extensions);
        let settings = wishes.as_deref().unwrap_or(&self.0.settings);
        // The redirect middleware has made a copy already, if it is there.
        let (permission, mut trace, spare) = match extensions.get_mut::<Chain>() {
            Some(chain) => chain.take_along(&origin, &settings.redirect_trust),
            None => (Permission::Granted, AuthTrace::default(), None),
        };
        let hop = Hop { middleware: &self.0, settings, origin, permission };
        let spare = spare.unwrap_or_else(|| Arc::new(hop.spare(&request, extensions)));
        let before = trace.attempts().len();

        let sent = match hop.depart(&request, &spare).await {
            Ok(sent) => sent,
            Err(error) => return hop.finish(Err(error.into()), trace, before, extensions),
        };
        hop.attach(&mut request, &sent.credential);
        let upload = Upload::of(&request);
        let answered = match next.clone().run(request, extensions).await {
            // Rare and large: kept out of the future that every request is.
            Ok(response) if is_refusal(&response) => {
                Box::pin(hop.answer(response, sent, &spare, &mut trace, extensions, &next)).await
            }
            Ok(response) => {
                let answer = ServerAnswer::of(&response, None);
                trace.record(sent.attempt(line(spare), Some(answer)), self.0.headers);
                Ok((response, Outcome::Answered))
            }
            Err(error) => {
                trace.record(sent.attempt(line(spare), None), self.0.headers);
                Err(upload.explain(error))
            }
        };
        hop.finish(answered, trace, before, extensions)
    }
}

impl Hop<'_> {
    /// Looks at a refusal, and sends the request once more where that may help.
    async fn answer(
        &self,
        refusal: Response,
        sent: Departure,
        spare: &Spare,
        trace: &mut AuthTrace,
        extensions: &mut Extensions,
        next: &Next<'_>,
    ) -> reqwest_middleware::Result<(Response, Outcome)> {
        let headers = self.middleware.headers;
        let first = Answered::of(refusal, &sent.credential);
        let credential = sent.credential.clone();
        trace.record(sent.attempt(spare.line(), Some(first.to_record())), headers);
        let body = if spare.is_whole() { BodyState::CanBeSent } else { BodyState::Gone };
        let facts = self.facts(&first, spare.method(), &credential, AttemptNumber::First, body);
        let mut copy = match (decide::decide(&facts), spare) {
            (Step::Return(outcome), _) => return Ok((first.response, outcome)),
            (Step::AskForAnother, spare) => match spare.make() {
                Some(copy) => copy,
                None => return Ok((first.response, Outcome::Refused(Refusal::BodyGone))),
            },
        };
        let token = match self.another(&first, &credential, &mut copy).await {
            Ok(token) => token,
            Err(why) => return Ok((first.response, Outcome::Refused(why))),
        };
        drain(first.response).await;

        let sent = Departure { credential: Credential::Token(token), at: self.middleware.clock.now() };
        self.attach(&mut copy, &sent.credential);
        let (upload, line) = (Upload::of(&copy), (copy.method().clone(), copy.url().clone()));
        let second = match next.clone().run(copy, extensions).await {
            Ok(response) => Answered::of(response, &sent.credential),
            Err(error) => {
                trace.record(sent.attempt(line, None), headers);
                return Err(upload.explain(error));
            }
        };
        let credential = sent.credential.clone();
        trace.record(sent.attempt(line, Some(second.to_record())), headers);
        let facts = self.facts(&second, spare.method(), &credential, AttemptNumber::Replay, BodyState::Gone);
        let outcome = match decide::decide(&facts) {
            Step::Return(outcome) => outcome,
            Step::AskForAnother => Outcome::Refused(Refusal::Again),
        };
        Ok((second.response, outcome))
    }

    /// Asks for another token than the refused one, and aims the copy at whoever refused.
    async fn another(
        &self,
        first: &Answered,
        sent: &Credential,
        copy: &mut Request,
    ) -> Result<AccessToken, Refusal> {
        let elsewhere = self.redirected(&first.response)?;
        if elsewhere.is_some() {
            *copy.url_mut() = without_userinfo(&first.response);
            spare::leave_origin(copy);
        }
        let hop = elsewhere.as_ref().unwrap_or(self);
        if first.challenge.is_some() && first.response.status() == StatusCode::UNAUTHORIZED {
            self.middleware.challengers.remember(&hop.origin);
        }
        // The HTTP client takes the token off when it follows a redirect to another origin.
        let stripped = Credential::None(NotAttached::WaitsForChallenge);
        let sent = if elsewhere.is_some() { &stripped } else { sent };
        let answer = hop.ask(copy, first.challenge.as_ref(), sent.token()).await;
        let token = decide::weigh(sent, answer)?;
        if !hop.permission.holds_for(&token, &hop.origin) {
            return Err(Refusal::NotSent(NotAttached::Stranger));
        }
        if !hop.settings.transport_is_fine(&hop.origin) {
            return Err(Refusal::NotSent(NotAttached::PlainHttp));
        }
        Ok(token)
    }

    fn facts<'f>(
        &self,
        answered: &Answered,
        method: &Method,
        sent: &'f Credential,
        attempt: AttemptNumber,
        body: BodyState,
    ) -> Facts<'f> {
        let response = &answered.response;
        let elsewhere = Origin::try_from(response.url()).is_ok_and(|origin| origin != self.origin);
        let read = matches!(*method, Method::GET | Method::HEAD);
        Facts {
            status: response.status(),
            challenge: if answered.challenge.is_some() { Challenged::Yes } else { Challenged::No },
            sent,
            attempt,
            method: if read { MethodKind::Read } else { MethodKind::Other },
            body,
            answered_by: if elsewhere { AnsweredBy::RedirectTarget } else { AnsweredBy::Asked },
            forbidden: self.settings.forbidden,
        }
    }

    /// Hands the trace on: to the redirect loop, if there is one, else to the caller. Where there is no answer to hang
    /// it on, it stays with the request.
    fn finish(
        &self,
        answered: reqwest_middleware::Result<(Response, Outcome)>,
        mut trace: AuthTrace,
        before: usize,
        extensions: &mut Extensions,
    ) -> reqwest_middleware::Result<Response> {
        let trusted = trace.attempts()[before..].iter().any(|attempt| attempt.token().is_some());
        let mut chain = extensions.get_mut::<Chain>();
        if let (false, Permission::IfNamed | Permission::Denied, Some(chain)) =
            (trusted, self.permission, &mut chain)
        {
            chain.stray();
        }
        match (answered, chain) {
            (Ok((mut response, outcome)), chain) => {
                if let Outcome::Refused(why) = &outcome {
                    let status = response.status().as_u16();
                    tracing::debug!(origin = %self.origin, status, "refused: {why}");
                }
                trace.end(outcome);
                match chain {
                    Some(chain) => chain.bring_back(trace),
                    None => drop(response.extensions_mut().insert(trace)),
                }
                Ok(conceal(response))
            }
            (Err(error), Some(chain)) => {
                chain.bring_back(trace);
                Err(error)
            }
            (Err(error), None) => {
                extensions.insert(trace);
                Err(error)
            }
        }
    }
}

impl Departure {
    fn attempt(self, (method, url): (Method, Url), answer: Option<ServerAnswer>) -> Attempt {
        Attempt { method, url, credential: self.credential, sent_at: self.at, answer }
    }
}

/// An answer, with what the decision needs of it.
struct Answered {
    response: Response,
    challenge: Option<Challenge>,
}

impl Answered {
    fn of(response: Response, sent: &Credential) -> Self {
        let challenge =
            if is_refusal(&response) { Challenge::from_headers(response.headers()) } else { None };
        let challenge = challenge.map(|challenge| challenge.without(sent.token()));
        Self { response, challenge }
    }

    fn to_record(&self) -> ServerAnswer {
        ServerAnswer::of(&self.response, self.challenge.as_ref())
    }
}

fn is_refusal(response: &Response) -> bool {
    matches!(response.status(), StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN)
}

/// Whether a request takes a body along.
#[derive(Clone, Copy)]
enum Upload {
    Yes,
    No,
}

impl Upload {
    fn of(request: &Request) -> Self {
        if request.body().is_some() { Self::Yes } else { Self::No }
    }

    /// The error of the HTTP client, in which an upload that was cut off may have been refused.
    fn explain(self, error: reqwest_middleware::Error) -> reqwest_middleware::Error {
        let error = error::masked(error);
        match self {
            Self::Yes if broken::is_broken_connection(&error) => {
                Error::from(Kind::UploadBroken(error)).into()
            }
            Self::Yes | Self::No => error,
        }
    }
}

/// Method and URL of what was sent; the copy is given up for them if nobody else has it.
fn line(spare: Arc<Spare>) -> (Method, Url) {
    Arc::try_unwrap(spare).map_or_else(|shared| shared.line(), Spare::into_line)
}

fn without_userinfo(response: &Response) -> Url {
    let mut url = response.url().clone();
    // These fail only for URLs without a host, and then there is no user in them.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url
}
