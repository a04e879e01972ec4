//! What discovery found at each place, in words.

use std::fmt;
use std::path::PathBuf;
use std::time::SystemTime;

use super::file;
use super::{FileProblem, Misfit, SourceError};
use crate::sys;
use crate::token::{AccessToken, InvalidToken};

/// A step of [`Discovery`](super::Discovery), in its order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Step {
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

impl Step {
    /// All of them, in order.
    pub const ALL: [Self; 7] = [
        Self::BearerToken,
        Self::BearerTokenFile,
        Self::RuntimeDirectory,
        Self::Tmp,
        Self::SciToken,
        Self::SciTokenFile,
        Self::CondorCreds,
    ];

    /// The variable that the step depends on, if it does.
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

    /// Whether the user named the very file, so that its absence is worth a warning.
    pub(super) fn names_its_file(self) -> bool {
        matches!(self, Self::BearerTokenFile | Self::SciTokenFile)
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.variable().unwrap_or("/tmp"))
    }
}

/// A place where a token may be.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Place {
    /// An environment variable.
    Variable(&'static str),
    /// A file, or HTCondor's directory.
    File(PathBuf),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Variable(name) => write!(f, "`{name}`"),
            Self::File(path) => write!(f, "`{}`", path.display()),
        }
    }
}

/// What is at a place.
#[derive(Debug)]
#[non_exhaustive]
pub enum Found {
    /// The variable is not set.
    Unset,
    /// Nothing but white space, or a directory without tokens.
    Empty,
    /// A token; it may have ended.
    Token(AccessToken),
    /// A token that is not for this request.
    Misfit(AccessToken, Misfit),
    /// Something else than a token.
    NoToken(InvalidToken),
    /// A file that is not there, or that is not to be read.
    Unusable(FileProblem),
}

/// One place and what is there.
#[derive(Debug)]
pub struct Finding {
    pub(super) step: Step,
    pub(super) place: Place,
    pub(super) found: Found,
}

impl Finding {
    pub(super) fn new(step: Step, place: Place, found: Found) -> Self {
        Self { step, place, found }
    }

    /// The step of the search.
    pub fn step(&self) -> Step {
        self.step
    }

    /// Where it looked.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// What is there.
    pub fn found(&self) -> &Found {
        &self.found
    }

    /// The token that is there, fitting or not.
    pub fn token(&self) -> Option<&AccessToken> {
        match &self.found {
            Found::Token(token) | Found::Misfit(token, _) => Some(token),
            _ => None,
        }
    }

    /// The mode of the file, if others than its owner can read or write it.
    pub fn loose_mode(&self) -> Option<u32> {
        match (&self.place, &self.found) {
            (Place::File(path), Found::Token(_) | Found::Misfit(..) | Found::NoToken(_)) => {
                file::loose_mode_of(path)
            }
            _ => None,
        }
    }

    /// The finding in words, without the token: `a token, 12 min left`.
    pub fn describe(&self, now: SystemTime) -> String {
        match &self.found {
            Found::Unset => "not set".to_owned(),
            Found::Empty => "empty".to_owned(),
            Found::Token(token) => life(token, now),
            Found::Misfit(token, misfit) => format!("{}, but {misfit}", life(token, now)),
            Found::NoToken(invalid) => format!("not a token: {invalid}"),
            Found::Unusable(FileProblem::Unreadable(error)) => format!("the file cannot be read: {error}"),
            Found::Unusable(problem) => problem.to_string(),
        }
    }
}

/// How long a token lives, in words.
fn life(token: &AccessToken, now: SystemTime) -> String {
    let Some(end) = token.expires_at() else { return "a token that does not say when it ends".to_owned() };
    match end.duration_since(now) {
        Ok(left) if !left.is_zero() => format!("a token, {} left", sys::in_words(left.as_secs())),
        _ => format!("a token that expired {} ago", sys::in_words(sys::elapsed(end, now).as_secs())),
    }
}

/// What there is at all the places of [`Discovery`](super::Discovery), and which of it would be used.
#[derive(Debug)]
pub struct Survey {
    findings: Vec<Finding>,
    answer: Result<Option<AccessToken>, SourceError>,
    now: SystemTime,
}

impl Survey {
    pub(super) fn new(
        findings: Vec<Finding>,
        answer: Result<Option<AccessToken>, SourceError>,
        now: SystemTime,
    ) -> Self {
        Self { findings, answer, now }
    }

    /// Every place in the order of the search.
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// What a request would get.
    pub fn answer(&self) -> Result<Option<&AccessToken>, &SourceError> {
        self.answer.as_ref().map(Option::as_ref)
    }

    /// The finding that a request would get.
    pub fn winner(&self) -> Option<&Finding> {
        let chosen = self.answer().ok()??;
        self.findings
            .iter()
            .find(|f| f.token().is_some_and(|t| t == chosen && t.found_in() == chosen.found_in()))
    }
}

/// A table: each step, where it looked, what is there, and a mark at the winner.
impl fmt::Display for Survey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let winner = self.winner().map(|finding| &finding.place);
        for finding in &self.findings {
            let mark = if Some(&finding.place) == winner { "*" } else { " " };
            write!(f, "{mark} {:<17} ", finding.step.to_string())?;
            if let Place::File(_) = finding.place {
                write!(f, "{}: ", finding.place)?;
            }
            writeln!(f, "{}", finding.describe(self.now))?;
            if let Some(mode) = finding.loose_mode() {
                writeln!(f, "    others can read it (mode {mode:04o}): `chmod 600` it")?;
            }
        }
        match &self.answer {
            Ok(Some(_)) => {
                let Some(winner) = self.winner() else { return Ok(()) };
                let why = match winner.step {
                    Step::CondorCreds => "of HTCondor's tokens, it fits best",
                    _ => "it is the first that will do",
                };
                writeln!(f, "the token of {} is used: {why}", winner.place)
            }
            Ok(None) => f.write_str("no token found\n"),
            Err(error) => writeln!(f, "the search ends here: {error}"),
        }
    }
}
