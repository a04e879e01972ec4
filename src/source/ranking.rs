//! The tokens that a search found, in the order in which they would be used.

use std::fmt;
use std::time::SystemTime;

use super::finding::{DiscoveryFinding, DiscoveryLocation, DiscoveryResult, DiscoveryStep};
use super::{MismatchReason, TokenRequest};
use scitoken_types::{AccessToken, HumanDuration, LifetimeFit, TokenFit, sys};

/// A token that [`Discovery`](super::Discovery) found, how it fits the request, and why it has its place among the others.
///
/// `Display` is one line without the token.
#[derive(Clone, Debug)]
pub struct RankedToken {
    location: DiscoveryLocation,
    fit: TokenFit,
    standing: TokenStanding,
    expiry: String,
    is_jwt: bool,
}

/// Why a token has its place among those that were found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TokenStanding {
    /// It is sent: the search finds it first.
    First,
    /// It is sent: of HTCondor's tokens it fits best.
    Best,
    /// An earlier step of the search has a token.
    Later,
    /// Another of HTCondor's tokens fits better, or as well and comes earlier by its name.
    FitsLess,
    /// It is used only where no other token is found: it expires too soon.
    ExpiresSoon,
    /// It is not used for this request.
    Mismatch(MismatchReason),
    /// It has expired.
    Expired,
    /// The search ends at an error before it.
    NotReached,
}

impl RankedToken {
    /// Returns where the token was found.
    pub fn location(&self) -> &DiscoveryLocation {
        &self.location
    }

    /// Returns how the token fits the request.
    pub fn fit(&self) -> TokenFit {
        self.fit
    }

    /// Returns why the token has its place.
    pub fn standing(&self) -> TokenStanding {
        self.standing
    }

    /// Ranks the tokens of a search that ended at `chosen`, or at an error.
    pub(super) fn rank(
        findings: &[DiscoveryFinding],
        chosen: Option<&DiscoveryFinding>,
        failed: bool,
        request: &TokenRequest<'_>,
    ) -> Vec<Self> {
        let mut ended = false;
        let mut ranked = Vec::new();
        for finding in findings {
            if let Some(token) = finding.token() {
                let fit = request.fit(token);
                let is_chosen = chosen.is_some_and(|chosen| std::ptr::eq(chosen, finding));
                let standing = TokenStanding::of(finding, fit.lifetime, is_chosen, chosen, failed && ended);
                ranked.push(Self::new(finding, token, fit, standing, request.now()));
            }
            ended |= matches!(finding.result, DiscoveryResult::NoToken(_))
                && finding.step != DiscoveryStep::CondorCreds;
        }
        // Stable: within a class, the order of the search.
        ranked.sort_by_key(|token| token.standing.class());
        ranked
    }

    fn new(
        finding: &DiscoveryFinding,
        token: &AccessToken,
        fit: TokenFit,
        standing: TokenStanding,
        now: SystemTime,
    ) -> Self {
        let is_jwt = token.claims().is_some();
        Self { location: finding.location.clone(), fit, standing, expiry: expiry(token, now), is_jwt }
    }
}

impl TokenStanding {
    fn of(
        finding: &DiscoveryFinding,
        lifetime: LifetimeFit,
        is_chosen: bool,
        chosen: Option<&DiscoveryFinding>,
        is_beyond_error: bool,
    ) -> Self {
        let is_condor = |finding: &DiscoveryFinding| finding.step == DiscoveryStep::CondorCreds;
        match &finding.result {
            _ if is_chosen && is_condor(finding) => Self::Best,
            _ if is_chosen => Self::First,
            _ if is_beyond_error => Self::NotReached,
            DiscoveryResult::Mismatch(_, reason) => Self::Mismatch(*reason),
            _ if lifetime == LifetimeFit::Expired => Self::Expired,
            _ if lifetime == LifetimeFit::ExpiresSoon => Self::ExpiresSoon,
            _ if is_condor(finding) && chosen.is_some_and(is_condor) => Self::FitsLess,
            _ => Self::Later,
        }
    }

    /// Whether the token is sent.
    pub fn is_sent(self) -> bool {
        self.class() == 0
    }

    fn class(self) -> u8 {
        match self {
            Self::First | Self::Best => 0,
            Self::Later | Self::FitsLess => 1,
            Self::ExpiresSoon => 2,
            Self::Mismatch(_) => 3,
            Self::Expired => 4,
            Self::NotReached => 5,
        }
    }
}

impl fmt::Display for TokenStanding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::First => f.write_str("sent: the search finds it first"),
            Self::Best => f.write_str("sent: it fits best of HTCondor's tokens"),
            Self::Later => f.write_str("not sent: the search finds another one first"),
            Self::FitsLess => {
                f.write_str("not sent: another of HTCondor's tokens fits better or comes first")
            }
            Self::ExpiresSoon => f.write_str("not sent: it expires too soon"),
            Self::Mismatch(reason) => write!(f, "not sent: {reason}"),
            Self::Expired => f.write_str("not sent: it has expired"),
            Self::NotReached => f.write_str("not sent: the search ends before it"),
        }
    }
}

impl fmt::Display for RankedToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}; {}", self.location, self.standing, self.expiry)?;
        if !self.is_jwt {
            return f.write_str("; it is opaque: only the server can tell whether it fits");
        }
        write!(f, "; {}; {}", self.fit.audience, self.fit.access)
    }
}

/// When a token expires, in words.
fn expiry(token: &AccessToken, now: SystemTime) -> String {
    match token.expires_at() {
        Some(end) if end > now => format!("{} left", HumanDuration::new(sys::elapsed(now, end))),
        Some(end) => format!("expired {} ago", HumanDuration::new(sys::elapsed(end, now))),
        None => match token.unusable_expiry() {
            Some(unusable) => unusable.to_string(),
            None => "no expiry is known".to_owned(),
        },
    }
}
