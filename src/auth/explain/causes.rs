//! The plausible causes of a refusal, and what to do about each.

use std::time::SystemTime;

use http::{Method, StatusCode};

use super::super::outcome::{AuthOutcome, NotAttached, ReplayRefusal};
use super::super::refusal_answer::RefusalAnswer;
use super::super::trace::{Attempt, AuthTrace, HeaderCase};
use super::check::{TokenCheck, Verdict};
use crate::challenge::{Challenge, ChallengeError};
use crate::hint::Hint;
use crate::source::SourceError;
use scitoken_types::{AccessToken, HumanDuration, Origin, redact, sys};

/// The plausible causes of a refusal besides failed checks, and what to do, the most promising first.
#[derive(Clone, Debug, Default)]
pub(super) struct Causes {
    pub(super) texts: Vec<String>,
    pub(super) hints: Vec<Hint>,
}

/// A refused attempt, and all that is known about it.
#[derive(Clone, Copy)]
pub(super) struct Evidence<'a> {
    pub(super) trace: &'a AuthTrace,
    pub(super) last: &'a Attempt,
    pub(super) status: StatusCode,
    pub(super) refusal: &'a RefusalAnswer,
    pub(super) checks: &'a [TokenCheck],
}

impl Causes {
    pub(super) fn find(evidence: Evidence<'_>) -> Self {
        let mut causes = Self::default();
        let Evidence { trace, last, status, refusal, .. } = evidence;
        let has_password = last.not_attached() == Some(&NotAttached::NetrcPassword);
        if status == StatusCode::UNAUTHORIZED && !has_password && !refusal.asks_for_tokens() {
            let is_token_wrong = evidence.checks.iter().any(|check| check.verdict == Verdict::Fails);
            causes.other_scheme(&refusal.schemes, !is_token_wrong);
        }
        match trace.outcome() {
            AuthOutcome::Refused(ReplayRefusal::SentWithoutToken(why))
                if last.not_attached() == Some(&NotAttached::NetrcPassword) =>
            {
                causes.without_token(&NotAttached::NetrcPassword, last);
                causes.add(format!("no token could take its place: {why}"));
                causes.add_refusal(last, status, refusal);
                return causes;
            }
            // What was found out after the refusal says more than why the first request had no token.
            AuthOutcome::Refused(ReplayRefusal::SentWithoutToken(why))
                if last.not_attached() != Some(why) =>
            {
                causes.without_token(why, last);
                causes.add_refusal(last, status, refusal);
                return causes;
            }
            AuthOutcome::Refused(ReplayRefusal::NoOtherToken(Some(why))) => {
                causes.add(format!("the token was refused, and there is no other: {why}"));
                causes.hints.extend(why.source_error().map(of_source));
            }
            _ => {}
        }
        match (trace.attempt_with_token(), last.not_attached()) {
            (Some((token, _)), _) => causes.with_token(token, evidence),
            (None, Some(why)) => causes.without_token(why, last),
            (None, None) => {}
        }
        causes.add_refusal(last, status, refusal);
        let old_xrootd = refusal.server.as_deref().is_some_and(|server| server.starts_with("XrootD/v5"));
        if old_xrootd && status == StatusCode::FORBIDDEN && trace.header_case() == HeaderCase::Unknown {
            causes.add(
                "XRootD before 5.6 reads `Authorization` only in title case, and this client may write \
                 `authorization`",
            );
            causes.hints.push(Hint::WriteTitleCaseHeaders);
        }
        match trace.outcome() {
            AuthOutcome::Refused(ReplayRefusal::BodyConsumed) => {
                causes
                    .add("the body was a stream, so the request could not be sent again with another token");
                causes.hints.push(Hint::SendReplayableBody);
            }
            AuthOutcome::Refused(ReplayRefusal::FollowedRedirect) => {
                causes.add("the HTTP client followed a redirect by itself, below the middleware");
                causes.hints.push(Hint::FollowRedirectsAbove);
            }
            _ => {}
        }
        causes
    }

    /// Says that the server asks for something else. It may accept tokens all the same: dCache does not announce them.
    fn other_scheme(&mut self, schemes: &[String], is_likely: bool) {
        self.add(format!("the server asks for `{}`, not for a bearer token", schemes.join("`, `")));
        let takes_password = schemes.iter().any(|scheme| scheme.eq_ignore_ascii_case("basic"));
        if is_likely {
            self.hints.push(if takes_password { Hint::SendPassword } else { Hint::AskForBearerTokens });
        }
    }

    fn without_token(&mut self, why: &NotAttached, last: &Attempt) {
        self.add(match why {
            NotAttached::NetrcPassword => "the server refused the password of `.netrc`".to_owned(),
            _ => format!("the request was sent without a token: {why}"),
        });
        self.hints.push(match why {
            NotAttached::NoToken(_) => Hint::ShowSearch,
            NotAttached::SourceFailed(error) => of_source(error),
            NotAttached::UntrustedOrigin => match Origin::try_from(last.summary.url()) {
                Ok(origin) => Hint::TrustRedirectTarget { origin },
                Err(_) => Hint::UseHttps,
            },
            NotAttached::PlainHttp => Hint::UseHttps,
            NotAttached::NetrcPassword => Hint::CheckNetrcPassword,
            NotAttached::InUrl => Hint::CheckUrlCredential,
            NotAttached::Never | NotAttached::CallersOwn | NotAttached::WaitsForChallenge => Hint::AllowToken,
        });
    }

    fn with_token(&mut self, token: &AccessToken, evidence: Evidence<'_>) {
        let failed = evidence.checks.iter().find(|check| check.verdict == Verdict::Fails);
        let Some(claims) = token.claims() else {
            self.add("the token is opaque: only its issuer can tell whether it is valid and what it permits");
            self.hints.push(if token.expose_secret().starts_with("gt-") {
                Hint::AskGafaelfawr
            } else {
                Hint::AskIssuer
            });
            return;
        };
        let error = evidence.refusal.challenge.as_ref().and_then(Challenge::error);
        if error != Some(ChallengeError::InsufficientScope) {
            self.add(match claims.issuer() {
                Some(issuer) => {
                    format!(
                        "the server does not trust the issuer {}, or cannot fetch its keys",
                        redact::text(issuer)
                    )
                }
                None => "the token names no issuer that the server could trust".to_owned(),
            });
        }
        if failed.is_none() && matches!(*evidence.last.method(), Method::PUT | Method::POST) {
            self.add("the file already exists, and the token only permits creating new ones");
        }
        self.hints.push(match failed.map(|check| check.what) {
            Some("expiry") => Hint::RenewToken,
            Some("audience") => Hint::MatchAudience,
            Some("scope") => Hint::MatchScope,
            _ => Hint::InspectToken,
        });
    }

    /// Adds what the server's answer says.
    fn add_refusal(&mut self, last: &Attempt, status: StatusCode, refusal: &RefusalAnswer) {
        let challenge = refusal.challenge.as_ref();
        match challenge.and_then(Challenge::error) {
            Some(ChallengeError::InsufficientScope) => {
                let required = challenge.and_then(Challenge::scope);
                let required = required.map_or(String::new(), |scope| format!(" ({})", redact::text(scope)));
                self.add(format!("the server says that the token does not permit this{required}"));
            }
            Some(ChallengeError::InvalidToken) if last.token().is_some() => {
                self.add(
                    "the server says that the token is not valid: expired, revoked, or signed by an issuer that it \
                     does not trust",
                );
            }
            _ => {}
        }
        let server_time = refusal.date.as_deref().and_then(|date| httpdate::parse_http_date(date).ok());
        if let Some(difference) = server_time.and_then(|server| clock_difference(server, last.sent_at)) {
            self.add(format!("the clocks differ: this machine is {difference} the server"));
            self.hints.push(Hint::CorrectClock);
        }
        if last.token().is_some_and(|token| token.expose_secret().len() > 4096) {
            self.add("the token is longer than 4 kB, which some servers and proxies truncate or refuse");
        }
        let xrootd = refusal.server.as_deref().is_some_and(|s| s.to_ascii_lowercase().starts_with("xrootd"));
        if xrootd && status == StatusCode::FORBIDDEN {
            self.add("XRootD answers 403 to every problem with a token: its log (`scitokens.trace all`) has the reason");
        }
    }

    fn add(&mut self, cause: impl Into<String>) {
        self.texts.push(cause.into());
    }
}

/// Returns what to do about a source that failed.
fn of_source(error: &SourceError) -> Hint {
    error.hint().cloned().unwrap_or(Hint::CheckSource)
}

/// Returns how far this machine's clock is off, where it is more than 30 seconds.
fn clock_difference(server: SystemTime, here: SystemTime) -> Option<String> {
    const TOLERANCE: u64 = 30;
    let (behind, ahead) = (sys::elapsed(here, server).as_secs(), sys::elapsed(server, here).as_secs());
    match (behind > TOLERANCE, ahead > TOLERANCE) {
        (true, _) => Some(format!("{} behind", HumanDuration::from_secs(behind))),
        (_, true) => Some(format!("{} ahead of", HumanDuration::from_secs(ahead))),
        _ => None,
    }
}
