//! What may have been the reason, and what to type next.

use super::network::Family;
use super::story::Story;
use super::trouble::Kind;
use crate::commands::operation::Operation;

/// All plausible causes, the likeliest first, and the next commands.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Thoughts {
    pub(crate) causes: Vec<String>,
    pub(crate) next: Vec<String>,
}

impl Thoughts {
    /// Thinks about a story.
    pub(crate) fn about(story: &Story) -> Self {
        let mut thoughts = Self { causes: story.causes.clone(), next: story.next.clone() };
        thoughts.about_connections(story);
        if let Some(failure) = &story.failure {
            thoughts.about_failure(failure.kind, story);
            if let Some(hint) = &failure.hint {
                thoughts.next(hint.as_str());
            }
            if matches!(failure.kind, Kind::Connection | Kind::Timeout | Kind::Broken) {
                thoughts.next(format!(
                    "`scitoken doctor {}` makes a report for the server's operator",
                    story.url
                ));
            }
        }
        if story.status().is_some_and(|status| status != 401 && status != 403) {
            thoughts.about_answer(story);
        }
        if let (Some(401 | 403), Some(answer)) = (story.status(), &story.answer)
            && !answer.asks_for.is_empty()
            && !answer.asks_for.iter().any(|scheme| scheme.eq_ignore_ascii_case("bearer"))
        {
            let schemes = answer.asks_for.join("`, `");
            thoughts.cause(format!("the server asks for `{schemes}`, not for a bearer token"));
        }
        thoughts
    }

    fn about_connections(&mut self, story: &Story) {
        let outcome = |family| {
            let mut of_family =
                story.connections.iter().filter(|reached| Family::of(reached.address.ip()) == family);
            let first = of_family.next()?;
            Some(first.error.is_none() || of_family.any(|reached| reached.error.is_none()))
        };
        let flag = match (outcome(Family::V4), outcome(Family::V6)) {
            (Some(true), Some(false)) => Some((Family::V6, Family::V4, "-4")),
            (Some(false), Some(true)) => Some((Family::V4, Family::V6, "-6")),
            _ => None,
        };
        if let Some((dead, alive, flag)) = flag {
            self.cause(format!("the server cannot be reached by {dead}, only by {alive}"));
            self.next(format!("`{flag}` goes by {alive} only"));
        }
    }

    fn about_failure(&mut self, kind: Kind, story: &Story) {
        match kind {
            Kind::Names => {
                self.cause("the name is mistyped, or it is only known inside of a site's network");
                self.cause("this machine's resolver is in trouble");
                if let Some(names) = &story.names {
                    self.next(format!("`getent hosts {}` asks this machine's resolver", names.host));
                }
            }
            Kind::Connection => {
                if story.proxy.is_some() {
                    self.cause("the proxy cannot be reached, or does not let this through");
                }
                let refused = |error: &String| error.contains("refused");
                if story.connections.iter().any(|reached| reached.error.as_ref().is_some_and(refused)) {
                    self.cause("nothing listens at this port: another port is meant, or the server is down");
                }
                self.cause("a firewall lets nothing through to this port, from this machine");
            }
            Kind::Timeout => {
                self.cause("a firewall swallows the packets, or the server is down or overloaded");
                self.cause("an XRootD manager whose data servers are away says nothing for 20 s or longer");
            }
            Kind::Broken => {
                self.cause("the server, or something on the way, closed the connection without an answer");
                self.cause("the port speaks another protocol");
            }
            Kind::Tls | Kind::Redirect | Kind::Token | Kind::PlainHttp => {}
        }
    }

    fn about_answer(&mut self, story: &Story) {
        let (url, Some(answer)) = (&story.url, &story.answer) else { return };
        for rule in story.broken_rules().filter(|_| story.operation.is_change()) {
            self.causes.push(format!(
                "{}: the token says {}, the request needs {}",
                rule.rule, rule.token, rule.request
            ));
        }
        match answer.status {
            404 | 410 if story.operation != Operation::Write => {
                self.cause("the path is mistyped, or the file was removed");
                self.cause("a redirector says so too while no data server with the file is up");
                let parent =
                    url.trim_end_matches('/').rsplit_once('/').map_or(url.as_str(), |(above, _)| above);
                self.next(format!("`scitoken ls {parent}/` shows what is there"));
            }
            405 | 501 => {
                self.cause(format!("the server does not do this here ({})", story.request));
            }
            408 | 425 | 429 | 500..=599 => {
                self.cause("the server, or one behind it, is in trouble or overloaded");
                self.next("try again later, or another mirror");
            }
            200..=299 | 404 | 416 => {
                if story.broken_rules().next().is_none() || !story.operation.is_change() {
                    self.next(match story.operation {
                        Operation::Read => format!("`scitoken get {url}`"),
                        Operation::Write => format!("`scitoken put FILE {url}`"),
                        Operation::List => format!("`scitoken ls {url}`"),
                        Operation::Delete => format!("`scitoken rm {url}`"),
                    });
                } else {
                    self.next("`scitoken token show` prints what the token says");
                }
                let page = answer.content_type.as_ref().is_some_and(|kind| kind.starts_with("text/html"));
                if page && story.operation == Operation::Read {
                    self.cause("the answer is a web page: a login page, or a listing of a directory");
                }
            }
            _ => {}
        }
    }

    fn cause(&mut self, cause: impl Into<String>) {
        self.causes.push(cause.into());
    }

    fn next(&mut self, step: impl Into<String>) {
        self.next.push(step.into());
    }
}

#[cfg(test)]
mod tests {
    use super::super::network::Reached;
    use super::super::story::examples::{answered, rule, silent};
    use super::super::trouble::Trouble;
    use super::*;
    use crate::exit::Exit;

    fn reached(address: &str, error: Option<&str>) -> Reached {
        Reached { address: address.parse().unwrap(), error: error.map(str::to_owned), milliseconds: 1 }
    }

    #[test]
    fn a_refused_port_and_a_family_that_fails_are_named() {
        let failure =
            Trouble { exit: Exit::Connect, kind: Kind::Connection, message: "x".into(), hint: None };
        let connections = vec![reached("127.0.0.1:9", Some("Connection refused (os error 111)"))];
        let thoughts = Thoughts::about(&Story { failure: Some(failure), connections, ..silent() });
        assert!(thoughts.causes[0].contains("nothing listens"), "{thoughts:?}");
        let connections = vec![reached("127.0.0.1:9", None), reached("[::1]:9", Some("unreachable"))];
        let thoughts = Thoughts::about(&Story { connections, ..answered(200) });
        assert_eq!(thoughts.causes, ["the server cannot be reached by IPv6, only by IPv4"]);
        assert!(thoughts.next[0].starts_with("`-4`"));
    }

    #[test]
    fn each_answer_has_a_next_command() {
        for (status, operation, expected) in [
            (206, Operation::Read, "`scitoken get https://h.test/vo/f`"),
            (404, Operation::Write, "`scitoken put FILE https://h.test/vo/f`"),
            (404, Operation::Read, "`scitoken ls https://h.test/vo/` shows what is there"),
            (503, Operation::Read, "try again later, or another mirror"),
        ] {
            let thoughts = Thoughts::about(&Story { operation, ..answered(status) });
            assert_eq!(thoughts.next, [expected], "{status}");
        }
    }

    #[test]
    fn a_token_that_does_not_allow_a_change_is_a_cause() {
        let story = Story { operation: Operation::Write, checks: vec![rule("fails")], ..answered(404) };
        let thoughts = Thoughts::about(&story);
        assert_eq!(thoughts.causes, ["scope: the token says `storage.read:/`, the request needs `write`"]);
        assert!(thoughts.next[0].contains("token show"));
    }

    #[test]
    fn a_server_that_wants_something_else_than_a_token_is_a_cause() {
        let mut story = answered(401);
        story.answer.as_mut().unwrap().asks_for = vec!["Negotiate".into()];
        assert!(Thoughts::about(&story).causes[0].contains("`Negotiate`"));
        story.answer.as_mut().unwrap().asks_for.push("bearer".into());
        assert_eq!(Thoughts::about(&story).causes, [""; 0]);
    }
}
