//! One request on its way to one origin: may a token go there, and which?

use std::borrow::Cow;
use std::time::SystemTime;

use http::header::AUTHORIZATION;
use reqwest::{Request, Response};

use super::cache::{Answer, Asked};
use super::chain::Permission;
use super::challenge::Challenge;
use super::in_url;
use super::middleware::Inner;
use super::options::{Attach, Settings};
use super::trace::{Credential, NotAttached, Refusal};
use crate::error::{Error, Kind, with_causes};
use crate::origin::Origin;
use crate::source::{SourceError, TokenRequest};
use crate::token::AccessToken;

/// One request on its way to one origin.
pub(super) struct Hop<'a> {
    pub(super) middleware: &'a Inner,
    pub(super) settings: Cow<'a, Settings>,
    pub(super) origin: Origin,
    pub(super) permission: Permission,
}

impl Hop<'_> {
    /// Whether a copy of the request can be of any use.
    pub(super) fn may_replay(&self, request: &Request) -> bool {
        self.settings.attach != Attach::Never && !request.headers().contains_key(AUTHORIZATION)
    }

    /// What to send the request with.
    pub(super) async fn credential(&self, request: &Request, replayable: bool) -> Result<Credential, Error> {
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
            // A server that a redirect named may do without: data servers often do.
            Credential::None(why)
                if self.settings.attach == Attach::Required && self.permission == Permission::Granted =>
            {
                self.required(why)
            }
            Credential::None(NotAttached::SourceFailed(error)) => {
                tracing::warn!(origin = %self.origin, "{}; sending the request without a token", with_causes(&error));
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

    /// A required token is not there.
    fn required(&self, why: NotAttached) -> Result<Credential, Error> {
        let origin = self.origin.clone();
        match why {
            NotAttached::NoToken(reasons) => Err(Kind::NoToken { origin, reasons: reasons.to_vec() }.into()),
            NotAttached::SourceFailed(source) => Err(Kind::Source { origin, source }.into()),
            other => Ok(Credential::None(other)),
        }
    }

    pub(super) async fn ask(
        &self,
        request: &Request,
        challenge: Option<&Challenge>,
        rejected: Option<&AccessToken>,
    ) -> Answer {
        let settings = &*self.settings;
        if let Some(token) = settings.source.fixed() {
            return fixed(token, self.middleware.clock.now());
        }
        let mut question = TokenRequest::for_origin(request.url(), &self.origin, self.middleware.clock.now())
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
        let asked = Asked {
            source: &settings.source,
            origin: &self.origin,
            audience: settings.audience.as_ref(),
            scopes: &settings.scopes,
        };
        let cache = &self.middleware.cache;
        match cache.at_hand(&asked, &question) {
            Some(answer) => answer,
            // Rare and large: kept out of the future that every request is.
            None => Box::pin(cache.get(asked.to_key(), question)).await,
        }
    }

    /// Puts the token where it belongs.
    pub(super) fn attach(&self, request: &mut Request, credential: &Credential) {
        if let Some(token) = credential.token() {
            request.headers_mut().insert(AUTHORIZATION, self.settings.placement.header(token));
        }
    }

    /// Whom to ask again when the client beneath has followed a redirect to another origin.
    pub(super) fn redirected(&self, response: &Response) -> Result<Option<Hop<'_>>, Refusal> {
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
}

/// A token that was given needs no cache.
fn fixed(token: &AccessToken, now: SystemTime) -> Answer {
    if token.is_expired_at(now) {
        Answer::Failed(SourceError::expired(token, now))
    } else {
        Answer::Token(token.clone())
    }
}
