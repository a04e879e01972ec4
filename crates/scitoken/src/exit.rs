//! The exit codes of every command.

use std::process::ExitCode;

/// How a command ended. [`TABLE`] describes the same codes for users.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Done; for a question: yes.
    Ok = 0,
    /// For a question (`token verify`, `token enforce`, `jwt decode`): no. For Pelican's plugin: failed.
    No = 1,
    /// Invalid command line or settings.
    Usage = 2,
    /// Local I/O error.
    Local = 3,
    /// Name resolution, connection or TLS failed.
    Connect = 4,
    /// A time limit passed, or the transfer stalled.
    Timeout = 5,
    /// No usable token was found where one is required, also by a server that answers 401 or 403.
    NoToken = 7,
    /// The server refused the token (401, 403).
    TokenRefused = 8,
    /// Not found (404, 410).
    NotFound = 9,
    /// The transfer ended before the data was complete.
    Incomplete = 10,
    /// The same command may work later; HTCondor and Pelican use this code for it.
    TryLater = 11,
    /// Checksum mismatch.
    Mismatch = 12,
    /// Server error (5xx), or an invalid response.
    Server = 13,
    /// A redirect, or sending the token, was refused by policy.
    Policy = 14,
    /// The target already exists.
    Exists = 15,
}

/// The table at the end of `scitoken --help` and in the man pages, as a literal.
macro_rules! exit_table {
    () => {
        "\
Exit codes:
   0  done; for a question: yes
   1  for a question (`token verify`, `token enforce`, `jwt decode`): no;
      for `condor-plugin` with names of objects: failed
   2  invalid command line or settings
   3  local I/O error
   4  name resolution, connection or TLS failed
   5  a time limit passed, or the transfer stalled
   7  no usable token was found where one is required
   8  the server refused the token (401, 403)
   9  not found (404, 410)
  10  the transfer ended before the data was complete
  11  temporary failure; the same command may work later
  12  checksum mismatch
  13  server error (5xx), or an invalid response
  14  a redirect, or sending the token, was refused by policy
  15  the target already exists
A command with several files exits with the most severe code."
    };
}
pub(crate) use exit_table;

/// The table of the exit codes.
pub(crate) const TABLE: &str = exit_table!();

impl Exit {
    /// Returns the name of the code in JSON.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::No => "no",
            Self::Usage => "usage",
            Self::Local => "local",
            Self::Connect => "connect",
            Self::Timeout => "timeout",
            Self::NoToken => "no_token",
            Self::TokenRefused => "token_refused",
            Self::NotFound => "not_found",
            Self::Incomplete => "incomplete",
            Self::TryLater => "try_later",
            Self::Mismatch => "mismatch",
            Self::Server => "server",
            Self::Policy => "policy",
            Self::Exists => "exists",
        }
    }

    /// Returns the code that says more about a run of several files.
    pub(crate) fn more_severe(self, other: Self) -> Self {
        if other.severity() > self.severity() { other } else { self }
    }

    fn severity(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::TryLater => 1,
            Self::Timeout => 2,
            Self::Connect => 3,
            Self::Server => 4,
            Self::Incomplete => 5,
            Self::NotFound => 6,
            Self::TokenRefused => 7,
            Self::NoToken => 8,
            Self::Policy => 9,
            Self::Exists => 10,
            Self::No => 11,
            Self::Usage => 12,
            Self::Local => 13,
            Self::Mismatch => 14,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}
