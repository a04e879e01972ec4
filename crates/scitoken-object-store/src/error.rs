//! Failures in the terms of `object_store`.

use std::error::Error as StdError;
use std::fmt;

use http::StatusCode;
use object_store::client::{HttpError, HttpErrorKind};
use object_store::path::Path;
use scitoken_transfer::{FailureKind, TransferError, plain_transport_words};
use scitoken_types::{ErrorChain, SafeUrl, redact};
use url::Url;

use crate::refusal::token_reason;

/// The name of the store in errors.
pub(crate) const STORE: &str = "Scitoken";

/// A URL that no [`ScitokenStore`](crate::ScitokenStore) can be opened for.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The text is no URL.
    #[error("`{url}` is not a URL")]
    NotUrl {
        /// The text.
        url: String,
        /// What is wrong.
        source: url::ParseError,
    },
    /// The scheme is not `https`, `http`, `davs`, `dav`, `osdf`, `pelican` or `stash`.
    #[error(
        "`{url}` is not the URL of a server or of a federation (https, http, davs, dav, osdf, pelican, stash)"
    )]
    Scheme {
        /// The URL.
        url: String,
    },
    /// It is not the name of an object or of a directory in a federation.
    #[error("`{url}` names nothing in a federation")]
    Federation {
        /// The URL.
        url: String,
        /// What is wrong.
        source: scitoken_transfer::federation::InvalidFederationUrl,
    },
    /// The HTTP store could not be built.
    #[error("failed to open a store")]
    Store(#[from] object_store::Error),
}

impl OpenError {
    pub(crate) fn not_url(text: &str, source: url::ParseError) -> Self {
        Self::NotUrl { url: redact::text(text), source }
    }

    pub(crate) fn scheme(url: &Url) -> Self {
        Self::Scheme { url: SafeUrl::new(url).to_string() }
    }
}

/// A request that got no answer. `object_store` shows the outermost error only, so the text has all causes, and the source
/// is the innermost one, at its end.
struct BrokenRequest(reqwest::Error);

impl BrokenRequest {
    fn new(error: reqwest::Error) -> Self {
        Self(error.without_url())
    }
}

impl fmt::Display for BrokenRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let chain = ErrorChain::new(&self.0);
        // A wrapper that names its type only is left out.
        let specific = chain.iter().skip(1).find(|cause| !cause.to_string().starts_with("client error ("));
        f.write_str(&plain_transport_words(&ErrorChain::new(specific.unwrap_or(&self.0)).to_string()))
    }
}

impl fmt::Debug for BrokenRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("BrokenRequest").field(&self.to_string()).finish()
    }
}

impl StdError for BrokenRequest {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        ErrorChain::new(&self.0).iter().skip(1).last()
    }
}

/// Classifies a failed request, so that `object_store` retries what may succeed.
pub(crate) fn http_error(error: reqwest_middleware::Error) -> HttpError {
    match error {
        reqwest_middleware::Error::Reqwest(error) => {
            let kind = if error.is_timeout() {
                HttpErrorKind::Timeout
            } else if error.is_connect() {
                HttpErrorKind::Connect
            } else if error.is_decode() {
                HttpErrorKind::Decode
            } else if error.is_builder() {
                HttpErrorKind::Unknown
            } else {
                // The connection broke: an idempotent request is sent again.
                HttpErrorKind::Interrupted
            };
            HttpError::new(kind, BrokenRequest::new(error))
        }
        // No token, a refused redirect: the same request fails again.
        reqwest_middleware::Error::Middleware(error) => {
            HttpError::new_boxed(HttpErrorKind::Unknown, error.into())
        }
    }
}

pub(crate) fn unexpected(source: impl Into<Box<dyn StdError + Send + Sync>>) -> object_store::Error {
    object_store::Error::Generic { store: STORE, source: source.into() }
}

/// A status that is no success, by its meaning.
pub(crate) fn of_status(
    status: StatusCode,
    location: &Path,
    source: impl Into<Box<dyn StdError + Send + Sync>>,
) -> object_store::Error {
    let (path, source) = (location.to_string(), source.into());
    match status {
        StatusCode::NOT_FOUND | StatusCode::GONE => object_store::Error::NotFound { path, source },
        StatusCode::PRECONDITION_FAILED => object_store::Error::Precondition { path, source },
        StatusCode::FORBIDDEN => object_store::Error::PermissionDenied { path, source },
        StatusCode::UNAUTHORIZED => object_store::Error::Unauthenticated { path, source },
        _ => unexpected(source),
    }
}

/// A failure of the transfer engine.
pub(crate) fn of_transfer(failure: TransferError, location: &Path) -> object_store::Error {
    let status = match (failure.status(), failure.kind()) {
        (Some(status), _) => status,
        (None, FailureKind::NotFound) => StatusCode::NOT_FOUND,
        (None, FailureKind::NoToken | FailureKind::TokenWithheld) => StatusCode::UNAUTHORIZED,
        (None, _) => return unexpected(in_one_line(failure)),
    };
    of_status(status, location, in_one_line(failure))
}

/// A change that the object's namespace does not allow.
pub(crate) fn not_supported(failure: TransferError) -> object_store::Error {
    object_store::Error::NotSupported { source: in_one_line(failure).into() }
}

/// `object_store` shows the outermost error only, so the text has all causes, and what the token lacks.
fn in_one_line(failure: TransferError) -> TransferError {
    let reason = token_reason(failure.status(), failure.explanation(), failure.not_attached());
    failure.in_one_line(reason.as_deref())
}

/// Whether the object or directory does not exist.
pub(crate) fn is_absent(failure: &TransferError) -> bool {
    failure.kind() == FailureKind::NotFound
}
