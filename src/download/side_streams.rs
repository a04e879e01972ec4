//! Streams beside the main one.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use super::board::{Claim, Split};
use super::error::TransferError;
use super::event::EventKind;
use super::state::Role;
use super::transfer::Transfer;
use super::widen;

/// How long a number of streams is watched before another one is tried.
const WATCH: Duration = Duration::from_millis(300);
/// How often it is looked whether the first answer is there.
const LOOK: Duration = Duration::from_millis(5);

impl Transfer {
    /// Adds streams as long as that makes the file come faster.
    pub(super) async fn widen(self: Arc<Self>, most: usize) {
        let mut helpers: JoinSet<Result<(), TransferError>> = JoinSet::new();
        let mut before = None;
        let mut most = most;
        let mut wanted = widen::first_streams(self.first_answer().await, most);
        self.open_more(&mut helpers, wanted).await;
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
            self.open_more(&mut helpers, wanted.min(most)).await;
        }
    }

    /// Waits for the first answer, and tells how long it took.
    async fn first_answer(&self) -> Duration {
        loop {
            {
                let state = self.state();
                if state.identity.is_some() && state.timings.fetched > 0 {
                    return state.timings.answering;
                }
            }
            sleep(LOOK).await;
        }
    }

    /// Opens streams until there are so many, as long as there is something left for them.
    async fn open_more(self: &Arc<Self>, helpers: &mut JoinSet<Result<(), TransferError>>, wanted: usize) {
        let before = helpers.len();
        while helpers.len() + 1 < wanted {
            let claim = {
                let mut state = self.state();
                let is_open = state.ranges && state.board.length().is_some();
                if is_open { state.board.claim(Split::Allowed) } else { None }
            };
            let Some(claim) = claim else { break };
            helpers.spawn(Arc::clone(self).help(claim));
        }
        if helpers.len() > before {
            let widened = EventKind::Widened { streams: helpers.len() + 1 };
            self.downloader.reporter().send(self.job.number, widened).await;
        }
    }

    /// A stream beside the main one. It gives up at the first failure: the main stream does what it leaves.
    async fn help(self: Arc<Self>, mut claim: Claim) -> Result<(), TransferError> {
        loop {
            // Where the main stream is now: it leaves a server that fails.
            let source = self.source();
            let result = self.stream(&mut claim, source, Role::Side).await;
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
}
