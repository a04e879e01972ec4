//! What goes wrong with a transfer, sorted by what one can do about it.

use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::path::Path;
use std::time::Duration;

use http::StatusCode;
use url::Url;

use crate::{Explanation, SafeUrl};

/// The sort of a failure. The program's exit codes follow it one to one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FailureKind {
    /// What was asked for makes no sense: a URL that is no `http` or `https` address, a bad name.
    Usage,
    /// A local file, directory or disk would not have it.
    Local,
    /// Name resolution, connection or TLS failed.
    Connect,
    /// A time limit passed, or the data stopped coming.
    Timeout,
    /// A token is required and none was found.
    NoToken,
    /// The server refused: `401` or `403`.
    Refused,
    /// The server does not have it: `404` or `410`.
    NotFound,
    /// The data ended before the file did.
    Incomplete,
    /// The data does not have the checksum that it should have.
    Mismatch,
    /// A checksum is required and the server gave none.
    Unverified,
    /// The server sent a web page in place of the data.
    WrongContent,
    /// The server failed (`5xx`), is busy (`429`), or answered what makes no sense.
    Server,
    /// The server refuses the request for another reason (other `4xx`).
    Rejected,
    /// A redirect was refused by policy.
    Redirect,
    /// The transfer was told to stop.
    Interrupted,
}

/// What trying again would need.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Remedy {
    /// The same again, going on where it ended.
    Again,
    /// The same again from the first byte: what is there cannot be trusted.
    FromStart,
    /// The same without the question for a digest (XRootD 5.5 answers `500` to it where none is configured).
    WithoutDigest,
    /// The same with one request for the whole file: the server does not do ranges right.
    WithoutRanges,
    /// A token that is not this one.
    OtherToken,
    /// Another server; this one will not change its mind.
    OtherSource,
    /// Nothing.
    Nothing,
}

/// A transfer that failed.
///
/// `Display` is one sentence without the cause; the cause is the [`source`](StdError::source). No credential is in
/// either.
pub struct TransferError(Box<Inner>);

struct Inner {
    kind: FailureKind,
    remedy: Remedy,
    message: String,
    hint: Option<String>,
    status: Option<StatusCode>,
    retry_after: Option<Duration>,
    explanation: Option<Explanation>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl TransferError {
    /// The sort of the failure.
    pub fn kind(&self) -> FailureKind {
        self.0.kind
    }

    /// Whether the same transfer may well work later, as HTCondor and its like want to know.
    pub fn is_worth_retrying(&self) -> bool {
        // A time limit of the user's ends a transfer that may go on in another run.
        self.0.kind == FailureKind::Timeout
            || !matches!(self.0.remedy, Remedy::Nothing | Remedy::OtherSource | Remedy::OtherToken)
    }

    /// The HTTP status, if there was an answer.
    pub fn status(&self) -> Option<StatusCode> {
        self.0.status
    }

    /// What the user can do about it, where we know.
    pub fn hint(&self) -> Option<&str> {
        self.0.hint.as_deref()
    }

    /// Why the server refused the token, where the client has an
    /// [`AuthMiddleware`](crate::AuthMiddleware) that can tell.
    pub fn explanation(&self) -> Option<&Explanation> {
        self.0.explanation.as_ref()
    }

    pub(crate) fn new(kind: FailureKind, remedy: Remedy, message: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            kind,
            remedy,
            message: message.into(),
            hint: None,
            status: None,
            retry_after: None,
            explanation: None,
            source: None,
        }))
    }

    /// A local file would not have it.
    pub(crate) fn local(what: &str, path: &Path, error: io::Error) -> Self {
        let hint = match error.kind() {
            io::ErrorKind::StorageFull => {
                Some("make room on that disk, or choose another place with `-P DIR`")
            }
            io::ErrorKind::PermissionDenied => {
                Some("choose a place that you may write to with `-o FILE` or `-P DIR`")
            }
            io::ErrorKind::NotFound => Some("the directory must exist, or be made with `--create-dirs`"),
            _ => None,
        };
        let failure =
            Self::new(FailureKind::Local, Remedy::Nothing, format!("cannot {what} `{}`", shown(path)));
        let failure = failure.with_source(error);
        match hint {
            Some(hint) => failure.with_hint(hint),
            None => failure,
        }
    }

    /// The server's answer makes no sense for what was asked.
    pub(crate) fn nonsense(url: &Url, remedy: Remedy, what: impl fmt::Display) -> Self {
        Self::new(FailureKind::Server, remedy, format!("`{}` {what}", SafeUrl::new(url)))
    }

    /// The transfer was told to stop.
    pub(crate) fn interrupted() -> Self {
        Self::new(FailureKind::Interrupted, Remedy::Again, "the transfer was interrupted")
            .with_hint("run the same command again: it goes on where it stopped")
    }

    pub(crate) fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hint = Some(hint.into());
        self
    }

    pub(crate) fn with_explanation(mut self, explanation: Option<Explanation>) -> Self {
        self.0.explanation = explanation;
        self
    }

    pub(crate) fn with_status(mut self, status: StatusCode) -> Self {
        self.0.status = Some(status);
        self
    }

    pub(crate) fn with_remedy(mut self, remedy: Remedy) -> Self {
        self.0.remedy = remedy;
        self
    }

    pub(crate) fn with_retry_after(mut self, wait: Option<Duration>) -> Self {
        self.0.retry_after = wait;
        self
    }

    pub(crate) fn with_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    pub(crate) fn remedy(&self) -> Remedy {
        self.0.remedy
    }

    pub(crate) fn retry_after(&self) -> Option<Duration> {
        self.0.retry_after
    }
}

impl fmt::Display for TransferError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl fmt::Debug for TransferError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TransferError")
            .field("kind", &self.0.kind)
            .field("message", &self.0.message)
            .field("status", &self.0.status)
            .field("source", &self.0.source)
            .finish_non_exhaustive()
    }
}

impl StdError for TransferError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}

/// A path fit for a terminal.
pub(crate) fn shown(path: &Path) -> String {
    path.to_string_lossy().chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

/// A failure with its causes in one line, for those who cannot show a chain.
pub(crate) fn in_words(failure: &TransferError) -> String {
    let mut words = failure.to_string();
    let mut cause = failure.source();
    while let Some(error) = cause {
        words.push_str(": ");
        words.push_str(&crate::redact::text(&error.to_string()));
        cause = error.source();
    }
    words
}
