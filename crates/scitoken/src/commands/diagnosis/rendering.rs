//! A report as lines for users, or as JSON.

use std::fmt;

use serde_json::{Value, json};

use super::causes::Diagnosis;
use super::certificate::Certificate;
use super::report::{Report, ReportedAttempt, ResponseFacts};
use super::verdict::ReportVerdict;
use crate::exit::Exit;

/// Labelled lines; a repeated label is shown once.
#[derive(Clone, Debug, Default)]
pub(crate) struct ReportLines(Vec<(&'static str, String)>);

impl ReportLines {
    /// Adds a line.
    pub(crate) fn add(&mut self, label: &'static str, text: impl Into<String>) {
        self.0.push((label, text.into()));
    }

    /// Appends the lines of another report.
    pub(crate) fn append(&mut self, mut more: Self) {
        self.0.append(&mut more.0);
    }

    /// Returns what was seen, from the token to the response; `in_detail` with what repeats or explains it.
    pub(crate) fn facts(report: &Report, in_detail: bool) -> Self {
        let mut lines = Self::default();
        lines.add("operation", format!("{} {}", report.operation.word(), report.url));
        lines.add("request", report.request.as_str());
        lines.token(report);
        lines.network(report, in_detail);
        for (n, step) in report.attempts.iter().enumerate() {
            lines.add("sent", format!("{}. {}", n + 1, sent(step, report)));
            if let Some(challenge) = &step.challenge {
                lines.add("sent", format!("   challenge: {challenge}"));
            }
        }
        // Without a token there was nothing to repeat it with.
        if let Some(why) = report.not_repeated.as_ref().filter(|_| in_detail || report.token.is_some()) {
            lines.add("sent", format!("not repeated: {why}"));
        }
        if let Some(answer) = &report.answer {
            lines.answer(answer, report);
        }
        if let Some(failure) = &report.failure {
            lines.add("failure", failure.message.as_str());
        }
        for rule in &report.checks {
            lines.add("check", rule.line.as_str());
        }
        lines
    }

    /// Adds causes, next attempts, and the verdict. What recommends the command itself is left out.
    pub(crate) fn conclude(
        &mut self,
        report: &Report,
        verdict: &ReportVerdict,
        command: &str,
        in_detail: bool,
    ) {
        let diagnosis = Diagnosis::of(report).for_command(command);
        // The line of the token says why none was sent.
        let known = report.attempts.last().and_then(|step| step.without_token.as_deref());
        let is_known = |cause: &String| {
            !in_detail && report.token.is_none() && known.is_some_and(|why| cause.contains(why))
        };
        for cause in diagnosis.causes.into_iter().filter(|cause| !is_known(cause)) {
            self.add("cause", format!("- {cause}"));
        }
        for step in diagnosis.next {
            self.add("next", step);
        }
        self.add("verdict", format!("{} (exit code {})", verdict.sentence, verdict.exit as u8));
    }

    fn token(&mut self, report: &Report) {
        let Some(token) = &report.token else {
            let why = report.attempts.last().and_then(|step| step.without_token.as_deref());
            self.add("token", format!("none sent: {}", why.unwrap_or("the request failed before")));
            return;
        };
        let issuer = token.issuer.as_ref().map(|issuer| format!(", by {issuer}")).unwrap_or_default();
        self.add(
            "token",
            format!("from {}: {} of {} characters{issuer}", token.origin, token.kind, token.length),
        );
        if !token.audience.is_empty() {
            self.add("token", format!("audience {}", token.audience.join(", ")));
        }
        self.add(
            "token",
            token.expires.as_ref().map_or("no expiry".to_owned(), |expires| format!("expires {expires}")),
        );
    }

    fn network(&mut self, report: &Report, in_detail: bool) {
        if let Some(proxy) = &report.proxy {
            self.add(
                "by proxy",
                format!(
                    "{} (from `{}`), which resolves the name and connects",
                    proxy.address, proxy.variable
                ),
            );
        }
        if let Some(why) = &report.no_proxy {
            self.add("proxy", why.as_str());
        }
        if let Some(names) = &report.names {
            let addresses: Vec<_> = names.addresses.iter().map(ToString::to_string).collect();
            let found = names.error.clone().unwrap_or_else(|| addresses.join(", "));
            self.add("name", format!("{}: {found} ({} ms)", names.host, names.milliseconds));
        }
        for reached in &report.connections {
            self.add("connect", reached.to_string());
        }
        let Some(tls) = &report.tls else { return };
        if let Some(error) = &tls.error {
            self.add("tls", error.as_str());
        } else {
            let part = |part: &Option<String>| part.clone().unwrap_or_else(|| "?".to_owned());
            let chosen = tls.protocol.as_deref().unwrap_or("no ALPN");
            self.add("tls", format!("{}, {}, {chosen}", part(&tls.version), part(&tls.cipher)));
        }
        // A handshake that succeeded proves the chain.
        let shown = if in_detail || tls.error.is_some() { tls.chain.len() } else { 1 };
        for (n, certificate) in tls.chain.iter().enumerate().take(shown) {
            self.certificate(n, certificate);
        }
    }

    fn certificate(&mut self, n: usize, certificate: &Certificate) {
        let Certificate { subject, issuer, names, valid_from, valid_until, valid_until_relative, is_expired } =
            certificate;
        self.add("tls", format!("{n}: {subject}, signed by {issuer}"));
        if !names.is_empty() {
            self.add("tls", format!("   for {}", names.join(", ")));
        }
        let expired = if *is_expired { "EXPIRED, " } else { "" };
        self.add(
            "tls",
            format!("   {expired}valid from {valid_from} to {valid_until} ({valid_until_relative})"),
        );
    }

    fn answer(&mut self, answer: &ResponseFacts, report: &Report) {
        let from = answer.from.map(|from| format!(" from {from}")).unwrap_or_default();
        let server = answer.server.as_ref().map(|server| format!(", {server}")).unwrap_or_default();
        self.add(
            "answer",
            format!(
                "{} {}, {}{from}{server}, {} ms",
                answer.status, answer.reason, answer.version, answer.milliseconds
            ),
        );
        let shown_already = report.tls.as_ref().and_then(|tls| tls.chain.first());
        if let Some(certificate) = answer.certificate.as_ref().filter(|leaf| Some(*leaf) != shown_already) {
            self.add(
                "answer",
                format!("certificate of {}, signed by {}", certificate.subject, certificate.issuer),
            );
            self.add(
                "answer",
                format!("for {}, to {}", certificate.names.join(", "), certificate.valid_until),
            );
        }
    }
}

fn sent(step: &ReportedAttempt, report: &Report) -> String {
    // The row of a report without a token says why already.
    let is_in_token_line = report.token.is_none()
        && report.attempts.last().is_some_and(|last| last.without_token == step.without_token);
    let token = match (&step.token_origin, &step.without_token) {
        (Some(place), _) => format!("with the token from {place}"),
        (None, Some(why)) if !is_in_token_line => format!("without a token ({why})"),
        (None, _) => "without a token".to_owned(),
    };
    let status = step.status.map_or("no response".to_owned(), |status| status.to_string());
    format!("{} {} {token}: {status}", step.method, step.url)
}

impl fmt::Display for ReportLines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut before = "";
        for (n, (label, text)) in self.0.iter().enumerate() {
            let end = if n == 0 { "" } else { "\n" };
            write!(f, "{end}{:<12} {text}", if *label == before { "" } else { *label })?;
            before = *label;
        }
        Ok(())
    }
}

/// Returns a report and its verdict as a JSON object. What recommends the command itself is left out.
pub(crate) fn as_json(report: &Report, verdict: &ReportVerdict, command: &str) -> Value {
    let diagnosis = Diagnosis::of(report).for_command(command);
    let mut object = json!({
        "ok": verdict.exit == Exit::Ok, "exit": verdict.exit as u8, "verdict": verdict.sentence,
    });
    if let (Some(object), Ok(Value::Object(facts))) = (object.as_object_mut(), serde_json::to_value(report)) {
        object.extend(facts);
        object.insert("causes".to_owned(), json!(diagnosis.causes));
        object.insert("next".to_owned(), json!(diagnosis.next));
    }
    object
}

#[cfg(test)]
mod tests {
    use super::super::report::TokenFacts;
    use super::super::report::examples::answered;
    use super::*;

    fn report() -> Report {
        let step = |url: &str, token_origin: Option<&str>, status| ReportedAttempt {
            method: "GET".into(),
            url: url.into(),
            token_origin: token_origin.map(str::to_owned),
            without_token: token_origin.is_none().then(|| "the redirect target is not trusted".to_owned()),
            status: Some(status),
            challenge: None,
        };
        let attempts =
            vec![step("https://h.test/f", Some("`BEARER_TOKEN`"), 302), step("https://o.test/f", None, 403)];
        let token = TokenFacts {
            origin: "`BEARER_TOKEN`".into(),
            kind: "opaque",
            issuer: None,
            audience: Vec::new(),
            expires: None,
            length: 40,
        };
        Report { token: Some(token), attempts, causes: vec!["it was sent without".into()], ..answered(403) }
    }

    #[test]
    fn a_report_reads_from_the_request_to_the_verdict() {
        let report = report();
        let mut lines = ReportLines::facts(&report, false);
        lines.conclude(&report, &ReportVerdict::of(&report), "explain", false);
        let text = lines.to_string();
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines[0], "operation    read https://h.test/vo/f");
        assert_eq!(lines[2], "token        from `BEARER_TOKEN`: opaque of 40 characters");
        assert_eq!(lines[4], "sent         1. GET https://h.test/f with the token from `BEARER_TOKEN`: 302");
        assert!(lines[5].starts_with("             2. GET https://o.test/f without a token (the redirect"));
        assert_eq!(lines.last(), Some(&"verdict      refused: 403 Some Reason (exit code 8)"));
    }

    #[test]
    fn the_reason_for_a_missing_token_is_said_once() {
        let mut report = report();
        report.token = None;
        report.attempts.remove(0);
        report.not_repeated = Some("sent without a token: the redirect target is not trusted".to_owned());
        report.causes = vec![
            "it was sent without a token: the redirect target is not trusted".to_owned(),
            "b".to_owned(),
        ];
        let text = ReportLines::facts(&report, false).to_string();
        assert!(text.contains("token        none sent: the redirect target is not trusted\n"), "{text}");
        assert!(text.contains("sent         1. GET https://o.test/f without a token: 403"), "{text}");
        let mut lines = ReportLines::facts(&report, false);
        lines.conclude(&report, &ReportVerdict::of(&report), "explain", false);
        assert_eq!(lines.to_string().matches("is not trusted").count(), 1, "{lines}");
        assert!(lines.to_string().contains("cause        - b"), "{lines}");
        assert!(ReportLines::facts(&report, true).to_string().contains("not repeated"));
    }

    #[test]
    fn json_has_the_facts_and_the_verdict() {
        let report = report();
        let object = as_json(&report, &ReportVerdict::of(&report), "explain");
        assert_eq!((&object["ok"], &object["exit"]), (&json!(false), &json!(8)));
        assert_eq!(object["attempts"][1]["status"], json!(403));
        assert_eq!(object["operation"], json!("read"));
        assert_eq!(object["causes"], json!(["it was sent without"]));
    }
}
