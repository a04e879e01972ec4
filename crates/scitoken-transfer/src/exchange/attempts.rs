//! Repeats what failed: counts failures, decides about another attempt, and waits.

use std::fmt::Write as _;
use std::time::Duration;

use reqwest_scitokens::SourceError;
use scitoken_types::{ErrorChain, SafeUrl, redact};
use tokio::time::{Instant, sleep};
use url::Url;

use crate::cancel::Deadline;
use crate::downloader::Downloader;
use crate::error::{FailureKind, RetryAction, TransferError, with_causes};
use crate::event::{EventKind, FileNumber};
use crate::hint::TransferHint;
use crate::retry::decision::{self, RetryDecision, RetryFacts};

/// The failures of one operation since its last progress.
#[derive(Debug)]
pub(crate) struct Attempts {
    started: Instant,
    failures: u32,
    refusals: u32,
    refused_since: Option<Instant>,
    has_reconnected: bool,
    /// The URLs that refused for good.
    closed: Vec<usize>,
    /// The URLs whose servers answered with a failure that may pass.
    ill: Vec<usize>,
    /// The URLs whose servers do not have it.
    missing: Vec<usize>,
}

/// What the operation is: where its retries are reported, and what it could do instead of repeating.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Operation<'a> {
    /// Its URLs, at least one.
    pub(crate) urls: &'a [Url],
    /// The index of the one in use.
    pub(crate) source: usize,
    /// The number of its events; `None` for an operation without events.
    pub(crate) number: Option<FileNumber>,
    /// Whether what one of them does not have is missing, once each was asked.
    pub(crate) is_missing_final: bool,
    /// How many of the first are of servers that know what exists.
    pub(crate) origins: usize,
    /// Whether the token worked before in this operation.
    pub(crate) token_worked: bool,
}

/// Another attempt that follows a failure.
#[derive(Debug)]
pub(crate) struct NextAttempt {
    pub(crate) failure: TransferError,
    pub(crate) after: Duration,
    /// The URL to switch to.
    pub(crate) next_source: Option<usize>,
}

impl Attempts {
    pub(crate) fn new(started: Instant) -> Self {
        Self {
            started,
            failures: 0,
            refusals: 0,
            refused_since: None,
            has_reconnected: false,
            closed: Vec::new(),
            ill: Vec::new(),
            missing: Vec::new(),
        }
    }

    /// Returns whether there are origins, and none of them has it.
    fn is_missing_at_origins(&self, operation: Operation<'_>) -> bool {
        operation.origins > 0 && (0..operation.origins).all(|origin| self.missing.contains(&origin))
    }

    /// Forgets the failures so far: the operation made progress.
    pub(crate) fn progressed(&mut self) {
        let (closed, missing) = (std::mem::take(&mut self.closed), std::mem::take(&mut self.missing));
        *self = Self { closed, missing, ..Self::new(self.started) };
    }

    /// Returns the next URL that has not refused for good.
    fn next_open(&self, operation: Operation<'_>) -> Option<usize> {
        let count = operation.urls.len();
        let after = (1..=count).map(|step| (operation.source + step) % count);
        after.into_iter().find(|source| !self.closed.contains(source))
    }

    /// Counts a failure and decides what follows it. A retry takes one from the budget, is reported, and makes the other
    /// transfers respect a pause that the server asked for.
    ///
    /// # Errors
    /// The failure itself, when it is final.
    pub(crate) async fn next(
        &mut self,
        downloader: &Downloader,
        operation: Operation<'_>,
        failure: TransferError,
    ) -> Result<NextAttempt, TransferError> {
        if failure.kind() == FailureKind::Interrupted {
            return Err(failure);
        }
        if failure.retry_action() == RetryAction::Reconnect
            && !std::mem::replace(&mut self.has_reconnected, true)
        {
            return Ok(NextAttempt { failure, after: Duration::ZERO, next_source: None });
        }
        self.failures += 1;
        let source_error = failure.source_error().filter(|error| error.is_transient());
        if failure.retry_action() == RetryAction::OtherToken {
            self.refusals += 1;
        }
        if failure.retry_action() == RetryAction::OtherToken || source_error.is_some() {
            self.refused_since.get_or_insert_with(Instant::now);
        }
        let refused_for = self.refused_since.map(|since| since.elapsed()).unwrap_or_default();
        let is_final = matches!(failure.retry_action(), RetryAction::OtherSource | RetryAction::OtherToken);
        let is_refusal = is_final && !self.closed.contains(&operation.source);
        self.ill.retain(|source| *source != operation.source);
        if failure.kind() == FailureKind::NotFound && !self.missing.contains(&operation.source) {
            self.missing.push(operation.source);
        }
        let may_pass = failure.retry_action() == RetryAction::Retry && failure.kind() != FailureKind::Connect;
        if may_pass {
            self.ill.push(operation.source);
        }
        // A server that is ill may have what the others do not know.
        let was_each_asked =
            usize::try_from(self.failures).is_ok_and(|failures| failures >= operation.urls.len());
        let is_missing = operation.is_missing_final
            && failure.kind() == FailureKind::NotFound
            && (self.is_missing_at_origins(operation) || (was_each_asked && self.ill.is_empty()));
        let closed =
            if is_missing { operation.urls.len() } else { self.closed.len() + usize::from(is_refusal) };
        let policy = downloader.retry();
        if let Some(wait) = failure.retry_after().filter(|wait| *wait > policy.longest_delay) {
            downloader.servers().leave_until(&operation.urls[operation.source], Instant::now() + wait);
        }
        // A source that fails for now is waited for as a token is, and tried again after that.
        let waits_for_source = source_error.is_some() && refused_for < policy.token_wait;
        let source_wait = source_error.and_then(SourceError::retry_after);
        let facts = RetryFacts {
            retry_action: if waits_for_source { RetryAction::OtherToken } else { failure.retry_action() },
            failures: self.failures,
            refusals: self.refusals,
            elapsed: self.started.elapsed(),
            retry_after: failure.retry_after().or(source_wait),
            refused_for,
            token_worked: operation.token_worked,
            sources: u32::try_from(operation.urls.len()).unwrap_or(u32::MAX),
            open_sources: u32::try_from(operation.urls.len().saturating_sub(closed)).unwrap_or(u32::MAX),
            chance: fastrand::f64(),
        };
        let RetryDecision::Retry { after, next_source } = decision::decide(policy, &facts) else {
            return Err(failure);
        };
        if !after.is_zero() && !downloader.budget().take() {
            return Err(failure.with_hint(TransferHint::RaiseRetryBudget));
        }
        if let Some(wait) = failure.retry_after().filter(|wait| *wait <= policy.longest_delay) {
            downloader.servers().pause_until(&operation.urls[operation.source], Instant::now() + wait);
        }
        // A token that is about to be replaced closes no URL.
        if is_refusal && next_source {
            self.closed.push(operation.source);
        }
        let keeps_source = !next_source;
        let next_source = if next_source { self.next_open(operation) } else { None };
        let mut why = with_causes(&failure);
        if let Some(error) = failure.source_error().filter(|error| !why.contains(&error.to_string())) {
            let _ = write!(why, ": {}", redact::text(&ErrorChain::new(error).to_string()));
        }
        if let Some(number) = operation.number {
            let reporter = downloader.reporter();
            if failure.retry_action() == RetryAction::OtherToken && keeps_source {
                reporter.send(number, EventKind::TokenRefused).await;
            }
            let (failures, kind) = (self.failures, failure.kind());
            let other = next_source.filter(|next| *next != operation.source);
            let next = other.map(|next| SafeUrl::new(&operation.urls[next]).to_string());
            reporter.send(number, EventKind::Retrying { failures, after, kind, why, next }).await;
        } else if !after.is_zero() {
            // An operation without events is not silent about what it waits for.
            tracing::warn!("{why}; trying again in {:.2} s", after.as_secs_f64());
        }
        Ok(NextAttempt { failure, after, next_source })
    }
}

impl Downloader {
    /// Repeats an idempotent operation until it succeeds or fails for good. Its retries are events of `number`.
    pub(crate) async fn with_retries<T, F>(
        &self,
        url: &Url,
        number: Option<FileNumber>,
        mut attempt: impl FnMut() -> F,
        deadline: Option<Deadline>,
    ) -> Result<T, TransferError>
    where
        F: Future<Output = Result<T, TransferError>>,
    {
        let mut attempts = Attempts::new(Instant::now());
        loop {
            self.pause(self.servers().pause(url, Instant::now()), deadline).await?;
            let failure = match attempt().await {
                Ok(done) => return Ok(done),
                Err(failure) => failure,
            };
            let urls = std::slice::from_ref(url);
            let operation = Operation {
                urls,
                source: 0,
                number,
                is_missing_final: true,
                origins: 0,
                token_worked: false,
            };
            let next = attempts.next(self, operation, failure).await?;
            self.pause(next.after, deadline).await?;
        }
    }

    /// Waits.
    ///
    /// # Errors
    /// The transfer was cancelled or its deadline passed.
    pub(crate) async fn pause(
        &self,
        pause: Duration,
        deadline: Option<Deadline>,
    ) -> Result<(), TransferError> {
        if pause.is_zero() {
            return Ok(());
        }
        tokio::select! {
            () = sleep(pause) => Ok(()),
            failure = self.cancellation_token().ended(deadline) => Err(failure),
        }
    }
}
