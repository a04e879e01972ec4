//! Events as they come, on a terminal, in a log, or as JSON.

use std::io::{IsTerminal as _, Write as _};
use std::time::Duration;

use console::{Term, truncate_str};
use indicatif::{BinaryBytes, ProgressBar, ProgressDrawTarget, ProgressStyle};
use reqwest_scitokens::download::{Event, EventKind, Events};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};

use super::tally::{End, Tally};
use super::words::{ending, shown};
use super::{Files, Json, Quiet, Show, Style};
use crate::{events, print};

/// When many files end at once, their events are looked at so often: being woken for each one would cost more than a small
/// file does.
const REST: Duration = Duration::from_millis(10);
/// So many events in a [`REST`] are many.
const MANY: usize = 16;

#[derive(Debug)]
pub(super) struct Screen {
    show: Show,
    bar: Option<ProgressBar>,
    began: Instant,
    tally: Tally,
}

impl Screen {
    pub(super) fn new(show: Show, expected: Option<u64>) -> Self {
        let is_terminal = std::io::stderr().is_terminal();
        let wants_bar = match show.style {
            Style::Auto => is_terminal,
            Style::Bar => true,
            Style::Line | Style::None => false,
        };
        let draws = wants_bar && show.json == Json::No && show.quiet == Quiet::No;
        Self { show, bar: draws.then(bar), began: Instant::now(), tally: Tally::new(expected) }
    }

    pub(super) async fn follow(mut self, mut events: Events) {
        let mut lines = interval(self.show.interval);
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
            if taken >= MANY && since.elapsed() < REST {
                sleep(REST).await;
            }
            if since.elapsed() >= REST {
                (since, taken) = (Instant::now(), 0);
            }
        }
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        if self.show.files == Files::Failed {
            self.tell(&self.tally.summary(self.began.elapsed()));
        }
    }

    fn take(&mut self, event: Event) {
        self.write_json(&event);
        let file = event.file;
        match event.what {
            EventKind::Started { url, target } => {
                self.tally.started(file, target.as_deref().map_or(url, shown));
            }
            EventKind::Answered { length, resumed_from } => {
                self.tally.answered(file, length, resumed_from);
                if let Some(bar) = &self.bar
                    && resumed_from > 0
                {
                    // What was there already says nothing about the rate.
                    bar.set_position(self.tally.moved());
                    bar.reset_eta();
                }
            }
            EventKind::Progress { done, length } => self.tally.progressed(file, done, length),
            EventKind::Finished { length, verification, timings } => {
                let name = self.tally.ended(file, End::Fetched(length));
                if self.show.files == Files::Each {
                    self.tell(&format!("{name}: {}", ending(length, &verification, &timings)));
                }
            }
            EventKind::Skipped { length } => {
                let name = self.tally.ended(file, End::Kept);
                if self.show.files == Files::Each {
                    self.tell(&format!("{name}: there already, {}", BinaryBytes(length)));
                }
            }
            // The command reports it, with what to do about it.
            EventKind::Failed { .. } => drop(self.tally.ended(file, End::Failed)),
            other => {
                if let Some(note) = events::note(&other) {
                    self.tell(&format!("{}: {note}", self.tally.name(file)));
                }
            }
        }
    }

    fn write_json(&self, event: &Event) {
        let line = match self.show.json {
            Json::No => return,
            _ => format!("{}\n", events::json(event)),
        };
        // A reader that is gone is no reason to stop.
        let _ = match self.show.json {
            Json::Stderr => std::io::stderr().write_all(line.as_bytes()),
            _ => std::io::stdout().write_all(line.as_bytes()),
        };
    }

    /// Writes a line for people, above the one that is drawn anew.
    fn tell(&self, line: &str) {
        if self.show.json != Json::No || self.show.quiet == Quiet::Yes {
            return;
        }
        match &self.bar {
            Some(bar) => bar.suspend(|| print::note(line)),
            None => print::note(line),
        }
    }

    /// The line of a log.
    fn line(&self) {
        if self.bar.is_none() && matches!(self.show.style, Style::Line | Style::Auto) {
            self.tell(&self.tally.now(self.began.elapsed()));
        }
    }

    fn draw(&self) {
        let Some(bar) = &self.bar else { return };
        let columns = usize::from(Term::stderr().size().1);
        if let Some(total) = self.tally.total() {
            if bar.length().is_none() && columns >= WIDE {
                bar.set_style(style("{bar:12} {msg}"));
            }
            bar.set_length(total);
        }
        bar.set_position(self.tally.moved());
        let line = self.tally.line(bar.per_sec(), bar.eta());
        let room = columns.saturating_sub(if columns >= WIDE { BESIDE } else { 1 });
        bar.set_message(truncate_str(&line, room, "…").into_owned());
    }
}

/// A narrower terminal has no room for anything but words.
const WIDE: usize = 60;
/// The columns that the bar takes, and a free one at the end.
const BESIDE: usize = 14;

fn bar() -> ProgressBar {
    ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(10)).with_style(style("{msg}"))
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}
