//! The middleware: a request is authorized, sent, and once more after a refusal that another token may answer.

use std::sync::Arc;

use async_trait::async_trait;
use http::header::AUTHORIZATION;
use http::{Extensions, StatusCode};
use reqwest::{Request, Response};
use reqwest_middleware::{Middleware, Next};
use url::Url;

use super::attach::Attach;
use super::attempt::{AttachedCredential, AuthAttempt, AuthState};
use super::decide::{self, AnsweredBy, AttemptNumber, BodyState, DecisionFacts, MethodKind, NextStep};
use super::options::AuthOptions;
use super::outcome::{AuthOutcome, Credential, NotAttached, ReplayRefusal};
use super::policy::TokenPermission;
use super::redirect::RedirectContext;
use super::request_template::{self, RequestSummary, RequestTemplate};
use super::trace::{Attempt, AuthTrace, ServerAnswer};
use super::transport::{drain_body, upload_error};
use super::url_credentials::strip_url_credentials;
use crate::challenge::Challenge;
use crate::error::{self, Error};
use crate::netrc::NamedBy;
use scitoken_types::{AccessToken, Origin};

/// Finds a token for each request, attaches it, and answers a `401` with a Bearer challenge once with another one.
///
/// It stands directly above the HTTP client. On a client that does not follow redirects itself (as
/// [`Session`](crate::Session) builds it, or any with `redirect::Policy::none()`) put a
/// [`RedirectMiddleware`](super::RedirectMiddleware) before it, so that each step of a redirect gets a decision of its
/// own. It also works on a client that follows redirects itself: reqwest removes the header when a redirect leads to
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
pub struct AuthMiddleware(pub(super) Arc<AuthState>);

#[async_trait]
impl Middleware for AuthMiddleware {
    async fn handle(
        &self,
        mut request: Request,
        extensions: &mut Extensions,
        next: Next<'_>,
    ) -> reqwest_middleware::Result<Response> {
        let redirects = extensions.get::<RedirectContext>();
        let known = redirects.and_then(|redirects| redirects.origin_of(request.url()));
        let Some(origin) = known.or_else(|| Origin::try_from(request.url()).ok()) else {
            return next.run(request, extensions).await.map_err(error::masked);
        };
        let overridden = self.0.settings.overridden_by(extensions);
        let settings = overridden.as_deref().unwrap_or(&self.0.settings);
        settings.scopes.check()?;
        let permission = redirects.map_or(TokenPermission::Any, |redirects| {
            redirects.permission(&origin, &settings.redirect_trust)
        });
        let named_by = match redirects {
            Some(redirects) if redirects.is_between_names_of_this_machine(&origin) => NamedBy::LocalRedirect,
            Some(redirects) if !redirects.is_at_start(&origin) => NamedBy::Redirect,
            _ if extensions.get::<AuthOptions>().is_some_and(|options| options.is_named_by_server) => {
                NamedBy::Server
            }
            _ => NamedBy::User,
        };
        let (shared, own);
        let template: &RequestTemplate = if let Some(redirects) = redirects {
            shared = Arc::clone(redirects.template());
            &shared
        } else {
            own = template(&request, settings.attach, extensions);
            &own
        };
        let attempt = AuthAttempt { state: &self.0, settings, origin, permission, named_by };

        let first = attempt.authorize(&request, template).await?;
        attempt.attach(&mut request, &first);
        let sent = SentRequest::new(&request, template.summary().clone(), &first);
        let answer = next.clone().run(request, extensions).await;
        let answer = attempt.received(answer, sent, extensions)?;
        let (answer, outcome) = if answer.is_refusal() {
            // Rare and large: kept out of the future of every request.
            Box::pin(attempt.answer_refusal(answer, &first, template, extensions, &next)).await?
        } else {
            (answer, AuthOutcome::Answered)
        };
        Ok(attempt.record(answer, outcome, extensions))
    }
}

impl AuthAttempt<'_> {
    /// Decides which token the request is sent with, or why without one.
    async fn authorize(
        &self,
        request: &Request,
        template: &RequestTemplate,
    ) -> Result<AttachedCredential, Error> {
        let now = self.state.clock.now();
        let (credential, at) = if let Some(why) = self.skip_reason(request, template) {
            (Credential::None(why), now)
        } else if let Some(answer) = self.cached(request, now) {
            (self.evaluate(answer)?, now)
        } else {
            // Rare and large: kept out of the future of every request.
            let answer = Box::pin(self.ask(request, None, None)).await;
            (self.evaluate(answer)?, self.state.clock.now())
        };
        let password = match &credential {
            Credential::None(why) if self.state.netrc.is_some() => {
                Box::pin(self.password(request, why)).await
            }
            _ => None,
        };
        Ok(AttachedCredential { credential, password, at })
    }

    /// Puts the token or the password into the request.
    fn attach(&self, request: &mut Request, attached: &AttachedCredential) {
        let value = match (attached.credential.token(), &attached.password) {
            (Some(token), _) => self.settings.placement.header(token),
            (None, Some(password)) => password.clone(),
            (None, None) => return,
        };
        request.headers_mut().insert(AUTHORIZATION, value);
    }

    /// Appends a request to the trace in the extensions, and reads its answer.
    fn received(
        &self,
        result: reqwest_middleware::Result<Response>,
        sent: SentRequest,
        extensions: &mut Extensions,
    ) -> reqwest_middleware::Result<Answer> {
        let trace = extensions.get_or_insert_default::<AuthTrace>();
        trace.append(sent.attempt, self.state.header_case);
        match result {
            Ok(response) => {
                let answer = Answer::read(response, trace);
                trace.set_answer(ServerAnswer::of(&answer.response, answer.challenge.as_ref(), trace));
                Ok(answer)
            }
            Err(error) => Err(upload_error(error, sent.has_body, trace)),
        }
    }

    /// Decides about a refusal, and sends the request once more where another token may help: twice if the first request had no
    /// token.
    async fn answer_refusal(
        &self,
        refusal: Answer,
        first: &AttachedCredential,
        template: &RequestTemplate,
        extensions: &mut Extensions,
        next: &Next<'_>,
    ) -> reqwest_middleware::Result<(Answer, AuthOutcome)> {
        let refused = |why| AuthOutcome::Refused(why);
        let body = if template.is_replayable() { BodyState::CanBeSent } else { BodyState::Consumed };
        let (mut answer, mut sent, mut number) = (refusal, first.credential.clone(), AttemptNumber::First);
        loop {
            let facts = self.facts(&answer, template, &sent, number, body);
            if let NextStep::Return(outcome) = decide::decide(&facts) {
                return Ok((answer, outcome));
            }
            let Some(mut request) = template.to_request() else {
                return Ok((answer, refused(ReplayRefusal::BodyConsumed)));
            };
            let token = match self.reauthorize(&answer, &sent, &mut request).await {
                Ok(token) => token,
                Err(why) => return Ok((answer, refused(why))),
            };
            number = number.next(&sent);
            sent = Credential::Token(token);
            let replacement =
                AttachedCredential { credential: sent.clone(), password: None, at: self.state.clock.now() };
            drain_body(answer.response).await;
            self.attach(&mut request, &replacement);
            let summary = RequestSummary::of(&request);
            let again = SentRequest::new(&request, summary, &replacement);
            let result = next.clone().run(request, extensions).await;
            answer = self.received(result, again, extensions)?;
        }
    }

    /// Asks the sources for another token than the refused one, and aims the request at the origin that refused.
    async fn reauthorize(
        &self,
        refusal: &Answer,
        sent: &Credential,
        request: &mut Request,
    ) -> Result<AccessToken, ReplayRefusal> {
        let redirected = self.redirected(&refusal.response)?;
        if redirected.is_some() {
            *request.url_mut() = without_userinfo(refusal.response.url());
            request_template::strip_origin_headers(request);
        }
        let attempt = redirected.as_ref().unwrap_or(self);
        if refusal.challenge.is_some() && refusal.response.status() == StatusCode::UNAUTHORIZED {
            self.state.challenged_origins.remember(&attempt.origin);
        }
        // The HTTP client removes the token when it follows a redirect to another origin.
        let stripped = Credential::None(NotAttached::WaitsForChallenge);
        let sent = if redirected.is_some() { &stripped } else { sent };
        let answer = attempt.ask(request, refusal.challenge.as_ref(), sent.token()).await;
        let token = decide::accept_replacement(sent, answer)?;
        if !attempt.permission.allows(&token, &attempt.origin) {
            return Err(ReplayRefusal::SentWithoutToken(NotAttached::UntrustedOrigin));
        }
        if !attempt.settings.allows_transport(&attempt.origin) {
            return Err(ReplayRefusal::SentWithoutToken(NotAttached::PlainHttp));
        }
        Ok(token)
    }

    /// Records the outcome, and hands the trace to the caller with the answer.
    fn record(&self, answer: Answer, outcome: AuthOutcome, extensions: &mut Extensions) -> Response {
        let mut response = answer.response;
        if let AuthOutcome::Refused(why) = &outcome {
            tracing::debug!(origin = %self.origin, status = response.status().as_u16(), "refused: {why}");
        }
        let trace = extensions.get_or_insert_default::<AuthTrace>();
        trace.end(outcome);
        let trace = trace.clone();
        let sent_token = trace.attempts().last().is_some_and(|attempt| attempt.token().is_some());
        if self.permission != TokenPermission::Any
            && !sent_token
            && let Some(redirects) = extensions.get_mut::<RedirectContext>()
        {
            redirects.mark_untrusted();
        }
        let masked = trace.masked_url(response.url());
        response.extensions_mut().insert(trace);
        strip_url_credentials(response, masked.as_ref())
    }

    fn facts<'f>(
        &self,
        answer: &Answer,
        template: &RequestTemplate,
        sent: &'f Credential,
        attempt: AttemptNumber,
        body: BodyState,
    ) -> DecisionFacts<'f> {
        let response = &answer.response;
        let elsewhere = Origin::try_from(response.url()).is_ok_and(|origin| origin != self.origin);
        DecisionFacts {
            status: response.status(),
            challenged: answer.challenge.is_some(),
            sent,
            attempt,
            method: MethodKind::of(template.method()),
            body,
            answered_by: if elsewhere { AnsweredBy::RedirectTarget } else { AnsweredBy::RequestedOrigin },
            forbidden: self.settings.forbidden,
        }
    }
}

/// A request that is sent, for the trace.
struct SentRequest {
    attempt: Attempt,
    has_body: bool,
}

impl SentRequest {
    /// Describes a request that is about to be sent.
    fn new(request: &Request, summary: RequestSummary, sent: &AttachedCredential) -> Self {
        let credential = sent.credential.clone();
        let other_authorization = match credential {
            Credential::Token(_) => None,
            Credential::None(_) => request.headers().get(AUTHORIZATION).cloned(),
        };
        let attempt = Attempt::new(summary, credential, other_authorization, sent.at);
        Self { attempt, has_body: request.body().is_some() }
    }
}

/// A server's answer, and the challenge in it.
struct Answer {
    response: Response,
    challenge: Option<Challenge>,
}

impl Answer {
    /// Reads the challenge of a refusal, without the credentials of the exchange, which some servers repeat.
    fn read(response: Response, trace: &AuthTrace) -> Self {
        let mut answer = Self { response, challenge: None };
        if answer.is_refusal() {
            answer.challenge = Challenge::from_headers(answer.response.headers())
                .map(|challenge| challenge.redacted(&trace.redactor()));
        }
        answer
    }

    fn is_refusal(&self) -> bool {
        matches!(self.response.status(), StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN)
    }
}

/// Copies the request; of one that is never sent again only what names it.
fn template(request: &Request, attach: Attach, extensions: &Extensions) -> RequestTemplate {
    if attach == Attach::Never || request.headers().contains_key(AUTHORIZATION) {
        return RequestTemplate::summary_only(request);
    }
    RequestTemplate::of(request, extensions.get::<AuthOptions>().and_then(|options| options.body.as_ref()))
}

fn without_userinfo(url: &Url) -> Url {
    let mut url = url.clone();
    // These fail only for URLs without a host, which have no user info.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url
}
