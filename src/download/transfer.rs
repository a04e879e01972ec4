//! One file, from the first look at the disk to its final name.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use super::board::{Claim, Split};
use super::downloader::Downloader;
use super::error::{FailureKind, Remedy, TransferError, in_words};
use super::event::EventKind;
use super::hasher::{Follower, digest_of_file};
use super::head::Framing;
use super::job::{Download, Downloaded, Existing, Outcome, Resume, Timings, Verification};
use super::part::{Opened, PartFile, check_target};
use super::position::open_no_follow;
use super::retry::{self, Decision, Facts};
use super::state::{self, State};
use super::{Checksum, Digest, digest_header, widen};
use crate::SafeUrl;

/// How long a number of streams is watched before another one is tried.
const WATCH: Duration = Duration::from_millis(300);

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
    pub(super) deadline: Option<super::stop::Deadline>,
    begun: Instant,
    state: Mutex<State>,
    from: Mutex<String>,
    answered: Mutex<bool>,
    moved: Notify,
}

impl Transfer {
    /// Does it all.
    pub(super) async fn run(downloader: Downloader, job: Download) -> Result<Downloaded, TransferError> {
        let begun = Instant::now();
        let deadline =
            downloader.limits().max_time.and_then(|allowed| super::stop::Deadline::after(begun, allowed));
        let started =
            EventKind::Started { url: SafeUrl::new(job.url()).to_string(), target: Some(job.target.clone()) };
        downloader.reporter().send(job.number, started).await;
        check_target(&job.target)?;
        if let Some(skipped) = existing(&downloader, &job, deadline).await? {
            return Ok(skipped);
        }
        let part = open_part(&job).await?;
        let left_over = if job.resume == Resume::WhenSafe { part.left_over() } else { None };
        let mut state = State::new(part, &job.checksum);
        let mut source = 0;
        if let Some(sidecar) = left_over
            && let Some(identity) = sidecar.identity(&job.sources)
        {
            source = identity.source;
            state.resume(&sidecar, identity, &job.checksum);
        }
        let transfer = Arc::new(Self {
            downloader,
            job,
            deadline,
            begun,
            state: Mutex::new(state),
            from: Mutex::default(),
            answered: Mutex::new(false),
            moved: Notify::new(),
        });
        let result = match transfer.downloader.hosts().admit(transfer.job.url(), begun) {
            Ok(()) => transfer.fetch_and_verify(source).await,
            Err(failure) => Err(failure),
        };
        transfer.settle(result).await
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
    async fn fetch_and_verify(self: &Arc<Self>, mut source: usize) -> Result<Verification, TransferError> {
        let mut mismatches = 0;
        loop {
            self.fetch(&mut source).await?;
            match self.verify().await {
                // Bytes of several requests may not belong together, and bytes change on the way; so once more from
                // the start, and once for each mirror. The same wrong bytes again are the server's own.
                Err(failure)
                    if failure.remedy() == Remedy::FromStart && mismatches < self.job.sources.len() =>
                {
                    mismatches += 1;
                    source = (source + 1) % self.job.sources.len();
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
    async fn fetch(self: &Arc<Self>, source: &mut usize) -> Result<(), TransferError> {
        let mut helpers = JoinSet::new();
        let mut row = FailuresInARow::default();
        let streams = self.downloader.limits().streams;
        if streams > 1 {
            helpers.spawn(Arc::clone(self).widen(*source, streams));
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
            self.leave_alone(*source).await?;
            let before = self.state().timings.fetched;
            let result = self.stream(&mut claim, *source).await;
            let gained = {
                let mut state = self.state();
                state.board.release(claim);
                state.timings.fetched > before
            };
            if gained {
                row = FailuresInARow::default();
            }
            let Err(failure) = result else { continue };
            row.count(&failure);
            self.state().timings.failures += 1;
            *source = self.recover(failure, row, *source).await?;
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

    /// Gets ready for another attempt, and says from which source.
    ///
    /// # Errors
    /// The failure itself, when it is final.
    async fn recover(
        &self,
        failure: TransferError,
        row: FailuresInARow,
        source: usize,
    ) -> Result<usize, TransferError> {
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
            if matches!(failure.kind(), FailureKind::Connect | FailureKind::Timeout | FailureKind::Server) {
                self.downloader.hosts().gave_up(url, Instant::now());
            }
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
            // What the last server could not do, the next one may.
            let mut state = self.state();
            (state.ranges, state.ask_digest) = (true, self.job.checksum != Checksum::None);
        }
        Ok(if next_source { (source + 1) % sources } else { source })
    }

    /// Adds streams as long as that makes the file come faster.
    async fn widen(self: Arc<Self>, source: usize, most: usize) {
        let mut helpers: JoinSet<Result<(), TransferError>> = JoinSet::new();
        let mut before = None;
        let mut wanted = 1;
        let mut most = most;
        loop {
            let (at, bytes) = (Instant::now(), self.state().timings.fetched);
            sleep(WATCH).await;
            let (gained, is_open) = {
                let state = self.state();
                let is_open = state.ranges && state.board.length().is_some() && !state.board.is_complete();
                (state.timings.fetched - bytes, is_open)
            };
            while let Some(ended) = helpers.try_join_next() {
                // A server that does not bear it gets no more of it.
                if matches!(ended, Ok(Err(_))) {
                    most = most.min(helpers.len() + 1);
                }
            }
            if !is_open || gained == 0 {
                continue;
            }
            let streams = helpers.len() + 1;
            let now = widen::Measured { streams, rate: widen::rate(gained, at.elapsed()) };
            if streams == wanted {
                wanted = widen::next_streams(before, now, most);
                before = Some(now);
            }
            while helpers.len() + 1 < wanted.min(most) {
                let Some(claim) = self.state().board.claim(Split::Allowed) else { break };
                helpers.spawn(Arc::clone(&self).help(claim, source));
            }
            if helpers.len() + 1 > streams {
                let widened = EventKind::Widened { streams: helpers.len() + 1 };
                self.downloader.reporter().send(self.job.number, widened).await;
            }
        }
    }

    /// A stream beside the main one. It gives up at the first failure: the main stream does what it leaves.
    async fn help(self: Arc<Self>, mut claim: Claim, source: usize) -> Result<(), TransferError> {
        loop {
            let result = self.stream(&mut claim, source).await;
            let next = {
                let mut state = self.state();
                state.board.release(claim);
                if result.is_ok() { state.board.claim(Split::Allowed) } else { None }
            };
            self.moved.notify_one();
            match (result, next) {
                (Ok(()), Some(next)) => claim = next,
                (result, _) => return result,
            }
        }
    }

    /// Compares the content with what it should be.
    async fn verify(&self) -> Result<Verification, TransferError> {
        let begun = Instant::now();
        let (follower, file, length, expected, framing) = {
            let mut state = self.state();
            let file = state.part.as_ref().map(|part| Arc::clone(part.file()));
            let length = state.board.length().unwrap_or_default();
            (state.follower.take(), file, length, state.expected.clone(), state.framing)
        };
        let actual = match follower {
            None => None,
            Some(follower) => Some(self.finish_follower(follower, file, length).await?),
        };
        self.state().timings.verifying += begun.elapsed();
        let verification = state::verify(actual, expected.as_ref())?;
        if verification == Verification::NotAvailable && framing == Framing::ByClose {
            let message = format!(
                "`{}` gave neither a length nor a checksum, so nobody can tell whether the file is whole",
                SafeUrl::new(self.job.url())
            );
            return Err(TransferError::new(FailureKind::Incomplete, Remedy::OtherSource, message)
                .with_hint("give the checksum yourself with `--checksum ALG:VALUE`"));
        }
        if let Verification::Verified(digest) = &verification {
            let verified = EventKind::Verified { digest: digest.clone() };
            self.downloader.reporter().send(self.job.number, verified).await;
        }
        Ok(verification)
    }

    async fn finish_follower(
        &self,
        follower: Follower,
        file: Option<Arc<std::fs::File>>,
        length: u64,
    ) -> Result<Digest, TransferError> {
        let failed = |error| TransferError::local("read back", &self.job.target, error);
        if follower.is_done_at(length) {
            return follower.finish(file.as_deref(), length).map_err(failed);
        }
        let finish = tokio::task::spawn_blocking(move || follower.finish(file.as_deref(), length));
        let digest = finish.await.unwrap_or_else(|error| Err(std::io::Error::other(error)));
        digest.map_err(failed)
    }

    /// Gives the file its name, or leaves what a later run can go on from.
    async fn settle(
        self: Arc<Self>,
        result: Result<Verification, TransferError>,
    ) -> Result<Downloaded, TransferError> {
        let checkpoint = self.state().take_checkpoint();
        if let Some(checkpoint) = checkpoint {
            // It must not write a state beside a file that is finished.
            let _ = checkpoint.await;
        }
        let (part, sidecar, length, resumed_from, mut timings) = {
            let mut state = self.state();
            let sidecar = state.sidecar(&self.job);
            let length = state.board.length().unwrap_or_default();
            (state.part.take(), sidecar, length, state.resumed_from, state.timings)
        };
        let part = part.ok_or_else(state::stale)?;
        timings.total = self.begun.elapsed();
        match result {
            Ok(verification) => {
                self.downloader.hosts().succeeded(self.job.url());
                if self.job.existing == Existing::Refuse {
                    refuse_existing(&self.job)?;
                }
                let path = part.finish(length)?;
                let outcome =
                    if resumed_from > 0 { Outcome::Resumed(resumed_from) } else { Outcome::Fetched };
                let from = self.from().clone();
                Ok(Downloaded { path, length, verification, outcome, from, timings })
            }
            Err(failure) => {
                let is_wrong =
                    failure.kind() == FailureKind::Mismatch || failure.remedy() == Remedy::FromStart;
                match sidecar.filter(|_| !is_wrong) {
                    Some(sidecar) => part.keep(&sidecar)?,
                    None => part.discard(),
                }
                Err(failure)
            }
        }
    }
}

/// Opens the unfinished file. One that is busy may be ours still, from a transfer that was dropped a moment ago.
async fn open_part(job: &Download) -> Result<PartFile, TransferError> {
    for _ in 0..25 {
        if let Opened::Ours(part) = PartFile::open(&job.target)? {
            return Ok(part);
        }
        sleep(Duration::from_millis(20)).await;
    }
    let message = format!("`{}` is being downloaded by another process", super::error::shown(&job.target));
    Err(TransferError::new(FailureKind::Local, Remedy::Nothing, message)
        .with_hint("wait for the other download, or choose another name with `-o FILE`"))
}

fn refuse_existing(job: &Download) -> Result<(), TransferError> {
    if fs_err::symlink_metadata(&job.target).is_err() {
        return Ok(());
    }
    let message = format!("`{}` is there already", super::error::shown(&job.target));
    Err(TransferError::new(FailureKind::Local, Remedy::Nothing, message)
        .with_hint("leave out `--no-clobber` to replace it, or use `--skip-existing=size|checksum`"))
}

/// Looks whether the file is there and right already.
async fn existing(
    downloader: &Downloader,
    job: &Download,
    deadline: Option<super::stop::Deadline>,
) -> Result<Option<Downloaded>, TransferError> {
    let (by_size, checksum) = match (job.existing, &job.checksum) {
        (Existing::Replace, _) => return Ok(None),
        (Existing::Refuse, _) => return refuse_existing(job).map(|()| None),
        (Existing::SkipSameSize, _) => (true, Checksum::None),
        (Existing::SkipSameChecksum, Checksum::None) => (false, Checksum::Auto),
        (Existing::SkipSameChecksum, checksum) => (false, checksum.clone()),
    };
    let Ok(file) = open_no_follow(&job.target) else { return Ok(None) };
    let there = file.metadata().map_err(|error| TransferError::local("look at", &job.target, error))?.len();
    let skipped = |verification| Downloaded {
        path: job.target.clone(),
        length: there,
        verification,
        outcome: Outcome::Skipped,
        from: SafeUrl::new(job.url()).to_string(),
        timings: Timings::default(),
    };
    let expected = if let (false, Checksum::Expect(digest)) = (by_size, &checksum) {
        digest.clone()
    } else {
        let probe = downloader.probe_with_retries(job.url(), &checksum, deadline).await?;
        if probe.length.is_some_and(|length| length != there) {
            return Ok(None);
        }
        if by_size {
            return Ok(probe.length.map(|_| skipped(Verification::NotAvailable)));
        }
        match digest_header::choose(&checksum, &probe.digests) {
            Some(digest) => digest,
            None => return Ok(None),
        }
    };
    let algorithm = expected.algorithm();
    let actual = tokio::task::spawn_blocking(move || digest_of_file(algorithm, &file)).await;
    let actual = actual.unwrap_or_else(|error| Err(std::io::Error::other(error)));
    let actual = actual.map_err(|error| TransferError::local("read", &job.target, error))?;
    Ok((actual == expected).then(|| skipped(Verification::Verified(expected))))
}
