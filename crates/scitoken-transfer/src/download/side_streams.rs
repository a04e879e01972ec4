//! Additional connections for one file.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::download::ranges::scaling;
use crate::download::ranges::scheduler::RangeLease;
use crate::download::state::Role;
use crate::download::transfer::Transfer;
use crate::error::TransferError;
use crate::event::EventKind;

/// How long a number of streams is measured before another is tried.
const WATCH: Duration = Duration::from_millis(300);
/// How often to check for the first response.
const LOOK: Duration = Duration::from_millis(5);

impl Transfer {
    /// Adds streams as long as that raises the rate.
    pub(crate) async fn scale_streams(self: Arc<Self>, most: usize) {
        let mut helpers: JoinSet<Result<(), TransferError>> = JoinSet::new();
        let mut before = None;
        let mut most = most;
        let mut wanted = scaling::first_streams(self.first_answer().await, most);
        self.open_more(&mut helpers, wanted).await;
        loop {
            let (at, bytes) = (Instant::now(), self.state().timings.fetched);
            sleep(WATCH).await;
            let (gained, is_open) = {
                let state = self.state();
                let is_open =
                    state.ranges && state.scheduler.length().is_some() && !state.scheduler.is_complete();
                (state.timings.fetched - bytes, is_open)
            };
            while let Some(ended) = helpers.try_join_next() {
                // A server that refuses an additional connection gets no more of them.
                if matches!(ended, Ok(Err(_))) {
                    most = most.min(helpers.len() + 1);
                }
            }
            if !is_open || gained == 0 {
                continue;
            }
            let streams = helpers.len() + 1;
            let now = scaling::Measured { streams, rate: scaling::rate(gained, at.elapsed()) };
            if streams == wanted {
                wanted = scaling::next_streams(before, now, most);
                before = Some(now);
            }
            self.open_more(&mut helpers, wanted.min(most)).await;
        }
    }

    /// Waits for the first response and returns how long it took.
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

    /// Opens streams up to `wanted`, as long as there is something to lease.
    async fn open_more(self: &Arc<Self>, helpers: &mut JoinSet<Result<(), TransferError>>, wanted: usize) {
        let before = helpers.len();
        while helpers.len() + 1 < wanted {
            let lease = {
                let mut state = self.state();
                let is_open = state.ranges && state.scheduler.length().is_some();
                if is_open { state.scheduler.lease(true) } else { None }
            };
            let Some(lease) = lease else { break };
            helpers.spawn(Arc::clone(self).run_worker(lease));
        }
        if helpers.len() > before {
            let widened = EventKind::StreamsAdded { streams: helpers.len() + 1 };
            self.downloader.reporter().send(self.job.number, widened).await;
        }
    }

    /// Runs one additional stream. It ends at the first failure: the main stream fetches the rest.
    async fn run_worker(self: Arc<Self>, mut lease: RangeLease) -> Result<(), TransferError> {
        loop {
            // Follow the main stream, which leaves a failing server.
            let source = self.source();
            let result = self.stream(&mut lease, source, Role::Side).await;
            let next = {
                let mut state = self.state();
                state.scheduler.release(lease);
                if result.is_ok() { state.scheduler.lease(true) } else { None }
            };
            self.moved.notify_one();
            match (result, next) {
                (Ok(()), Some(next)) => lease = next,
                (result, _) => return result,
            }
        }
    }
}
