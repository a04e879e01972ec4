//! Classifies requests that got no response.

use std::error::Error as StdError;
use std::fmt;

use url::Url;

use crate::error::{FailureKind, RetryAction, TransferError};
use crate::hint::TransferHint;
use scitoken_types::SafeUrl;

/// Classifies an error of reqwest. The request that failed may have been one to which `asked` redirects.
pub(crate) fn classify(asked: &Url, error: reqwest::Error) -> TransferError {
    let place = place(asked, error.url());
    let error = error.without_url();
    let words =
        causes(&error).map(|cause| cause.to_string().to_ascii_lowercase()).collect::<Vec<_>>().join("\n");
    let has = |text: &str| words.contains(text);
    let failure =
        |kind, retry_action, what: &str| TransferError::new(kind, retry_action, format!("{what} {place}"));
    let failure = if error.is_redirect() {
        failure(FailureKind::Redirect, RetryAction::OtherSource, "refused to follow a redirect from")
    } else if error.is_builder() {
        failure(FailureKind::Usage, RetryAction::GiveUp, "failed to build a request for")
    } else if has("certificate") || has("unknownissuer") {
        failure(FailureKind::Connect, RetryAction::OtherSource, "failed to verify the certificate of")
            .with_hint(certificate_hint(&words))
    } else if has("corrupt message") {
        failure(FailureKind::Connect, RetryAction::OtherSource, "the server does not speak TLS at")
            .with_hint(TransferHint::CheckScheme)
    } else if has("proxy authorization required") {
        failure(FailureKind::Connect, RetryAction::OtherSource, "the proxy requires authorization (407) for")
    } else if has("tunnel error: unsuccessful") {
        failure(FailureKind::Connect, RetryAction::OtherSource, "the proxy refused to connect to")
    } else if has("message head is too large") {
        failure(FailureKind::Server, RetryAction::OtherSource, "too many or too long header lines from")
    } else if has("dns error") || has("failed to lookup") {
        failure(FailureKind::Connect, RetryAction::Retry, "failed to resolve the host of")
            .with_hint(TransferHint::CheckHostName)
    } else if error.is_timeout() && error.is_connect() {
        failure(FailureKind::Timeout, RetryAction::Retry, "timed out connecting to")
    } else if error.is_timeout() {
        failure(FailureKind::Timeout, RetryAction::Retry, "no answer in time from")
    } else if error.is_connect() {
        failure(FailureKind::Connect, RetryAction::Retry, "failed to connect to")
    } else if PARSE_ERRORS.iter().any(|text| has(text)) {
        failure(FailureKind::Server, RetryAction::Retry, "what answered is not valid HTTP:")
    } else {
        failure(FailureKind::Connect, RetryAction::Retry, "the connection ended before the answer from")
    };
    failure.with_source(TransportError(error))
}

/// Returns whether no connection was made, so that the server did not see the request.
pub(crate) fn never_connected(failure: &TransferError) -> bool {
    let cause = failure.source().and_then(|cause| cause.downcast_ref::<TransportError>());
    cause.is_some_and(|cause| cause.0.is_connect())
}

/// Returns what helps where the causes of an error, of any library, say why a connection failed: a certificate that is
/// not trusted, a port without TLS, a name that does not resolve.
///
/// # Examples
/// ```
/// use scitoken_transfer::{TransferHint, connection_hint};
///
/// let error = std::io::Error::other("invalid peer certificate: UnknownIssuer");
/// assert_eq!(connection_hint(&error), Some(TransferHint::TrustAuthority));
/// ```
pub fn connection_hint(error: &(dyn StdError + 'static)) -> Option<TransferHint> {
    let words: Vec<_> = std::iter::successors(Some(error), |error| (*error).source())
        .map(|error| error.to_string().to_ascii_lowercase())
        .collect();
    let words = words.join("\n");
    let has = |text: &str| words.contains(text);
    if has("peer certificate") {
        Some(certificate_hint(&words))
    } else if has("corrupt message") {
        Some(TransferHint::CheckScheme)
    } else if has("dns error") || has("failed to lookup") {
        Some(TransferHint::CheckHostName)
    } else {
        None
    }
}

/// Names the URL that failed, and the one that redirects there.
pub(crate) fn place(asked: &Url, failed: Option<&Url>) -> String {
    let shown = SafeUrl::new(asked);
    // Queries differ where a credential is masked.
    let is_asked = |failed: &&Url| failed.origin() == asked.origin() && failed.path() == asked.path();
    match failed.filter(|failed| !is_asked(failed)) {
        Some(target) => format!("`{}`, to which `{shown}` redirects", SafeUrl::new(target)),
        None => format!("`{shown}`"),
    }
}

/// What the HTTP client says about a response that it cannot parse.
const PARSE_ERRORS: [&str; 5] = [
    "invalid http version",
    "invalid http header",
    "invalid http status-code",
    "invalid content-length",
    "unexpected transfer-encoding",
];

/// Returns what helps with a certificate that was not accepted.
fn certificate_hint(words: &str) -> TransferHint {
    let has = |text: &str| words.contains(text);
    if has("expired") {
        TransferHint::RenewCertificate
    } else if has("notvalidyet") || has("not valid yet") {
        TransferHint::CheckClock
    } else if has("notvalidforname") || has("not valid for name") {
        TransferHint::UseCertificateName
    } else if has("causedasendentity") {
        TransferHint::TrustCertificate
    } else {
        TransferHint::TrustAuthority
    }
}

fn causes<'e>(error: &'e (dyn StdError + 'static)) -> impl Iterator<Item = &'e (dyn StdError + 'static)> {
    std::iter::successors(error.source(), |cause| (*cause).source())
}

/// An error of reqwest, displayed by its first specific cause: the outermost ones are always `error sending request`
/// and `client error (Connect)`.
#[derive(Debug)]
struct TransportError(reqwest::Error);

impl TransportError {
    fn specific_cause(&self) -> &(dyn StdError + 'static) {
        causes(&self.0).find(|cause| !cause.to_string().starts_with("client error (")).unwrap_or(&self.0)
    }
}

impl fmt::Display for TransportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&plain_transport_words(&self.specific_cause().to_string()))
    }
}

/// Returns what a library says about a connection without the names of its types.
///
/// # Examples
/// ```
/// use scitoken_transfer::plain_transport_words;
///
/// let words = "client error (SendRequest): connection error: Connection reset by peer";
/// assert_eq!(plain_transport_words(words), "connection error: Connection reset by peer");
/// ```
pub fn plain_transport_words(words: &str) -> String {
    // hyper names its own layer first.
    let words = match words.strip_prefix("client error (").and_then(|rest| rest.split_once("): ")) {
        Some((_, rest)) => rest,
        None => words,
    };
    // The words of WebPKI for a certificate that is an authority's.
    words.replace("Other(OtherError(CaUsedAsEndEntity))", "the server signed it itself")
}

impl StdError for TransportError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.specific_cause().source()
    }
}
