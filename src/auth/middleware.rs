//! The middleware: attach a token, and answer a challenge once.

use std::sync::Arc;

use async_trait::async_trait;
use http::{Extensions, Method, StatusCode};
use reqwest::{Request, Response};
use reqwest_middleware::{Middleware, Next};

use super::broken;
use super::builder::AuthMiddlewareBuilder;
use super::cache::TokenCache;
use super::chain::{Chain, Permission};
use super::challenge::Challenge;
use super::challengers::Challengers;
use super::conceal::conceal;
use super::decide::{self, AnsweredBy, AttemptNumber, BodyState, Challenged, Facts, MethodKind, Step};
use super::drain::drain;
use super::hop::Hop;
use super::options::{AuthOptions, Settings};
use super::spare::{self, Spare};
use super::trace::{AuthTrace, Credential, HeaderCase, NotAttached, Outcome, Refusal, ServerAnswer};
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
        request: Request,
        extensions: &mut Extensions,
        next: Next<'_>,
    ) -> reqwest_middleware::Result<Response> {
        let Ok(origin) = Origin::try_from(request.url()) else {
            return next.run(request, extensions).await.map_err(error::masked);
        };
        let settings = self.0.settings.with(extensions);
        let body = extensions.get::<AuthOptions>().and_then(|options| options.body.clone());
        let hop = Hop {
            middleware: &self.0,
            permission: permission(extensions, &origin, &settings),
            settings,
            origin,
        };

        let (mut trace, spare) = match extensions.get_mut::<Chain>() {
            Some(chain) => chain.take_along(),
            None => (AuthTrace::default(), None),
        };
        // The redirect middleware has made a copy already, if it is there.
        let spare = match hop.may_replay(&request) {
            true if spare.is_none() => Spare::of(&request, body.as_ref()).map(Arc::new),
            true => spare,
            false => None,
        };
        let before = trace.attempts().len();
        let answered = hop.run(request, spare.as_deref(), &mut trace, extensions, &next).await;
        let trusted = trace.attempts()[before..].iter().any(|attempt| attempt.token().is_some());
        if let (false, Permission::IfNamed | Permission::Denied, Some(chain)) =
            (trusted, hop.permission, extensions.get_mut::<Chain>())
        {
            chain.stray();
        }
        match answered {
            Ok((response, outcome)) => Ok(hop.finish(response, outcome, trace, extensions)),
            Err(error) => {
                // There is no answer to hang the trace on; it stays with the request.
                match extensions.get_mut::<Chain>() {
                    Some(chain) => chain.bring_back(trace),
                    None => drop(extensions.insert(trace)),
                }
                Err(error)
            }
        }
    }
}

impl Hop<'_> {
    /// Sends the request, and once more where that may help.
    async fn run(
        &self,
        mut request: Request,
        spare: Option<&Spare>,
        trace: &mut AuthTrace,
        extensions: &mut Extensions,
        next: &Next<'_>,
    ) -> reqwest_middleware::Result<(Response, Outcome)> {
        let sent = self.credential(&request, spare.is_some()).await?;
        self.attach(&mut request, &sent);
        let answered = self.send(request, &sent, trace, extensions, next).await?;
        match answered.response.status() {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                let spare = spare.and_then(Spare::make);
                Box::pin(self.answer(answered, sent, spare, trace, extensions, next)).await
            }
            _ => Ok((answered.response, Outcome::Answered)),
        }
    }

    async fn send(
        &self,
        request: Request,
        credential: &Credential,
        trace: &mut AuthTrace,
        extensions: &mut Extensions,
        next: &Next<'_>,
    ) -> reqwest_middleware::Result<Answered> {
        let method = request.method().clone();
        let (headers, url) = (self.middleware.headers, request.url().clone());
        let now = self.middleware.clock.now();
        trace.begin(method.clone(), url, credential.clone(), headers, now);
        let uploads = request.body().is_some();
        let response = match next.clone().run(request, extensions).await {
            Ok(response) => response,
            Err(error) => {
                let error = error::masked(error);
                let refused = uploads && broken::is_broken_connection(&error);
                return Err(if refused { Error::from(Kind::UploadBroken(error)).into() } else { error });
            }
        };
        let challenge = match response.status() {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Challenge::from_headers(response.headers())
                .map(|challenge| challenge.without(credential.token())),
            _ => None,
        };
        let answer = ServerAnswer::of(response.status(), response.headers(), challenge.as_ref());
        trace.answer(answer);
        Ok(Answered { response, challenge, method })
    }

    /// Looks at the answer, and sends the request once more where that may help.
    async fn answer(
        &self,
        first: Answered,
        sent: Credential,
        copy: Option<Request>,
        trace: &mut AuthTrace,
        extensions: &mut Extensions,
        next: &Next<'_>,
    ) -> reqwest_middleware::Result<(Response, Outcome)> {
        let body = if copy.is_some() { BodyState::CanBeSent } else { BodyState::Gone };
        let step = decide::decide(&self.facts(&first, &sent, AttemptNumber::First, body));
        let mut copy = match (step, copy) {
            (Step::AskForAnother, Some(copy)) => copy,
            (Step::AskForAnother, None) => return Ok((first.response, Outcome::Refused(Refusal::BodyGone))),
            (Step::Return(outcome), _) => return Ok((first.response, outcome)),
        };
        let token = match self.another(&first, &sent, &mut copy).await {
            Ok(token) => Credential::Token(token),
            Err(why) => return Ok((first.response, Outcome::Refused(why))),
        };
        drain(first.response).await;
        self.attach(&mut copy, &token);
        let second = self.send(copy, &token, trace, extensions, next).await?;
        let outcome =
            match decide::decide(&self.facts(&second, &token, AttemptNumber::Replay, BodyState::Gone)) {
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
        sent: &'f Credential,
        attempt: AttemptNumber,
        body: BodyState,
    ) -> Facts<'f> {
        let response = &answered.response;
        let elsewhere = Origin::try_from(response.url()).is_ok_and(|origin| origin != self.origin);
        let read = matches!(answered.method, Method::GET | Method::HEAD);
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

    /// Hands the trace on: to the redirect loop, if there is one, else to the caller.
    fn finish(
        &self,
        mut response: Response,
        outcome: Outcome,
        mut trace: AuthTrace,
        extensions: &mut Extensions,
    ) -> Response {
        if let Outcome::Refused(why) = &outcome {
            tracing::debug!(origin = %self.origin, status = response.status().as_u16(), "refused: {why}");
        }
        trace.end(outcome);
        match extensions.get_mut::<Chain>() {
            Some(chain) => chain.bring_back(trace),
            None => drop(response.extensions_mut().insert(trace)),
        }
        conceal(response)
    }
}

/// An answer, with what the decision needs of it.
struct Answered {
    response: Response,
    challenge: Option<Challenge>,
    method: Method,
}

fn permission(extensions: &Extensions, origin: &Origin, settings: &Settings) -> Permission {
    extensions
        .get::<Chain>()
        .map_or(Permission::Granted, |chain| chain.permission(origin, &settings.redirect_trust))
}

fn without_userinfo(response: &Response) -> url::Url {
    let mut url = response.url().clone();
    // These fail only for URLs without a host, and then there is no user in them.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url
}
