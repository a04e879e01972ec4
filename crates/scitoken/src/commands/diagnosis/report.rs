//! The facts about one request.

use std::net::SocketAddr;

use reqwest_scitokens::auth::TokenCheck;
use scitoken_transfer::is_page_name;
use scitoken_types::Scope;
use serde::{Serialize, Serializer};

use super::certificate::Certificate;
use super::error::ProbeError;
use super::handshake::Handshake;
use super::network::{ReachedAddress, ResolvedName};
use crate::args::Operation;
use crate::exit::Exit;
use crate::failure::Failure;

/// Everything that was seen. Its texts are clean for display, and none is a token.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Report {
    /// The URL.
    pub(crate) url: String,
    /// The operation in question.
    #[serde(serialize_with = "serialize_operation")]
    pub(crate) operation: Operation,
    /// The request that was sent to find out.
    pub(crate) request: String,
    pub(crate) token: Option<TokenFacts>,
    pub(crate) proxy: Option<ProxyUse>,
    /// Why none of the proxies that are set is used.
    pub(crate) no_proxy: Option<String>,
    pub(crate) names: Option<ResolvedName>,
    pub(crate) connections: Vec<ReachedAddress>,
    pub(crate) tls: Option<Handshake>,
    /// Every attempt of the request.
    pub(crate) attempts: Vec<ReportedAttempt>,
    /// Why a refused request was not sent again.
    pub(crate) not_repeated: Option<String>,
    pub(crate) answer: Option<ResponseFacts>,
    /// Why a refused request carried no token.
    #[serde(skip)]
    pub(crate) refused_without_token: Option<RefusedWithoutToken>,
    pub(crate) failure: Option<ProbeError>,
    /// The token compared with what the operation requires.
    pub(crate) checks: Vec<ReportedCheck>,
    /// The likely causes of a refusal.
    pub(crate) causes: Vec<String>,
    pub(crate) next: Vec<String>,
}

/// A proxy that the request goes through.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct ProxyUse {
    /// The variable or flag that names it.
    pub(crate) variable: String,
    /// The proxy's address, without a password.
    pub(crate) address: String,
}

/// A refusal of a request without a token.
#[derive(Clone, Debug)]
pub(crate) struct RefusedWithoutToken {
    pub(crate) exit: Exit,
    pub(crate) reason: String,
}

/// Facts about a token, without the token.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct TokenFacts {
    pub(crate) origin: String,
    pub(crate) kind: &'static str,
    pub(crate) issuer: Option<String>,
    pub(crate) audience: Vec<String>,
    pub(crate) expires: Option<String>,
    pub(crate) length: usize,
}

/// One attempt of the request.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct ReportedAttempt {
    pub(crate) method: String,
    pub(crate) url: String,
    /// Where the token that was sent comes from.
    pub(crate) token_origin: Option<String>,
    /// Why none was sent.
    pub(crate) without_token: Option<String>,
    pub(crate) status: Option<u16>,
    pub(crate) challenge: Option<String>,
}

/// The last response.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct ResponseFacts {
    pub(crate) status: u16,
    pub(crate) reason: &'static str,
    pub(crate) version: String,
    pub(crate) from: Option<SocketAddr>,
    pub(crate) server: Option<String>,
    pub(crate) date: Option<String>,
    /// How far the server's clock is ahead of this machine's.
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
pub(crate) struct ReportedCheck {
    pub(crate) rule: &'static str,
    pub(crate) verdict: &'static str,
    #[serde(skip)]
    pub(crate) line: String,
    pub(crate) token: String,
    pub(crate) request: String,
}

impl From<&TokenCheck> for ReportedCheck {
    fn from(check: &TokenCheck) -> Self {
        let verdict = match check.verdict {
            reqwest_scitokens::auth::Verdict::Fits => "fits",
            reqwest_scitokens::auth::Verdict::Fails => "fails",
            // `Unknown`, and verdicts of later versions.
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

impl ReportedCheck {
    /// Replaces the comparison of the scope with the URL's path by the scopes of the namespace, which the token has.
    pub(crate) fn accept(&mut self, accepted: &[Scope]) {
        if self.rule != "scope" {
            return;
        }
        let accepted: Vec<&str> = accepted.iter().map(Scope::as_str).collect();
        self.request = accepted.join(" or ");
        self.verdict = if self.verdict == "unknown" { "unknown" } else { "fits" };
        let mark = if self.verdict == "unknown" { "?" } else { "✓" };
        self.line = format!("{mark} scope: {} (required: {})", self.token, self.request);
    }
}

impl Report {
    /// Puts why the operation itself would not reach the server before all other causes.
    pub(crate) fn ends_before(&mut self, failure: &Failure) {
        self.causes = vec![failure.message().to_owned()];
        self.next = failure.hint().map(str::to_owned).into_iter().collect();
        self.refused_without_token = Some(RefusedWithoutToken {
            exit: failure.exit(),
            reason: "no token fits the namespace".to_owned(),
        });
    }

    /// Returns the status of the last response.
    pub(crate) fn status(&self) -> Option<u16> {
        self.answer.as_ref().map(|answer| answer.status)
    }

    /// Returns the rules that the token breaks.
    pub(crate) fn broken_rules(&self) -> impl Iterator<Item = &ReportedCheck> {
        self.checks.iter().filter(|rule| rule.verdict == "fails")
    }

    /// Returns whether a file would be read, and a web page came, which its name does not promise.
    pub(crate) fn is_page_in_place_of_data(&self) -> bool {
        let path = self.url.split(['?', '#']).next().unwrap_or_default();
        let name = path.rsplit('/').next().unwrap_or_default();
        let kind = self.answer.as_ref().and_then(|answer| answer.content_type.as_deref());
        self.operation == Operation::Read
            && self.is_readable()
            && kind.is_some_and(|kind| kind.to_ascii_lowercase().starts_with("text/html"))
            && !name.is_empty()
            && !is_page_name(name)
    }

    /// Returns whether the server let the file be read.
    pub(crate) fn is_readable(&self) -> bool {
        self.status().is_some_and(|status| (200..300).contains(&status))
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn serialize_operation<S: Serializer>(operation: &Operation, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(operation.word())
}

#[cfg(test)]
pub(crate) mod examples {
    use super::*;

    /// Returns the report of a request that was answered with this status.
    pub(crate) fn answered(status: u16) -> Report {
        let answer = ResponseFacts {
            status,
            reason: "Some Reason",
            version: "HTTP/1.1".into(),
            ..ResponseFacts::default()
        };
        Report { answer: Some(answer), ..unanswered() }
    }

    /// Returns the report of a request without a response.
    pub(crate) fn unanswered() -> Report {
        Report {
            url: "https://h.test/vo/f".into(),
            operation: Operation::Read,
            request: "GET, one byte".into(),
            token: None,
            proxy: None,
            no_proxy: None,
            names: None,
            connections: Vec::new(),
            tls: None,
            attempts: Vec::new(),
            not_repeated: None,
            answer: None,
            refused_without_token: None,
            failure: None,
            checks: Vec::new(),
            causes: Vec::new(),
            next: Vec::new(),
        }
    }

    pub(crate) fn rule(verdict: &'static str) -> ReportedCheck {
        let line = format!("{verdict} scope");
        ReportedCheck {
            rule: "scope",
            verdict,
            line,
            token: "`storage.read:/`".into(),
            request: "`write`".into(),
        }
    }
}
