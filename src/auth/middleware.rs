//! The middleware: attach a token, and answer a challenge once.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::SystemTime;

use async_trait::async_trait;
use http::header::AUTHORIZATION;
use http::{Extensions, Method, StatusCode};
use reqwest::{Request, Response};
use reqwest_middleware::{Middleware, Next};

use super::builder::AuthMiddlewareBuilder;
use super::cache::{Answer, Key, TokenCache};
use super::chain::{Chain, Permission};
use super::challenge::Challenge;
use super::challengers::Challengers;
use super::decide::{self, AnsweredBy, AttemptNumber, Challenged, Facts, MethodKind, Spare, Step};
use super::drain::drain;
use super::options::{Attach, AuthOptions, Settings};
use super::trace::{AuthTrace, Credential, HeaderCase, NotAttached, Outcome, Refusal, ServerAnswer};
use super::{broken, in_url, spare};
use crate::error::{self, Error, Kind};
use crate::origin::Origin;
use crate::source::{SharedTokenSource, SourceError, TokenRequest};
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
        let Ok(origin) = Origin::try_from(request.url()) else { return next.run(request, extensions).await };
        if extensions.get::<Chain>().is_none() {
            // A retry middleware above hands the same extensions to each try.
            extensions.remove::<AuthTrace>();
        }
        let settings = self.0.settings.with(extensions);
        let body = extensions.get::<AuthOptions>().and_then(|options| options.body.clone());
        let hop = Hop {
            middleware: &self.0,
            permission: permission(extensions, &origin, &settings),
            settings,
            origin,
        };

        let copy = hop.may_replay(&request).then(|| spare::copy(&request, body.as_ref())).flatten();
        let sent = hop.credential(&request, copy.is_some()).await?;
        if let (Credential::None(NotAttached::Stranger), Some(chain)) = (&sent, extensions.get_mut::<Chain>())
        {
            chain.stray();
        }
        hop.attach(&mut request, &sent);
        let first = hop.send(request, &sent, extensions, &next).await?;
        let (response, outcome) = hop.answer(first, sent, copy, extensions, &next).await?;
        Ok(hop.finish(response, outcome, extensions))
    }
}

/// One request on its way to one origin.
struct Hop<'a> {
    middleware: &'a Inner,
    settings: Cow<'a, Settings>,
    origin: Origin,
    permission: Permission,
}

impl Hop<'_> {
    /// Whether a copy of the request can be of any use.
    fn may_replay(&self, request: &Request) -> bool {
        self.settings.attach != Attach::Never && !request.headers().contains_key(AUTHORIZATION)
    }

    /// What to send the request with.
    async fn credential(&self, request: &Request, replayable: bool) -> Result<Credential, Error> {
        if let Some(why) = self.hindrance(request) {
            return Ok(Credential::None(why));
        }
        let waits = match self.settings.attach {
            Attach::Never => return Ok(Credential::None(NotAttached::Never)),
            Attach::WhenFound | Attach::Required => false,
            Attach::OnChallenge => replayable && !self.middleware.challengers.contains(&self.origin),
        };
        if waits {
            return Ok(Credential::None(NotAttached::WaitsForChallenge));
        }
        let credential = match self.ask(request, None, None).await {
            Answer::Token(token) if !self.permission.holds_for(&token, &self.origin) => {
                Credential::None(NotAttached::Stranger)
            }
            Answer::Token(_) if !self.settings.transport_is_fine(&self.origin) => {
                return Err(Kind::PlainHttp(self.origin.clone()).into());
            }
            Answer::Token(token) => Credential::Token(token),
            Answer::Nothing(reasons) => Credential::None(NotAttached::NoToken(reasons)),
            Answer::Failed(error) => Credential::None(NotAttached::SourceFailed(error)),
        };
        match credential {
            Credential::None(why) if self.settings.attach == Attach::Required => self.required(why),
            Credential::None(NotAttached::SourceFailed(error)) => {
                tracing::warn!(origin = %self.origin, "{}; sending the request without a token", chain_of(&error));
                Ok(Credential::None(NotAttached::SourceFailed(error)))
            }
            credential => Ok(credential),
        }
    }

    /// Why no token goes with the request, whatever the sources have.
    fn hindrance(&self, request: &Request) -> Option<NotAttached> {
        if self.settings.attach == Attach::Never {
            Some(NotAttached::Never)
        } else if request.headers().contains_key(AUTHORIZATION) {
            Some(NotAttached::CallersOwn)
        } else if in_url::has_credential(request.url()) {
            Some(NotAttached::InUrl)
        } else if self.permission == Permission::Denied {
            Some(NotAttached::Stranger)
        } else {
            None
        }
    }

    /// A required token is not there. Strangers along a redirect go without one all the same.
    fn required(&self, why: NotAttached) -> Result<Credential, Error> {
        let origin = self.origin.clone();
        match why {
            NotAttached::NoToken(reasons) => Err(Kind::NoToken { origin, reasons: reasons.to_vec() }.into()),
            NotAttached::SourceFailed(source) => Err(Kind::Source { origin, source }.into()),
            other => Ok(Credential::None(other)),
        }
    }

    async fn ask(
        &self,
        request: &Request,
        challenge: Option<&Challenge>,
        rejected: Option<&AccessToken>,
    ) -> Answer {
        let settings = &*self.settings;
        if let Some(token) = settings.source.fixed() {
            return fixed(token, self.middleware.clock.now());
        }
        let mut question =
            TokenRequest::for_origin(request.url(), self.origin.clone(), self.middleware.clock.now())
                .with_scopes(&settings.scopes)
                .with_min_validity(settings.min_validity);
        if let Some(audience) = &settings.audience {
            question = question.with_audience(audience);
        }
        if let Some(challenge) = challenge {
            question = question.with_challenge(challenge);
        }
        if let Some(rejected) = rejected {
            question = question.with_rejected(rejected);
        }
        let key = Key {
            source: settings.source.clone(),
            origin: self.origin.clone(),
            audience: settings.audience.clone(),
            scopes: settings.scopes.clone(),
        };
        self.middleware.cache.get(key, question).await
    }

    /// Puts the token where it belongs.
    fn attach(&self, request: &mut Request, credential: &Credential) {
        if let Some(token) = credential.token() {
            request.headers_mut().insert(AUTHORIZATION, self.settings.placement.header(token));
        }
    }

    async fn send(
        &self,
        request: Request,
        credential: &Credential,
        extensions: &mut Extensions,
        next: &Next<'_>,
    ) -> reqwest_middleware::Result<Answered> {
        let method = request.method().clone();
        let (headers, url) = (self.middleware.headers, request.url().clone());
        let now = self.middleware.clock.now();
        AuthTrace::of_request(extensions).begin(method.clone(), url, credential.clone(), headers, now);
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
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Challenge::from_headers(response.headers()),
            _ => None,
        };
        let answer = ServerAnswer::of(response.status(), response.headers(), challenge.as_ref());
        AuthTrace::of_request(extensions).answer(answer);
        Ok(Answered { response, challenge, method })
    }

    /// Looks at the answer, and sends the request once more where that may help.
    async fn answer(
        &self,
        first: Answered,
        sent: Credential,
        copy: Option<Request>,
        extensions: &mut Extensions,
        next: &Next<'_>,
    ) -> reqwest_middleware::Result<(Response, Outcome)> {
        let spare = if copy.is_some() { Spare::AtHand } else { Spare::Gone };
        let (Step::AskForAnother, Some(mut copy)) =
            (decide::decide(&self.facts(&first, &sent, AttemptNumber::First, spare)), copy)
        else {
            let outcome = self.outcome(&first, &sent, AttemptNumber::First);
            return Ok((first.response, outcome));
        };
        let token = match self.another(&first, &sent, &mut copy).await {
            Ok(token) => Credential::Token(token),
            Err(why) => return Ok((first.response, Outcome::Refused(why))),
        };
        drain(first.response).await;
        self.attach(&mut copy, &token);
        let second = self.send(copy, &token, extensions, next).await?;
        let outcome = self.outcome(&second, &token, AttemptNumber::Replay);
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
        spare: Spare,
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
            spare,
            answered_by: if elsewhere { AnsweredBy::RedirectTarget } else { AnsweredBy::Asked },
            forbidden: self.settings.forbidden,
        }
    }

    /// The outcome of an answer after which nothing is sent any more.
    fn outcome(&self, answered: &Answered, sent: &Credential, attempt: AttemptNumber) -> Outcome {
        match decide::decide(&self.facts(answered, sent, attempt, Spare::Gone)) {
            Step::Return(outcome) => outcome,
            Step::AskForAnother => Outcome::Refused(Refusal::BodyGone),
        }
    }

    /// Whom to ask again when the client beneath has followed a redirect to another origin.
    fn redirected(&self, response: &Response) -> Result<Option<Hop<'_>>, Refusal> {
        let Ok(origin) = Origin::try_from(response.url()) else { return Ok(None) };
        if origin == self.origin {
            return Ok(None);
        }
        if in_url::has_credential(response.url()) {
            return Err(Refusal::NotSent(NotAttached::InUrl));
        }
        let downgrade = self.origin.is_https() && !origin.is_https();
        let permission = match self.settings.redirect_trust.permission(&origin) {
            _ if downgrade => Permission::Denied,
            permission => permission,
        };
        if permission == Permission::Denied {
            return Err(Refusal::NotSent(NotAttached::Stranger));
        }
        let settings = Cow::Borrowed(&*self.settings);
        Ok(Some(Hop { middleware: self.middleware, settings, origin, permission }))
    }

    fn finish(&self, mut response: Response, outcome: Outcome, extensions: &mut Extensions) -> Response {
        if let Outcome::Refused(why) = &outcome {
            tracing::debug!(origin = %self.origin, status = response.status().as_u16(), "refused: {why}");
        }
        AuthTrace::of_request(extensions).end(outcome);
        if extensions.get::<Chain>().is_none()
            && let Some(trace) = extensions.remove::<AuthTrace>()
        {
            response.extensions_mut().insert(trace);
        }
        response
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

/// A token that was given needs no cache.
fn fixed(token: &AccessToken, now: SystemTime) -> Answer {
    if token.is_expired_at(now) {
        Answer::Failed(SourceError::expired(token, now))
    } else {
        Answer::Token(token.clone())
    }
}

fn without_userinfo(response: &Response) -> url::Url {
    let mut url = response.url().clone();
    // These fail only for URLs without a host, and then there is no user in them.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url
}

/// An error and its causes, for a log.
fn chain_of(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
