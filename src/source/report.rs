//! What a search found, and which token a request would get.

use std::fmt;
use std::time::SystemTime;

use super::finding::{DiscoveryFinding, DiscoveryLocation, DiscoveryStep};
use super::ranking::RankedToken;
use super::{SourceError, TokenRequest};
use scitoken_types::AccessToken;

/// What is at each location that [`Discovery`](super::Discovery) searches, and which token would be used.
#[derive(Debug)]
pub struct DiscoveryReport {
    findings: Vec<DiscoveryFinding>,
    answer: Result<Option<AccessToken>, SourceError>,
    ranking: Vec<RankedToken>,
    now: SystemTime,
}

impl DiscoveryReport {
    pub(super) fn new(
        findings: Vec<DiscoveryFinding>,
        answer: Result<Option<AccessToken>, SourceError>,
        request: &TokenRequest<'_>,
    ) -> Self {
        let chosen = chosen(&findings, answer.as_ref().ok().and_then(Option::as_ref));
        let ranking = RankedToken::rank(&findings, chosen, answer.is_err(), request);
        Self { findings, answer, ranking, now: request.now() }
    }

    /// Returns every location, in the order of the search.
    pub fn findings(&self) -> &[DiscoveryFinding] {
        &self.findings
    }

    /// Returns what a request would get.
    pub fn answer(&self) -> Result<Option<&AccessToken>, &SourceError> {
        self.answer.as_ref().map(Option::as_ref)
    }

    /// Returns the finding that a request would get.
    pub fn chosen(&self) -> Option<&DiscoveryFinding> {
        chosen(&self.findings, self.answer().ok()?)
    }

    /// The tokens that were found, in the order in which they would be used: the first is sent, if one is.
    pub fn ranking(&self) -> &[RankedToken] {
        &self.ranking
    }
}

/// The finding with this token.
fn chosen<'f>(findings: &'f [DiscoveryFinding], token: Option<&AccessToken>) -> Option<&'f DiscoveryFinding> {
    let chosen = token?;
    findings
        .iter()
        .find(|f| f.token().is_some_and(|t| t == chosen && t.origin_label() == chosen.origin_label()))
}

/// A table: each step, its location, what is there, and a mark at the token that would be used.
impl fmt::Display for DiscoveryReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let winner = self.chosen().map(|finding| &finding.location);
        for finding in &self.findings {
            let mark = if Some(&finding.location) == winner { "*" } else { " " };
            write!(f, "{mark} {:<17} ", finding.step.to_string())?;
            if let DiscoveryLocation::File(_) = finding.location {
                write!(f, "{}: ", finding.location)?;
            }
            writeln!(f, "{}", finding.describe(self.now))?;
            if let Some(repair) = finding.repair() {
                writeln!(f, "    {repair}")?;
            }
            if let Some(mode) = finding.loose_mode() {
                writeln!(f, "    others can read it (mode {mode:04o}): `chmod 600` it")?;
            }
        }
        match &self.answer {
            Ok(Some(_)) => {
                let Some(winner) = self.chosen() else { return Ok(()) };
                let why = match winner.step {
                    DiscoveryStep::CondorCreds => "of HTCondor's tokens, it fits best",
                    _ => "it is the first that fits",
                };
                writeln!(f, "the token of {} is used: {why}", winner.location)
            }
            Ok(None) => f.write_str("no token found\n"),
            Err(error) => writeln!(f, "the search ends here: {error}"),
        }
    }
}
