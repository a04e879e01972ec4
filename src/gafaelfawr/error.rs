//! Why the client has no answer.

use std::error::Error;
use std::fmt;

use http::StatusCode;
use url::Url;

use super::refusal::Refusal;
use super::request::RequestProblem;
use super::validation::ValidationError;
use crate::redact::{self, SafeUrl};

/// The [client](super::Client) could not do what it was asked.
#[derive(Debug)]
pub struct ClientError(Box<Kind>);

#[derive(Debug)]
enum Kind {
    /// The URL that the client was made with has no paths.
    NoServer { url: String },
    /// The session's token belongs to nobody who has a list of tokens.
    NoUser { username: String },
    /// The request was not sent: the server would refuse it.
    Request(RequestProblem),
    /// No answer came.
    Transport(reqwest_middleware::Error),
    /// The answer is an error.
    Refused { url: String, refusal: Refusal },
    /// The answer is not JSON.
    NoJson { url: String, content_type: Option<String> },
    /// The answer is JSON, and not what it should be.
    Misfit { url: String, wanted: &'static str },
    /// The answer is JSON, and not the model that it should be.
    Invalid { url: String, error: ValidationError },
    /// The answer does not end.
    TooLong { url: String, limit: usize },
}

fn shown(url: &Url) -> String {
    SafeUrl::new(url).to_string()
}

impl ClientError {
    pub(super) fn no_server(url: &Url) -> Self {
        Self::from(Kind::NoServer { url: shown(url) })
    }

    pub(super) fn no_user(username: &str) -> Self {
        Self::from(Kind::NoUser { username: redact::text(username) })
    }

    pub(super) fn transport(error: reqwest_middleware::Error) -> Self {
        Self::from(Kind::Transport(error))
    }

    pub(super) fn refused(url: &Url, refusal: Refusal) -> Self {
        Self::from(Kind::Refused { url: shown(url), refusal })
    }

    pub(super) fn no_json(url: &Url, content_type: Option<&str>) -> Self {
        Self::from(Kind::NoJson { url: shown(url), content_type: content_type.map(redact::text) })
    }

    pub(super) fn misfit(url: &Url, wanted: &'static str) -> Self {
        Self::from(Kind::Misfit { url: shown(url), wanted })
    }

    pub(super) fn invalid(url: &Url, error: ValidationError) -> Self {
        Self::from(Kind::Invalid { url: shown(url), error })
    }

    pub(super) fn too_long(url: &Url, limit: usize) -> Self {
        Self::from(Kind::TooLong { url: shown(url), limit })
    }

    /// What the server said, if it answered with an error.
    pub fn refusal(&self) -> Option<&Refusal> {
        match &*self.0 {
            Kind::Refused { refusal, .. } => Some(refusal),
            _ => None,
        }
    }

    /// The status that the server meant, if it answered with an error.
    pub fn status(&self) -> Option<StatusCode> {
        self.refusal().map(Refusal::status)
    }

    /// What is wrong with the request, if it was not even sent.
    pub fn request_problem(&self) -> Option<&RequestProblem> {
        match &*self.0 {
            Kind::Request(problem) => Some(problem),
            _ => None,
        }
    }

    /// The failure of the session or the network, if no answer came.
    pub fn transport_error(&self) -> Option<&reqwest_middleware::Error> {
        match &*self.0 {
            Kind::Transport(error) => Some(error),
            _ => None,
        }
    }

    /// What the user can do about it.
    pub fn hint(&self) -> Option<String> {
        match &*self.0 {
            Kind::Refused { refusal, .. } => refusal.hint(),
            Kind::NoJson { .. } | Kind::Misfit { .. } => Some(
                "is this the address of a science platform with Gafaelfawr? A login page in place of an answer \
                 means that no token was sent"
                    .to_owned(),
            ),
            _ => None,
        }
    }
}

impl From<Kind> for ClientError {
    fn from(kind: Kind) -> Self {
        Self(Box::new(kind))
    }
}

impl From<RequestProblem> for ClientError {
    fn from(problem: RequestProblem) -> Self {
        Self::from(Kind::Request(problem))
    }
}

impl fmt::Display for ClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.0 {
            Kind::NoServer { url } => write!(f, "`{url}` is not the address of a server"),
            Kind::NoUser { username } => write!(f, "the token belongs to `{username}`, who is no user"),
            Kind::Request(_) => f.write_str("the request was not sent, since the server would refuse it"),
            Kind::Transport(_) => f.write_str("no answer from Gafaelfawr"),
            Kind::Refused { url, refusal } => write!(f, "Gafaelfawr answered `{url}` with {refusal}"),
            Kind::NoJson { url, content_type: Some(found) } => {
                write!(f, "the answer from `{url}` is `{found}`, not JSON")
            }
            Kind::NoJson { url, content_type: None } => write!(f, "the answer from `{url}` is not JSON"),
            Kind::Misfit { url, wanted } => write!(f, "the answer from `{url}` is not {wanted}"),
            Kind::Invalid { url, .. } => write!(f, "the answer from `{url}` is not what Gafaelfawr answers"),
            Kind::TooLong { url, limit } => write!(f, "the answer from `{url}` is longer than {limit} bytes"),
        }
    }
}

impl Error for ClientError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &*self.0 {
            Kind::Request(problem) => Some(problem),
            Kind::Transport(error) => Some(error),
            Kind::Invalid { error, .. } => Some(error),
            _ => None,
        }
    }
}
