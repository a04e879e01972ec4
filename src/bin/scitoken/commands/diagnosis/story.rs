//! The facts about one request.

use std::net::SocketAddr;

use reqwest_scitokens::Check;
use serde::{Serialize, Serializer};

use super::certificate::Certificate;
use super::handshake::Handshake;
use super::network::{Names, Reached};
use super::proxy::ProxyUse;
use super::trouble::Trouble;
use crate::commands::operation::Operation;

/// Everything that was seen. Texts in it are fit for showing, and none is a token.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Story {
    /// Where the question goes.
    pub(crate) url: String,
    /// What is to be done there.
    #[serde(serialize_with = "word")]
    pub(crate) operation: Operation,
    /// What was sent instead, or to look.
    pub(crate) request: String,
    pub(crate) token: Option<TokenFacts>,
    pub(crate) proxy: Option<ProxyUse>,
    pub(crate) names: Option<Names>,
    pub(crate) connections: Vec<Reached>,
    pub(crate) tls: Option<Handshake>,
    /// Every time that the request was sent.
    pub(crate) steps: Vec<Step>,
    /// Why a refused request was not sent once more.
    pub(crate) not_repeated: Option<String>,
    pub(crate) answer: Option<Answer>,
    pub(crate) failure: Option<Trouble>,
    /// What the token says against what the operation needs.
    pub(crate) checks: Vec<Compared>,
    /// What the library thinks of a refusal.
    pub(crate) causes: Vec<String>,
    pub(crate) next: Vec<String>,
}

/// A token, without the token.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct TokenFacts {
    pub(crate) found_in: String,
    pub(crate) kind: &'static str,
    pub(crate) issuer: Option<String>,
    pub(crate) audience: Vec<String>,
    pub(crate) ends: Option<String>,
    pub(crate) length: usize,
}

/// One time that the request was sent.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Step {
    pub(crate) method: String,
    pub(crate) url: String,
    /// The place of the token that was sent.
    pub(crate) token_of: Option<String>,
    /// Why none was sent.
    pub(crate) without_token: Option<String>,
    pub(crate) status: Option<u16>,
    pub(crate) challenge: Option<String>,
}

/// The last answer.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) reason: &'static str,
    pub(crate) version: String,
    pub(crate) from: Option<SocketAddr>,
    pub(crate) server: Option<String>,
    pub(crate) date: Option<String>,
    /// How far the server's clock is ahead of ours.
    pub(crate) clock_ahead_seconds: Option<i64>,
    pub(crate) content_type: Option<String>,
    pub(crate) content_length: Option<u64>,
    pub(crate) content_range: Option<String>,
    /// The schemes of all challenges.
    pub(crate) asks_for: Vec<String>,
    pub(crate) certificate: Option<Certificate>,
    pub(crate) milliseconds: u128,
}

/// One comparison of the token with the request.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Compared {
    pub(crate) rule: &'static str,
    pub(crate) verdict: &'static str,
    #[serde(skip)]
    pub(crate) line: String,
    pub(crate) token: String,
    pub(crate) request: String,
}

impl From<&Check> for Compared {
    fn from(check: &Check) -> Self {
        let verdict = match check.verdict {
            reqwest_scitokens::Verdict::Fits => "fits",
            reqwest_scitokens::Verdict::Fails => "fails",
            // `Unknown`, and what is yet to come.
            _ => "unknown",
        };
        Self {
            rule: check.what,
            verdict,
            line: check.to_string(),
            token: check.token.clone(),
            request: check.request.clone(),
        }
    }
}

impl Story {
    /// The status of the last answer.
    pub(crate) fn status(&self) -> Option<u16> {
        self.answer.as_ref().map(|answer| answer.status)
    }

    /// The rules that the token breaks.
    pub(crate) fn broken_rules(&self) -> impl Iterator<Item = &Compared> {
        self.checks.iter().filter(|rule| rule.verdict == "fails")
    }

    /// Whether the server let the file be read.
    pub(crate) fn is_readable(&self) -> bool {
        self.status().is_some_and(|status| (200..300).contains(&status))
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn word<S: Serializer>(operation: &Operation, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(operation.word())
}

#[cfg(test)]
pub(crate) mod examples {
    use super::*;

    /// A request that the server answered so.
    pub(crate) fn answered(status: u16) -> Story {
        let answer =
            Answer { status, reason: "Some Reason", version: "HTTP/1.1".into(), ..Answer::default() };
        Story { answer: Some(answer), ..silent() }
    }

    /// A request without an answer.
    pub(crate) fn silent() -> Story {
        Story {
            url: "https://h.test/vo/f".into(),
            operation: Operation::Read,
            request: "GET, one byte".into(),
            token: None,
            proxy: None,
            names: None,
            connections: Vec::new(),
            tls: None,
            steps: Vec::new(),
            not_repeated: None,
            answer: None,
            failure: None,
            checks: Vec::new(),
            causes: Vec::new(),
            next: Vec::new(),
        }
    }

    pub(crate) fn rule(verdict: &'static str) -> Compared {
        let line = format!("{verdict} scope");
        Compared { rule: "scope", verdict, line, token: "`storage.read:/`".into(), request: "`write`".into() }
    }
}
