//! One attempt at one origin: which token the sources have for it.

use std::time::SystemTime;

use reqwest::{Request, Response};

use super::attach::Attach;
use super::cache::{CacheKeyRef, SourceAnswer, TokenCache};
use super::challenged_origins::ChallengedOrigins;
use super::options::AuthSettings;
use super::outcome::{Credential, NotAttached, ReplayRefusal};
use super::policy::{self, ChallengeState, SendFacts, TokenPermission};
use super::request_template::RequestTemplate;
use super::trace::HeaderCase;
use super::url_credentials;
use crate::challenge::Challenge;
use crate::error::{Error, Kind};
use crate::netrc::{NamedBy, Netrc};
use crate::source::{SourceError, TokenRequest};
use http::HeaderValue;
use http::header::AUTHORIZATION;
use scitoken_types::sys::SharedClock;
use scitoken_types::{AccessToken, ErrorChain, Origin};

/// What all requests of a middleware share.
#[derive(Debug)]
pub(super) struct AuthState {
    pub(super) settings: AuthSettings,
    pub(super) cache: TokenCache,
    pub(super) clock: SharedClock,
    pub(super) header_case: HeaderCase,
    pub(super) challenged_origins: ChallengedOrigins,
    pub(super) netrc: Option<Netrc>,
}

/// One attempt at one origin.
#[derive(Debug)]
pub(super) struct AuthAttempt<'a> {
    pub(super) state: &'a AuthState,
    pub(super) settings: &'a AuthSettings,
    pub(super) origin: Origin,
    pub(super) permission: TokenPermission,
    /// Whether the user or a redirect named the origin, for passwords.
    pub(super) named_by: NamedBy,
}

/// What a request is sent with, and when that was decided.
#[derive(Clone, Debug)]
pub(super) struct AttachedCredential {
    pub(super) credential: Credential,
    /// An `Authorization` of `.netrc`, where there is no token.
    pub(super) password: Option<HeaderValue>,
    pub(super) at: SystemTime,
}

impl AuthAttempt<'_> {
    /// Returns why the request is sent without a token, whatever the sources have.
    pub(super) fn skip_reason(&self, request: &Request, template: &RequestTemplate) -> Option<NotAttached> {
        let challenge_state = if !template.is_replayable() {
            ChallengeState::CannotWait
        } else if self.settings.attach == Attach::OnChallenge
            && self.state.challenged_origins.contains(&self.origin)
        {
            ChallengeState::Seen
        } else {
            ChallengeState::CanWait
        };
        policy::skip_reason(SendFacts {
            attach: self.settings.attach,
            has_authorization: request.headers().contains_key(AUTHORIZATION),
            has_url_credential: url_credentials::has_credential(request.url()),
            permission: self.permission,
            challenge_state,
        })
    }

    /// Decides what the answer of the sources means for a request that has not been sent.
    ///
    /// # Errors
    /// A required token is missing, or a token would travel without TLS.
    pub(super) fn evaluate(&self, answer: SourceAnswer) -> Result<Credential, Error> {
        let origin = &self.origin;
        let why = match answer {
            SourceAnswer::Token(token) if !self.permission.allows(&token, origin) => {
                NotAttached::UntrustedOrigin
            }
            SourceAnswer::Token(_) if !self.settings.allows_transport(origin) => {
                return Err(Kind::PlainHttp(origin.clone()).into());
            }
            SourceAnswer::Token(token) => return Ok(Credential::Token(token)),
            SourceAnswer::Nothing(reasons) => NotAttached::NoToken(reasons),
            SourceAnswer::Failed(error) => NotAttached::SourceFailed(error),
        };
        // A redirect target may need no token: data servers often do not.
        if self.settings.attach == Attach::Required && self.permission == TokenPermission::Any {
            return self.missing(why);
        }
        if let NotAttached::SourceFailed(error) = &why {
            tracing::warn!(%origin, "{}; sending the request without a token", ErrorChain::new(error));
        }
        Ok(Credential::None(why))
    }

    fn missing(&self, why: NotAttached) -> Result<Credential, Error> {
        let origin = self.origin.clone();
        match why {
            NotAttached::NoToken(reasons) => Err(Kind::NoToken { origin, reasons: reasons.to_vec() }.into()),
            NotAttached::SourceFailed(source) => Err(Kind::Source { origin, source }.into()),
            other => Ok(Credential::None(other)),
        }
    }

    /// Returns the password of `.netrc` for a request that is sent without a token.
    ///
    /// A token always wins: while the request waits for a challenge, the sources are asked whether they have one.
    pub(super) async fn password(&self, request: &Request, why: &NotAttached) -> Option<HeaderValue> {
        let netrc = self.state.netrc.as_ref()?;
        if matches!(why, NotAttached::CallersOwn | NotAttached::InUrl)
            || request.headers().contains_key(AUTHORIZATION)
            || url_credentials::has_credential(request.url())
        {
            return None;
        }
        let password = netrc.header(&self.origin, self.named_by)?;
        if *why == NotAttached::WaitsForChallenge {
            let answer = match self.cached(request, self.state.clock.now()) {
                Some(answer) => answer,
                None => self.ask(request, None, None).await,
            };
            if matches!(self.evaluate(answer), Ok(Credential::Token(_))) {
                return None;
            }
        }
        tracing::debug!(origin = %self.origin, "attaching a password of `.netrc`");
        Some(password)
    }

    /// Returns the answer for a request that needs no question to a source.
    pub(super) fn cached(&self, request: &Request, now: SystemTime) -> Option<SourceAnswer> {
        if let Some(token) = self.settings.source.fixed() {
            return Some(fixed(token, now));
        }
        self.state.cache.cached(&self.cache_key(), &self.token_request(request, now))
    }

    /// Asks the sources for a token; after a refusal for another one than the rejected.
    pub(super) async fn ask(
        &self,
        request: &Request,
        challenge: Option<&Challenge>,
        rejected: Option<&AccessToken>,
    ) -> SourceAnswer {
        let now = self.state.clock.now();
        if let Some(token) = self.settings.source.fixed() {
            return fixed(token, now);
        }
        let mut question = self.token_request(request, now);
        if let Some(challenge) = challenge {
            question = question.with_challenge(challenge);
        }
        if let Some(rejected) = rejected {
            question = question.with_rejected(rejected);
        }
        self.state.cache.get(self.cache_key().to_key(), question).await
    }

    /// Returns the attempt at the origin that challenged, where the HTTP client followed a redirect by itself.
    pub(super) fn redirected(&self, response: &Response) -> Result<Option<AuthAttempt<'_>>, ReplayRefusal> {
        let Ok(origin) = Origin::try_from(response.url()) else { return Ok(None) };
        if origin == self.origin {
            return Ok(None);
        }
        if url_credentials::has_credential(response.url()) {
            return Err(ReplayRefusal::SentWithoutToken(NotAttached::InUrl));
        }
        let permission = self.settings.redirect_trust.permission_below(&self.origin, &origin);
        if permission == TokenPermission::None {
            return Err(ReplayRefusal::SentWithoutToken(NotAttached::UntrustedOrigin));
        }
        let (state, settings) = (self.state, self.settings);
        Ok(Some(AuthAttempt { state, settings, origin, permission, named_by: NamedBy::Redirect }))
    }

    fn token_request<'q>(&'q self, request: &'q Request, now: SystemTime) -> TokenRequest<'q> {
        let question = TokenRequest::for_origin(request.url(), &self.origin, now)
            .with_method(self.settings.method.as_ref().unwrap_or(request.method()))
            .with_scopes(self.settings.scopes.as_slice())
            .with_min_validity(self.settings.min_validity);
        match &self.settings.audience {
            Some(audience) => question.with_audience(audience),
            None => question,
        }
    }

    fn cache_key(&self) -> CacheKeyRef<'_> {
        CacheKeyRef {
            source: &self.settings.source,
            origin: &self.origin,
            audience: self.settings.audience.as_ref(),
            scopes: self.settings.scopes.as_slice(),
        }
    }
}

/// A token that was given needs no cache.
fn fixed(token: &AccessToken, now: SystemTime) -> SourceAnswer {
    if token.is_expired_at(now) {
        SourceAnswer::Failed(SourceError::expired(token, now))
    } else {
        SourceAnswer::Token(token.clone())
    }
}
