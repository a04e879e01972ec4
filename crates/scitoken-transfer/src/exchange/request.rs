//! Sends one request and classifies its failure.

use std::time::SystemTime;

use http::{HeaderMap, HeaderValue, Method};
use reqwest::Response;
use reqwest_middleware::RequestBuilder;
use url::Url;

use crate::cancel::Deadline;
use crate::downloader::Downloader;
use crate::error::{FailureKind, RetryAction, TransferError};
use crate::exchange::error_document::ErrorDocument;
use crate::exchange::response_head::ResponseHead;
use crate::exchange::{response_head, transport_error};
use crate::hint::TransferHint;
use reqwest_scitokens::auth::{NotAttached, RefuseCollections};
use reqwest_scitokens::client::ProxyProblem;
use reqwest_scitokens::{Error, ResponseExt as _};
use scitoken_types::{SafeUrl, redact};

/// What XRootD says with a `500` about a directory that it does not remove.
const NOT_EMPTY: &str = "directory not empty";

/// The longest error text that is read, in bytes.
const ERROR_TEXT: usize = 2 * 1024;

impl Downloader {
    /// Sends a request without a body and returns the response once its head arrived.
    pub(crate) async fn send(
        &self,
        method: Method,
        url: &Url,
        headers: HeaderMap,
        deadline: Option<Deadline>,
    ) -> Result<Response, TransferError> {
        // The stored bytes are the verified bytes: no content coding.
        let is_removal = method == Method::DELETE;
        let request = self
            .client()
            .request(method, url.clone())
            .headers(headers)
            .header(http::header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        let request = if is_removal { request.with_extension(RefuseCollections) } else { request };
        self.dispatch(request, url, deadline).await
    }

    /// Sends a prepared request within the limits.
    pub(crate) async fn dispatch(
        &self,
        request: RequestBuilder,
        url: &Url,
        deadline: Option<Deadline>,
    ) -> Result<Response, TransferError> {
        let limits = self.limits();
        tokio::select! {
            biased;
            ended = self.cancellation_token().ended_at(deadline, url) => Err(ended),
            answer = tokio::time::timeout(limits.first_byte, request.send()) => match answer {
                Ok(Ok(response)) => Ok(response),
                Ok(Err(error)) => Err(classify(url, error)),
                Err(_) => {
                    let seconds = limits.first_byte.as_secs();
                    let message = format!("`{}` did not answer within {seconds} s", SafeUrl::new(url));
                    Err(TransferError::new(FailureKind::Timeout, RetryAction::Retry, message))
                }
            },
        }
    }

    /// Returns the current time, to compare servers' dates with.
    pub(crate) fn now(&self) -> SystemTime {
        self.clock().now()
    }
}

/// Returns the head of a response.
pub(crate) fn head_of<'r>(response: &'r Response, asked: &'r Url) -> ResponseHead<'r> {
    ResponseHead {
        url: asked,
        from: response.url(),
        status: response.status(),
        version: response.version(),
        headers: response.headers(),
    }
}

/// Returns why the request of a response carried no token, if a middleware of this library looked for one.
pub(crate) fn not_attached(response: &Response) -> Option<NotAttached> {
    response.auth_trace()?.attempts().last()?.not_attached().cloned()
}

/// Adds the server's error text to a failure.
pub(crate) async fn with_server_text(
    failure: TransferError,
    mut response: Response,
    asked_for_digest: bool,
) -> TransferError {
    if response.status().is_success() {
        return failure;
    }
    let failure = failure.with_explanation(response.explain());
    let text = error_text(&mut response).await;
    let text = text.trim();
    let status = failure.status();
    let failure = if asked_for_digest && status.is_some_and(|status| is_digest_refusal(status, text)) {
        failure.with_retry_action(RetryAction::WithoutDigest)
    } else if text.contains(NOT_EMPTY) {
        failure.with_retry_action(RetryAction::GiveUp)
    } else if status.is_some_and(|status| is_passing_refusal(status, text)) {
        failure.with_retry_action(RetryAction::Retry)
    } else {
        failure
    };
    if text.is_empty() || text.starts_with('<') {
        return failure;
    }
    let document = ErrorDocument::read(text.as_bytes());
    let failure = failure.with_throttle_reason(document.as_ref().and_then(ErrorDocument::throttle_reason));
    let message = document.and_then(|document| document.message());
    failure.with_source(ServerText(redact::text(message.as_deref().unwrap_or(text))))
}

/// Returns the beginning of an error answer's body; empty where none comes soon, or where it is no text.
pub(crate) async fn error_text(response: &mut Response) -> String {
    let mut text = Vec::new();
    let read = async {
        while text.len() < ERROR_TEXT
            && let Ok(Some(chunk)) = response.chunk().await
        {
            text.extend_from_slice(&chunk[..chunk.len().min(ERROR_TEXT - text.len())]);
        }
    };
    // The text is optional: do not wait for it.
    let _ = tokio::time::timeout(std::time::Duration::from_secs(2), read).await;
    String::from_utf8(text).unwrap_or_default()
}

/// Returns whether an answer concerns the server at this moment and not the file, whatever its status says: then the same
/// request may succeed.
///
/// XRootD says `Could not run … request.` with a `404` where the one before on the same connection has not ended yet (5.5.3 under
/// load), or where the data servers of a manager are down or not there yet. To a `PUT` it says `No servers are available to
/// write the file.` when none of them takes data now (`XrdCmsNode.cc`). That none is available to *read* a file it says of
/// files that are missing, too.
pub fn is_passing_refusal(status: http::StatusCode, text: &str) -> bool {
    let text = text.trim_start();
    let could_not_run =
        text.strip_prefix("Could not run ").is_some_and(|rest| rest.trim_end().ends_with("request."));
    status == http::StatusCode::NOT_FOUND
        && (could_not_run || text.starts_with("No servers are available to write"))
}

/// Returns whether a request may have been refused because it asked for a digest. XRootD 5.5 answers `500` when it has no
/// checksum configured, or does not know the algorithm; other servers refuse the header, some without a word about it.
pub fn is_digest_refusal(status: http::StatusCode, text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    let names_it = ["checksum", "cksum", "digest", "hash"].iter().any(|word| text.contains(word));
    // These are about the token, the name and the rate, whatever the text says.
    let is_other = matches!(status.as_u16(), 401 | 404 | 407 | 410 | 416 | 429);
    matches!(status.as_u16(), 400 | 406 | 422 | 431) || (names_it && !is_other)
}

/// Returns whether the server refused to remove a directory because it is not empty.
pub(crate) fn is_not_empty(failure: &TransferError) -> bool {
    std::error::Error::source(failure).is_some_and(|cause| cause.to_string().contains(NOT_EMPTY))
}

#[derive(Debug, thiserror::Error)]
#[error("the server says: {0}")]
pub(crate) struct ServerText(pub(crate) String);

/// Classifies a request that failed without a response.
pub(crate) fn classify(url: &Url, error: reqwest_middleware::Error) -> TransferError {
    let shown = SafeUrl::new(url);
    match error {
        reqwest_middleware::Error::Reqwest(error) => transport_error::classify(url, error),
        reqwest_middleware::Error::Middleware(error) => classify_middleware(shown, error.into()),
    }
}

/// Errors of this project's middleware are classified; those of others count as temporary.
fn classify_middleware(
    shown: SafeUrl<'_>,
    error: Box<dyn std::error::Error + Send + Sync + 'static>,
) -> TransferError {
    let (kind, retry_action) = match Error::find(&*error) {
        Some(ours) if ours.is_redirect() => (FailureKind::Redirect, RetryAction::OtherSource),
        Some(ours) if ours.is_no_token() => (FailureKind::NoToken, RetryAction::OtherToken),
        Some(ours) if ours.is_insecure_origin() => (FailureKind::TokenWithheld, RetryAction::OtherSource),
        Some(ours) if ours.is_stale_connection() => (FailureKind::Connect, RetryAction::Reconnect),
        Some(ours) if ours.proxy_problem().is_some() => proxy_failure(ours.proxy_problem()),
        Some(ours) if ours.is_upload_broken() => (FailureKind::Refused, RetryAction::OtherToken),
        Some(_) => (FailureKind::Usage, RetryAction::GiveUp),
        None => (FailureKind::Connect, RetryAction::Retry),
    };
    let hint = Error::find(&*error).and_then(Error::hint).map(TransferHint::Auth);
    let failure = TransferError::new(kind, retry_action, format!("the request to `{shown}` failed"));
    let failure = match hint {
        Some(hint) => failure.with_hint(hint),
        None => failure,
    };
    failure.with_source(error)
}

/// A proxy that refuses gives the same answer again; one that is busy or away may not.
fn proxy_failure(problem: Option<ProxyProblem>) -> (FailureKind, RetryAction) {
    match problem {
        Some(ProxyProblem::Unsupported) => (FailureKind::Usage, RetryAction::GiveUp),
        Some(ProxyProblem::Refused(Some(status))) if status.is_client_error() => {
            (FailureKind::Connect, RetryAction::OtherSource)
        }
        _ => (FailureKind::Connect, RetryAction::Retry),
    }
}

/// Returns a successful response, or the failure with the server's error text.
pub(crate) async fn require_success(
    response: Response,
    asked: &Url,
    now: SystemTime,
) -> Result<Response, TransferError> {
    if response.status().is_success() {
        return Ok(response);
    }
    let failure = response_head::refused(&head_of(&response, asked), now);
    Err(with_server_text(failure, response, false).await)
}
