//! The end of a report: one sentence and an exit code.

use super::story::Story;
use crate::commands::operation::Operation;
use crate::exit::Exit;

/// What the facts come to.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Verdict {
    pub(crate) exit: Exit,
    pub(crate) sentence: String,
}

impl Verdict {
    /// Judges a story.
    pub(crate) fn of(story: &Story) -> Self {
        let verdict = |exit, sentence: String| Self { exit, sentence };
        if let Some(failure) = &story.failure {
            return verdict(failure.exit, format!("no answer: {}", failure.message));
        }
        let Some(answer) = &story.answer else {
            return verdict(Exit::Connect, "no answer".to_owned());
        };
        let said = format!("{} {}", answer.status, answer.reason);
        let change = story.operation.is_change();
        match answer.status {
            401 | 403 if change && is_undecided(story) => verdict(
                Exit::Ok,
                format!(
                    "undecided: the token does not allow looking ({said}), but nothing speaks against `{}`",
                    story.operation.word()
                ),
            ),
            401 | 403 => verdict(Exit::TokenRefused, format!("refused: {said}")),
            404 | 410 if story.operation == Operation::Write => allowed(story, "nothing is there yet"),
            404 | 410 => verdict(Exit::NotFound, format!("not there: {said}")),
            408 | 504 => verdict(Exit::Timeout, format!("the server gave up waiting: {said}")),
            200..=299 if change => allowed(story, "there is something of that name"),
            200..=299 => verdict(Exit::Ok, format!("fine: {said}")),
            416 if story.operation == Operation::Read => {
                verdict(Exit::Ok, format!("fine: the file is empty ({said})"))
            }
            300..=399 => {
                verdict(Exit::Redirect, format!("the server redirects, and that was not followed: {said}"))
            }
            _ => verdict(Exit::Server, format!("the server could not or would not: {said}")),
        }
    }
}

/// A change was not tried; only the token can be judged.
fn allowed(story: &Story, there: &str) -> Verdict {
    let word = story.operation.word();
    match story.broken_rules().next() {
        Some(broken) => Verdict {
            exit: Exit::Refused,
            sentence: format!("`{word}` would be refused: {} ({there})", broken.rule),
        },
        None => Verdict {
            exit: Exit::Ok,
            sentence: format!("nothing speaks against `{word}`; it was not tried ({there})"),
        },
    }
}

/// Whether the token allows the change by all it says, so that the refusal of the harmless request proves nothing.
fn is_undecided(story: &Story) -> bool {
    story.status() == Some(403)
        && !story.checks.is_empty()
        && story.checks.iter().all(|rule| rule.verdict == "fits")
}

#[cfg(test)]
mod tests {
    use super::super::story::examples::{answered, rule, silent};
    use super::*;

    fn judged(status: u16, operation: Operation, rules: &[&'static str]) -> Exit {
        let checks = rules.iter().map(|verdict| rule(verdict)).collect();
        Verdict::of(&Story { operation, checks, ..answered(status) }).exit
    }

    #[test]
    fn every_answer_has_the_code_of_the_table() {
        for (status, exit) in [
            (200, Exit::Ok),
            (206, Exit::Ok),
            (416, Exit::Ok),
            (302, Exit::Redirect),
            (401, Exit::TokenRefused),
            (403, Exit::TokenRefused),
            (404, Exit::NotFound),
            (410, Exit::NotFound),
            (408, Exit::Timeout),
            (405, Exit::Server),
            (500, Exit::Server),
            (503, Exit::Server),
        ] {
            assert_eq!(judged(status, Operation::Read, &["fails"]), exit, "{status}");
        }
        assert_eq!(Verdict::of(&silent()).exit, Exit::Connect);
    }

    #[test]
    fn a_change_is_judged_by_the_token_since_it_is_not_tried() {
        let write = |status, rules| judged(status, Operation::Write, rules);
        assert_eq!(write(200, &["fits"]), Exit::Ok);
        assert_eq!(write(404, &["unknown"]), Exit::Ok);
        assert_eq!(write(404, &["fits", "fails"]), Exit::Refused);
        assert_eq!(write(401, &["fits"]), Exit::TokenRefused);
        assert_eq!(judged(404, Operation::Delete, &["fits"]), Exit::NotFound);
    }

    #[test]
    fn a_token_that_may_write_but_not_look_is_not_called_refused() {
        assert_eq!(judged(403, Operation::Write, &["fits", "fits"]), Exit::Ok);
        assert_eq!(judged(403, Operation::Write, &["fits", "unknown"]), Exit::TokenRefused);
        assert_eq!(judged(403, Operation::Write, &[]), Exit::TokenRefused);
        assert_eq!(judged(403, Operation::Read, &["fits"]), Exit::TokenRefused);
    }
}
