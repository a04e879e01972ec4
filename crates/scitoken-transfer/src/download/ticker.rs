//! What a running transfer does at intervals, whether data arrives or not.

use std::convert::Infallible;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::download::ranges::scaling;
use crate::download::state::TransferState;
use crate::download::transfer::Transfer;
use crate::event::EventKind;

/// The time between two ticks.
pub(crate) const TICK: Duration = Duration::from_millis(250);

/// The shortest time between two progress events.
const REPORT: Duration = Duration::from_millis(100);

/// How long a transfer runs before its rate is known.
const RATE_KNOWN: Duration = Duration::from_secs(5);

impl Transfer {
    /// Writes the state, reports progress and warns of an expiring token until it is dropped.
    pub(crate) async fn run_ticker(&self) -> Infallible {
        loop {
            sleep(TICK).await;
            let mut state = self.state();
            state.checkpoint_if_due(&self.job);
            self.report_if_due(&mut state, Instant::now());
        }
    }

    /// Reports progress, unless that was done a moment ago.
    pub(crate) fn report_if_due(&self, state: &mut TransferState, now: Instant) {
        if now < state.report_at || !self.downloader.reporter().is_listened_to() {
            return;
        }
        state.report_at = now + REPORT;
        self.warn_of_token(state, now);
        let progress =
            EventKind::Progress { done: state.scheduler.done().total(), length: state.scheduler.length() };
        self.downloader.reporter().try_send(self.job.number, progress);
    }

    /// Compares the token's remaining time with the transfer's, once its rate is known.
    fn warn_of_token(&self, state: &mut TransferState, now: Instant) {
        let (Some(ends), Some(length)) = (state.token_ends, state.scheduler.length()) else { return };
        let took = now - self.begun();
        if took < RATE_KNOWN {
            return;
        }
        let rate = scaling::rate(state.timings.fetched, took);
        let token = ends.duration_since(self.downloader.now()).unwrap_or_default();
        let transfer = scaling::time_for(length.saturating_sub(state.scheduler.done().total()), rate);
        if transfer > token {
            state.token_ends = None;
            let warning = EventKind::TokenEndsEarly { token, transfer };
            self.downloader.reporter().try_send(self.job.number, warning);
        }
    }
}
