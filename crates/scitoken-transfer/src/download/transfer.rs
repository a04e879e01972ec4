//! One download, from the first look at the disk to the final name.

use std::path::Path;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::cancel::Deadline;
use crate::digest::checksum::Checksum;
use crate::download::downloaded::Downloaded;
use crate::download::existing;
use crate::download::first_answer::{FirstAnswer, named_by_server};
use crate::download::job::{Download, Resume};
use crate::download::local::open_part::{Opened, being_downloaded, open_part_file};
use crate::download::local::output::{Output, StreamOutput};
use crate::download::local::part_file::PartFile;
use crate::download::local::small_file::SmallFile;
use crate::download::ranges::scheduler::RangeLease;
use crate::download::state::{Role, TransferState};
use crate::downloader::Downloader;
use crate::error::{FailureKind, RetryAction, TransferError, with_causes};
use crate::event::EventKind;
use crate::exchange::attempts::{Attempts, Operation};
use crate::local_target::LocalTarget;
use crate::verification::Verification;
use scitoken_types::SafeUrl;

/// A transfer that runs.
#[derive(Debug)]
pub(crate) struct Transfer {
    pub(crate) downloader: Downloader,
    pub(crate) job: Download,
    pub(crate) deadline: Option<Deadline>,
    begun: Instant,
    state: Mutex<TransferState>,
    from: Mutex<String>,
    /// The answer that named the file, until its data is read.
    first: Mutex<Option<FirstAnswer>>,
    answered: Mutex<bool>,
    /// The index of the URL in use.
    pub(crate) source: AtomicUsize,
    /// Notified when a stream returns or takes a lease.
    pub(crate) moved: Notify,
}

impl Transfer {
    /// Downloads to a file.
    pub(crate) async fn to_file(downloader: Downloader, job: Download) -> Result<Downloaded, TransferError> {
        let begun = job.begun.unwrap_or_else(Instant::now);
        let deadline = deadline(&downloader, begun);
        let (job, first) = named_by_server(&downloader, job, deadline).await?;
        let Some(target) = job.target.clone() else {
            let message = "the download names no file to write to";
            return Err(TransferError::new(FailureKind::Usage, RetryAction::GiveUp, message));
        };
        started(&downloader, &job).await;
        let target = target.open()?;
        if target.check()?.is_none() {
            if let Some(small) = SmallFile::new(&target)? {
                let state = TransferState::new(Output::Small(small), &job.checksum);
                return Self::new(downloader, job, begun, state, 0, first).run().await;
            }
        } else if let Some(skipped) = existing::check_existing(&downloader, &job, &target, deadline).await? {
            return Ok(skipped);
        }
        let part = open_part(target).await?;
        let saved_state = if job.resume == Resume::WhenSafe { part.saved_state() } else { None };
        let mut state = TransferState::new(Output::Part(part), &job.checksum);
        let mut source = 0;
        if let Some(sidecar) = saved_state
            && let Some(identity) = sidecar.identity(&job.sources, job.object.as_ref())
        {
            source = identity.source;
            state.resume(&sidecar, identity, &job.checksum);
        }
        Self::new(downloader, job, begun, state, source, first).run().await
    }

    /// Downloads into a stream: over one connection, without restarts.
    pub(crate) async fn to_stream(
        downloader: Downloader,
        mut job: Download,
        stream: StreamOutput,
    ) -> Result<Downloaded, TransferError> {
        job.target = None;
        let mut limits = downloader.limits().clone();
        limits.streams = 1;
        let downloader = downloader.with_limits(limits);
        started(&downloader, &job).await;
        let state = TransferState::new(Output::Stream(stream), &job.checksum);
        let begun = job.begun.unwrap_or_else(Instant::now);
        Self::new(downloader, job, begun, state, 0, None).run().await
    }

    fn new(
        downloader: Downloader,
        job: Download,
        begun: Instant,
        state: TransferState,
        source: usize,
        first: Option<FirstAnswer>,
    ) -> Arc<Self> {
        Arc::new(Self {
            deadline: deadline(&downloader, begun),
            downloader,
            job,
            begun,
            state: Mutex::new(state),
            from: Mutex::default(),
            first: Mutex::new(first),
            answered: Mutex::new(false),
            source: AtomicUsize::new(source),
            moved: Notify::new(),
        })
    }

    async fn run(self: Arc<Self>) -> Result<Downloaded, TransferError> {
        let result = match self.select_first_source() {
            Ok(()) => self.fetch_and_verify().await,
            Err(failure) => Err(failure),
        };
        self.finalize(result).await
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, TransferState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn begun(&self) -> Instant {
        self.begun
    }

    pub(crate) fn from(&self) -> MutexGuard<'_, String> {
        self.from.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the answer that named the file.
    pub(crate) fn take_first_answer(&self) -> Option<FirstAnswer> {
        self.first.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    pub(crate) fn answered(&self) -> MutexGuard<'_, bool> {
        self.answered.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Fetches until the content is verified, or until it is clear that it never will be.
    async fn fetch_and_verify(self: &Arc<Self>) -> Result<Verification, TransferError> {
        let mut mismatches = 0;
        loop {
            self.fetch().await?;
            match self.verify().await {
                // Bytes of several requests may not belong together, and bytes may change in transit: so once more
                // from the start, and once for each mirror. The same wrong bytes again are the server's own.
                Err(failure)
                    if failure.retry_action().discards_data() && mismatches < self.job.sources.len() =>
                {
                    mismatches += 1;
                    self.switch_source(self.source() + 1);
                    self.restart_transfer(failure).await?;
                }
                result => return result,
            }
        }
    }

    /// Discards what was written.
    ///
    /// # Errors
    /// The failure itself, where that cannot be taken back.
    async fn restart_transfer(&self, failure: TransferError) -> Result<(), TransferError> {
        let why = with_causes(&failure);
        let restarted = self.state().restart(&self.job.checksum);
        restarted.map_err(|error| match failure.kind() {
            FailureKind::Mismatch => failure.wrapped(error.to_string()),
            _ => error.with_source(failure),
        })?;
        self.downloader.reporter().send(self.job.number, EventKind::Restarted { why }).await;
        Ok(())
    }

    /// Fetches every byte, through failures and retries.
    async fn fetch(self: &Arc<Self>) -> Result<(), TransferError> {
        tokio::select! {
            biased;
            result = self.fetch_all() => result,
            never = self.run_ticker() => match never {},
        }
    }

    async fn fetch_all(self: &Arc<Self>) -> Result<(), TransferError> {
        let mut helpers = JoinSet::new();
        let mut attempts = Attempts::new(self.begun);
        let mut most = self.state().scheduler.done().total();
        let streams = self.downloader.limits().streams;
        if streams > 1 {
            helpers.spawn(Arc::clone(self).scale_streams(streams));
        }
        loop {
            let moved = self.moved.notified();
            let Some(mut lease) = self.lease()? else {
                if self.state().scheduler.is_complete() {
                    return Ok(());
                }
                // Other streams fetch the last bytes.
                moved.await;
                continue;
            };
            let source = self.source();
            self.wait_for_server_pause(source).await?;
            let result = self.stream(&mut lease, source, Role::Main).await;
            let gained = {
                let mut state = self.state();
                state.scheduler.release(lease);
                // Data that was discarded and fetched again is no progress, nor are the few bytes before a stall.
                let there = state.scheduler.done().total();
                let more = there.saturating_sub(most);
                most = there.max(most);
                let has_stalled = matches!(&result, Err(failure) if failure.kind() == FailureKind::Timeout);
                more > 0 && (!has_stalled || more >= self.downloader.limits().enough_in_window())
            };
            if gained {
                attempts.progressed();
            }
            let Err(failure) = result else { continue };
            self.state().timings.failures += 1;
            self.recover(failure, &mut attempts, source).await?;
        }
    }

    /// Returns a lease for the main stream; `None` when nothing is left.
    fn lease(&self) -> Result<Option<RangeLease>, TransferError> {
        let mut state = self.state();
        if state.scheduler.is_complete()
            && state.identity.is_some()
            && (state.expected.is_some() || *self.answered())
        {
            return Ok(None);
        }
        if state.scheduler.is_complete() {
            // An earlier run fetched all bytes, and nothing can prove them.
            state.restart(&self.job.checksum)?;
        }
        if !state.ranges && state.scheduler.done().total() > 0 {
            state.restart(&self.job.checksum)?;
        }
        let may_split = state.ranges;
        Ok(state.scheduler.lease(may_split))
    }

    /// Waits while the server has asked for a pause.
    async fn wait_for_server_pause(&self, source: usize) -> Result<(), TransferError> {
        let url = &self.job.sources[source];
        self.pause(self.downloader.servers().pause(url, Instant::now())).await
    }

    async fn pause(&self, pause: Duration) -> Result<(), TransferError> {
        self.state().timings.pausing += pause;
        self.downloader.pause(pause, self.deadline).await
    }

    /// Prepares another attempt, at another source where that is better.
    ///
    /// # Errors
    /// The failure itself, when it is final.
    async fn recover(
        &self,
        failure: TransferError,
        attempts: &mut Attempts,
        source: usize,
    ) -> Result<(), TransferError> {
        let operation = Operation {
            urls: &self.job.sources,
            source,
            number: Some(self.job.number),
            is_missing_final: self.job.is_federated,
            origins: self.job.origins,
            token_worked: self.state().token_worked,
        };
        let next = match attempts.next(&self.downloader, operation, failure).await {
            Ok(next) => next,
            Err(failure) => {
                self.gave_up(&failure, source);
                return Err(failure);
            }
        };
        if next.next_source.is_some() {
            self.gave_up(&next.failure, source);
        }
        match next.failure.retry_action() {
            RetryAction::Restart | RetryAction::WholeFile | RetryAction::Changed => {
                self.restart_transfer(next.failure).await?;
            }
            RetryAction::WithoutDigest => self.state().ask_digest = false,
            RetryAction::WithoutRanges => self.state().ranges = false,
            _ => {}
        }
        self.pause(next.after).await?;
        if let Some(other) = next.next_source {
            self.switch_source(other);
            // The next server may support what the last one did not.
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
        downloader
            .reporter()
            .send(job.number, EventKind::Started { url, target: job.target().map(Path::to_owned) })
            .await;
    }
}

/// Opens the unfinished file. A locked one may still belong to a transfer that was dropped a moment ago.
async fn open_part(target: LocalTarget) -> Result<Box<PartFile>, TransferError> {
    for _ in 0..25 {
        if let Opened::Ours(part) = open_part_file(target.clone())? {
            return Ok(part);
        }
        sleep(Duration::from_millis(20)).await;
    }
    Err(being_downloaded(&target))
}
