//! What can go wrong between a request and its token.

use std::error::Error as StdError;
use std::fmt;
#[cfg(feature = "rustls")]
use std::path::PathBuf;

use crate::origin::Origin;
use crate::redact;
use crate::source::SourceError;

/// An error of this library, opaque so that it can grow.
///
/// Requests fail with a [`reqwest_middleware::Error`], because they run through that crate's client. What this
/// library put into it is found by [`Error::find`], however many wrappers (retries, `anyhow`) lie around it:
///
/// ```
/// # async fn run(session: reqwest_scitokens::Session) {
/// match session.get("https://data.example.org/f").send().await {
///     Ok(response) => println!("{}", response.status()),
///     Err(error) => match reqwest_scitokens::Error::find(&error) {
///         Some(ours) if ours.is_no_token() => eprintln!("{ours}; {}", ours.hint().unwrap_or_default()),
///         _ => eprintln!("{error}"),
///     },
/// }
/// # }
/// ```
pub struct Error(Box<Kind>);

#[derive(Debug, thiserror::Error)]
pub(crate) enum Kind {
    #[error("no token for `{origin}` was found, and this request requires one{}", listed(.reasons))]
    NoToken { origin: Origin, reasons: Vec<String> },
    #[error("the token for `{origin}` could not be had")]
    Source {
        origin: Origin,
        #[source]
        source: SourceError,
    },
    #[error("a token would go to `{0}` without TLS, where everybody on the way can read it")]
    PlainHttp(Origin),
    #[error("{0}")]
    Redirect(RedirectProblem),
    #[error("the connection broke while the body was being sent; the server may have refused the request")]
    UploadBroken(#[source] reqwest_middleware::Error),
    #[error("no certificate authority could be loaded from `{path}`", path = .0.display())]
    #[cfg(feature = "rustls")]
    NoCertificates(PathBuf, #[source] Option<std::io::Error>),
    #[error("the given text has no certificate of an authority in it that could be used")]
    #[cfg(feature = "rustls")]
    BadCertificate,
    #[error("the HTTP client could not be built")]
    Client(#[source] reqwest::Error),
    #[cfg(feature = "blocking")]
    #[error("the runtime of the blocking client could not be started")]
    Runtime(#[source] std::io::Error),
}

/// Why a redirect was not followed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RedirectProblem {
    /// More redirects than are allowed; a loop, in most cases.
    TooMany {
        /// How many were followed.
        followed: usize,
        /// The URL that would have come next, without secrets.
        next: String,
    },
    /// The `Location` is empty or no URL.
    NoUrl,
    /// The `Location` leads to another scheme than `http` and `https`.
    Scheme(String),
    /// The `Location` has a user name or a password in it.
    UserInfo,
    /// The `Location` carries a credential and leads to plain `http`.
    CredentialInClear {
        /// The URL, without the credential.
        next: String,
    },
}

impl fmt::Display for RedirectProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooMany { followed, next } => {
                write!(f, "stopped after {followed} redirects; the next one would lead to `{next}`")
            }
            Self::NoUrl => f.write_str("the server redirects without saying where to"),
            Self::Scheme(scheme) => write!(f, "the server redirects to a `{scheme}:` address"),
            Self::UserInfo => f.write_str("the server redirects to an address with a user name in it"),
            Self::CredentialInClear { next } => {
                write!(f, "the server redirects to `{next}`, which would carry a token without TLS")
            }
        }
    }
}

impl Error {
    /// Looks for an error of this library in a chain of causes.
    pub fn find<'e>(error: &'e (dyn StdError + 'static)) -> Option<&'e Self> {
        let mut next = Some(error);
        while let Some(error) = next {
            if let Some(ours) = error.downcast_ref() {
                return Some(ours);
            }
            next = error.source();
        }
        None
    }

    /// Whether a token was required and none was found, or the source that should have it is broken.
    pub fn is_no_token(&self) -> bool {
        matches!(*self.0, Kind::NoToken { .. } | Kind::Source { .. })
    }

    /// Whether the source that should have a token is broken; [`is_no_token`](Self::is_no_token) is true as well.
    ///
    /// To log in again will not help then.
    pub fn is_source_broken(&self) -> bool {
        matches!(*self.0, Kind::Source { .. })
    }

    /// Whether a token would have gone over plain `http`.
    pub fn is_insecure_origin(&self) -> bool {
        matches!(*self.0, Kind::PlainHttp(_) | Kind::Redirect(RedirectProblem::CredentialInClear { .. }))
    }

    /// Whether a redirect was not followed.
    pub fn is_redirect(&self) -> bool {
        self.redirect_problem().is_some()
    }

    /// Why a redirect was not followed.
    pub fn redirect_problem(&self) -> Option<&RedirectProblem> {
        match &*self.0 {
            Kind::Redirect(problem) => Some(problem),
            _ => None,
        }
    }

    /// What the source of the token said, if that is the trouble.
    pub fn source_error(&self) -> Option<&SourceError> {
        match &*self.0 {
            Kind::Source { source, .. } => Some(source),
            _ => None,
        }
    }

    /// Whether the connection broke in the middle of an upload, which is how XRootD refuses one.
    pub fn is_upload_broken(&self) -> bool {
        matches!(*self.0, Kind::UploadBroken(_))
    }

    /// Whether a client could not be built as it was asked for.
    pub fn is_builder(&self) -> bool {
        match &*self.0 {
            Kind::Client(_) => true,
            #[cfg(feature = "rustls")]
            Kind::NoCertificates(..) | Kind::BadCertificate => true,
            #[cfg(feature = "blocking")]
            Kind::Runtime(_) => true,
            _ => false,
        }
    }

    /// What the user can do about it.
    pub fn hint(&self) -> Option<&str> {
        Some(match &*self.0 {
            Kind::NoToken { .. } => {
                "set `BEARER_TOKEN_FILE`, or get a token with `htgettoken`; `scitoken token where` shows where was looked"
            }
            Kind::Source { source, .. } => return source.hint(),
            Kind::PlainHttp(_) => {
                "use https; or allow this very origin with `plain_http`; or send no token with `Attach::Never`"
            }
            Kind::Redirect(RedirectProblem::CredentialInClear { .. }) => {
                "ask the server's operator for `http.desthttps yes` (XRootD); or allow it with `CleartextRedirects::Allow`"
            }
            Kind::Redirect(RedirectProblem::TooMany { .. }) => {
                "the server probably redirects in a circle; ask its operator"
            }
            Kind::UploadBroken(_) => {
                "look whether the token allows writing there: `scitoken token show`, `scitoken token where`"
            }
            #[cfg(feature = "rustls")]
            Kind::NoCertificates(..) => "the directory should hold PEM files such as `1a2b3c4d.0`",
            Kind::Redirect(_) | Kind::Client(_) => return None,
            #[cfg(feature = "rustls")]
            Kind::BadCertificate => return None,
            #[cfg(feature = "blocking")]
            Kind::Runtime(_) => return None,
        })
    }
}

impl From<Kind> for Error {
    fn from(kind: Kind) -> Self {
        Self(Box::new(kind))
    }
}

impl From<RedirectProblem> for Error {
    fn from(problem: RedirectProblem) -> Self {
        Kind::Redirect(problem).into()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source()
    }
}

/// The border to reqwest-middleware: retry middlewares hide the outermost error of a chain from downcasts, so ours
/// is always the second.
#[derive(Debug, thiserror::Error)]
#[error("the request was not sent as asked")]
struct Border(#[source] Error);

impl From<Error> for reqwest_middleware::Error {
    fn from(error: Error) -> Self {
        Self::middleware(Border(error))
    }
}

/// The error without the secrets of its URL, which it would show.
pub(crate) fn masked(error: reqwest_middleware::Error) -> reqwest_middleware::Error {
    match error {
        reqwest_middleware::Error::Reqwest(error) => match error.url().map(redact::masked) {
            Some(url) => error.with_url(url).into(),
            None => error.into(),
        },
        error @ reqwest_middleware::Error::Middleware(_) => error,
    }
}

/// An error and its causes in one line.
pub(crate) fn with_causes(error: &(dyn StdError + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

fn listed(reasons: &[String]) -> String {
    if reasons.is_empty() { String::new() } else { format!(" ({})", reasons.join("; ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ours_is_found_in_what_reqwest_middleware_returns() {
        let origin = Origin::try_from(&url::Url::parse("http://h").unwrap()).unwrap();
        let error = reqwest_middleware::Error::from(Error::from(Kind::PlainHttp(origin)));
        let found = Error::find(&error).unwrap();
        assert!(found.is_insecure_origin() && found.hint().unwrap().contains("plain_http"));
        assert!(Error::find(&std::io::Error::other("x")).is_none());
    }

    #[test]
    fn a_cause_is_not_told_twice() {
        let origin = Origin::try_from(&url::Url::parse("https://h").unwrap()).unwrap();
        let source = SourceError::new("broken").with_hint("mend it");
        let error = Error::from(Kind::Source { origin, source });
        assert_eq!(error.to_string(), "the token for `https://h` could not be had");
        assert_eq!(error.source().unwrap().to_string(), "broken");
        assert_eq!(error.hint(), Some("mend it"));
    }
}
