//! One request for a share of a file, from its first header to its last byte.

use std::pin::pin;
use std::time::Duration;

use bytes::Bytes;
use http::Method;
use reqwest::Response;
use tokio::time::{Instant, sleep};
use url::Url;

use crate::digest::checksum::Checksum;
use crate::digest::header;
use crate::download::content::content_check;
use crate::download::content::content_check::{Documents, Inspected, Inspection, Suspicion};
use crate::download::content::identity::Identity;
use crate::download::content_failures;
use crate::download::length_source::LengthSource;
use crate::download::ranges::scheduler::RangeLease;
use crate::download::state::{HeadOutcome, Role, WriteOutcome};
use crate::download::transfer::Transfer;
use crate::error::{FailureKind, RetryAction, TransferError};
use crate::event::EventKind;
use crate::exchange::frames::BodyFrames;
use crate::exchange::page_answer;
use crate::exchange::request::{head_of, with_server_text};
use crate::exchange::request_record::RequestRecord;
use crate::exchange::response_head;
use crate::exchange::response_head::BodyExtent;
use reqwest_scitokens::ResponseExt as _;
use reqwest_scitokens::auth;
use reqwest_scitokens::auth::Attempt;
use scitoken_types::{AccessToken, SafeUrl};

impl Transfer {
    /// Fetches what a lease needs, and reports the request. The lease is replaced when the server sends the whole file from
    /// its start.
    pub(crate) async fn stream(
        &self,
        lease: &mut RangeLease,
        source: usize,
        role: Role,
    ) -> Result<(), TransferError> {
        let reporter = self.downloader.reporter();
        let mut record = RequestRecord::begin(reporter.reports_requests());
        let result = self.exchange(lease, source, role, &mut record).await;
        if reporter.reports_requests() {
            let report = record.report(&self.job.sources[source], result.as_ref().err());
            reporter.send(self.job.number, EventKind::Requested(Box::new(report))).await;
        }
        result
    }

    async fn exchange(
        &self,
        lease: &mut RangeLease,
        source: usize,
        role: Role,
        record: &mut RequestRecord,
    ) -> Result<(), TransferError> {
        let url = &self.job.sources[source];
        self.learn_end(url).await;
        let mut ask = self.range_request(*lease, url)?;
        let begun = Instant::now();
        let response = match self.take_first_answer() {
            Some(first) if ask.range.is_none() && source == 0 => {
                ask.for_digest = first.for_digest;
                Ok(first.response)
            }
            _ => self.downloader.send(Method::GET, url, ask.headers, self.deadline).await,
        };
        if role == Role::Main {
            self.state().timings.answering += begun.elapsed();
        }
        let response = response?;
        record.answered(&response);
        self.record_token(&response).await;
        let extent = match response_head::evaluate(
            ask.range.as_ref(),
            &head_of(&response, url),
            self.downloader.now(),
        ) {
            Ok(extent) => extent,
            Err(failure) => return Err(with_server_text(failure, response, ask.for_digest).await),
        };
        content_check::check_coding(url, self.job.target(), response.headers())?;
        if !self.state().ask_digest && self.job.checksum != Checksum::None {
            // It was the question for a digest that the server refused.
            self.downloader.servers().without_digests(url);
        }
        let digests = if ask.for_digest { header::read(response.headers()) } else { Vec::new() };
        let mut identity = Identity::read(source, response.headers(), extent.total, digests);
        let suspicion = content_check::assess(self.job.pages, url, self.job.target(), response.headers());
        // The user knows what the file is, and the end shows whether it is that.
        let is_known = matches!(self.job.checksum, Checksum::Expect(_));
        let inspects = match suspicion {
            // A part of a web page is no part of the data either.
            Suspicion::Declared => return Err(page_answer::failure(url, response.url())),
            Suspicion::Inspect(_) if is_known => None,
            // A directory listing has no digest.
            Suspicion::Inspect(documents) if extent.start == 0 && identity.digests.is_empty() => {
                Some(documents)
            }
            Suspicion::Inspect(_) | Suspicion::None => None,
        };
        let has_expected = self.state().expected.is_some();
        if extent.start == 0 || !has_expected {
            // An earlier run may have required no digest.
            self.require_digest(source, &mut identity).await?;
        }
        self.accept_head(lease, role, &extent, identity, &response).await?;
        self.body(*lease, role, response, &extent, inspects, record).await
    }

    /// Records when the token of this request expires, and reports one that the server asked for or that replaced another.
    async fn record_token(&self, response: &Response) {
        let Some(trace) = response.auth_trace() else { return };
        let token = trace.attempts().last().and_then(Attempt::token);
        self.state().token_ends = token.and_then(AccessToken::expires_at);
        if *trace.outcome() == auth::AuthOutcome::AnsweredReplay {
            let with_token = trace.attempts().iter().filter(|attempt| attempt.token().is_some());
            let what = match with_token.count() {
                0 | 1 => EventKind::TokenRequested,
                _ => EventKind::TokenRefreshed,
            };
            self.downloader.reporter().send(self.job.number, what).await;
        }
    }

    async fn accept_head(
        &self,
        lease: &mut RangeLease,
        role: Role,
        extent: &BodyExtent,
        identity: Identity,
        response: &Response,
    ) -> Result<(), TransferError> {
        let url = &self.job.sources[identity.source];
        let (is_first, taken, resumed_from) = {
            let mut state = self.state();
            let is_first = !std::mem::replace(&mut *self.answered(), true);
            let taken = state.accept_head(*lease, role, extent, identity, &self.job)?;
            (is_first, taken, state.resumed_from)
        };
        let number = self.job.number;
        let reporter = self.downloader.reporter();
        if let HeadOutcome::Restarted(new) = taken {
            *lease = new;
            let why = "the server sent the whole file in place of the rest".to_owned();
            reporter.send(number, EventKind::Restarted { why }).await;
        }
        if is_first {
            if response.url().host_str() != url.host_str() || response.url().port() != url.port() {
                let to = SafeUrl::new(response.url()).to_string();
                reporter.send(number, EventKind::Redirected { to }).await;
            }
            reporter.send(number, EventKind::Answered { length: extent.total, resumed_from }).await;
        }
        *self.from() = SafeUrl::new(response.url()).to_string();
        Ok(())
    }

    async fn body(
        &self,
        lease: RangeLease,
        role: Role,
        response: Response,
        extent: &BodyExtent,
        inspects: Option<Documents>,
        record: &mut RequestRecord,
    ) -> Result<(), TransferError> {
        let came_from = response.url().clone();
        let mut frames = BodyFrames::of(response);
        let limits = self.downloader.limits();
        let mut ended = pin!(self.downloader.cancellation_token().ended(self.deadline));
        let mut window = pin!(sleep(limits.stall));
        let mut in_window: u64 = 0;
        let mut position = extent.start;
        let mut inspection = inspects.map(|documents| Inspection::new(documents, extent.end));
        let enough = limits.enough_in_window();
        let mut within_limit = None;
        loop {
            if let Some(until) = within_limit.take() {
                // The server is not slow while this side waits.
                let end = window.deadline() + self.wait_for_rate(until, role).await?;
                window.as_mut().reset(end);
            }
            let chunk = tokio::select! {
                biased;
                failure = &mut ended => return Err(failure),
                chunk = frames.next() => chunk,
                () = &mut window => {
                    if in_window < enough {
                        return Err(self.stalled(in_window));
                    }
                    in_window = 0;
                    window.as_mut().reset(Instant::now() + limits.stall);
                    continue;
                }
            };
            let Some(chunk) = chunk.map_err(|error| self.interrupted_body(error))? else { break };
            let bytes = chunk.len() as u64;
            within_limit = self.downloader.rate().map(|rate| rate.count(bytes, Instant::now()));
            in_window += bytes;
            position += bytes;
            record.bytes += bytes;
            if extent.end.is_some_and(|end| position > end) {
                return Err(content_failures::contradictory(&self.job));
            }
            let chunk = match inspection.as_mut().map(|inspection| inspection.push(chunk.clone())) {
                None => chunk,
                Some(inspected) => match self.inspected(inspected, &came_from)? {
                    None => continue,
                    Some(data) => {
                        inspection = None;
                        data
                    }
                },
            };
            if self.write(lease, &chunk)? == WriteOutcome::LeaseDone {
                let has_more = frames.read_trailers().await;
                frames.check(self.job.url())?;
                if let Some(until) = within_limit {
                    self.wait_for_rate(until, role).await?;
                }
                // Only a body of unannounced length can be longer than the file.
                let length = self.state().scheduler.length();
                let exceeds =
                    length.is_some_and(|length| position > length || (position == length && has_more));
                return if exceeds { Err(content_failures::contradictory(&self.job)) } else { Ok(()) };
            }
        }
        frames.check(self.job.url())?;
        if let Some(inspection) = inspection
            && let Some(data) = self.inspected(inspection.finish(), &came_from)?
        {
            self.write(lease, &data)?;
        }
        self.end_of_body(lease, extent, &frames)
    }

    /// Waits until the bytes of all transfers are within the limit, and returns how long that took.
    async fn wait_for_rate(&self, until: Instant, role: Role) -> Result<Duration, TransferError> {
        let begun = Instant::now();
        self.downloader.pause(until.saturating_duration_since(begun), self.deadline).await?;
        let waited = begun.elapsed();
        if role == Role::Main {
            self.state().timings.limited += waited;
        }
        Ok(waited)
    }

    /// Returns the data that was held back, or `None` while more bytes are needed.
    fn inspected(&self, inspected: Inspected, came_from: &Url) -> Result<Option<Bytes>, TransferError> {
        match inspected {
            Inspected::Held => Ok(None),
            Inspected::Data(data) => Ok(Some(data)),
            Inspected::Page => Err(page_answer::failure(self.job.url(), came_from)),
            Inspected::Document(message) => Err(content_check::document_failure(self.job.url(), &message)),
        }
    }

    fn write(&self, lease: RangeLease, data: &[u8]) -> Result<WriteOutcome, TransferError> {
        let mut state = self.state();
        let begun = Instant::now();
        let flow = state.write(lease, data)?;
        let now = Instant::now();
        state.timings.writing += now - begun;
        self.report_if_due(&mut state, now);
        Ok(flow)
    }

    /// Decides whether the body was complete.
    fn end_of_body(
        &self,
        lease: RangeLease,
        extent: &BodyExtent,
        frames: &BodyFrames,
    ) -> Result<(), TransferError> {
        let mut state = self.state();
        let wanted = state.scheduler.wanted(lease).ok_or_else(content_failures::stale)?;
        match (state.scheduler.length(), extent.end) {
            (Some(_), _) if wanted.is_empty() => Ok(()),
            // The server sent a shorter part than requested. The rest is requested next.
            (Some(_), Some(end)) if wanted.start == end && extent.start < end => Ok(()),
            (Some(length), _) => Err(self.incomplete(wanted.start, Some(length))),
            // A part of a file of unknown length: the bytes behind it are requested next.
            (None, Some(end)) if wanted.start == end && extent.start < end => Ok(()),
            (None, Some(_)) => Err(self.incomplete(wanted.start, None)),
            // The server ended the body without the report that it announced, and no digest proves the data.
            (None, None) if frames.lacks_announced_status() && state.expected.is_none() => {
                Err(self.incomplete(wanted.start, None))
            }
            // A whole file ends where its body does.
            (None, None) => {
                state.scheduler.set_length(wanted.start);
                if !frames.is_confirmed() {
                    state.length_from = LengthSource::EndOfBody;
                }
                Ok(())
            }
        }
    }

    fn incomplete(&self, at: u64, length: Option<u64>) -> TransferError {
        let of = length.map(|length| format!(" of {length}")).unwrap_or_default();
        let message = format!("`{}` ended at byte {at}{of}", SafeUrl::new(self.job.url()));
        TransferError::new(FailureKind::Incomplete, RetryAction::Retry, message)
    }

    fn interrupted_body(&self, error: reqwest::Error) -> TransferError {
        let (at, length) = {
            let state = self.state();
            (state.scheduler.done().total(), state.scheduler.length())
        };
        let kind = if error.is_timeout() { FailureKind::Timeout } else { FailureKind::Incomplete };
        let of = length.map(|length| format!(" of {length}")).unwrap_or_default();
        let message = format!("`{}` ended early, after {at}{of} bytes", SafeUrl::new(self.job.url()));
        TransferError::new(kind, RetryAction::Retry, message).with_source(error.without_url())
    }

    fn stalled(&self, bytes: u64) -> TransferError {
        let seconds = self.downloader.limits().stall.as_secs();
        let message = format!("`{}` sent {bytes} bytes in {seconds} s", SafeUrl::new(self.job.url()));
        TransferError::new(FailureKind::Timeout, RetryAction::Retry, message)
    }
}
