//! Likely causes of a failure, and what to do next.

use super::error::ProbeErrorKind;
use super::network::AddressFamily;
use super::report::Report;
use crate::args::Operation;
use crate::hints;

/// Likely causes, the likeliest first, and next steps.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Diagnosis {
    pub(crate) causes: Vec<String>,
    pub(crate) next: Vec<String>,
}

impl Diagnosis {
    /// Returns the likely causes of what a report shows.
    pub(crate) fn of(report: &Report) -> Self {
        let mut diagnosis = Self { causes: report.causes.clone(), next: report.next.clone() };
        diagnosis.add_connections(report);
        if let Some(failure) = &report.failure {
            match &failure.redirect_target {
                Some(target) => diagnosis.add_failure_after_redirect(failure.kind, target),
                None => diagnosis.add_failure(failure.kind, report),
            }
            if let Some(hint) = &failure.hint {
                diagnosis.next(hint.as_str());
            }
            if matches!(
                failure.kind,
                ProbeErrorKind::Connection | ProbeErrorKind::Timeout | ProbeErrorKind::Broken
            ) || failure.redirect_target.is_some()
            {
                diagnosis.next(format!(
                    "`scitoken doctor {}` writes a report for the server's operator",
                    report.url
                ));
            }
        }
        if report.status().is_some_and(|status| status != 401 && status != 403) {
            diagnosis.add_answer(report);
        }
        diagnosis
    }

    /// Leaves out what recommends the command that prints it.
    pub(crate) fn for_command(mut self, command: &str) -> Self {
        self.next = self.next.iter().filter_map(|step| hints::for_command(step, command)).collect();
        self
    }

    fn add_connections(&mut self, report: &Report) {
        let outcome = |family| {
            let mut of_family =
                report.connections.iter().filter(|reached| AddressFamily::of(reached.address.ip()) == family);
            let first = of_family.next()?;
            Some(first.error.is_none() || of_family.any(|reached| reached.error.is_none()))
        };
        let flag = match (outcome(AddressFamily::V4), outcome(AddressFamily::V6)) {
            (Some(true), Some(false)) => Some((AddressFamily::V6, AddressFamily::V4, "-4")),
            (Some(false), Some(true)) => Some((AddressFamily::V4, AddressFamily::V6, "-6")),
            _ => None,
        };
        if let Some((dead, alive, flag)) = flag {
            self.cause(format!("the server cannot be reached by {dead}, only by {alive}"));
            self.next(format!("`{flag}` uses {alive} only"));
        }
    }

    /// The facts about names and connections are those of the named server.
    fn add_failure_after_redirect(&mut self, kind: ProbeErrorKind, target: &str) {
        let host = target.trim_start_matches('[').split([']', ':']).next().unwrap_or(target);
        match kind {
            ProbeErrorKind::NameResolution => {
                self.cause(format!(
                    "the server redirects to `{target}`, a name that this machine's resolver does not know: it is wrong, or \
                     known only inside the site's network"
                ));
                self.next(format!("`getent hosts {host}` queries this machine's resolver"));
            }
            ProbeErrorKind::Connection => self.cause(format!(
                "the server redirects to `{target}`, which accepts no connection: it is down, or a firewall blocks the port"
            )),
            ProbeErrorKind::Timeout => self.cause(format!(
                "the server redirects to `{target}`, which does not answer: a firewall drops the packets, or it is down or \
                 overloaded"
            )),
            ProbeErrorKind::Broken => self.cause(format!(
                "the server redirects to `{target}`, which closed the connection without a response"
            )),
            ProbeErrorKind::Proxy
            | ProbeErrorKind::Tls
            | ProbeErrorKind::Redirect
            | ProbeErrorKind::Token
            | ProbeErrorKind::PlainHttp => {}
        }
    }

    fn add_failure(&mut self, kind: ProbeErrorKind, report: &Report) {
        match kind {
            ProbeErrorKind::NameResolution => {
                self.cause("the name is mistyped, or known only inside a site's network");
                self.cause("this machine's resolver does not work");
                if let Some(names) = &report.names {
                    self.next(format!("`getent hosts {}` queries this machine's resolver", names.host));
                }
            }
            ProbeErrorKind::Connection => {
                if report.proxy.is_some() {
                    self.cause("the proxy cannot be reached, or refuses this connection");
                }
                let refused = |error: &String| error.contains("refused");
                if report.connections.iter().any(|reached| reached.error.as_ref().is_some_and(refused)) {
                    self.cause("nothing listens on this port: the port is wrong, or the server is down");
                }
                self.cause("a firewall blocks this port");
            }
            ProbeErrorKind::Timeout => {
                self.cause("a firewall drops the packets, or the server is down or overloaded");
                self.cause("an XRootD manager without its data servers answers after 20 s or more");
            }
            ProbeErrorKind::Broken => {
                self.cause("the server or a proxy closed the connection without a response");
                self.cause("the port speaks another protocol");
            }
            ProbeErrorKind::Proxy
            | ProbeErrorKind::Tls
            | ProbeErrorKind::Redirect
            | ProbeErrorKind::Token
            | ProbeErrorKind::PlainHttp => {}
        }
    }

    fn add_answer(&mut self, report: &Report) {
        let (url, Some(answer)) = (&report.url, &report.answer) else { return };
        for rule in report.broken_rules().filter(|_| report.operation.is_change()) {
            self.causes.push(format!(
                "{}: the token has {}, the request requires {}",
                rule.rule, rule.token, rule.request
            ));
        }
        match answer.status {
            404 | 410 if report.operation != Operation::Write => {
                self.cause("the path is mistyped, or the file was removed");
                self.cause("a redirector also answers so while no data server with the file is up");
                let parent =
                    url.trim_end_matches('/').rsplit_once('/').map_or(url.as_str(), |(above, _)| above);
                self.next(format!("`scitoken ls {parent}/` lists the directory"));
            }
            405 | 501 => {
                self.cause(format!("the server does not support this request here ({})", report.request));
            }
            408 | 425 | 429 | 500..=599 => {
                self.cause("the server, or one behind it, fails or is overloaded");
                self.next(
                    "try again later, or name another server of the file with `scitoken get --mirror URL`",
                );
            }
            200..=299 if report.is_page_in_place_of_data() => {
                self.cause("the response is a web page: a login page, or a directory listing");
                self.next(format!("`scitoken get --recursive {url}` downloads a directory"));
                self.next(format!("`scitoken get --allow-html {url}` saves the page itself"));
            }
            200..=299 | 404 | 416 => {
                if report.broken_rules().next().is_none() || !report.operation.is_change() {
                    self.next(match report.operation {
                        Operation::Read => format!("`scitoken get {url}`"),
                        Operation::Write => format!("`scitoken put FILE {url}`"),
                        Operation::List => format!("`scitoken ls {url}`"),
                        Operation::Delete => format!("`scitoken rm {url}`"),
                    });
                } else {
                    self.next("`scitoken token show` shows the token's claims");
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
    use super::super::error::ProbeError;
    use super::super::network::ReachedAddress;
    use super::super::report::examples::{answered, rule, unanswered};
    use super::*;
    use crate::exit::Exit;

    fn reached(address: &str, error: Option<&str>) -> ReachedAddress {
        ReachedAddress { address: address.parse().unwrap(), error: error.map(str::to_owned), milliseconds: 1 }
    }

    #[test]
    fn a_refused_port_and_an_unreachable_address_family_are_named() {
        let failure = ProbeError {
            exit: Exit::Connect,
            kind: ProbeErrorKind::Connection,
            message: "x".into(),
            redirect_target: None,
            hint: None,
        };
        let connections = vec![reached("127.0.0.1:9", Some("Connection refused (os error 111)"))];
        let diagnosis = Diagnosis::of(&Report { failure: Some(failure), connections, ..unanswered() });
        assert!(diagnosis.causes[0].contains("nothing listens"), "{diagnosis:?}");
        let connections = vec![reached("127.0.0.1:9", None), reached("[::1]:9", Some("unreachable"))];
        let diagnosis = Diagnosis::of(&Report { connections, ..answered(200) });
        assert_eq!(diagnosis.causes, ["the server cannot be reached by IPv6, only by IPv4"]);
        assert!(diagnosis.next[0].starts_with("`-4`"));
    }

    #[test]
    fn each_status_has_a_next_step() {
        for (status, operation, expected) in [
            (206, Operation::Read, "`scitoken get https://h.test/vo/f`"),
            (404, Operation::Write, "`scitoken put FILE https://h.test/vo/f`"),
            (404, Operation::Read, "`scitoken ls https://h.test/vo/` lists the directory"),
            (
                503,
                Operation::Read,
                "try again later, or name another server of the file with `scitoken get --mirror URL`",
            ),
        ] {
            let diagnosis = Diagnosis::of(&Report { operation, ..answered(status) });
            assert_eq!(diagnosis.next, [expected], "{status}");
        }
    }

    #[test]
    fn a_token_that_does_not_permit_a_change_is_a_cause() {
        let report = Report { operation: Operation::Write, checks: vec![rule("fails")], ..answered(404) };
        let diagnosis = Diagnosis::of(&report);
        assert_eq!(diagnosis.causes, ["scope: the token has `storage.read:/`, the request requires `write`"]);
        assert!(diagnosis.next[0].contains("token show"));
    }
}
