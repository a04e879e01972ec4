//! Errors of the library.

use std::error::Error as StdError;
use std::fmt;
#[cfg(feature = "tls")]
use std::path::{Path, PathBuf};

use crate::hint::Hint;
use crate::proxy_failure::{ProxyFailure, ProxyProblem};
use crate::source::SourceError;
use scitoken_types::Origin;
use scitoken_types::redact;

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
///         Some(ours) if ours.is_no_token() => eprintln!("{ours}; {}", ours.hint().map(|hint| hint.to_string()).unwrap_or_default()),
///         _ => eprintln!("{error}"),
///     },
/// }
/// # }
/// ```
pub struct Error(Box<Kind>);

#[derive(Debug, thiserror::Error)]
pub(crate) enum Kind {
    #[error("no token found for `{origin}`, and this request requires one{}", searched(.reasons))]
    NoToken { origin: Origin, reasons: Vec<String> },
    #[error("failed to obtain a token for `{origin}`")]
    Source {
        origin: Origin,
        #[source]
        source: SourceError,
    },
    #[error("refused to send a token to `{0}` without TLS")]
    PlainHttp(Origin),
    #[error("{0}")]
    Redirect(RedirectProblem),
    #[error("a token was asked for with an invalid scope: {0}")]
    InvalidScope(String),
    #[error("the connection broke during the upload; the server may have refused the request")]
    UploadBroken(#[source] reqwest_middleware::Error),
    #[error("the server closed an idle connection as the request arrived")]
    StaleConnection(#[source] reqwest::Error),
    #[error("{0}")]
    Proxy(ProxyFailure, #[source] Option<reqwest::Error>),
    #[error("{}", no_certificates(.0, .1.as_ref()))]
    #[cfg(feature = "tls")]
    NoCertificates(PathBuf, #[source] Option<std::io::Error>),
    #[error("failed to load the certificate authorities that `SSL_CERT_FILE` names, `{}`", .0.display())]
    #[cfg(feature = "tls")]
    SystemCertificates(PathBuf, #[source] std::io::Error),
    #[error("the PEM text has no usable certificate authority")]
    #[cfg(feature = "tls")]
    BadCertificate,
    #[error("failed to configure TLS")]
    #[cfg(feature = "named-certificates")]
    Tls(#[source] rustls::Error),
    #[error("the request is not valid: {0}")]
    InvalidRequest(String),
    #[error("failed to build the HTTP client")]
    Client(#[source] reqwest::Error),
    #[cfg(feature = "blocking")]
    #[error("failed to start the runtime of the blocking client")]
    Runtime(#[source] std::io::Error),
}

/// Why a redirect was not followed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RedirectProblem {
    /// There were more redirects than are allowed; in most cases a loop.
    TooMany {
        /// How many were followed.
        followed: usize,
        /// The URL that would have come next, without secrets.
        next: String,
    },
    /// The `Location` is empty or is not a URL.
    NoUrl,
    /// The `Location` leads to another scheme than `http` and `https`.
    Scheme(String),
    /// The `Location` has a user name or a password.
    UserInfo,
    /// The `Location` carries a credential and leads to plain `http`.
    CredentialInClear {
        /// The URL, without the credential.
        next: String,
    },
    /// A request that [refuses collections](crate::auth::RefuseCollections) is led to one with another path.
    ToCollection {
        /// The URL, without secrets.
        next: String,
    },
}

impl fmt::Display for RedirectProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooMany { followed, next } => {
                write!(f, "stopped after {followed} redirects; the next one would lead to `{next}`")
            }
            Self::NoUrl => f.write_str("the server redirects without a usable `Location`"),
            Self::Scheme(scheme) => write!(f, "the server redirects to a `{scheme}:` URL"),
            Self::UserInfo => f.write_str("the server redirects to a URL with a user name"),
            Self::ToCollection { next } => {
                write!(f, "the server redirects to the directory `{next}`, which must not be changed instead")
            }
            Self::CredentialInClear { next } => {
                write!(f, "the server redirects to `{next}`, which carries a token without TLS")
            }
        }
    }
}

impl Error {
    /// Finds an error of this library in a chain of causes.
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

    /// Returns whether a required token was not found, or its source failed.
    pub fn is_no_token(&self) -> bool {
        matches!(*self.0, Kind::NoToken { .. } | Kind::Source { .. })
    }

    /// Returns whether the source of a required token failed; [`is_no_token`](Self::is_no_token) is true as well.
    pub fn is_source_broken(&self) -> bool {
        matches!(*self.0, Kind::Source { .. })
    }

    /// Returns whether a token would have been sent over plain `http`.
    pub fn is_insecure_origin(&self) -> bool {
        matches!(*self.0, Kind::PlainHttp(_) | Kind::Redirect(RedirectProblem::CredentialInClear { .. }))
    }

    /// Returns whether the request could not be built: its URL, a header or its body is not valid.
    ///
    /// Requests of `blocking` and of [`scitoken_get`](crate::scitoken_get) and the like fail with this error; async
    /// requests of a session with reqwest's own, whose source has the reason.
    pub fn is_invalid_request(&self) -> bool {
        matches!(*self.0, Kind::InvalidRequest(_))
    }

    /// Returns whether a redirect was not followed.
    pub fn is_redirect(&self) -> bool {
        self.redirect_problem().is_some()
    }

    /// Returns why a redirect was not followed.
    pub fn redirect_problem(&self) -> Option<&RedirectProblem> {
        match &*self.0 {
            Kind::Redirect(problem) => Some(problem),
            _ => None,
        }
    }

    /// Returns the error of the source, if that is the cause.
    pub fn source_error(&self) -> Option<&SourceError> {
        match &*self.0 {
            Kind::Source { source, .. } => Some(source),
            _ => None,
        }
    }

    /// Returns whether the connection broke during an upload, which is how XRootD refuses one.
    pub fn is_upload_broken(&self) -> bool {
        matches!(*self.0, Kind::UploadBroken(_))
    }

    /// Returns whether the connection probably was an idle one that the server closed as the request arrived, so that the same
    /// request may succeed at once. Requests that change nothing are repeated without an error.
    pub fn is_stale_connection(&self) -> bool {
        match &*self.0 {
            Kind::StaleConnection(_) => true,
            Kind::UploadBroken(error) => Self::find(error).is_some_and(Self::is_stale_connection),
            _ => false,
        }
    }

    /// Returns why the proxy did not connect to the server, if that is the cause.
    pub fn proxy_problem(&self) -> Option<ProxyProblem> {
        match &*self.0 {
            Kind::Proxy(failure, _) => Some(failure.problem),
            _ => None,
        }
    }

    /// Returns whether a client could not be built.
    pub fn is_builder(&self) -> bool {
        match &*self.0 {
            Kind::Client(_) => true,
            #[cfg(feature = "tls")]
            Kind::NoCertificates(..) | Kind::SystemCertificates(..) | Kind::BadCertificate => true,
            #[cfg(feature = "named-certificates")]
            Kind::Tls(_) => true,
            #[cfg(feature = "blocking")]
            Kind::Runtime(_) => true,
            _ => false,
        }
    }

    /// Returns what the user can do about it.
    pub fn hint(&self) -> Option<Hint> {
        match &*self.0 {
            Kind::NoToken { .. } => Some(Hint::ProvideToken),
            Kind::Source { source, .. } => source.hint().cloned(),
            Kind::PlainHttp(_) => Some(Hint::UseHttps),
            Kind::Redirect(RedirectProblem::CredentialInClear { .. }) => Some(Hint::RedirectToHttps),
            Kind::Redirect(RedirectProblem::TooMany { .. }) => Some(Hint::EndRedirectLoop),
            Kind::Redirect(_) => Some(Hint::CorrectRedirect),
            Kind::UploadBroken(_) => Some(Hint::CheckWritePermission),
            Kind::StaleConnection(_) => None,
            Kind::Proxy(failure, _) => Some(match failure.problem {
                ProxyProblem::Unsupported => Hint::UseHttpProxy { named_by: failure.named_by.clone() },
                ProxyProblem::Refused(Some(http::StatusCode::PROXY_AUTHENTICATION_REQUIRED)) => {
                    Hint::GiveProxyPassword { named_by: failure.named_by.clone() }
                }
                _ => Hint::CheckProxy { named_by: failure.named_by.clone() },
            }),
            #[cfg(feature = "tls")]
            Kind::NoCertificates(..) | Kind::BadCertificate => Some(Hint::ProvideCertificates),
            #[cfg(feature = "tls")]
            Kind::SystemCertificates(..) => Some(Hint::CorrectCertificateVariable),
            #[cfg(feature = "named-certificates")]
            Kind::Tls(_) => None,
            Kind::Client(_) | Kind::InvalidScope(_) | Kind::InvalidRequest(_) => None,
            #[cfg(feature = "blocking")]
            Kind::Runtime(_) => None,
        }
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

/// The outermost error for reqwest-middleware: retry middlewares hide the first error of a chain from downcasts, so
/// [`Error`] is always the second. Its text is that of the error, so that it stands alone.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct MiddlewareBoundary(#[source] Error);

impl From<Error> for reqwest_middleware::Error {
    fn from(error: Error) -> Self {
        Self::middleware(MiddlewareBoundary(error))
    }
}

/// As [`masked`]; a request that could not be built says why.
///
/// reqwest says "builder error" alone, and leaves the reason to the error's source.
pub(crate) fn explained(error: reqwest_middleware::Error) -> reqwest_middleware::Error {
    match masked(error) {
        reqwest_middleware::Error::Reqwest(error) if error.is_builder() => {
            let mut innermost: &dyn StdError = &error;
            while let Some(source) = innermost.source() {
                innermost = source;
            }
            Error::from(Kind::InvalidRequest(redact::text(&innermost.to_string()))).into()
        }
        error => error,
    }
}

/// Removes the secrets of its URL from an error, which would show them.
pub(crate) fn masked(error: reqwest_middleware::Error) -> reqwest_middleware::Error {
    match error {
        reqwest_middleware::Error::Reqwest(error) => match error.url().map(redact::masked) {
            Some(url) => error.with_url(url).into(),
            None => error.into(),
        },
        error @ reqwest_middleware::Error::Middleware(_) => error,
    }
}

#[cfg(feature = "tls")]
fn no_certificates(path: &Path, cause: Option<&std::io::Error>) -> String {
    match cause {
        Some(_) => format!("failed to load a certificate authority from `{}`", path.display()),
        None => format!("`{}` has no usable certificate authority", path.display()),
    }
}

fn searched(reasons: &[String]) -> String {
    match reasons {
        [] => String::new(),
        [only] => format!(" ({only})"),
        several => format!(" ({} places searched)", several.len()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ours_is_found_in_what_reqwest_middleware_returns() {
        let origin = Origin::try_from(&url::Url::parse("http://h").unwrap()).unwrap();
        let error = reqwest_middleware::Error::from(Error::from(Kind::PlainHttp(origin)));
        let found = Error::find(&error).unwrap();
        assert!(found.is_insecure_origin() && found.hint() == Some(Hint::UseHttps));
        assert!(Error::find(&std::io::Error::other("x")).is_none());
    }

    #[test]
    fn a_cause_is_not_repeated() {
        let origin = Origin::try_from(&url::Url::parse("https://h").unwrap()).unwrap();
        let source = SourceError::new("broken").with_hint("mend it");
        let error = Error::from(Kind::Source { origin, source });
        assert_eq!(error.to_string(), "failed to obtain a token for `https://h`");
        assert_eq!(error.source().unwrap().to_string(), "broken");
        assert_eq!(error.hint(), Some(Hint::from("mend it")));
    }
}
