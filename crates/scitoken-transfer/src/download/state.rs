//! The state that all streams of one transfer share.

use std::time::{Duration, SystemTime};

use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::digest::checksum::Checksum;
use crate::digest::header;
use crate::digest::streaming::StreamingHasher;
use crate::digest::value::Digest;
use crate::download::content::expected;
use crate::download::content::identity::{Identity, Sameness};
use crate::download::content_failures::{changed, contradictory, stale, unproven};
use crate::download::job::Download;
use crate::download::length_source::LengthSource;
use crate::download::local::output::Output;
use crate::download::local::sidecar::Sidecar;
use crate::download::ranges::scheduler::{RangeLease, RangeScheduler};
use crate::error::{RetryAction, TransferError};
use crate::exchange::framing::Framing;
use crate::exchange::response_head::BodyExtent;
use crate::timings::Timings;

/// Files at least this long get a thread for a slow hash.
const LONG: u64 = 8 * 1024 * 1024;
/// How often the state is written: `kill -9` loses no more than this.
const CHECKPOINT: Duration = Duration::from_millis(1_250);

#[derive(Debug)]
pub(crate) struct TransferState {
    pub(crate) scheduler: RangeScheduler,
    pub(crate) output: Option<Output>,
    pub(crate) identity: Option<Identity>,
    /// The identity before the last restart: its validator must not come with another length.
    previous: Option<Identity>,
    /// The checksum that the content must have.
    pub(crate) expected: Option<Digest>,
    pub(crate) hasher: Option<StreamingHasher>,
    /// Whether requests ask for a digest (some servers fail when asked).
    pub(crate) ask_digest: bool,
    /// Whether the server does ranges right.
    pub(crate) ranges: bool,
    pub(crate) token_worked: bool,
    /// The servers that this file was given up on: each counts once.
    pub(crate) given_up: Vec<usize>,
    /// When the token of the last request ends, until a warning of it was given.
    pub(crate) token_ends: Option<SystemTime>,
    pub(crate) resumed_from: u64,
    pub(crate) timings: Timings,
    pub(crate) framing: Framing,
    pub(crate) length_from: LengthSource,
    /// When progress is reported next.
    pub(crate) report_at: Instant,
    checkpoint: Option<JoinHandle<()>>,
    checkpoint_at: Instant,
    /// How many bytes were done at the last checkpoint.
    checkpoint_done: u64,
}

/// What a stream does after its response head was accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HeadOutcome {
    /// The body belongs to the lease.
    Continue,
    /// The file restarts with this body; the stream has a new lease.
    Restarted(RangeLease),
}

/// What a stream may do to the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// It may restart the file.
    Main,
    /// It fetches a part, or gives up.
    Side,
}

/// What a stream does after it wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WriteOutcome {
    More,
    /// The lease has all of its bytes.
    LeaseDone,
}

impl TransferState {
    pub(crate) fn new(output: Output, checksum: &Checksum) -> Self {
        Self {
            scheduler: RangeScheduler::default(),
            output: Some(output),
            identity: None,
            previous: None,
            expected: if let Checksum::Expect(digest) = checksum { Some(digest.clone()) } else { None },
            hasher: None,
            ask_digest: *checksum != Checksum::None,
            ranges: true,
            token_worked: false,
            given_up: Vec::new(),
            token_ends: None,
            resumed_from: 0,
            timings: Timings::default(),
            framing: Framing::Proven,
            length_from: LengthSource::Answers,
            report_at: Instant::now(),
            checkpoint: None,
            checkpoint_at: Instant::now(),
            checkpoint_done: 0,
        }
    }

    /// Resumes what an earlier run left. The server's first response shows whether it is still valid.
    pub(crate) fn resume(&mut self, sidecar: &Sidecar, identity: Identity, checksum: &Checksum) {
        let Some(length) = identity.length else { return };
        self.scheduler = RangeScheduler::resumed(length, sidecar.done().clone());
        self.resumed_from = sidecar.done().total();
        if self.expected.is_none() {
            self.expected = header::choose(checksum, &identity.digests);
        }
        self.identity = Some(identity);
        self.start_hasher(length);
    }

    /// Discards all data. All leases become void.
    pub(crate) fn restart(&mut self, checksum: &Checksum) -> Result<(), TransferError> {
        self.scheduler.restart();
        self.previous = self.identity.take().or(self.previous.take());
        self.hasher = None;
        self.resumed_from = 0;
        self.checkpoint_done = 0;
        self.framing = Framing::Proven;
        self.length_from = LengthSource::Answers;
        self.expected = if let Checksum::Expect(digest) = checksum { Some(digest.clone()) } else { None };
        match &mut self.output {
            Some(output) => output.restart(None),
            None => Ok(()),
        }
    }

    /// Accepts the head of a response for `lease`.
    ///
    /// # Errors
    /// The response describes other content, and its body cannot restart the file.
    pub(crate) fn accept_head(
        &mut self,
        lease: RangeLease,
        role: Role,
        extent: &BodyExtent,
        identity: Identity,
        job: &Download,
    ) -> Result<HeadOutcome, TransferError> {
        let source = identity.source;
        let Some(wanted) = self.scheduler.wanted(lease) else { return Err(stale()) };
        expected::contradicts(&identity, job)?;
        self.token_worked = true;
        let Some(known) = &mut self.identity else {
            if role == Role::Side {
                return Err(stale());
            }
            return self.accept_first(lease, extent, identity, job).map(|()| HeadOutcome::Continue);
        };
        if let Some(output) = &mut self.output {
            output.leave_memory()?;
        }
        let mut sameness = known.compare(&identity);
        if sameness != Sameness::Contradictory
            && extent.total.is_some_and(|total| total < self.scheduler.done().end())
        {
            sameness = if sameness == Sameness::Same { Sameness::Contradictory } else { Sameness::Different };
        }
        let is_proven = match sameness {
            Sameness::Same => true,
            // The digest at the end decides.
            Sameness::Unproven => self.expected.is_some(),
            Sameness::Different => false,
            Sameness::Contradictory if extent.start != 0 || role == Role::Side => {
                // A server that does ranges wrong may still send the whole file right.
                return Err(contradictory(job).with_retry_action(RetryAction::WithoutRanges));
            }
            Sameness::Contradictory => {
                // What an earlier run left is as doubtful. A stream cannot be taken back, and the failure says so.
                let _ = self.restart(&job.checksum);
                return Err(contradictory(job));
            }
        };
        if is_proven && extent.start == wanted.start {
            known.learn(identity);
            if let (None, Some(total)) = (self.scheduler.length(), extent.total) {
                self.scheduler.set_length(total);
            }
            self.learn_digest(&job.checksum);
            return Ok(HeadOutcome::Continue);
        }
        if extent.start != 0 {
            return Err(if sameness == Sameness::Different {
                // Of the caches of a federation none knows better than the others which version is right.
                let failure = changed(&job.sources[source]);
                if job.is_federated { failure.with_retry_action(RetryAction::WholeFile) } else { failure }
            } else {
                unproven(&job.sources[source])
            });
        }
        if role == Role::Side || (is_proven && self.scheduler.has_other_than(lease)) {
            // Another stream makes progress; this server does not support ranges.
            return Err(TransferError::invalid_answer(
                job.url(),
                RetryAction::WithoutRanges,
                "ignored the range",
            ));
        }
        self.restart(&job.checksum)?;
        let lease = self.scheduler.lease(false).ok_or_else(stale)?;
        self.accept_first(lease, extent, identity, job)?;
        Ok(HeadOutcome::Restarted(lease))
    }

    fn accept_first(
        &mut self,
        lease: RangeLease,
        extent: &BodyExtent,
        mut identity: Identity,
        job: &Download,
    ) -> Result<(), TransferError> {
        if self.scheduler.wanted(lease).is_none_or(|wanted| wanted.start != extent.start) || extent.start != 0
        {
            return Err(changed(&job.sources[identity.source]));
        }
        let mut length = extent.total;
        if let Some(previous) = &self.previous {
            match previous.compare(&identity) {
                Sameness::Contradictory => return Err(contradictory(job)),
                // A body of unannounced length must have the length that the same file had before.
                Sameness::Same => {
                    length = length.or(previous.length);
                    identity.length = length;
                }
                _ => {}
            }
        }
        if self.expected.is_none() {
            self.expected = header::choose(&job.checksum, &identity.digests);
        }
        self.framing = extent.framing;
        if let Some(output) = &mut self.output {
            output.restart(extent.total)?;
        }
        if let Some(length) = length {
            self.scheduler.set_length(length);
        }
        self.identity = Some(identity);
        self.start_hasher(length.unwrap_or(LONG));
        Ok(())
    }

    /// Uses the digest of a later response when the first had none. Data already written to a stream cannot be compared.
    fn learn_digest(&mut self, checksum: &Checksum) {
        let can_be_read =
            self.scheduler.done().total() == 0 || self.output.as_ref().is_some_and(|o| o.file().is_some());
        if let (None, Some(identity), true) = (&self.expected, &self.identity, can_be_read)
            && let Some(digest) = header::choose(checksum, &identity.digests)
        {
            self.expected = Some(digest);
            self.start_hasher(self.scheduler.length().unwrap_or(LONG));
        }
    }

    fn start_hasher(&mut self, length: u64) {
        let is_long = length >= LONG;
        let file = self.output.as_ref().and_then(Output::file);
        self.hasher =
            self.expected.as_ref().map(|digest| StreamingHasher::start(digest.algorithm(), file, is_long));
    }

    /// Writes the data of a lease. A completed lease is extended by free bytes behind it, so that the stream continues;
    /// data beyond that belongs to another lease.
    ///
    /// # Errors
    /// A local I/O error, or the lease is void.
    pub(crate) fn write(
        &mut self,
        lease: RangeLease,
        mut data: &[u8],
    ) -> Result<WriteOutcome, TransferError> {
        loop {
            let wanted = self.scheduler.wanted(lease).ok_or_else(stale)?;
            let space = usize::try_from(wanted.end - wanted.start).unwrap_or(usize::MAX);
            let (mine, rest) = data.split_at(data.len().min(space));
            self.write_at(lease, mine, wanted.start)?;
            if mine.len() < space {
                return Ok(WriteOutcome::More);
            }
            self.scheduler.extend(lease);
            if self.scheduler.wanted(lease).is_none_or(|range| range.is_empty()) {
                return Ok(WriteOutcome::LeaseDone);
            }
            data = rest;
        }
    }

    fn write_at(&mut self, lease: RangeLease, data: &[u8], offset: u64) -> Result<(), TransferError> {
        self.output.as_mut().ok_or_else(stale)?.write(data, offset)?;
        let bytes = data.len() as u64;
        self.scheduler.arrived(lease, bytes);
        self.timings.fetched += bytes;
        if let Some(hasher) = &mut self.hasher {
            hasher.wrote(offset, data, self.scheduler.done().prefix());
        }
        Ok(())
    }

    /// Writes the state in the background, when it has changed and is due.
    pub(crate) fn checkpoint_if_due(&mut self, job: &Download) {
        let done = self.scheduler.done().total();
        if done == self.checkpoint_done {
            return;
        }
        let is_running = self.checkpoint.as_ref().is_some_and(|running| !running.is_finished());
        if is_running || self.checkpoint_at.elapsed() < CHECKPOINT {
            return;
        }
        self.checkpoint_at = Instant::now();
        self.checkpoint_done = done;
        let Some(mut sidecar) = self.sidecar(job) else { return };
        let checkpoint = self.output.as_mut().and_then(|output| output.checkpoint(&mut sidecar));
        let Some(checkpoint) = checkpoint else { return };
        self.checkpoint = Some(tokio::task::spawn_blocking(move || checkpoint.write(&sidecar)));
    }

    /// Returns the state for a later run, if the transfer can be resumed.
    pub(crate) fn sidecar(&self, job: &Download) -> Option<Sidecar> {
        let identity = self.identity.as_ref()?;
        let is_provable = self.expected.is_some() || identity.has_validator();
        if self.scheduler.done().total() == 0 || !self.ranges || !is_provable {
            return None;
        }
        Sidecar::new(&job.sources[identity.source], job.object.as_ref(), identity, self.scheduler.done())
    }

    /// Takes the running checkpoint.
    pub(crate) fn take_checkpoint(&mut self) -> Option<JoinHandle<()>> {
        self.checkpoint.take()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::download::local::output::StreamOutput;

    #[test]
    fn a_side_stream_never_restarts_the_file() {
        const LENGTH: u64 = 64 * 1024 * 1024;
        let job = Download::without_target("https://h/f".parse().unwrap()).unwrap();
        let mut state =
            TransferState::new(Output::Stream(StreamOutput::new(std::io::sink())), &Checksum::Auto);
        let whole = BodyExtent { start: 0, end: Some(LENGTH), total: Some(LENGTH), framing: Framing::Proven };
        let identity = |etag: &str| Identity { etag: Some(etag.to_owned()), ..Identity::default() };
        let main = state.scheduler.lease(false).unwrap();
        state.accept_head(main, Role::Main, &whole, identity("\"a\""), &job).unwrap();
        let side = state.scheduler.lease(true).unwrap();
        let failure = state.accept_head(side, Role::Side, &whole, identity("\"b\""), &job).unwrap_err();
        assert_eq!(failure.retry_action(), RetryAction::WithoutRanges);
        assert!(state.scheduler.wanted(main).is_some(), "the main stream goes on");
    }
}
