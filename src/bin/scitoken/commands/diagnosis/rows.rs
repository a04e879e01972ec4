//! A story in lines.

use std::fmt;

use serde_json::{Value, json};

use super::causes::Thoughts;
use super::certificate::Certificate;
use super::story::{Answer, Step, Story};
use super::verdict::Verdict;
use crate::exit::Exit;

/// Lines with a label each; a label that repeats is shown once.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rows(Vec<(&'static str, String)>);

impl Rows {
    /// Adds a line.
    pub(crate) fn add(&mut self, label: &'static str, text: impl Into<String>) {
        self.0.push((label, text.into()));
    }

    /// Adds all lines of another report.
    pub(crate) fn append(&mut self, mut more: Self) {
        self.0.append(&mut more.0);
    }

    /// What was seen, from the token to the answer.
    pub(crate) fn facts(story: &Story) -> Self {
        let mut rows = Self::default();
        rows.add("question", format!("{} {}", story.operation.word(), story.url));
        rows.add("request", story.request.as_str());
        rows.token(story);
        rows.way(story);
        for (n, step) in story.steps.iter().enumerate() {
            rows.add("sent", format!("{}. {}", n + 1, sent(step, story)));
            if let Some(challenge) = &step.challenge {
                rows.add("sent", format!("   the server said: {challenge}"));
            }
        }
        if let Some(why) = &story.not_repeated {
            rows.add("sent", format!("not tried again: {why}"));
        }
        if let Some(answer) = &story.answer {
            rows.answer(answer, story);
        }
        if let Some(failure) = &story.failure {
            rows.add("failure", failure.message.as_str());
        }
        for rule in &story.checks {
            rows.add("check", rule.line.as_str());
        }
        rows
    }

    /// What to think of it, and the verdict.
    pub(crate) fn end(&mut self, story: &Story, verdict: &Verdict) {
        let thoughts = Thoughts::about(story);
        for cause in thoughts.causes {
            self.add("cause", format!("- {cause}"));
        }
        for step in thoughts.next {
            self.add("next", step);
        }
        self.add("verdict", format!("{} (exit code {})", verdict.sentence, verdict.exit as u8));
    }

    fn token(&mut self, story: &Story) {
        let Some(token) = &story.token else {
            let why = story.steps.last().and_then(|step| step.without_token.as_deref());
            self.add("token", format!("none was sent: {}", why.unwrap_or("the request did not get so far")));
            return;
        };
        let issuer = token.issuer.as_ref().map(|issuer| format!(", by {issuer}")).unwrap_or_default();
        self.add(
            "token",
            format!("from {}: {} of {} characters{issuer}", token.found_in, token.kind, token.length),
        );
        if !token.audience.is_empty() {
            self.add("token", format!("for {}", token.audience.join(", ")));
        }
        self.add(
            "token",
            token
                .ends
                .as_ref()
                .map_or("it does not say when it ends".to_owned(), |ends| format!("ends {ends}")),
        );
    }

    fn way(&mut self, story: &Story) {
        if let Some(proxy) = &story.proxy {
            self.add(
                "by proxy",
                format!("{} (from `{}`), which resolves and connects", proxy.address, proxy.variable),
            );
        }
        if let Some(names) = &story.names {
            let addresses: Vec<_> = names.addresses.iter().map(ToString::to_string).collect();
            let found = names.error.clone().unwrap_or_else(|| addresses.join(", "));
            self.add("name", format!("{}: {found} ({} ms)", names.host, names.milliseconds));
        }
        for reached in &story.connections {
            self.add("connect", reached.to_string());
        }
        let Some(tls) = &story.tls else { return };
        if let Some(error) = &tls.error {
            self.add("tls", error.as_str());
        } else {
            let part = |part: &Option<String>| part.clone().unwrap_or_else(|| "?".to_owned());
            let chosen = tls.protocol.as_deref().unwrap_or("no choice of protocols");
            self.add("tls", format!("{}, {}, {chosen}", part(&tls.version), part(&tls.cipher)));
        }
        for (n, certificate) in tls.chain.iter().enumerate() {
            self.certificate(n, certificate);
        }
    }

    fn certificate(&mut self, n: usize, certificate: &Certificate) {
        let Certificate { subject, issuer, names, begins, ends, ends_relative, is_over } = certificate;
        self.add("tls", format!("{n}: {subject}, signed by {issuer}"));
        if !names.is_empty() {
            self.add("tls", format!("   for {}", names.join(", ")));
        }
        let over = if *is_over { "OVER: " } else { "" };
        self.add("tls", format!("   {over}valid from {begins} to {ends} ({ends_relative})"));
    }

    fn answer(&mut self, answer: &Answer, story: &Story) {
        let from = answer.from.map(|from| format!(" from {from}")).unwrap_or_default();
        let server = answer.server.as_ref().map(|server| format!(", {server}")).unwrap_or_default();
        self.add(
            "answer",
            format!(
                "{} {}, {}{from}{server}, {} ms",
                answer.status, answer.reason, answer.version, answer.milliseconds
            ),
        );
        let shown_already = story.tls.as_ref().and_then(|tls| tls.chain.first());
        if let Some(certificate) = answer.certificate.as_ref().filter(|leaf| Some(*leaf) != shown_already) {
            self.add(
                "answer",
                format!("certificate of {}, signed by {}", certificate.subject, certificate.issuer),
            );
            self.add("answer", format!("for {}, to {}", certificate.names.join(", "), certificate.ends));
        }
    }
}

fn sent(step: &Step, story: &Story) -> String {
    // The row of a story without a token says why already.
    let is_said = story.token.is_none()
        && story.steps.last().is_some_and(|last| last.without_token == step.without_token);
    let token = match (&step.token_of, &step.without_token) {
        (Some(place), _) => format!("with the token of {place}"),
        (None, Some(why)) if !is_said => format!("without a token ({why})"),
        (None, _) => "without a token".to_owned(),
    };
    let status = step.status.map_or("no answer".to_owned(), |status| status.to_string());
    format!("{} {} {token}: {status}", step.method, step.url)
}

impl fmt::Display for Rows {
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

/// A story and its verdict for programs; more members can be added.
pub(crate) fn as_json(story: &Story, verdict: &Verdict) -> Value {
    let thoughts = Thoughts::about(story);
    let mut object = json!({
        "ok": verdict.exit == Exit::Ok, "exit": verdict.exit as u8, "verdict": verdict.sentence,
    });
    if let (Some(object), Ok(Value::Object(facts))) = (object.as_object_mut(), serde_json::to_value(story)) {
        object.extend(facts);
        object.insert("causes".to_owned(), json!(thoughts.causes));
        object.insert("next".to_owned(), json!(thoughts.next));
    }
    object
}

#[cfg(test)]
mod tests {
    use super::super::story::TokenFacts;
    use super::super::story::examples::answered;
    use super::*;

    fn story() -> Story {
        let step = |url: &str, token_of: Option<&str>, status| Step {
            method: "GET".into(),
            url: url.into(),
            token_of: token_of.map(str::to_owned),
            without_token: token_of.is_none().then(|| "a redirect leads to a stranger".to_owned()),
            status: Some(status),
            challenge: None,
        };
        let steps =
            vec![step("https://h.test/f", Some("`BEARER_TOKEN`"), 302), step("https://o.test/f", None, 403)];
        let token = TokenFacts {
            found_in: "`BEARER_TOKEN`".into(),
            kind: "opaque",
            issuer: None,
            audience: Vec::new(),
            ends: None,
            length: 40,
        };
        Story { token: Some(token), steps, causes: vec!["it was sent without".into()], ..answered(403) }
    }

    #[test]
    fn a_report_reads_from_the_question_to_the_verdict() {
        let story = story();
        let mut rows = Rows::facts(&story);
        rows.end(&story, &Verdict::of(&story));
        let text = rows.to_string();
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines[0], "question     read https://h.test/vo/f");
        assert_eq!(lines[2], "token        from `BEARER_TOKEN`: opaque of 40 characters");
        assert_eq!(lines[4], "sent         1. GET https://h.test/f with the token of `BEARER_TOKEN`: 302");
        assert!(lines[5].starts_with("             2. GET https://o.test/f without a token (a redirect"));
        assert_eq!(lines.last(), Some(&"verdict      refused: 403 Some Reason (exit code 8)"));
    }

    #[test]
    fn why_there_is_no_token_is_said_once() {
        let mut story = story();
        story.token = None;
        story.steps.remove(0);
        let text = Rows::facts(&story).to_string();
        assert!(text.contains("token        none was sent: a redirect leads to a stranger\n"), "{text}");
        assert!(text.contains("sent         1. GET https://o.test/f without a token: 403"), "{text}");
    }

    #[test]
    fn json_has_the_facts_and_the_verdict() {
        let story = story();
        let object = as_json(&story, &Verdict::of(&story));
        assert_eq!((&object["ok"], &object["exit"]), (&json!(false), &json!(8)));
        assert_eq!(object["steps"][1]["status"], json!(403));
        assert_eq!(object["operation"], json!("read"));
        assert_eq!(object["causes"], json!(["it was sent without"]));
    }
}
