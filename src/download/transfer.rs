//! One file, from the first look at the disk to its final name.

use std::path::Path;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use super::board::{Claim, Split};
use super::downloader::Downloader;
use super::error::{FailureKind, Remedy, TransferError, in_words};
use super::event::EventKind;
use super::job::{Download, Downloaded, Resume, Verification};
use super::output::{Output, Stream};
use super::part::{Opened, PartFile};
use super::retry::{self, Decision, Facts};
use super::state::{Role, State};
use super::stop::Deadline;
use super::{Checksum, existing};
use crate::SafeUrl;

/// Failures since the last byte was gained.
#[derive(Clone, Copy, Debug, Default)]
struct FailuresInARow {
    failures: u32,
    refusals: u32,
    refused_since: Option<Instant>,
}

impl FailuresInARow {
    fn count(&mut self, failure: &TransferError) {
        self.failures += 1;
        if failure.remedy() == Remedy::OtherToken {
            self.refusals += 1;
            self.refused_since.get_or_insert_with(Instant::now);
        }
    }
}

/// A transfer that runs.
#[derive(Debug)]
pub(super) struct Transfer {
    pub(super) downloader: Downloader,
    pub(super) job: Download,
    pub(super) deadline: Option<Deadline>,
    begun: Instant,
    state: Mutex<State>,
    from: Mutex<String>,
    answered: Mutex<bool>,
    /// Which of the addresses is in use.
    pub(super) source: AtomicUsize,
    /// Told when a stream gives up or takes up a share.
    pub(super) moved: Notify,
}

impl Transfer {
    /// Does it all.
    pub(super) async fn to_file(downloader: Downloader, job: Download) -> Result<Downloaded, TransferError> {
        let Some(target) = job.target.clone() else {
            let message = "the download names no file to write to";
            return Err(TransferError::new(FailureKind::Usage, Remedy::Nothing, message));
        };
        let begun = Instant::now();
        let deadline = deadline(&downloader, begun);
        started(&downloader, &job).await;
        if let Some(skipped) = existing::look(&downloader, &job, &target, deadline).await? {
            return Ok(skipped);
        }
        let part = open_part(&target).await?;
        let left_over = if job.resume == Resume::WhenSafe { part.left_over() } else { None };
        let mut state = State::new(Output::Part(part), &job.checksum);
        let mut source = 0;
        if let Some(sidecar) = left_over
            && let Some(identity) = sidecar.identity(&job.sources)
        {
            source = identity.source;
            state.resume(&sidecar, identity, &job.checksum);
        }
        Self::new(downloader, job, begun, state, source).go().await
    }

    /// The same into a stream, with what that allows: one connection, and no second beginning.
    pub(super) async fn to_stream(
        downloader: Downloader,
        mut job: Download,
        stream: Stream,
    ) -> Result<Downloaded, TransferError> {
        job.target = None;
        let mut limits = downloader.limits().clone();
        limits.streams = 1;
        let downloader = downloader.with_limits(limits);
        started(&downloader, &job).await;
        let state = State::new(Output::Stream(stream), &job.checksum);
        Self::new(downloader, job, Instant::now(), state, 0).go().await
    }

    fn new(downloader: Downloader, job: Download, begun: Instant, state: State, source: usize) -> Arc<Self> {
        Arc::new(Self {
            deadline: deadline(&downloader, begun),
            downloader,
            job,
            begun,
            state: Mutex::new(state),
            from: Mutex::default(),
            answered: Mutex::new(false),
            source: AtomicUsize::new(source),
            moved: Notify::new(),
        })
    }

    async fn go(self: Arc<Self>) -> Result<Downloaded, TransferError> {
        let result = match self.begin_where_admitted() {
            Ok(()) => self.fetch_and_verify().await,
            Err(failure) => Err(failure),
        };
        self.settle(result).await
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn begun(&self) -> Instant {
        self.begun
    }

    pub(super) fn from(&self) -> MutexGuard<'_, String> {
        self.from.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn answered(&self) -> MutexGuard<'_, bool> {
        self.answered.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Fetches until the content is right, or until it is clear that it never will be.
    async fn fetch_and_verify(self: &Arc<Self>) -> Result<Verification, TransferError> {
        let mut mismatches = 0;
        loop {
            self.fetch().await?;
            match self.verify().await {
                // Bytes of several requests may not belong together, and bytes change on the way; so once more from
                // the start, and once for each mirror. The same wrong bytes again are the server's own.
                Err(failure)
                    if failure.remedy() == Remedy::FromStart && mismatches < self.job.sources.len() =>
                {
                    mismatches += 1;
                    self.go_to(self.source() + 1);
                    self.begin_anew(in_words(&failure)).await?;
                }
                result => return result,
            }
        }
    }

    async fn begin_anew(&self, why: String) -> Result<(), TransferError> {
        self.state().restart(&self.job.checksum)?;
        self.downloader.reporter().send(self.job.number, EventKind::Restarted { why }).await;
        Ok(())
    }

    /// Fetches every byte, through failures and retries.
    async fn fetch(self: &Arc<Self>) -> Result<(), TransferError> {
        let mut helpers = JoinSet::new();
        let mut row = FailuresInARow::default();
        let mut most = self.state().board.done().total();
        let streams = self.downloader.limits().streams;
        if streams > 1 {
            helpers.spawn(Arc::clone(self).widen(streams));
        }
        loop {
            let moved = self.moved.notified();
            let Some(mut claim) = self.claim()? else {
                if self.state().board.is_complete() {
                    return Ok(());
                }
                // The last bytes are on their way in other streams.
                moved.await;
                continue;
            };
            let source = self.source();
            self.leave_alone(source).await?;
            let result = self.stream(&mut claim, source, Role::Main).await;
            let gained = {
                let mut state = self.state();
                state.board.release(claim);
                // What was thrown away and fetched again is no gain.
                let there = state.board.done().total();
                let is_more = there > most;
                most = there.max(most);
                is_more
            };
            if gained {
                row = FailuresInARow::default();
            }
            let Err(failure) = result else { continue };
            row.count(&failure);
            self.state().timings.failures += 1;
            self.recover(failure, row, source).await?;
        }
    }

    /// A claim for the main stream; `None` when there is nothing left to claim.
    fn claim(&self) -> Result<Option<Claim>, TransferError> {
        let mut state = self.state();
        if state.board.is_complete()
            && state.identity.is_some()
            && (state.expected.is_some() || *self.answered())
        {
            return Ok(None);
        }
        if state.board.is_complete() {
            // All bytes were left by an earlier run, and nothing could show that they are right.
            state.restart(&self.job.checksum)?;
        }
        if !state.ranges && state.board.done().total() > 0 {
            state.restart(&self.job.checksum)?;
        }
        let split = if state.ranges { Split::Allowed } else { Split::Forbidden };
        Ok(state.board.claim(split))
    }

    /// Waits while the server has asked everybody to wait.
    async fn leave_alone(&self, source: usize) -> Result<(), TransferError> {
        let url = &self.job.sources[source];
        let pause = self.downloader.hosts().pause(url, Instant::now());
        if pause.is_zero() { Ok(()) } else { self.pause(pause).await }
    }

    async fn pause(&self, pause: Duration) -> Result<(), TransferError> {
        self.state().timings.pausing += pause;
        tokio::select! {
            () = sleep(pause) => Ok(()),
            failure = self.downloader.stopper().ended(self.deadline) => Err(failure),
        }
    }

    /// Gets ready for another attempt, at another source where that is better.
    ///
    /// # Errors
    /// The failure itself, when it is final.
    async fn recover(
        &self,
        failure: TransferError,
        row: FailuresInARow,
        source: usize,
    ) -> Result<(), TransferError> {
        if failure.kind() == FailureKind::Interrupted {
            return Err(failure);
        }
        let retry = self.downloader.retry();
        let sources = self.job.sources.len();
        let facts = Facts {
            remedy: failure.remedy(),
            failures: row.failures,
            refusals: row.refusals,
            elapsed: self.begun.elapsed(),
            retry_after: failure.retry_after(),
            refused_for: row.refused_since.map(|since| since.elapsed()).unwrap_or_default(),
            token_worked: self.state().token_worked,
            sources: u32::try_from(sources).unwrap_or(u32::MAX),
            chance: fastrand::f64(),
        };
        let url = &self.job.sources[source];
        let Decision::Retry { after, next_source } = retry::decide(retry, &facts) else {
            self.gave_up(&failure, source);
            return Err(failure);
        };
        if !after.is_zero() && !self.downloader.budget().take() {
            return Err(failure.with_hint("this run has used all of its retries (`--retry-budget`)"));
        }
        if let Some(wait) = failure.retry_after().filter(|wait| *wait <= retry.longest_delay) {
            self.downloader.hosts().ask_for_pause(url, Instant::now() + wait);
        }
        let reporter = self.downloader.reporter();
        if failure.remedy() == Remedy::OtherToken && !next_source {
            reporter.send(self.job.number, EventKind::TokenRefused).await;
        }
        let why = in_words(&failure);
        let retrying =
            EventKind::Retrying { failures: row.failures, after, kind: failure.kind(), why: why.clone() };
        reporter.send(self.job.number, retrying).await;
        match failure.remedy() {
            Remedy::FromStart => self.begin_anew(why).await?,
            Remedy::WithoutDigest => self.state().ask_digest = false,
            Remedy::WithoutRanges => self.state().ranges = false,
            _ => {}
        }
        if !after.is_zero() {
            self.pause(after).await?;
        }
        if next_source {
            self.gave_up(&failure, source);
            self.go_to(source + 1);
            // What the last server could not do, the next one may.
            let mut state = self.state();
            (state.ranges, state.ask_digest) = (true, self.job.checksum != Checksum::None);
        }
        Ok(())
    }
}

fn deadline(downloader: &Downloader, begun: Instant) -> Option<Deadline> {
    downloader.limits().max_time.and_then(|allowed| Deadline::after(begun, allowed))
}

async fn started(downloader: &Downloader, job: &Download) {
    if downloader.reporter().is_listened_to() {
        let url = SafeUrl::new(job.url()).to_string();
        downloader.reporter().send(job.number, EventKind::Started { url, target: job.target.clone() }).await;
    }
}

/// Opens the unfinished file. One that is busy may be ours still, from a transfer that was dropped a moment ago.
async fn open_part(target: &Path) -> Result<PartFile, TransferError> {
    for _ in 0..25 {
        if let Opened::Ours(part) = PartFile::open(target)? {
            return Ok(part);
        }
        sleep(Duration::from_millis(20)).await;
    }
    let message = format!("`{}` is being downloaded by another process", super::error::shown(target));
    Err(TransferError::new(FailureKind::Local, Remedy::Nothing, message)
        .with_hint("wait for the other download, or choose another name with `-o FILE`"))
}
