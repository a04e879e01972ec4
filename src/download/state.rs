//! The state of one transfer: everything that its streams share, changed in one place.

use std::time::{Duration, SystemTime};

use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::board::{Board, Claim, Split};
use super::digest_header;
use super::error::{FailureKind, Remedy, TransferError};
use super::hasher::{Follower, IsLong};
use super::head::{Carried, Framing};
use super::identity::{Identity, Sameness};
use super::job::Download;
use super::output::Output;
use super::sidecar::Sidecar;
use super::{Checksum, Digest, Timings, expected};

/// Files at least this long get a thread for a slow hash.
const LONG: u64 = 8 * 1024 * 1024;
/// How often the state of a long transfer is written down, so that not even `kill -9` loses more.
const CHECKPOINT: Duration = Duration::from_secs(2);
/// How many bytes come between two looks at the clock.
const LOOK_AT_CLOCK: u64 = 4 * 1024 * 1024;

#[derive(Debug)]
pub(super) struct State {
    pub(super) board: Board,
    pub(super) output: Option<Output>,
    pub(super) identity: Option<Identity>,
    /// What the content must have in the end.
    pub(super) expected: Option<Digest>,
    pub(super) follower: Option<Follower>,
    /// Whether requests ask for a digest (some servers fail when asked).
    pub(super) ask_digest: bool,
    /// Whether the server does ranges right.
    pub(super) ranges: bool,
    pub(super) token_worked: bool,
    /// The servers that this file was given up on: each counts once.
    pub(super) given_up: Vec<usize>,
    /// When the token of the last request ends, until a warning of it was given.
    pub(super) token_ends: Option<SystemTime>,
    pub(super) resumed_from: u64,
    pub(super) timings: Timings,
    pub(super) framing: Framing,
    /// When progress is reported next.
    pub(super) report_at: Instant,
    checkpoint: Option<JoinHandle<()>>,
    checkpoint_at: Instant,
    looked_at: u64,
}

/// What a stream does after its head was taken in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Taken {
    /// The body goes to the claim.
    GoOn,
    /// Everything begins anew with this body; the stream has a new claim.
    Anew(Claim),
}

/// What a stream may do to the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// It may begin the file anew.
    Main,
    /// It fills in what the main stream leaves, or gives up.
    Side,
}

/// What a stream does after it wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flow {
    More,
    /// The claim has all of its bytes.
    ClaimDone,
}

impl State {
    pub(super) fn new(output: Output, checksum: &Checksum) -> Self {
        Self {
            board: Board::default(),
            output: Some(output),
            identity: None,
            expected: if let Checksum::Expect(digest) = checksum { Some(digest.clone()) } else { None },
            follower: None,
            ask_digest: *checksum != Checksum::None,
            ranges: true,
            token_worked: false,
            given_up: Vec::new(),
            token_ends: None,
            resumed_from: 0,
            timings: Timings::default(),
            framing: Framing::Proven,
            report_at: Instant::now(),
            checkpoint: None,
            checkpoint_at: Instant::now(),
            looked_at: 0,
        }
    }

    /// Goes on with what an earlier run left. What it is worth shows with the server's first answer.
    pub(super) fn resume(&mut self, sidecar: &Sidecar, identity: Identity, checksum: &Checksum) {
        let Some(length) = identity.length else { return };
        self.board = Board::resumed(length, sidecar.done().clone());
        self.resumed_from = sidecar.done().total();
        if self.expected.is_none() {
            self.expected = digest_header::choose(checksum, &identity.digests);
        }
        self.identity = Some(identity);
        self.start_follower(length);
    }

    /// Throws away what is there. All claims are void.
    pub(super) fn restart(&mut self, checksum: &Checksum) -> Result<(), TransferError> {
        self.board.restart();
        self.identity = None;
        self.follower = None;
        self.resumed_from = 0;
        self.looked_at = 0;
        self.framing = Framing::Proven;
        self.expected = if let Checksum::Expect(digest) = checksum { Some(digest.clone()) } else { None };
        match &mut self.output {
            Some(output) => output.restart(None),
            None => Ok(()),
        }
    }

    /// Takes in the head of an answer that is for `claim`.
    ///
    /// # Errors
    /// The answer is about other content, and its body cannot begin the file anew.
    pub(super) fn take(
        &mut self,
        claim: Claim,
        role: Role,
        carried: &Carried,
        identity: Identity,
        job: &Download,
    ) -> Result<Taken, TransferError> {
        let Some(wanted) = self.board.wanted(claim) else { return Err(stale()) };
        expected::contradicts(&identity, job)?;
        self.token_worked = true;
        let Some(known) = &mut self.identity else {
            if role == Role::Side {
                return Err(stale());
            }
            return self.take_first(claim, carried, identity, job).map(|()| Taken::GoOn);
        };
        let mut sameness = known.compare(&identity);
        if carried.total.is_some_and(|total| total < self.board.done().end()) {
            sameness = Sameness::Different;
        }
        let is_proven = match sameness {
            Sameness::Same => true,
            // The digest at the end will tell.
            Sameness::Unproven => self.expected.is_some(),
            Sameness::Different => false,
        };
        if is_proven && carried.start == wanted.start {
            known.learn(identity);
            if let (None, Some(total)) = (self.board.length(), carried.total) {
                self.board.set_length(total);
            }
            self.learn_digest(&job.checksum);
            return Ok(Taken::GoOn);
        }
        if carried.start != 0 {
            return Err(if sameness == Sameness::Different { changed(job) } else { unproven(job) });
        }
        if role == Role::Side || (is_proven && self.board.has_other_than(claim)) {
            // Another stream does well; this server just does not do ranges.
            return Err(TransferError::nonsense(job.url(), Remedy::WithoutRanges, "ignored the range"));
        }
        self.restart(&job.checksum)?;
        let claim = self.board.claim(Split::Forbidden).ok_or_else(stale)?;
        self.take_first(claim, carried, identity, job)?;
        Ok(Taken::Anew(claim))
    }

    fn take_first(
        &mut self,
        claim: Claim,
        carried: &Carried,
        identity: Identity,
        job: &Download,
    ) -> Result<(), TransferError> {
        if self.board.wanted(claim).is_none_or(|wanted| wanted.start != carried.start) || carried.start != 0 {
            return Err(changed(job));
        }
        if self.expected.is_none() {
            self.expected = digest_header::choose(&job.checksum, &identity.digests);
        }
        self.framing = carried.framing;
        if let Some(output) = &mut self.output {
            output.restart(carried.total)?;
        }
        if let Some(length) = carried.total {
            self.board.set_length(length);
        }
        self.identity = Some(identity);
        self.start_follower(carried.total.unwrap_or(LONG));
        Ok(())
    }

    /// The first answer had no digest, and a later one does. What went out of our hands meanwhile cannot be compared.
    fn learn_digest(&mut self, checksum: &Checksum) {
        let can_be_read =
            self.board.done().total() == 0 || self.output.as_ref().is_some_and(|o| o.file().is_some());
        if let (None, Some(identity), true) = (&self.expected, &self.identity, can_be_read)
            && let Some(digest) = digest_header::choose(checksum, &identity.digests)
        {
            self.expected = Some(digest);
            self.start_follower(self.board.length().unwrap_or(LONG));
        }
    }

    fn start_follower(&mut self, length: u64) {
        let is_long = if length >= LONG { IsLong::Yes } else { IsLong::No };
        let file = self.output.as_ref().and_then(Output::file);
        self.follower =
            self.expected.as_ref().map(|digest| Follower::start(digest.algorithm(), file, is_long));
    }

    /// Writes what came for a claim. Where the claim ends and nobody fetches what lies behind, it grows, so that the
    /// stream goes on; what then is still left over is somebody else's.
    ///
    /// # Errors
    /// The disk would not have it, or the claim was voided.
    pub(super) fn write(&mut self, claim: Claim, mut data: &[u8]) -> Result<Flow, TransferError> {
        loop {
            let wanted = self.board.wanted(claim).ok_or_else(stale)?;
            let room = usize::try_from(wanted.end - wanted.start).unwrap_or(usize::MAX);
            let (mine, rest) = data.split_at(data.len().min(room));
            self.write_at(claim, mine, wanted.start)?;
            if mine.len() < room {
                return Ok(Flow::More);
            }
            self.board.extend(claim);
            if self.board.wanted(claim).is_none_or(|range| range.is_empty()) {
                return Ok(Flow::ClaimDone);
            }
            data = rest;
        }
    }

    fn write_at(&mut self, claim: Claim, data: &[u8], offset: u64) -> Result<(), TransferError> {
        self.output.as_mut().ok_or_else(stale)?.write(data, offset)?;
        let bytes = data.len() as u64;
        self.board.arrived(claim, bytes);
        self.timings.fetched += bytes;
        self.looked_at += bytes;
        if let Some(follower) = &mut self.follower {
            follower.wrote(offset, data, self.board.done().prefix());
        }
        Ok(())
    }

    /// Writes the state down beside the transfer, when it is time.
    pub(super) fn checkpoint_if_due(&mut self, job: &Download) {
        if self.looked_at < LOOK_AT_CLOCK {
            return;
        }
        self.looked_at = 0;
        let is_running = self.checkpoint.as_ref().is_some_and(|running| !running.is_finished());
        if is_running || self.checkpoint_at.elapsed() < CHECKPOINT {
            return;
        }
        self.checkpoint_at = Instant::now();
        let Some(mut sidecar) = self.sidecar(job) else { return };
        let checkpoint = self.output.as_mut().and_then(|output| output.checkpoint(&mut sidecar));
        let Some(checkpoint) = checkpoint else { return };
        self.checkpoint = Some(tokio::task::spawn_blocking(move || checkpoint.write(&sidecar)));
    }

    /// What a later run needs to know, if it could go on at all.
    pub(super) fn sidecar(&self, job: &Download) -> Option<Sidecar> {
        let identity = self.identity.as_ref()?;
        let is_provable = self.expected.is_some() || identity.has_validator();
        if self.board.done().total() == 0 || !self.ranges || !is_provable {
            return None;
        }
        Sidecar::new(&job.sources[identity.source], identity, self.board.done())
    }

    /// The write of the state that is under way.
    pub(super) fn take_checkpoint(&mut self) -> Option<JoinHandle<()>> {
        self.checkpoint.take()
    }
}

fn changed(job: &Download) -> TransferError {
    TransferError::nonsense(
        job.url(),
        Remedy::FromStart,
        "has other content now than when the transfer began",
    )
}

fn unproven(job: &Download) -> TransferError {
    TransferError::nonsense(
        job.url(),
        Remedy::FromStart,
        "gives neither a checksum nor a validator, so nobody can tell whether the rest belongs to what is there",
    )
}

/// The claim was voided by a restart; whoever holds it just ends.
pub(super) fn stale() -> TransferError {
    TransferError::new(FailureKind::Incomplete, Remedy::Again, "the transfer began anew")
}

#[cfg(test)]
mod tests {
    use super::super::output::Stream;
    use super::*;

    #[test]
    fn a_side_stream_never_begins_the_file_anew() {
        const LENGTH: u64 = 64 * 1024 * 1024;
        let job = Download::without_target("https://h/f".parse().unwrap()).unwrap();
        let mut state = State::new(Output::Stream(Stream::new(std::io::sink())), &Checksum::Auto);
        let whole = Carried { start: 0, end: Some(LENGTH), total: Some(LENGTH), framing: Framing::Proven };
        let identity = |etag: &str| Identity { etag: Some(etag.to_owned()), ..Identity::default() };
        let main = state.board.claim(Split::Forbidden).unwrap();
        state.take(main, Role::Main, &whole, identity("\"a\""), &job).unwrap();
        let side = state.board.claim(Split::Allowed).unwrap();
        let failure = state.take(side, Role::Side, &whole, identity("\"b\""), &job).unwrap_err();
        assert_eq!(failure.remedy(), Remedy::WithoutRanges);
        assert!(state.board.wanted(main).is_some(), "the main stream goes on");
    }
}
