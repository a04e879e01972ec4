//! Shows events on a terminal, in a log, or as JSON.

use std::io::IsTerminal as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use console::Term;
use indicatif::{BinaryBytes, ProgressBar, ProgressDrawTarget, ProgressStyle};
use scitoken_transfer::{Event, EventKind, Events, FailureKind};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};

use super::fit::fit;
use super::format::{file_name, finished, located};
use super::options::{FinalLines, ProgressMode, ProgressOptions};
use super::tally::{FileOutcome, Tally};
use crate::{json_events, output};

/// The pause after many events: waking up for each one would cost more than a small file.
const BATCH_PAUSE: Duration = Duration::from_millis(10);
/// The number of events within a [`BATCH_PAUSE`] that causes the pause.
const BATCH_SIZE: usize = 16;

#[derive(Debug)]
pub(super) struct ProgressDisplay {
    options: ProgressOptions,
    bar: Option<ProgressBar>,
    began: Instant,
    tally: Tally,
    /// The columns of the bar; zero for none.
    bar_columns: usize,
    /// Whether a signal ended the run, which the command reports.
    is_interrupted: bool,
    /// How many files could not begin, which have no events.
    refused: Arc<AtomicU64>,
}

impl ProgressDisplay {
    pub(super) fn new(options: ProgressOptions, expected: Option<u64>, refused: Arc<AtomicU64>) -> Self {
        let is_terminal = std::io::stderr().is_terminal();
        let wants_bar = match options.mode {
            ProgressMode::Auto => is_terminal,
            ProgressMode::Bar => true,
            ProgressMode::Line | ProgressMode::None => false,
        };
        let draws = wants_bar && options.shows_text();
        Self {
            options,
            // Where nothing can be drawn, as in a file or a dumb terminal, lines take its place.
            bar: draws.then(bar).filter(|bar| !bar.is_hidden()),
            began: Instant::now(),
            tally: Tally::new(expected),
            bar_columns: 0,
            is_interrupted: false,
            refused,
        }
    }

    pub(super) async fn follow(mut self, mut events: Events) {
        let mut lines = interval(self.options.interval);
        lines.set_missed_tick_behavior(MissedTickBehavior::Delay);
        lines.tick().await;
        let (mut since, mut taken) = (Instant::now(), 0);
        loop {
            tokio::select! {
                event = events.next() => match event {
                    Some(event) => self.take(event),
                    None => break,
                },
                _ = lines.tick() => self.line(),
            }
            taken += 1;
            while let Some(event) = events.try_next() {
                self.take(event);
                taken += 1;
            }
            self.draw();
            if taken >= BATCH_SIZE && since.elapsed() < BATCH_PAUSE {
                sleep(BATCH_PAUSE).await;
            }
            if since.elapsed() >= BATCH_PAUSE {
                (since, taken) = (Instant::now(), 0);
            }
        }
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        let refused = self.refused.load(Ordering::Relaxed);
        let is_empty = self.tally.is_empty() && refused == 0;
        if self.options.final_lines == FinalLines::Summary && !self.is_interrupted && !is_empty {
            self.print(&self.tally.summary(self.began.elapsed(), refused));
        }
    }

    fn take(&mut self, event: Event) {
        // A closed pipe ends the run when the command writes its summary.
        let _ = self.options.write_event(&json_events::json(&event, self.options.retry_exit_code));
        let file = event.file;
        match event.what {
            EventKind::Started { url, target } => {
                self.tally.started(file, target.as_deref().map_or(url, file_name));
            }
            EventKind::Answered { length, resumed_from } => {
                self.tally.answered(file, length, resumed_from);
                if let Some(bar) = &self.bar
                    && resumed_from > 0
                {
                    // Resumed bytes do not count for the rate.
                    bar.set_position(self.tally.moved());
                    bar.reset_eta();
                }
            }
            EventKind::Progress { done, length } => self.tally.progressed(file, done, length),
            EventKind::Finished { length, verification, timings } => {
                let name = self.tally.ended(file, FileOutcome::Fetched(length));
                if self.options.final_lines == FinalLines::EachFile {
                    self.print(&format!("{name}: {}", finished(length, &verification, &timings)));
                }
            }
            EventKind::Skipped { length } => {
                let name = self.tally.ended(file, FileOutcome::Skipped);
                if self.options.final_lines == FinalLines::EachFile {
                    self.print(&format!("{name}: already complete, {}", BinaryBytes(length)));
                }
            }
            // The command reports the failure with its hint.
            EventKind::Failed { kind, .. } => {
                self.is_interrupted |= kind == FailureKind::Interrupted;
                drop(self.tally.ended(file, FileOutcome::Failed));
            }
            EventKind::Located { object, servers, remembered } => {
                if self.options.output.verbose {
                    self.print(&located(&object, &servers, remembered));
                }
            }
            other => {
                if let Some(note) = json_events::note(&other) {
                    self.print(&format!("{}: {note}", self.tally.name(file)));
                }
            }
        }
    }

    /// Writes a line above the bar.
    fn print(&self, line: &str) {
        if !self.options.shows_text() {
            return;
        }
        match &self.bar {
            Some(bar) => bar.suspend(|| output::note(line)),
            None => output::note(line),
        }
    }

    /// Writes the periodic line of a log.
    fn line(&self) {
        if self.bar.is_none() && self.options.mode != ProgressMode::None {
            self.print(&self.tally.log_line(self.began.elapsed()));
        }
    }

    fn draw(&mut self) {
        let Some(bar) = &self.bar else { return };
        let columns = usize::from(Term::stderr().size().1);
        let total = self.tally.total();
        if let Some(total) = total {
            bar.set_length(total);
        }
        bar.set_position(self.tally.moved());
        let line = fit(&self.tally.lines(bar.per_sec(), bar.eta()), columns, total.is_some());
        if line.bar != self.bar_columns {
            self.bar_columns = line.bar;
            bar.set_style(if line.bar == 0 {
                style("{msg}")
            } else {
                style(&format!("{{bar:{}}} {{msg}}", line.bar))
            });
        }
        bar.set_message(line.text);
    }
}

fn bar() -> ProgressBar {
    ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(10)).with_style(style("{msg}"))
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}
