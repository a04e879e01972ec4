//! What to do with a server's answer: the one decision of the middleware, without any I/O.

use http::{Method, StatusCode};

use super::cache::SourceAnswer;
use super::options::ForbiddenReplay;
use super::outcome::{AuthOutcome, Credential, NotAttached, ReplayRefusal};
use scitoken_types::AccessToken;

/// The facts that the decision depends on.
#[derive(Clone, Debug)]
pub(super) struct DecisionFacts<'a> {
    pub(super) status: StatusCode,
    /// Whether the answer has a Bearer challenge.
    pub(super) challenged: bool,
    /// What the request was sent with.
    pub(super) sent: &'a Credential,
    pub(super) attempt: AttemptNumber,
    pub(super) method: MethodKind,
    pub(super) body: BodyState,
    pub(super) answered_by: AnsweredBy,
    pub(super) forbidden: ForbiddenReplay,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AttemptNumber {
    First,
    /// The first with a token, after a refusal of the request without one: no token has been refused before.
    FirstWithToken,
    Replay,
}

impl AttemptNumber {
    /// Returns the number of the attempt that follows one which was sent with this credential.
    pub(super) fn next(self, sent: &Credential) -> Self {
        match (self, sent) {
            (Self::First, Credential::None(_)) => Self::FirstWithToken,
            _ => Self::Replay,
        }
    }
}

/// Whether the method is safe (RFC 9110 section 9.2.1) and has no body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MethodKind {
    /// GET or HEAD.
    Read,
    Other,
}

/// Whether the request can be made a second time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BodyState {
    CanBeSent,
    /// Its body was a stream.
    Consumed,
}

/// Which server answered: the one that was asked, or one to which the HTTP client followed a redirect by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AnsweredBy {
    RequestedOrigin,
    RedirectTarget,
}

/// What the middleware does next.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum NextStep {
    /// Return the answer to the caller.
    Return(AuthOutcome),
    /// Ask the sources for another token, and send the request again if they have one.
    AskForReplacement,
}

impl MethodKind {
    pub(super) fn of(method: &Method) -> Self {
        if matches!(*method, Method::GET | Method::HEAD) { Self::Read } else { Self::Other }
    }
}

/// Decides about an answer.
pub(super) fn decide(facts: &DecisionFacts<'_>) -> NextStep {
    match refusal(facts) {
        Ok(()) => NextStep::AskForReplacement,
        Err(outcome) => NextStep::Return(outcome),
    }
}

fn refusal(facts: &DecisionFacts<'_>) -> Result<(), AuthOutcome> {
    let refused = |why| Err(AuthOutcome::Refused(why));
    match facts.status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {}
        _ if facts.attempt != AttemptNumber::First => return Err(AuthOutcome::AnsweredReplay),
        _ => return Err(AuthOutcome::Answered),
    }
    if facts.attempt == AttemptNumber::Replay {
        return refused(ReplayRefusal::ReplacementRefused);
    }
    if let Credential::None(why) = facts.sent {
        match why {
            NotAttached::CallersOwn
            | NotAttached::Never
            | NotAttached::InUrl
            | NotAttached::UntrustedOrigin
            | NotAttached::PlainHttp => return refused(ReplayRefusal::SentWithoutToken(why.clone())),
            NotAttached::WaitsForChallenge
            | NotAttached::NetrcPassword
            | NotAttached::NoToken(_)
            | NotAttached::SourceFailed(_) => {}
        }
    }
    match (facts.status, facts.forbidden, facts.method) {
        (StatusCode::UNAUTHORIZED, ..) if !facts.challenged => {
            return refused(ReplayRefusal::NoChallenge);
        }
        (StatusCode::UNAUTHORIZED, ..)
        | (_, ForbiddenReplay::Always, _)
        | (_, ForbiddenReplay::Reads, MethodKind::Read) => {}
        (_, ForbiddenReplay::Never, _) | (_, ForbiddenReplay::Reads, MethodKind::Other) => {
            return refused(ReplayRefusal::Forbidden);
        }
    }
    if facts.answered_by == AnsweredBy::RedirectTarget && facts.method == MethodKind::Other {
        return refused(ReplayRefusal::FollowedRedirect);
    }
    match facts.body {
        BodyState::Consumed => refused(ReplayRefusal::BodyConsumed),
        BodyState::CanBeSent => Ok(()),
    }
}

/// Decides whether the answer of the sources is worth a replay: the same token is never sent twice.
pub(super) fn accept_replacement(
    sent: &Credential,
    answer: SourceAnswer,
) -> Result<AccessToken, ReplayRefusal> {
    match answer {
        SourceAnswer::Token(token) if sent.token() == Some(&token) => Err(ReplayRefusal::NoOtherToken(None)),
        SourceAnswer::Token(token) => Ok(token),
        SourceAnswer::Nothing(reasons) => Err(none(sent, NotAttached::NoToken(reasons))),
        SourceAnswer::Failed(error) => Err(none(sent, NotAttached::SourceFailed(error))),
    }
}

fn none(sent: &Credential, why: NotAttached) -> ReplayRefusal {
    match sent.token() {
        Some(_) => ReplayRefusal::NoOtherToken(Some(why)),
        None => ReplayRefusal::SentWithoutToken(why),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::SourceError;

    fn token(text: &str) -> Credential {
        Credential::Token(AccessToken::new(text).unwrap())
    }

    fn bare(why: NotAttached) -> Credential {
        Credential::None(why)
    }

    fn waits() -> Credential {
        bare(NotAttached::WaitsForChallenge)
    }

    fn nothing() -> NotAttached {
        NotAttached::NoToken([].into())
    }

    fn failed() -> NotAttached {
        NotAttached::SourceFailed(SourceError::new("broken"))
    }

    /// A first GET with a token, answered 401 with a challenge, that can be sent again; each row changes something.
    fn row(sent: &Credential, change: impl FnOnce(&mut DecisionFacts<'_>)) -> NextStep {
        let mut facts = DecisionFacts {
            status: StatusCode::UNAUTHORIZED,
            challenged: true,
            sent,
            attempt: AttemptNumber::First,
            method: MethodKind::Read,
            body: BodyState::CanBeSent,
            answered_by: AnsweredBy::RequestedOrigin,
            forbidden: ForbiddenReplay::Reads,
        };
        change(&mut facts);
        decide(&facts)
    }

    fn refused(why: ReplayRefusal) -> NextStep {
        NextStep::Return(AuthOutcome::Refused(why))
    }

    #[test]
    fn only_a_401_with_a_bearer_challenge_and_a_403_by_policy_lead_to_a_question() {
        use ForbiddenReplay::{Always, Never, Reads};
        use MethodKind::{Other, Read};
        let ask = NextStep::AskForReplacement;
        let answered = NextStep::Return(AuthOutcome::Answered);
        let (yes, no) = (true, false);
        let rows: [(u16, bool, MethodKind, ForbiddenReplay, NextStep); 26] = [
            (401, yes, Read, Reads, ask.clone()),
            (401, yes, Other, Reads, ask.clone()),
            (401, yes, Read, Never, ask.clone()),
            (401, yes, Other, Never, ask.clone()),
            (401, yes, Other, Always, ask.clone()),
            (401, no, Read, Reads, refused(ReplayRefusal::NoChallenge)),
            (401, no, Other, Always, refused(ReplayRefusal::NoChallenge)),
            (401, no, Read, Never, refused(ReplayRefusal::NoChallenge)),
            (403, no, Read, Reads, ask.clone()),
            (403, yes, Read, Reads, ask.clone()),
            (403, no, Other, Reads, refused(ReplayRefusal::Forbidden)),
            (403, yes, Other, Reads, refused(ReplayRefusal::Forbidden)),
            (403, no, Other, Always, ask.clone()),
            (403, no, Read, Always, ask),
            (403, no, Read, Never, refused(ReplayRefusal::Forbidden)),
            (403, yes, Read, Never, refused(ReplayRefusal::Forbidden)),
            (200, yes, Read, Always, answered.clone()),
            (200, no, Read, Always, answered.clone()),
            (206, no, Read, Reads, answered.clone()),
            (302, yes, Read, Always, answered.clone()),
            (307, no, Other, Always, answered.clone()),
            (400, yes, Read, Always, answered.clone()),
            (404, yes, Read, Always, answered.clone()),
            (407, yes, Read, Always, answered.clone()),
            (429, yes, Read, Always, answered.clone()),
            (500, yes, Read, Always, answered),
        ];
        for (status, challenged, method, forbidden, expected) in rows {
            let step = row(&token("a"), |facts| {
                facts.status = StatusCode::from_u16(status).unwrap();
                (facts.challenged, facts.method, facts.forbidden) = (challenged, method, forbidden);
            });
            assert_eq!(step, expected, "{status} {challenged} {method:?} {forbidden:?}");
        }
    }

    #[test]
    fn what_the_request_was_sent_with_matters() {
        let not_sent = |why: NotAttached| refused(ReplayRefusal::SentWithoutToken(why));
        let rows = [
            (token("a"), NextStep::AskForReplacement),
            (waits(), NextStep::AskForReplacement),
            (bare(nothing()), NextStep::AskForReplacement),
            (bare(failed()), NextStep::AskForReplacement),
            (bare(NotAttached::CallersOwn), not_sent(NotAttached::CallersOwn)),
            (bare(NotAttached::Never), not_sent(NotAttached::Never)),
            (bare(NotAttached::InUrl), not_sent(NotAttached::InUrl)),
            (bare(NotAttached::UntrustedOrigin), not_sent(NotAttached::UntrustedOrigin)),
            (bare(NotAttached::PlainHttp), not_sent(NotAttached::PlainHttp)),
        ];
        for status in [StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN] {
            for (sent, expected) in &rows {
                assert_eq!(row(sent, |facts| facts.status = status), *expected, "{status} {sent:?}");
            }
        }
    }

    #[test]
    fn there_is_one_replay_and_only_of_what_can_be_made_again() {
        let sent = token("a");
        let again = |facts: &mut DecisionFacts<'_>| facts.attempt = AttemptNumber::Replay;
        assert_eq!(row(&sent, again), refused(ReplayRefusal::ReplacementRefused));
        let forbidden_again = |facts: &mut DecisionFacts<'_>| {
            (facts.attempt, facts.status) = (AttemptNumber::Replay, StatusCode::FORBIDDEN);
        };
        assert_eq!(row(&sent, forbidden_again), refused(ReplayRefusal::ReplacementRefused));
        let good = |facts: &mut DecisionFacts<'_>| {
            (facts.attempt, facts.status) = (AttemptNumber::Replay, StatusCode::OK);
        };
        assert_eq!(row(&sent, good), NextStep::Return(AuthOutcome::AnsweredReplay));
        let gone = |facts: &mut DecisionFacts<'_>| facts.body = BodyState::Consumed;
        assert_eq!(row(&sent, gone), refused(ReplayRefusal::BodyConsumed));
        assert_eq!(row(&waits(), gone), refused(ReplayRefusal::BodyConsumed));
        let gone_but_fine = |facts: &mut DecisionFacts<'_>| {
            (facts.body, facts.status) = (BodyState::Consumed, StatusCode::OK);
        };
        assert_eq!(row(&sent, gone_but_fine), NextStep::Return(AuthOutcome::Answered));
        let elsewhere = |facts: &mut DecisionFacts<'_>| facts.answered_by = AnsweredBy::RedirectTarget;
        assert_eq!(row(&sent, elsewhere), NextStep::AskForReplacement);
        let put_elsewhere = |facts: &mut DecisionFacts<'_>| {
            (facts.answered_by, facts.method) = (AnsweredBy::RedirectTarget, MethodKind::Other);
        };
        assert_eq!(row(&sent, put_elsewhere), refused(ReplayRefusal::FollowedRedirect));
    }

    #[test]
    fn a_request_without_a_token_is_no_refused_token() {
        assert_eq!(AttemptNumber::First.next(&waits()), AttemptNumber::FirstWithToken);
        assert_eq!(AttemptNumber::First.next(&token("a")), AttemptNumber::Replay);
        assert_eq!(AttemptNumber::FirstWithToken.next(&token("a")), AttemptNumber::Replay);
        for (status, expected) in [
            (StatusCode::FORBIDDEN, NextStep::AskForReplacement),
            (StatusCode::UNAUTHORIZED, NextStep::AskForReplacement),
            (StatusCode::OK, NextStep::Return(AuthOutcome::AnsweredReplay)),
        ] {
            let step = row(&token("a"), |facts| {
                (facts.attempt, facts.status) = (AttemptNumber::FirstWithToken, status);
            });
            assert_eq!(step, expected, "{status}");
        }
    }

    #[test]
    fn the_same_token_is_never_sent_twice() {
        let answer = |text: &str| SourceAnswer::Token(AccessToken::new(text).unwrap());
        assert_eq!(accept_replacement(&token("a"), answer("a")), Err(ReplayRefusal::NoOtherToken(None)));
        assert_eq!(accept_replacement(&token("a"), answer("b")), Ok(AccessToken::new("b").unwrap()));
        assert_eq!(accept_replacement(&waits(), answer("a")), Ok(AccessToken::new("a").unwrap()));
        assert_eq!(
            accept_replacement(&token("a"), SourceAnswer::Nothing([].into())),
            Err(ReplayRefusal::NoOtherToken(Some(nothing())))
        );
        assert_eq!(
            accept_replacement(&waits(), SourceAnswer::Nothing([].into())),
            Err(ReplayRefusal::SentWithoutToken(nothing()))
        );
        let broken = SourceError::new("broken");
        assert_eq!(
            accept_replacement(&token("a"), SourceAnswer::Failed(broken.clone())),
            Err(ReplayRefusal::NoOtherToken(Some(failed())))
        );
        assert_eq!(
            accept_replacement(&waits(), SourceAnswer::Failed(broken)),
            Err(ReplayRefusal::SentWithoutToken(failed()))
        );
    }
}
