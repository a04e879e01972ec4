//! One request for one share of a file, from its first header to its last byte.

use std::ops::Range;
use std::pin::pin;
use std::time::Duration;

use bytes::Bytes;
use http::header::RANGE;
use http::{HeaderMap, HeaderValue, Method};
use reqwest::Response;
use tokio::time::{Instant, sleep};
use url::Url;

use super::board::Claim;
use super::error::{FailureKind, Remedy, TransferError};
use super::event::EventKind;
use super::frames::Frames;
use super::guard::{self, LOOK_AT, Suspicion};
use super::head::{self, Carried};
use super::identity::Identity;
use super::request::{head_of, with_server_text};
use super::state::{self, Flow, Role, State, Taken};
use super::transfer::Transfer;
use super::{Checksum, digest_header, widen};
use crate::auth::{self, Attempt, ResponseExt as _};
use crate::{AccessToken, SafeUrl};

/// Progress is reported at most so often.
const REPORT: Duration = Duration::from_millis(100);

/// A rate is a guess before the transfer has run so long.
const RATE_KNOWN: Duration = Duration::from_secs(5);

/// What to ask for.
struct Ask {
    range: Option<Range<u64>>,
    headers: HeaderMap,
    for_digest: bool,
}

impl Transfer {
    /// Fetches what a claim wants. It may change its claim on the way, when the server begins anew.
    pub(super) async fn stream(
        &self,
        claim: &mut Claim,
        source: usize,
        role: Role,
    ) -> Result<(), TransferError> {
        let url = &self.job.sources[source];
        let ask = self.ask(*claim)?;
        let begun = Instant::now();
        let response = self.downloader.send(Method::GET, url, ask.headers, self.deadline).await;
        self.state().timings.answering += begun.elapsed();
        let response = response?;
        self.look_at_token(&response).await;
        let carried = match head::judge(ask.range.as_ref(), &head_of(&response, url), self.downloader.now()) {
            Ok(carried) => carried,
            Err(failure) => return Err(with_server_text(failure, response).await),
        };
        guard::check_coding(url, self.job.target.as_deref(), response.headers())?;
        let digests = if ask.for_digest { digest_header::read(response.headers()) } else { Vec::new() };
        let mut identity = Identity::read(source, response.headers(), carried.total, digests);
        let mut suspicion = Suspicion::None;
        if carried.start == 0 {
            suspicion = guard::suspect(self.job.pages, url, self.job.target.as_deref(), response.headers());
            if suspicion == Suspicion::Declared {
                return Err(guard::failure(url, response.url()));
            }
            // A directory listing has no digest.
            if !identity.digests.is_empty() {
                suspicion = Suspicion::None;
            }
        }
        let has_expected = self.state().expected.is_some();
        if carried.start == 0 || !has_expected {
            // What an earlier run left may be from one that required nothing.
            self.require_digest(source, &mut identity).await?;
        }
        self.take(claim, role, &carried, identity, &response).await?;
        self.body(*claim, response, &carried, suspicion).await
    }

    /// Notes when the token of this request ends, and tells when it is another one than before.
    async fn look_at_token(&self, response: &Response) {
        let Some(trace) = response.auth_trace() else { return };
        let token = trace.attempts().last().and_then(Attempt::token);
        self.state().token_ends = token.and_then(AccessToken::expires_at);
        if *trace.outcome() == auth::Outcome::AnsweredReplay {
            self.downloader.reporter().send(self.job.number, EventKind::TokenRefreshed).await;
        }
    }

    fn ask(&self, claim: Claim) -> Result<Ask, TransferError> {
        let state = self.state();
        let wanted = state.board.wanted(claim).ok_or_else(state::stale)?;
        let length = state.board.length();
        // An open range is a trap: XRootD 5.5.3 answers `bytes=6-` with nothing, and every server answers
        // `bytes=0-` of an empty file with an error. So both ends, or no range at all.
        let is_whole = wanted.start == 0 && length.is_none_or(|length| wanted.end == length);
        let range = if is_whole || !state.ranges { None } else { Some(wanted) };
        let mut headers = HeaderMap::with_capacity(4);
        if let Some(range) = &range {
            let value = HeaderValue::try_from(format!("bytes={}-{}", range.start, range.end - 1));
            headers.insert(RANGE, value.expect("digits are a valid header value"));
        }
        if state.ask_digest {
            digest_header::ask(&self.job.checksum, &mut headers);
        }
        Ok(Ask { range, headers, for_digest: state.ask_digest })
    }

    /// Where a digest is required and the answer has none, a `HEAD` may have one.
    async fn require_digest(&self, source: usize, identity: &mut Identity) -> Result<(), TransferError> {
        let checksum = &self.job.checksum;
        let is_required = matches!(checksum, Checksum::Require | Checksum::RequireAlgorithm(_));
        if !is_required || digest_header::choose(checksum, &identity.digests).is_some() {
            return Ok(());
        }
        let url = &self.job.sources[source];
        let probe = self.downloader.probe_once(url, checksum, self.deadline).await;
        let digests = probe.map(|probe| probe.digests).unwrap_or_default();
        if digest_header::choose(checksum, &digests).is_some() {
            identity.digests.extend(digests);
            return Ok(());
        }
        let wanted = match checksum {
            Checksum::RequireAlgorithm(algorithm) => format!("{algorithm} checksum"),
            _ => "checksum".to_owned(),
        };
        let offered: Vec<_> =
            identity.digests.iter().chain(&digests).map(|digest| digest.algorithm().name()).collect();
        let message = format!("`{}` gives no {wanted}, and one is required", SafeUrl::new(url));
        let failure = TransferError::new(FailureKind::Unverified, Remedy::OtherSource, message);
        Err(match offered.first() {
            Some(offered) => {
                failure.with_hint(format!("the server has {offered}: use `--checksum {offered}`"))
            }
            None => failure.with_hint(
                "give the checksum yourself with `--checksum ALG:VALUE`, or use `--checksum auto`",
            ),
        })
    }

    async fn take(
        &self,
        claim: &mut Claim,
        role: Role,
        carried: &Carried,
        identity: Identity,
        response: &Response,
    ) -> Result<(), TransferError> {
        let url = &self.job.sources[identity.source];
        let (is_first, taken, resumed_from) = {
            let mut state = self.state();
            let is_first = !std::mem::replace(&mut *self.answered(), true);
            let taken = state.take(*claim, role, carried, identity, &self.job)?;
            (is_first, taken, state.resumed_from)
        };
        let number = self.job.number;
        let reporter = self.downloader.reporter();
        if let Taken::Anew(new) = taken {
            *claim = new;
            let why = "the server sent the whole file in place of the rest".to_owned();
            reporter.send(number, EventKind::Restarted { why }).await;
        }
        if is_first {
            if response.url().host_str() != url.host_str() || response.url().port() != url.port() {
                let to = SafeUrl::new(response.url()).to_string();
                reporter.send(number, EventKind::Redirected { to }).await;
            }
            reporter.send(number, EventKind::Answered { length: carried.total, resumed_from }).await;
        }
        *self.from() = SafeUrl::new(response.url()).to_string();
        Ok(())
    }

    async fn body(
        &self,
        claim: Claim,
        response: Response,
        carried: &Carried,
        suspicion: Suspicion,
    ) -> Result<(), TransferError> {
        let came_from = response.url().clone();
        let mut frames = Frames::of(response);
        let limits = self.downloader.limits();
        let mut ended = pin!(self.downloader.stopper().ended(self.deadline));
        let mut window = pin!(sleep(limits.stall));
        let mut in_window: u64 = 0;
        let mut looking = (suspicion == Suspicion::Look).then(Vec::new);
        let enough = limits.slowest.saturating_mul(limits.stall.as_secs().max(1));
        loop {
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
            let Some(chunk) = chunk.map_err(|error| self.broke_off(error))? else { break };
            in_window += chunk.len() as u64;
            let chunk = match &mut looking {
                Some(held) => {
                    held.extend_from_slice(&chunk);
                    if held.len() < LOOK_AT {
                        continue;
                    }
                    self.look(held, &came_from)?;
                    Bytes::from(looking.take().unwrap_or_default())
                }
                None => chunk,
            };
            if self.write(claim, &chunk)? == Flow::ClaimDone {
                frames.conclude().await;
                return frames.check(self.job.url());
            }
        }
        frames.check(self.job.url())?;
        if let Some(held) = looking {
            self.look(&held, &came_from)?;
            self.write(claim, &held)?;
        }
        self.end_of_body(claim, carried)
    }

    fn look(&self, start: &[u8], came_from: &Url) -> Result<(), TransferError> {
        if guard::looks_like_page(start) { Err(guard::failure(self.job.url(), came_from)) } else { Ok(()) }
    }

    fn write(&self, claim: Claim, data: &[u8]) -> Result<Flow, TransferError> {
        let mut state = self.state();
        let begun = Instant::now();
        let flow = state.write(claim, data)?;
        let now = Instant::now();
        state.timings.writing += now - begun;
        state.checkpoint_if_due(&self.job);
        if now >= state.report_at && self.downloader.reporter().is_listened_to() {
            state.report_at = now + REPORT;
            self.warn_of_token(&mut state, now);
            let progress =
                EventKind::Progress { done: state.board.done().total(), length: state.board.length() };
            self.downloader.reporter().send_if_room(self.job.number, progress);
        }
        Ok(flow)
    }

    /// Compares the token's life with what the transfer still needs at its rate, once there is a rate to speak of.
    fn warn_of_token(&self, state: &mut State, now: Instant) {
        let (Some(ends), Some(length)) = (state.token_ends, state.board.length()) else { return };
        let took = now - self.begun();
        if took < RATE_KNOWN {
            return;
        }
        let rate = widen::rate(state.timings.fetched, took);
        let token = ends.duration_since(self.downloader.now()).unwrap_or_default();
        let transfer = widen::time_for(length - state.board.done().total(), rate);
        if transfer > token {
            state.token_ends = None;
            let warning = EventKind::TokenEndsEarly { token, transfer };
            self.downloader.reporter().send_if_room(self.job.number, warning);
        }
    }

    /// The body is over. Was that all?
    fn end_of_body(&self, claim: Claim, carried: &Carried) -> Result<(), TransferError> {
        let mut state = self.state();
        let wanted = state.board.wanted(claim).ok_or_else(state::stale)?;
        match (state.board.length(), carried.end) {
            (Some(_), _) if wanted.is_empty() => Ok(()),
            // The server gave a shorter part than asked for, all of it. The rest is asked for next.
            (Some(_), Some(end)) if wanted.start == end && carried.start < end => Ok(()),
            (Some(length), _) => Err(self.incomplete(wanted.start, Some(length))),
            // A part of a file whose length nobody says: what lies behind it is asked for next.
            (None, Some(end)) if wanted.start == end && carried.start < end => Ok(()),
            (None, Some(_)) => Err(self.incomplete(wanted.start, None)),
            // A whole file ends where its body does.
            (None, None) => {
                state.board.set_length(wanted.start);
                Ok(())
            }
        }
    }

    fn incomplete(&self, at: u64, length: Option<u64>) -> TransferError {
        let of = length.map(|length| format!(" of {length}")).unwrap_or_default();
        let message = format!("`{}` ended at byte {at}{of}", SafeUrl::new(self.job.url()));
        TransferError::new(FailureKind::Incomplete, Remedy::Again, message)
    }

    fn broke_off(&self, error: reqwest::Error) -> TransferError {
        let (at, length) = {
            let state = self.state();
            (state.board.done().total(), state.board.length())
        };
        let kind = if error.is_timeout() { FailureKind::Timeout } else { FailureKind::Incomplete };
        let of = length.map(|length| format!(" of {length}")).unwrap_or_default();
        let message = format!("`{}` broke off after {at}{of} bytes", SafeUrl::new(self.job.url()));
        TransferError::new(kind, Remedy::Again, message).with_source(error.without_url())
    }

    fn stalled(&self, bytes: u64) -> TransferError {
        let seconds = self.downloader.limits().stall.as_secs();
        let message = format!("`{}` sent {bytes} bytes in {seconds} s", SafeUrl::new(self.job.url()));
        TransferError::new(FailureKind::Timeout, Remedy::Again, message)
    }
}
