//! What to do with a server's answer: the one decision of the middleware, without any I/O.

use http::StatusCode;

use super::cache::Answer;
use super::options::ForbiddenReplay;
use super::outcome::{Credential, NotAttached, Outcome, Refusal};
use crate::token::AccessToken;

/// All that the decision depends on.
#[derive(Clone, Debug)]
pub(crate) struct Facts<'a> {
    pub(crate) status: StatusCode,
    pub(crate) challenge: Challenged,
    /// What the request was sent with.
    pub(crate) sent: &'a Credential,
    pub(crate) attempt: AttemptNumber,
    pub(crate) method: MethodKind,
    pub(crate) body: BodyState,
    pub(crate) answered_by: AnsweredBy,
    pub(crate) forbidden: ForbiddenReplay,
}

/// Whether the answer had a Bearer challenge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Challenged {
    Yes,
    No,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AttemptNumber {
    First,
    Replay,
}

/// Whether the method is safe (RFC 9110 section 9.2.1) and has no body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MethodKind {
    /// GET or HEAD.
    Read,
    Other,
}

/// Whether the request can be made a second time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BodyState {
    CanBeSent,
    /// Its body was a stream.
    Gone,
}

/// Who answered: the server that was asked, or one that the HTTP client was redirected to beneath the middleware.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AnsweredBy {
    Asked,
    RedirectTarget,
}

/// What comes next.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Step {
    /// The caller gets the answer.
    Return(Outcome),
    /// Ask the sources for another token, and send the request again if they have one.
    AskForAnother,
}

/// Decides about an answer.
pub(crate) fn decide(facts: &Facts<'_>) -> Step {
    match refusal(facts) {
        Ok(()) => Step::AskForAnother,
        Err(outcome) => Step::Return(outcome),
    }
}

fn refusal(facts: &Facts<'_>) -> Result<(), Outcome> {
    let refused = |why| Err(Outcome::Refused(why));
    match facts.status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {}
        _ if facts.attempt == AttemptNumber::Replay => return Err(Outcome::AnsweredReplay),
        _ => return Err(Outcome::Answered),
    }
    if facts.attempt == AttemptNumber::Replay {
        return refused(Refusal::Again);
    }
    if let Credential::None(why) = facts.sent {
        match why {
            NotAttached::CallersOwn
            | NotAttached::Never
            | NotAttached::InUrl
            | NotAttached::Stranger
            | NotAttached::PlainHttp => return refused(Refusal::NotSent(why.clone())),
            NotAttached::WaitsForChallenge | NotAttached::NoToken(_) | NotAttached::SourceFailed(_) => {}
        }
    }
    match (facts.status, facts.forbidden, facts.method) {
        (StatusCode::UNAUTHORIZED, ..) if facts.challenge == Challenged::No => {
            return refused(Refusal::NoChallenge);
        }
        (StatusCode::UNAUTHORIZED, ..)
        | (_, ForbiddenReplay::Always, _)
        | (_, ForbiddenReplay::Reads, MethodKind::Read) => {}
        (_, ForbiddenReplay::Never, _) | (_, ForbiddenReplay::Reads, MethodKind::Other) => {
            return refused(Refusal::Forbidden);
        }
    }
    if facts.answered_by == AnsweredBy::RedirectTarget && facts.method == MethodKind::Other {
        return refused(Refusal::Elsewhere);
    }
    match facts.body {
        BodyState::Gone => refused(Refusal::BodyGone),
        BodyState::CanBeSent => Ok(()),
    }
}

/// Decides whether what the sources said is worth a replay: never the same token twice.
pub(crate) fn weigh(sent: &Credential, answer: Answer) -> Result<AccessToken, Refusal> {
    match answer {
        Answer::Token(token) if sent.token() == Some(&token) => Err(Refusal::NoOtherToken(None)),
        Answer::Token(token) => Ok(token),
        Answer::Nothing(reasons) => Err(none(sent, NotAttached::NoToken(reasons))),
        Answer::Failed(error) => Err(none(sent, NotAttached::SourceFailed(error))),
    }
}

fn none(sent: &Credential, why: NotAttached) -> Refusal {
    match sent.token() {
        Some(_) => Refusal::NoOtherToken(Some(why)),
        None => Refusal::NotSent(why),
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

    /// A first GET with a token, answered 401 with a challenge, and the spare at hand; each row changes something.
    fn row(sent: &Credential, change: impl FnOnce(&mut Facts<'_>)) -> Step {
        let mut facts = Facts {
            status: StatusCode::UNAUTHORIZED,
            challenge: Challenged::Yes,
            sent,
            attempt: AttemptNumber::First,
            method: MethodKind::Read,
            body: BodyState::CanBeSent,
            answered_by: AnsweredBy::Asked,
            forbidden: ForbiddenReplay::Reads,
        };
        change(&mut facts);
        decide(&facts)
    }

    fn refused(why: Refusal) -> Step {
        Step::Return(Outcome::Refused(why))
    }

    #[test]
    fn only_a_401_with_a_bearer_challenge_and_a_403_by_policy_lead_to_a_question() {
        use ForbiddenReplay::{Always, Never, Reads};
        use MethodKind::{Other, Read};
        let ask = Step::AskForAnother;
        let answered = Step::Return(Outcome::Answered);
        let (yes, no) = (Challenged::Yes, Challenged::No);
        let rows: [(u16, Challenged, MethodKind, ForbiddenReplay, Step); 26] = [
            (401, yes, Read, Reads, ask.clone()),
            (401, yes, Other, Reads, ask.clone()),
            (401, yes, Read, Never, ask.clone()),
            (401, yes, Other, Never, ask.clone()),
            (401, yes, Other, Always, ask.clone()),
            (401, no, Read, Reads, refused(Refusal::NoChallenge)),
            (401, no, Other, Always, refused(Refusal::NoChallenge)),
            (401, no, Read, Never, refused(Refusal::NoChallenge)),
            (403, no, Read, Reads, ask.clone()),
            (403, yes, Read, Reads, ask.clone()),
            (403, no, Other, Reads, refused(Refusal::Forbidden)),
            (403, yes, Other, Reads, refused(Refusal::Forbidden)),
            (403, no, Other, Always, ask.clone()),
            (403, no, Read, Always, ask),
            (403, no, Read, Never, refused(Refusal::Forbidden)),
            (403, yes, Read, Never, refused(Refusal::Forbidden)),
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
        for (status, challenge, method, forbidden, expected) in rows {
            let step = row(&token("a"), |facts| {
                facts.status = StatusCode::from_u16(status).unwrap();
                (facts.challenge, facts.method, facts.forbidden) = (challenge, method, forbidden);
            });
            assert_eq!(step, expected, "{status} {challenge:?} {method:?} {forbidden:?}");
        }
    }

    #[test]
    fn what_the_request_was_sent_with_matters() {
        let not_sent = |why: NotAttached| refused(Refusal::NotSent(why));
        let rows = [
            (token("a"), Step::AskForAnother),
            (waits(), Step::AskForAnother),
            (bare(nothing()), Step::AskForAnother),
            (bare(failed()), Step::AskForAnother),
            (bare(NotAttached::CallersOwn), not_sent(NotAttached::CallersOwn)),
            (bare(NotAttached::Never), not_sent(NotAttached::Never)),
            (bare(NotAttached::InUrl), not_sent(NotAttached::InUrl)),
            (bare(NotAttached::Stranger), not_sent(NotAttached::Stranger)),
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
        let again = |facts: &mut Facts<'_>| facts.attempt = AttemptNumber::Replay;
        assert_eq!(row(&sent, again), refused(Refusal::Again));
        let forbidden_again = |facts: &mut Facts<'_>| {
            (facts.attempt, facts.status) = (AttemptNumber::Replay, StatusCode::FORBIDDEN);
        };
        assert_eq!(row(&sent, forbidden_again), refused(Refusal::Again));
        let good =
            |facts: &mut Facts<'_>| (facts.attempt, facts.status) = (AttemptNumber::Replay, StatusCode::OK);
        assert_eq!(row(&sent, good), Step::Return(Outcome::AnsweredReplay));
        let gone = |facts: &mut Facts<'_>| facts.body = BodyState::Gone;
        assert_eq!(row(&sent, gone), refused(Refusal::BodyGone));
        assert_eq!(row(&waits(), gone), refused(Refusal::BodyGone));
        let gone_but_fine =
            |facts: &mut Facts<'_>| (facts.body, facts.status) = (BodyState::Gone, StatusCode::OK);
        assert_eq!(row(&sent, gone_but_fine), Step::Return(Outcome::Answered));
        let elsewhere = |facts: &mut Facts<'_>| facts.answered_by = AnsweredBy::RedirectTarget;
        assert_eq!(row(&sent, elsewhere), Step::AskForAnother);
        let put_elsewhere = |facts: &mut Facts<'_>| {
            (facts.answered_by, facts.method) = (AnsweredBy::RedirectTarget, MethodKind::Other);
        };
        assert_eq!(row(&sent, put_elsewhere), refused(Refusal::Elsewhere));
    }

    #[test]
    fn the_same_token_is_never_sent_twice() {
        let answer = |text: &str| Answer::Token(AccessToken::new(text).unwrap());
        assert_eq!(weigh(&token("a"), answer("a")), Err(Refusal::NoOtherToken(None)));
        assert_eq!(weigh(&token("a"), answer("b")), Ok(AccessToken::new("b").unwrap()));
        assert_eq!(weigh(&waits(), answer("a")), Ok(AccessToken::new("a").unwrap()));
        assert_eq!(
            weigh(&token("a"), Answer::Nothing([].into())),
            Err(Refusal::NoOtherToken(Some(nothing())))
        );
        assert_eq!(weigh(&waits(), Answer::Nothing([].into())), Err(Refusal::NotSent(nothing())));
        let broken = SourceError::new("broken");
        assert_eq!(
            weigh(&token("a"), Answer::Failed(broken.clone())),
            Err(Refusal::NoOtherToken(Some(failed())))
        );
        assert_eq!(weigh(&waits(), Answer::Failed(broken)), Err(Refusal::NotSent(failed())));
    }
}
