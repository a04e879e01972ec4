//! What discovery finds at one location, in words.

use std::fmt;
use std::path::PathBuf;
use std::time::SystemTime;

use super::MismatchReason;
use super::file;
use scitoken_types::files::FileProblem;
use scitoken_types::sys;
use scitoken_types::{AccessToken, ErrorChain, HumanDuration, InvalidToken, redact};

/// A step of [`Discovery`](super::Discovery), in its order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum DiscoveryStep {
    /// The text of `BEARER_TOKEN`.
    BearerToken,
    /// The file that `BEARER_TOKEN_FILE` names.
    BearerTokenFile,
    /// `$XDG_RUNTIME_DIR/bt_u<uid>`.
    RuntimeDirectory,
    /// `/tmp/bt_u<uid>`.
    Tmp,
    /// The text of `SCITOKEN`.
    SciToken,
    /// The file that `SCITOKEN_FILE` names.
    SciTokenFile,
    /// `$_CONDOR_CREDS/*.use`.
    CondorCreds,
}

impl DiscoveryStep {
    /// All steps, in order.
    pub const ALL: [Self; 7] = [
        Self::BearerToken,
        Self::BearerTokenFile,
        Self::RuntimeDirectory,
        Self::Tmp,
        Self::SciToken,
        Self::SciTokenFile,
        Self::CondorCreds,
    ];

    /// Returns the variable that the step depends on, if it does.
    pub fn variable(self) -> Option<&'static str> {
        match self {
            Self::BearerToken => Some("BEARER_TOKEN"),
            Self::BearerTokenFile => Some("BEARER_TOKEN_FILE"),
            Self::RuntimeDirectory => Some("XDG_RUNTIME_DIR"),
            Self::Tmp => None,
            Self::SciToken => Some("SCITOKEN"),
            Self::SciTokenFile => Some("SCITOKEN_FILE"),
            Self::CondorCreds => Some("_CONDOR_CREDS"),
        }
    }

    /// Returns whether the user named the very file, so that its absence is worth a warning.
    pub(super) fn names_its_file(self) -> bool {
        matches!(self, Self::BearerTokenFile | Self::SciTokenFile)
    }
}

impl fmt::Display for DiscoveryStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.variable().unwrap_or("/tmp"))
    }
}

/// A location where a token may be.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum DiscoveryLocation {
    /// An environment variable.
    Variable(&'static str),
    /// A file, or HTCondor's directory.
    File(PathBuf),
}

impl fmt::Display for DiscoveryLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Variable(name) => write!(f, "`{name}`"),
            Self::File(path) => write!(f, "`{}`", redact::path(path)),
        }
    }
}

/// As displayed: a token that stands in place of a path is masked.
impl fmt::Debug for DiscoveryLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What is at a location.
#[derive(Debug)]
#[non_exhaustive]
pub enum DiscoveryResult {
    /// The variable is not set.
    Unset,
    /// Nothing but white space, or a directory without tokens.
    Empty,
    /// A token; it may have expired.
    Token(AccessToken),
    /// A token that is not for this request.
    Mismatch(AccessToken, MismatchReason),
    /// Something else than a token.
    NoToken(InvalidToken),
    /// A file that does not exist, or must not be read.
    Unusable(FileProblem),
}

/// One location and what is there.
#[derive(Debug)]
pub struct DiscoveryFinding {
    pub(super) step: DiscoveryStep,
    pub(super) location: DiscoveryLocation,
    pub(super) result: DiscoveryResult,
}

impl DiscoveryFinding {
    pub(super) fn new(step: DiscoveryStep, location: DiscoveryLocation, result: DiscoveryResult) -> Self {
        Self { step, location, result }
    }

    /// Returns the step of the search.
    pub fn step(&self) -> DiscoveryStep {
        self.step
    }

    /// Returns the location that was searched.
    pub fn location(&self) -> &DiscoveryLocation {
        &self.location
    }

    /// Returns what is at the location.
    pub fn result(&self) -> &DiscoveryResult {
        &self.result
    }

    /// Returns the token at the location, whether it fits or not.
    pub fn token(&self) -> Option<&AccessToken> {
        match &self.result {
            DiscoveryResult::Token(token) | DiscoveryResult::Mismatch(token, _) => Some(token),
            _ => None,
        }
    }

    /// Marks a token that does not fit.
    pub(super) fn mark_mismatch(&mut self, mismatch: impl Fn(&AccessToken) -> Option<MismatchReason>) {
        if let DiscoveryResult::Token(token) = &self.result
            && let Some(mismatch) = mismatch(token)
        {
            self.result = DiscoveryResult::Mismatch(token.clone(), mismatch);
        }
    }

    /// The token that is there, if it fits.
    pub(super) fn fitting(&self) -> Option<&AccessToken> {
        match &self.result {
            DiscoveryResult::Token(token) => Some(token),
            _ => None,
        }
    }

    /// Returns the mode of the file if other users than its owner can read or write it.
    pub fn loose_mode(&self) -> Option<u32> {
        match (&self.location, &self.result) {
            (
                DiscoveryLocation::File(path),
                DiscoveryResult::Token(_) | DiscoveryResult::Mismatch(..) | DiscoveryResult::NoToken(_),
            ) => file::loose_mode_of(path),
            _ => None,
        }
    }

    /// Returns the finding in words, without the token: `a token, 12 min left`.
    pub fn describe(&self, now: SystemTime) -> String {
        match &self.result {
            DiscoveryResult::Unset => "not set".to_owned(),
            DiscoveryResult::Empty => "empty".to_owned(),
            DiscoveryResult::Token(token) => describe_lifetime(token, now),
            DiscoveryResult::Mismatch(token, mismatch) => {
                format!("{}, but {mismatch}", describe_lifetime(token, now))
            }
            DiscoveryResult::NoToken(invalid) => format!("not a token: {invalid}"),
            DiscoveryResult::Unusable(problem) => ErrorChain::new(problem).to_string(),
        }
    }

    /// Returns the command that makes a file usable, in words.
    pub(super) fn repair(&self) -> Option<String> {
        match (&self.location, &self.result) {
            (DiscoveryLocation::File(path), DiscoveryResult::Unusable(problem)) => {
                Some(file::repair(&problem.hint(path)?))
            }
            _ => None,
        }
    }
}

/// How long a token is valid, in words.
fn describe_lifetime(token: &AccessToken, now: SystemTime) -> String {
    let Some(end) = token.expires_at() else {
        return match token.unusable_expiry() {
            Some(unusable) => format!("a token whose {unusable}"),
            None => "a token whose expiry is unknown".to_owned(),
        };
    };
    match end.duration_since(now) {
        Ok(left) if !left.is_zero() => format!("a token, {} left", HumanDuration::new(left)),
        _ => format!("a token that expired {} ago", HumanDuration::new(sys::elapsed(end, now))),
    }
}
