//! The exit codes of every command, one table for all.

use std::process::ExitCode;

/// How a command ended. [`TABLE`] says the same to people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// It did what was asked; for a question: yes.
    Ok = 0,
    /// For a question (`token verify`, `token enforce`, `jwt decode`): no.
    Refused = 1,
    /// The command line cannot be understood.
    Usage = 2,
    /// A local file, directory or disk would not have it.
    Local = 3,
    /// Name resolution, connection or TLS failed.
    Connect = 4,
    /// A time limit passed, or the transfer stalled.
    Timeout = 5,
    /// No token was found where one is required.
    NoToken = 7,
    /// The server refused the token (401, 403).
    TokenRefused = 8,
    /// The server does not have it (404, 410).
    NotFound = 9,
    /// The transfer ended before the data did.
    Incomplete = 10,
    /// The same command may work later; HTCondor and Pelican read this code so.
    TryLater = 11,
    /// The data does not have the checksum that it should have.
    Mismatch = 12,
    /// The server failed (5xx), or answered what makes no sense.
    Server = 13,
    /// A redirect was refused by policy.
    Redirect = 14,
}

/// The table at the end of `scitoken --help` and of the man page.
pub(crate) const TABLE: &str = "\
Exit codes:
   0  done; for a question: yes
   1  for a question (`token verify`, `token enforce`, `jwt decode`): no
   2  the command line cannot be understood
   3  a local file, directory or disk would not have it
   4  name resolution, connection or TLS failed
   5  a time limit passed, or the transfer stalled
   7  no token was found where one is required
   8  the server refused the token (401, 403)
   9  the server does not have it (404, 410)
  10  the transfer ended before the data did
  11  the same command may work later
  12  the data does not have the checksum that it should have
  13  the server failed (5xx), or answered what makes no sense
  14  a redirect was refused by policy
Of several files, the gravest.";

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}
