//! Kinds of failures.

use std::fmt;

use serde::{Serialize, Serializer};

/// The kind of a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FailureKind {
    /// Invalid input: a URL that is not `http` or `https`, an unusable name.
    Usage,
    /// A local I/O error.
    Local,
    /// Name resolution, the connection or TLS failed.
    Connect,
    /// A time limit passed, or the data stalled.
    Timeout,
    /// A token is required and none was found.
    NoToken,
    /// A token was found and not sent: the connection has no TLS.
    TokenWithheld,
    /// The server answered `401` or `403`.
    Refused,
    /// The server answered `404` or `410`.
    NotFound,
    /// The data ended before the file was complete.
    Incomplete,
    /// The data does not have the expected checksum or length.
    Mismatch,
    /// A checksum is required and the server offers none.
    Unverified,
    /// The server sent a web page in place of the data.
    WrongContent,
    /// The server failed (`5xx`), is busy (`429`), or sent an invalid response.
    Server,
    /// Something has the target's name, and must not be replaced.
    Exists,
    /// The server rejected the request for another reason (other `4xx`).
    Rejected,
    /// A redirect was refused by policy.
    Redirect,
    /// The transfer was cancelled.
    Interrupted,
}

impl FailureKind {
    /// Returns the kind as one word of lower-case letters and hyphens.
    pub fn name(self) -> &'static str {
        match self {
            Self::Usage => "usage",
            Self::Local => "local",
            Self::Connect => "connect",
            Self::Timeout => "timeout",
            Self::NoToken => "no-token",
            Self::TokenWithheld => "token-withheld",
            Self::Refused => "refused",
            Self::NotFound => "not-found",
            Self::Incomplete => "incomplete",
            Self::Mismatch => "mismatch",
            Self::Unverified => "unverified",
            Self::WrongContent => "wrong-content",
            Self::Server => "server",
            Self::Exists => "exists",
            Self::Rejected => "rejected",
            Self::Redirect => "redirect",
            Self::Interrupted => "interrupted",
        }
    }
}

impl Serialize for FailureKind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl fmt::Display for FailureKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
