//! The `COPY` request of one attempt, and the reports of the server that carries it out.

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use reqwest::Response;
use reqwest_scitokens::ResponseExt as _;
use scitoken_types::redact::{self, Redactor};
use scitoken_types::{AccessToken, SafeUrl};
use tokio::time::{Instant, timeout};
use url::Url;

use crate::cancel::Deadline;
use crate::copy::copier::Copier;
use crate::copy::job::{Copied, CopyRoute, RemoteCopy};
use crate::copy::markers::{CopyOutcome, CopyReport};
use crate::copy::outcome::{FailedCopy, is_about_other_server};
use crate::copy::record::{DestinationRecord, Writes};
use crate::copy::remains::taken;
use crate::copy::transfer_header::with_transfer_headers;
use crate::copy::verify::{Proof, wrong};
use crate::downloader::Downloader;
use crate::error::{FailureKind, RetryAction, TransferError};
use crate::event::EventKind;
use crate::exchange::page_answer::page_in_place_of_change;
use crate::exchange::request::ServerText;
use crate::exchange::request::{error_text, head_of};
use crate::exchange::response_head;
use crate::exchange::transport_error::never_connected;
use crate::hint::TransferHint;
use crate::overwrite::Overwrite;
use crate::verification::Verification;
use crate::webdav::method::method;

/// A `COPY` that failed.
enum CopyFailure {
    /// It was not sent, or the server refused it: nothing was written.
    Refused(TransferError),
    /// The server took it, and reports a failure.
    Reported(TransferError),
    /// The answer was lost, or did not come to its end: the server may have made the copy, or may be writing.
    Lost(TransferError),
}

impl CopyFailure {
    /// Classifies the failure of a request that was not answered.
    fn of_request(failure: TransferError) -> Self {
        let is_lost = match failure.kind() {
            FailureKind::Connect => !never_connected(&failure),
            FailureKind::Timeout
            | FailureKind::Incomplete
            | FailureKind::Server
            | FailureKind::Interrupted => true,
            _ => false,
        };
        if is_lost { Self::Lost(failure) } else { Self::Refused(failure) }
    }
}

impl From<TransferError> for CopyFailure {
    fn from(failure: TransferError) -> Self {
        Self::Refused(failure)
    }
}

impl Writes {
    fn of(answer: &Result<Proof, CopyFailure>) -> Self {
        match answer {
            Err(CopyFailure::Refused(_)) => Self::None,
            Ok(Proof::Reported | Proof::Length) | Err(CopyFailure::Reported(_)) => Self::Ended,
            Ok(Proof::Digest) | Err(CopyFailure::Lost(_)) => Self::Unknown,
        }
    }
}

impl Copier {
    /// Copies a file by one route, as often as the retry policy allows.
    pub(crate) async fn copy_by(
        &self,
        copy: &RemoteCopy,
        route: CopyRoute,
        record: &DestinationRecord,
        deadline: Option<Deadline>,
    ) -> Result<Copied, TransferError> {
        let (active, _) = route.servers(copy);
        let downloader = &self.destination.downloader;
        let attempt = || async {
            match Box::pin(self.attempt(copy, route, record, deadline)).await {
                Err(failure) => Err(self.clean_up(copy, record, failure).await),
                copied => copied,
            }
        };
        Box::pin(downloader.with_retries(active, Some(copy.number), attempt, deadline)).await
    }

    /// One attempt, which leaves what it wrote.
    async fn attempt(
        &self,
        copy: &RemoteCopy,
        route: CopyRoute,
        record: &DestinationRecord,
        deadline: Option<Deadline>,
    ) -> Result<Copied, TransferError> {
        let tokens = self.read_tokens(&copy.source, &copy.destination).await?;
        let token = tokens.into_handed_over(route);
        let source = self.describe_source(copy, deadline).await?;
        let answer = match self.look_at_destination(copy, record, deadline).await {
            Ok(()) => {
                if let Some(copied) = self.already_present(copy, &source, record, deadline).await? {
                    return Ok(copied);
                }
                Box::pin(self.request_copy(copy, route, token, source.length, deadline)).await
            }
            Err(failure) => Err(CopyFailure::Refused(failure)),
        };
        let may_be_own = record.writes() == Writes::Unknown;
        record.add(Writes::of(&answer));
        let verified = match answer {
            Ok(proof) => {
                let verified = Box::pin(self.verify(copy, &source, proof, deadline)).await;
                let is_by_length =
                    proof == Proof::Length && matches!(verified, Ok((_, Verification::NotAvailable)));
                if is_by_length && !self.has_changed(copy, record).await {
                    Err(wrong(copy, FailureKind::Incomplete, "is not proven to be complete"))
                } else {
                    verified
                }
            }
            // The server may have completed the copy all the same.
            Err(CopyFailure::Lost(failure)) => {
                Box::pin(self.verify(copy, &source, Proof::Digest, deadline)).await.map_err(|_| failure)
            }
            // So may the one whose answer to an earlier attempt was lost.
            Err(CopyFailure::Refused(failure)) if may_be_own && failure.kind() == FailureKind::Exists => {
                Box::pin(self.verify(copy, &source, Proof::Digest, deadline)).await.map_err(|_| failure)
            }
            Err(CopyFailure::Refused(failure) | CopyFailure::Reported(failure)) => Err(failure),
        };
        verified.map(|(length, verification)| Copied { length, verification, route })
    }

    /// Asks the active server for the copy, and follows its reports to the end.
    async fn request_copy(
        &self,
        copy: &RemoteCopy,
        route: CopyRoute,
        token: Option<AccessToken>,
        length: Option<u64>,
        deadline: Option<Deadline>,
    ) -> Result<Proof, CopyFailure> {
        let active_side = self.active_side(route);
        let (active, other) = route.servers(copy);
        let name = if route == CopyRoute::Pushed { "destination" } else { "source" };
        let form = self.header_form(active_side, active).await;
        let client = active_side.downloader.client();
        let client = with_transfer_headers(client, active, form, token.as_ref(), &copy.transfer_headers)?;
        let downloader = active_side.downloader.with_client(client);
        let headers = copy_headers(copy, name, other, &downloader)?;
        tokio::select! {
            biased;
            failure = downloader.cancellation_token().ended(deadline) => return Err(failure.into()),
            () = std::future::ready(()) => {}
        }
        let mut response = downloader
            .send(method("COPY"), active, headers, deadline)
            .await
            .map_err(CopyFailure::of_request)?;
        let redactor = Redactor::new();
        if let Some(token) = &token {
            redactor.add_token(token);
        }
        let failed = FailedCopy { route, active, other, had_token: token.is_some() };
        if response.status() == StatusCode::PRECONDITION_FAILED && copy.overwrite == Overwrite::Refuse {
            return Err(taken(copy).into());
        }
        if page_in_place_of_change(active, &mut response).await.is_some() {
            return Err(TransferError::invalid_answer(
                active,
                RetryAction::OtherSource,
                "answered with a web page",
            )
            .with_hint(TransferHint::CopyThroughThisMachine)
            .into());
        }
        if !response.status().is_success() {
            return Err(refused(&failed, response, &redactor, &downloader).await);
        }
        let followed = self.follow(copy, length, active, response, &redactor, deadline).await;
        let (outcome, is_whole) = followed.map_err(CopyFailure::Lost)?;
        match outcome {
            CopyOutcome::Success => Ok(Proof::Reported),
            CopyOutcome::Unknown if is_whole => Ok(Proof::Length),
            CopyOutcome::Unknown => Ok(Proof::Digest),
            CopyOutcome::Failure(words) => Err(CopyFailure::Reported(failed.failure(&words))),
        }
    }

    /// Reads the body to its end. Returns the outcome, and whether the body was whole.
    async fn follow(
        &self,
        copy: &RemoteCopy,
        length: Option<u64>,
        active: &Url,
        mut response: Response,
        redactor: &Redactor,
        deadline: Option<Deadline>,
    ) -> Result<(CopyOutcome, bool), TransferError> {
        let downloader = &self.destination.downloader;
        let (stall, reporter) = (downloader.limits().stall, downloader.reporter());
        reporter.send(copy.number, EventKind::Answered { length, resumed_from: 0 }).await;
        let (mut report, mut moved_at) = (CopyReport::default(), Instant::now());
        loop {
            let before = report.bytes();
            let chunk = tokio::select! {
                biased;
                failure = downloader.cancellation_token().ended(deadline) => return Err(failure),
                chunk = timeout(stall, response.chunk()) => chunk,
            };
            match chunk {
                Err(_) => return Err(stalled(active, "sent no report", stall.as_secs())),
                Ok(Err(_)) => return Ok((report.finish(redactor), false)),
                Ok(Ok(None)) => return Ok((report.finish(redactor), true)),
                Ok(Ok(Some(data))) => report.push(&data),
            }
            let done = report.bytes();
            if done != before {
                moved_at = Instant::now();
                reporter.try_send(copy.number, EventKind::Progress { done, length });
            } else if moved_at.elapsed() > stall && length.is_none_or(|length| done < length) {
                // Behind the last byte the server may compute a checksum.
                return Err(stalled(active, "moved no byte", stall.as_secs()));
            }
        }
    }
}

/// The headers of a `COPY`, without the tokens.
fn copy_headers(
    copy: &RemoteCopy,
    name: &'static str,
    other: &Url,
    downloader: &Downloader,
) -> Result<HeaderMap, TransferError> {
    let mut headers = HeaderMap::new();
    let value = HeaderValue::try_from(other.as_str()).map_err(|_| {
        let message = format!("cannot name `{}` in a header", SafeUrl::new(other));
        TransferError::new(FailureKind::Usage, RetryAction::GiveUp, message)
    })?;
    headers.insert(HeaderName::from_static(name), value);
    let overwrite = if copy.overwrite == Overwrite::Allow { "T" } else { "F" };
    headers.insert("overwrite", HeaderValue::from_static(overwrite));
    headers.insert("credential", HeaderValue::from_static("none"));
    // dCache fails without a checksum of the other server unless it is told that none is needed.
    let requires_checksum = if copy.checksum.is_required() { "true" } else { "false" };
    headers.insert("requirechecksumverification", HeaderValue::from_static(requires_checksum));
    let streams = downloader.limits().streams;
    if streams > 1 {
        headers.insert("x-number-of-streams", HeaderValue::from(streams));
    }
    Ok(headers)
}

/// Returns why the server did not begin the copy.
async fn refused(
    failed: &FailedCopy<'_>,
    mut response: Response,
    redactor: &Redactor,
    downloader: &Downloader,
) -> CopyFailure {
    let status = response.status();
    let refused = response_head::refused(&head_of(&response, failed.active), downloader.now());
    let explanation = response.explain();
    let text = error_text(&mut response).await;
    let words = redactor.redact(text.trim()).into_owned();
    let is_text = !words.is_empty() && !words.starts_with('<');
    let cannot_copy = match status {
        StatusCode::METHOD_NOT_ALLOWED | StatusCode::NOT_IMPLEMENTED => true,
        // WebDAV servers that copy within themselves only: nginx and Apache miss a `Destination`.
        StatusCode::BAD_REQUEST | StatusCode::BAD_GATEWAY => !is_text,
        // They look for a source of that name, where one that fetches makes it (RFC 4918 section 9.8).
        StatusCode::NOT_FOUND => failed.route == CopyRoute::Pulled && !is_text,
        _ => false,
    };
    if cannot_copy {
        return refused
            .with_retry_action(RetryAction::OtherSource)
            .with_hint(TransferHint::CopyThroughThisMachine)
            .into();
    }
    if is_text && is_about_other_server(&words) {
        return failed.failure(&words).into();
    }
    let refused = refused.with_explanation(explanation);
    let refused = if is_text { refused.with_source(ServerText(redact::text(&words))) } else { refused };
    match status {
        // A gateway lost the answer of the server behind it.
        StatusCode::BAD_GATEWAY | StatusCode::GATEWAY_TIMEOUT => CopyFailure::Lost(refused),
        _ => refused.into(),
    }
}

fn stalled(active: &Url, what: &str, seconds: u64) -> TransferError {
    let message = format!("`{}` {what} for {seconds} s", SafeUrl::new(active));
    TransferError::new(FailureKind::Timeout, RetryAction::Retry, message)
}
