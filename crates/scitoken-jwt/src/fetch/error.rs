//! Why a document could not be fetched.

use std::error::Error;
use std::fmt;
use std::io;
use std::time::Duration;

use http::StatusCode;
use url::Url;

use crate::keys::KeyError;
use scitoken_types::SafeUrl;

/// A document could not be fetched.
///
/// `Display` names the URL without its secrets.
#[derive(Debug)]
pub struct FetchError {
    url: String,
    problem: FetchProblem,
}

#[derive(Debug)]
pub(super) enum FetchProblem {
    NotHttps,
    Credentials,
    TooSlow(Duration),
    Transport(Box<dyn Error + Send + Sync>),
    Status(StatusCode),
    Redirected(String),
    Followed(String),
    TooLarge(usize),
    Encoding(String),
    NotCompressed(io::Error),
    NotJson(serde_json::Error),
    NotKeys(KeyError),
}

impl FetchError {
    pub(super) fn new(url: &Url, problem: FetchProblem) -> Self {
        Self { url: SafeUrl::new(url).to_string(), problem }
    }

    /// Returns the status of the answer, if that is the cause.
    pub fn status(&self) -> Option<StatusCode> {
        if let FetchProblem::Status(status) = self.problem { Some(status) } else { None }
    }

    /// Returns whether the same request may succeed later: the cause is the network, the time limit or the server.
    pub fn is_transient(&self) -> bool {
        match &self.problem {
            FetchProblem::TooSlow(_) | FetchProblem::Transport(_) => true,
            FetchProblem::Status(status) => {
                status.is_server_error() || *status == StatusCode::TOO_MANY_REQUESTS
            }
            _ => false,
        }
    }

    /// Returns whether the time limit is the cause.
    pub fn is_timeout(&self) -> bool {
        matches!(self.problem, FetchProblem::TooSlow(_))
    }

    /// Returns whether a policy of this library stopped the request: the URL is not `https`, has a user name, or is one to
    /// which a redirect led.
    pub fn is_refused_by_policy(&self) -> bool {
        matches!(
            self.problem,
            FetchProblem::NotHttps
                | FetchProblem::Credentials
                | FetchProblem::Redirected(_)
                | FetchProblem::Followed(_)
        )
    }

    /// Returns whether the document arrived but is malformed.
    pub fn is_malformed(&self) -> bool {
        matches!(
            self.problem,
            FetchProblem::NotJson(_)
                | FetchProblem::NotKeys(_)
                | FetchProblem::TooLarge(_)
                | FetchProblem::Encoding(_)
                | FetchProblem::NotCompressed(_)
        )
    }
}

impl fmt::Display for FetchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let url = &self.url;
        match &self.problem {
            FetchProblem::NotHttps => {
                write!(f, "`{url}` is not https")
            }
            FetchProblem::Credentials => {
                write!(f, "`{url}` has a user name; keys are fetched without credentials")
            }
            FetchProblem::TooSlow(limit) => write!(f, "`{url}` took longer than {limit:?}"),
            FetchProblem::Transport(_) => write!(f, "failed to fetch `{url}`"),
            FetchProblem::Status(status) => write!(f, "`{url}` returned {status}"),
            FetchProblem::Redirected(to) => {
                write!(f, "`{url}` redirects to `{to}`; use that URL if you trust it")
            }
            FetchProblem::Followed(to) => write!(
                f,
                "the HTTP client has followed `{url}` to `{to}` by itself, past every check; build it with \
                 `redirect::Policy::none()`"
            ),
            FetchProblem::TooLarge(limit) => write!(f, "`{url}` is larger than {limit} bytes"),
            FetchProblem::Encoding(encoding) => {
                write!(f, "`{url}` is encoded as `{encoding}`, and `identity` was requested")
            }
            FetchProblem::NotCompressed(_) => write!(f, "`{url}` is not compressed as it claims to be"),
            FetchProblem::NotJson(_) => write!(f, "the document at `{url}` is not the expected JSON"),
            FetchProblem::NotKeys(_) => write!(f, "the document at `{url}` is not a key set"),
        }
    }
}

impl Error for FetchError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &self.problem {
            FetchProblem::Transport(error) => Some(&**error),
            FetchProblem::NotCompressed(error) => Some(error),
            FetchProblem::NotJson(error) => Some(error),
            FetchProblem::NotKeys(error) => Some(error),
            _ => None,
        }
    }
}
