//! One request on its way to one origin: may a token go there, and which?

use std::time::SystemTime;

use http::Extensions;
use http::header::AUTHORIZATION;
use reqwest::{Request, Response};

use super::cache::{Answer, Asked};
use super::chain::Permission;
use super::challenge::Challenge;
use super::in_url;
use super::middleware::Inner;
use super::options::{Attach, AuthOptions, Settings};
use super::outcome::{Credential, NotAttached, Refusal};
use super::spare::Spare;
use crate::error::{Error, Kind, with_causes};
use crate::origin::Origin;
use crate::source::{SourceError, TokenRequest};
use crate::token::AccessToken;

/// One request on its way to one origin.
pub(super) struct Hop<'a> {
    pub(super) middleware: &'a Inner,
    pub(super) settings: &'a Settings,
    pub(super) origin: Origin,
    pub(super) permission: Permission,
}

/// With what a request is sent, and when.
pub(super) struct Departure {
    pub(super) credential: Credential,
    pub(super) at: SystemTime,
}

impl Hop<'_> {
    /// A copy of the request; of one that is never sent again only what tells about it.
    pub(super) fn spare(&self, request: &Request, extensions: &Extensions) -> Spare {
        if self.settings.attach == Attach::Never || request.headers().contains_key(AUTHORIZATION) {
            return Spare::of_line(request);
        }
        Spare::of(request, extensions.get::<AuthOptions>().and_then(|options| options.body.as_ref()))
    }

    /// What to send the request with.
    pub(super) async fn depart(&self, request: &Request, spare: &Spare) -> Result<Departure, Error> {
        let now = self.middleware.clock.now();
        if let Some(why) = self.hindrance(request, spare) {
            return Ok(Departure { credential: Credential::None(why), at: now });
        }
        let (answer, at) = match self.at_hand(request, now) {
            Some(answer) => (answer, now),
            // Rare and large: kept out of the future that every request is.
            None => (Box::pin(self.ask(request, None, None)).await, self.middleware.clock.now()),
        };
        Ok(Departure { credential: self.judge(answer)?, at })
    }

    /// What the answer of the sources means for a request that has not been sent.
    fn judge(&self, answer: Answer) -> Result<Credential, Error> {
        let why = match answer {
            Answer::Token(token) if !self.permission.holds_for(&token, &self.origin) => NotAttached::Stranger,
            Answer::Token(_) if !self.settings.transport_is_fine(&self.origin) => {
                return Err(Kind::PlainHttp(self.origin.clone()).into());
            }
            Answer::Token(token) => return Ok(Credential::Token(token)),
            Answer::Nothing(reasons) => NotAttached::NoToken(reasons),
            Answer::Failed(error) => NotAttached::SourceFailed(error),
        };
        // A server that a redirect named may do without: data servers often do.
        if self.settings.attach == Attach::Required && self.permission == Permission::Granted {
            return self.required(why);
        }
        if let NotAttached::SourceFailed(error) = &why {
            tracing::warn!(origin = %self.origin, "{}; sending the request without a token", with_causes(error));
        }
        Ok(Credential::None(why))
    }

    /// Why no token goes with the request, whatever the sources have.
    fn hindrance(&self, request: &Request, spare: &Spare) -> Option<NotAttached> {
        if self.settings.attach == Attach::Never {
            Some(NotAttached::Never)
        } else if request.headers().contains_key(AUTHORIZATION) {
            Some(NotAttached::CallersOwn)
        } else if in_url::has_credential(request.url()) {
            Some(NotAttached::InUrl)
        } else if self.permission == Permission::Denied {
            Some(NotAttached::Stranger)
        } else if self.settings.attach == Attach::OnChallenge
            && spare.is_whole()
            && !self.middleware.challengers.contains(&self.origin)
        {
            Some(NotAttached::WaitsForChallenge)
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

    /// The answer that can be had without asking anybody.
    fn at_hand(&self, request: &Request, now: SystemTime) -> Option<Answer> {
        if let Some(token) = self.settings.source.fixed() {
            return Some(fixed(token, now));
        }
        self.middleware.cache.at_hand(&self.asked(), &self.question(request, now))
    }

    /// Asks the sources.
    pub(super) async fn ask(
        &self,
        request: &Request,
        challenge: Option<&Challenge>,
        rejected: Option<&AccessToken>,
    ) -> Answer {
        let now = self.middleware.clock.now();
        if let Some(token) = self.settings.source.fixed() {
            return fixed(token, now);
        }
        let mut question = self.question(request, now);
        if let Some(challenge) = challenge {
            question = question.with_challenge(challenge);
        }
        if let Some(rejected) = rejected {
            question = question.with_rejected(rejected);
        }
        self.middleware.cache.get(self.asked().to_key(), question).await
    }

    fn question<'q>(&'q self, request: &'q Request, now: SystemTime) -> TokenRequest<'q> {
        let question = TokenRequest::for_origin(request.url(), &self.origin, now)
            .with_scopes(&self.settings.scopes)
            .with_min_validity(self.settings.min_validity);
        match &self.settings.audience {
            Some(audience) => question.with_audience(audience),
            None => question,
        }
    }

    fn asked(&self) -> Asked<'_> {
        Asked {
            source: &self.settings.source,
            origin: &self.origin,
            audience: self.settings.audience.as_ref(),
            scopes: &self.settings.scopes,
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
        Ok(Some(Hop { middleware: self.middleware, settings: self.settings, origin, permission }))
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
