//! Queries to discovery hosts and directors: one request, its redirects, and its repetition.

use http::header::LOCATION;
use http::{HeaderMap, Method, StatusCode};
use reqwest::Response;
use scitoken_types::SafeUrl;
use url::Url;

use crate::error::{FailureKind, FederationStep, RetryAction, TransferError};
use crate::exchange::request::{classify, head_of};
use crate::exchange::response_head;
use crate::federation::director::{DirectorAnswer, read_answer};
use crate::federation::handle::Federation;
use crate::federation::link::usable;
use crate::federation::namespace::NamespaceFacts;
use crate::hint::TransferHint;

/// How many redirects of a query are followed.
const MAX_REDIRECTS: usize = 5;
/// How much of an answer is read, in bytes.
const MAX_BODY: usize = 1024 * 1024;

/// One answer, read to its end.
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Federation {
    /// Fetches a document, through redirects and failures.
    pub(crate) async fn fetch_document(&self, url: &Url) -> Result<Vec<u8>, TransferError> {
        let fetch = || async {
            let mut at = url.clone();
            for _ in 0..=MAX_REDIRECTS {
                let response = self.send_query(&Method::GET, &at).await?;
                if response.status().is_success() {
                    return Ok(self.read(&at, response).await?.body);
                }
                if !response.status().is_redirection() {
                    let refused = response_head::refused(&head_of(&response, &at), self.queries.now());
                    return Err(without_document(url, refused));
                }
                let location = response.headers().get(LOCATION);
                let target = location.and_then(|value| at.join(value.to_str().ok()?).ok()).and_then(usable);
                at = target.ok_or_else(|| redirect(&at, "redirects to a URL that is not https"))?;
            }
            Err(redirect(url, "redirects too many times"))
        };
        let fetched = self.queries.with_retries(url, None, fetch, self.queries.deadline()).await;
        fetched.map_err(|failure| failure.at_federation_step(FederationStep::Discovery))
    }

    /// Asks a director for the servers of an object, through redirects to other directors and failures.
    ///
    /// The method is that of the request to the object server; the query has no body and no token.
    pub(crate) async fn ask_director(
        &self,
        method: &Method,
        url: &Url,
    ) -> Result<(Vec<Url>, NamespaceFacts), TransferError> {
        let ask = || async {
            let mut at = url.clone();
            for _ in 0..=MAX_REDIRECTS {
                let response = self.send_query(method, &at).await?;
                let answer = self.read(&at, response).await?;
                let now = self.queries.now();
                match read_answer(&at, answer.status, &answer.headers, &answer.body, now)? {
                    DirectorAnswer::Found { servers, namespace } => return Ok((servers, namespace)),
                    DirectorAnswer::Moved(target) => at = target,
                }
            }
            Err(redirect(url, "redirects too many times"))
        };
        let answer = self.queries.with_retries(url, None, ask, self.queries.deadline()).await;
        answer.map_err(|failure| failure.at_federation_step(FederationStep::Director))
    }

    async fn send_query(&self, method: &Method, url: &Url) -> Result<Response, TransferError> {
        let response =
            self.queries.send(method.clone(), url, HeaderMap::new(), self.queries.deadline()).await?;
        if response.url() != url {
            let message = "the HTTP client of a federation follows redirects: build it with `Policy::none()`";
            return Err(TransferError::new(FailureKind::Usage, RetryAction::GiveUp, message));
        }
        Ok(response)
    }

    async fn read(&self, url: &Url, mut response: Response) -> Result<Answer, TransferError> {
        let (status, headers) = (response.status(), response.headers().clone());
        let mut body = Vec::new();
        let reading = async {
            while let Some(chunk) = response.chunk().await.map_err(|error| classify(url, error.into()))? {
                if body.len() + chunk.len() > MAX_BODY {
                    let message = format!("`{}` returned more than {MAX_BODY} bytes", SafeUrl::new(url));
                    return Err(TransferError::new(FailureKind::Server, RetryAction::OtherSource, message));
                }
                body.extend_from_slice(&chunk);
            }
            Ok(())
        };
        let limit = self.queries.limits().first_byte;
        if let Ok(read) = tokio::time::timeout(limit, reading).await {
            return read.map(|()| Answer { status, headers, body });
        }
        let message = format!("`{}` did not end within {} s", SafeUrl::new(url), limit.as_secs());
        Err(TransferError::new(FailureKind::Timeout, RetryAction::Retry, message))
    }
}

/// Says that a host without a discovery document is not that of a federation.
fn without_document(url: &Url, refused: TransferError) -> TransferError {
    if refused.kind() != FailureKind::NotFound {
        return refused;
    }
    let message = format!(
        "`{}` is not the host of a federation: {refused}",
        url.host_str().map_or_else(|| SafeUrl::new(url).to_string(), str::to_owned)
    );
    TransferError::new(FailureKind::Rejected, RetryAction::OtherSource, message)
        .with_hint(TransferHint::NameFederationHost)
}

fn redirect(url: &Url, what: &str) -> TransferError {
    let message = format!("`{}` {what}", SafeUrl::new(url));
    TransferError::new(FailureKind::Redirect, RetryAction::OtherSource, message)
}
