//! Sending one request, and what it means when nothing comes back.

use std::time::SystemTime;

use http::{HeaderMap, HeaderValue, Method};
use reqwest::Response;
use reqwest_middleware::RequestBuilder;
use url::Url;

use super::downloader::Downloader;
use super::error::{FailureKind, Remedy, TransferError};
use super::head::{self, Head};
use super::stop::Deadline;
use super::unanswered;
use crate::{Error, ResponseExt as _, SafeUrl, redact};

/// How much of an error page is read for its message.
const ERROR_TEXT: usize = 2 * 1024;

impl Downloader {
    /// Sends a request without a body and waits for the head of its answer.
    pub(super) async fn send(
        &self,
        method: Method,
        url: &Url,
        headers: HeaderMap,
        deadline: Option<Deadline>,
    ) -> Result<Response, TransferError> {
        // What is stored is what is checked: no coding on the way.
        let request = self
            .client()
            .request(method, url.clone())
            .headers(headers)
            .header(http::header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        self.dispatch(request, url, deadline).await
    }

    /// Sends a request that is ready, within the limits.
    pub(super) async fn dispatch(
        &self,
        request: RequestBuilder,
        url: &Url,
        deadline: Option<Deadline>,
    ) -> Result<Response, TransferError> {
        let limits = self.limits();
        tokio::select! {
            biased;
            ended = self.stopper().ended(deadline) => Err(ended),
            answer = tokio::time::timeout(limits.first_byte, request.send()) => match answer {
                Ok(Ok(response)) => Ok(response),
                Ok(Err(error)) => Err(classify(url, error)),
                Err(_) => {
                    let seconds = limits.first_byte.as_secs();
                    let message = format!("`{}` gave no answer within {seconds} s", SafeUrl::new(url));
                    Err(TransferError::new(FailureKind::Timeout, Remedy::Again, message))
                }
            },
        }
    }

    /// The current time, for dates that servers send.
    pub(super) fn now(&self) -> SystemTime {
        self.clock().now()
    }
}

/// The head of a response, for the pure part.
pub(super) fn head_of<'r>(response: &'r Response, asked: &'r Url) -> Head<'r> {
    Head { url: asked, status: response.status(), version: response.version(), headers: response.headers() }
}

/// Adds the server's own words to a failure.
pub(super) async fn with_server_text(failure: TransferError, mut response: Response) -> TransferError {
    if response.status().is_success() {
        return failure;
    }
    let failure = failure.with_explanation(response.explain());
    let mut text = Vec::new();
    let read = async {
        while text.len() < ERROR_TEXT
            && let Ok(Some(chunk)) = response.chunk().await
        {
            text.extend_from_slice(&chunk[..chunk.len().min(ERROR_TEXT - text.len())]);
        }
    };
    // The words are a courtesy; nobody waits for them.
    let _ = tokio::time::timeout(std::time::Duration::from_secs(2), read).await;
    let Ok(text) = std::str::from_utf8(&text) else { return failure };
    let text = text.trim();
    if text.is_empty() || text.starts_with('<') {
        return failure;
    }
    let failure = if is_about_checksum(&failure, text) {
        failure.with_remedy(Remedy::WithoutDigest)
    } else if is_passing(&failure, text) {
        failure.with_remedy(Remedy::Again)
    } else {
        failure
    };
    failure.with_source(ServerText(redact::text(text)))
}

/// Whether a `404` is about XRootD's servers and not about the file.
///
/// A manager whose data servers are down or not there yet says `Could not run close request.` to a `GET`, after 20
/// seconds of silence (seen with 5.5.3). To a `PUT` it says `No servers are available to write the file.` when none of
/// them takes data now (`XrdCmsNode.cc`). That none is available to *read* a file it says of files that are missing, too.
fn is_passing(failure: &TransferError, text: &str) -> bool {
    failure.status() == Some(http::StatusCode::NOT_FOUND)
        && (text.starts_with("Could not run close request")
            || text.starts_with("No servers are available to write"))
}

/// XRootD 5.5 fails so when it has no checksum configured, or does not know the algorithm.
fn is_about_checksum(failure: &TransferError, text: &str) -> bool {
    failure.status() == Some(http::StatusCode::INTERNAL_SERVER_ERROR)
        && text.to_ascii_lowercase().contains("checksum")
}

#[derive(Debug, thiserror::Error)]
#[error("the server says: {0}")]
struct ServerText(String);

/// What it means when a request fails without an answer.
pub(super) fn classify(url: &Url, error: reqwest_middleware::Error) -> TransferError {
    let shown = SafeUrl::new(url);
    match error {
        reqwest_middleware::Error::Reqwest(error) => unanswered::classify(shown, error.without_url()),
        reqwest_middleware::Error::Middleware(error) => {
            classify_middleware(shown, error.into_boxed_dyn_error())
        }
    }
}

/// Errors of our own middleware say what they are; those of others are taken for something that may pass.
fn classify_middleware(
    shown: SafeUrl<'_>,
    error: Box<dyn std::error::Error + Send + Sync + 'static>,
) -> TransferError {
    let (kind, remedy) = match Error::find(&*error) {
        Some(ours) if ours.is_redirect() => (FailureKind::Redirect, Remedy::OtherSource),
        Some(ours) if ours.is_no_token() => (FailureKind::NoToken, Remedy::OtherToken),
        Some(ours) if ours.is_insecure_origin() => (FailureKind::NoToken, Remedy::OtherSource),
        Some(ours) if ours.is_upload_broken() => (FailureKind::Refused, Remedy::OtherToken),
        Some(_) => (FailureKind::Usage, Remedy::Nothing),
        None => (FailureKind::Connect, Remedy::Again),
    };
    let hint = Error::find(&*error).and_then(Error::hint).map(str::to_owned);
    let failure = TransferError::new(kind, remedy, format!("the request to `{shown}` failed"));
    let failure = match hint {
        Some(hint) => failure.with_hint(hint),
        None => failure,
    };
    failure.with_source(error)
}

/// Judges an answer that should simply be a success, and takes the server's words along where it is not.
pub(super) async fn succeed(
    response: Response,
    asked: &Url,
    now: SystemTime,
) -> Result<Response, TransferError> {
    if response.status().is_success() {
        return Ok(response);
    }
    let failure = head::refused(&head_of(&response, asked), now);
    Err(with_server_text(failure, response).await)
}
