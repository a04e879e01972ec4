//! The conclusion of a report: one sentence and an exit code.

use super::report::Report;
use crate::args::Operation;
use crate::exit::Exit;

/// The conclusion of a report.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ReportVerdict {
    pub(crate) exit: Exit,
    pub(crate) sentence: String,
}

impl ReportVerdict {
    /// Returns the conclusion of a report.
    pub(crate) fn of(report: &Report) -> Self {
        let verdict = |exit, sentence: String| Self { exit, sentence };
        if let Some(failure) = &report.failure {
            return verdict(failure.exit, format!("no response: {}", failure.message));
        }
        let Some(answer) = &report.answer else {
            return verdict(Exit::Connect, "no response".to_owned());
        };
        let said = format!("{} {}", answer.status, answer.reason);
        if let Some(missing) = &report.refused_without_token
            && !matches!(answer.status, 401 | 403)
        {
            return verdict(
                missing.exit,
                format!("{}, so nothing is asked for; without one: {said}", missing.reason),
            );
        }
        let change = report.operation.is_change();
        match answer.status {
            401 | 403 if change && is_undecided(report) => verdict(
                Exit::Ok,
                format!(
                    "undecided: the token does not permit reading ({said}), but every check for `{}` passed",
                    report.operation.word()
                ),
            ),
            401 | 403 => match &report.refused_without_token {
                Some(refused) => {
                    // The report's line of the token says why.
                    let what = refused.reason.split_once(": ").map_or(&*refused.reason, |(what, _)| what);
                    verdict(refused.exit, format!("refused: {said}; {what}"))
                }
                None => verdict(Exit::TokenRefused, format!("refused: {said}")),
            },
            404 | 410 if report.operation == Operation::Write => {
                allowed(report, "the target does not exist yet")
            }
            404 | 410 => verdict(Exit::NotFound, format!("not found: {said}")),
            408 | 504 => verdict(Exit::Timeout, format!("the server timed out: {said}")),
            200..=299 if report.is_page_in_place_of_data() => {
                verdict(Exit::TokenRefused, format!("a web page in place of data: {said}"))
            }
            200..=299 if change => allowed(report, "the target exists"),
            // As for `get`: the file is still being prepared, or this is no file.
            201..=205 | 207..=299 if report.operation == Operation::Read => {
                verdict(Exit::Server, format!("no data: {said}"))
            }
            200..=299 => verdict(Exit::Ok, format!("ok: {said}")),
            416 if report.operation == Operation::Read => {
                verdict(Exit::Ok, format!("ok: the file is empty ({said})"))
            }
            304 => verdict(Exit::Server, format!("an answer to a condition that was not sent: {said}")),
            300..=399 => verdict(Exit::Policy, format!("the redirect was not followed: {said}")),
            _ => verdict(Exit::Server, format!("server error: {said}")),
        }
    }
}

/// Concludes about a change, which was not tried, from the token alone.
fn allowed(report: &Report, there: &str) -> ReportVerdict {
    let word = report.operation.word();
    match report.broken_rules().next() {
        Some(broken) => ReportVerdict {
            exit: Exit::No,
            sentence: format!("`{word}` would be refused: {} ({there})", broken.rule),
        },
        None => ReportVerdict {
            exit: Exit::Ok,
            sentence: format!("every check for `{word}` passed; it was not tried ({there})"),
        },
    }
}

/// Returns whether the token permits the change in every check, so that the refusal of the harmless request proves nothing.
fn is_undecided(report: &Report) -> bool {
    report.status() == Some(403)
        && !report.checks.is_empty()
        && report.checks.iter().all(|rule| rule.verdict == "fits")
}

#[cfg(test)]
mod tests {
    use super::super::report::examples::{answered, rule, unanswered};
    use super::*;

    #[test]
    fn a_web_page_is_no_data_unless_it_is_asked_for() {
        for (url, exit) in [("https://h/f", Exit::TokenRefused), ("https://h/f.html?x", Exit::Ok)] {
            let mut report = answered(206);
            report.url = url.to_owned();
            report.answer.as_mut().unwrap().content_type = Some("text/html; charset=utf-8".to_owned());
            assert_eq!(ReportVerdict::of(&report).exit, exit, "{url}");
        }
    }

    fn judged(status: u16, operation: Operation, rules: &[&'static str]) -> Exit {
        let checks = rules.iter().map(|verdict| rule(verdict)).collect();
        ReportVerdict::of(&Report { operation, checks, ..answered(status) }).exit
    }

    #[test]
    fn each_status_has_its_exit_code() {
        for (status, exit) in [
            (200, Exit::Ok),
            (206, Exit::Ok),
            (416, Exit::Ok),
            (302, Exit::Policy),
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
        assert_eq!(ReportVerdict::of(&unanswered()).exit, Exit::Connect);
    }

    #[test]
    fn a_change_is_judged_by_the_token_because_it_is_not_tried() {
        let write = |status, rules| judged(status, Operation::Write, rules);
        assert_eq!(write(200, &["fits"]), Exit::Ok);
        assert_eq!(write(404, &["unknown"]), Exit::Ok);
        assert_eq!(write(404, &["fits", "fails"]), Exit::No);
        assert_eq!(write(401, &["fits"]), Exit::TokenRefused);
        assert_eq!(judged(404, Operation::Delete, &["fits"]), Exit::NotFound);
    }

    #[test]
    fn a_token_that_may_write_but_not_read_is_not_called_refused() {
        assert_eq!(judged(403, Operation::Write, &["fits", "fits"]), Exit::Ok);
        assert_eq!(judged(403, Operation::Write, &["fits", "unknown"]), Exit::TokenRefused);
        assert_eq!(judged(403, Operation::Write, &[]), Exit::TokenRefused);
        assert_eq!(judged(403, Operation::Read, &["fits"]), Exit::TokenRefused);
    }
}
