//! What the user sees while files move: one line that is drawn anew, one line a minute, JSON, or nothing.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{IsTerminal as _, Write as _};
use std::path::Path;
use std::thread::JoinHandle;
use std::time::Duration;

use clap::ValueEnum;
use indicatif::{BinaryBytes, ProgressBar, ProgressDrawTarget, ProgressStyle};
use reqwest_scitokens::download::{Event, EventKind, Events, FileNumber, Timings, Verification};
use tokio::time::{Instant, interval, sleep};

use crate::events;

/// How often a log gets a line.
const LINE: Duration = Duration::from_secs(60);

/// When many files end at once, their events are looked at so often: being woken for each one would cost more than a small
/// file does.
const REST: Duration = Duration::from_millis(10);
/// So many events in a [`REST`] are many.
const MANY: usize = 16;

/// How progress is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Style {
    /// A line that is drawn anew on a terminal, a line a minute elsewhere
    #[default]
    Auto,
    /// A line that is drawn anew
    Bar,
    /// A line a minute
    Line,
    /// Nothing
    None,
}

/// What is shown, and where.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Show {
    pub(crate) style: Style,
    pub(crate) json: Json,
    /// Whether each file gets a line when it is done.
    pub(crate) files: Files,
    pub(crate) quiet: Quiet,
}

impl Show {
    /// Whether nothing would be shown at all.
    pub(crate) fn is_nothing(self) -> bool {
        self.json == Json::No && self.quiet == Quiet::Yes
    }
}

/// Whether events are written as JSON, one a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Json {
    No,
    Stdout,
    /// Standard output has the data.
    Stderr,
}

/// Whether each file gets a line of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Files {
    Each,
    Failed,
}

/// Whether only errors are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Quiet {
    Yes,
    No,
}

/// A thread that shows events until there are none.
#[derive(Debug)]
pub(crate) struct Watch(JoinHandle<()>);

impl Watch {
    /// Begins to show events; `expected` files, where that is known.
    pub(crate) fn begin(events: Events, show: Show, expected: Option<u64>) -> std::io::Result<Self> {
        let thread = std::thread::Builder::new().name("progress".to_owned()).spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
            if let Ok(runtime) = runtime {
                runtime.block_on(Screen::new(show, expected).follow(events));
            }
        })?;
        Ok(Self(thread))
    }

    /// Waits until everything is shown. All reporters must be gone by then.
    pub(crate) fn end(self) {
        // A screen that failed is no reason to fail.
        let _ = self.0.join();
    }
}

/// Files that move, and sums over those that don't any more.
#[derive(Debug)]
struct Screen {
    show: Show,
    bar: Option<ProgressBar>,
    expected: Option<u64>,
    began: Instant,
    done: u64,
    failed: u64,
    bytes: u64,
    active: BTreeMap<FileNumber, Active>,
}

#[derive(Debug, Default)]
struct Active {
    name: String,
    done: u64,
    resumed: u64,
    length: Option<u64>,
}

impl Screen {
    fn new(show: Show, expected: Option<u64>) -> Self {
        let is_terminal = std::io::stderr().is_terminal();
        let wants_bar = match show.style {
            Style::Auto => is_terminal,
            Style::Bar => true,
            Style::Line | Style::None => false,
        };
        let draws = wants_bar && show.json == Json::No && show.quiet == Quiet::No;
        Self {
            show,
            bar: draws.then(bar),
            expected,
            began: Instant::now(),
            done: 0,
            failed: 0,
            bytes: 0,
            active: BTreeMap::new(),
        }
    }

    async fn follow(mut self, mut events: Events) {
        let mut minute = interval(LINE);
        minute.tick().await;
        let (mut since, mut taken) = (Instant::now(), 0);
        loop {
            tokio::select! {
                event = events.next() => match event {
                    Some(event) => self.take(event),
                    None => break,
                },
                _ = minute.tick() => self.line(),
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
            self.tell(&self.summary());
        }
    }

    fn take(&mut self, event: Event) {
        self.write_json(&event);
        let file = event.file;
        match event.what {
            EventKind::Started { url, target } => {
                let name = target.as_deref().map_or(url, shown);
                self.active.insert(file, Active { name, ..Active::default() });
            }
            EventKind::Answered { length, resumed_from } => {
                if let Some(active) = self.active.get_mut(&file) {
                    (active.length, active.resumed, active.done) = (length, resumed_from, resumed_from);
                }
                if let Some(bar) = &self.bar
                    && resumed_from > 0
                {
                    // What was there already says nothing about the rate.
                    bar.set_position(self.moved());
                    bar.reset_eta();
                }
            }
            EventKind::Progress { done, length } => {
                if let Some(active) = self.active.get_mut(&file) {
                    (active.done, active.length) = (done, length.or(active.length));
                }
            }
            EventKind::Finished { length, verification, timings } => {
                let name = self.close(file, length);
                self.done += 1;
                if self.show.files == Files::Each {
                    self.tell(&format!("{name}: {}", ending(length, &verification, &timings)));
                }
            }
            EventKind::Skipped { length } => {
                let name = self.close(file, 0);
                self.done += 1;
                if self.show.files == Files::Each {
                    self.tell(&format!("{name}: there already, {}", BinaryBytes(length)));
                }
            }
            // The command reports it, with what to do about it.
            EventKind::Failed { .. } => {
                self.close(file, 0);
                self.failed += 1;
            }
            other => self.note(file, &other),
        }
    }

    fn close(&mut self, file: FileNumber, bytes: u64) -> String {
        let active = self.active.remove(&file).unwrap_or_default();
        self.bytes += bytes.saturating_sub(active.resumed);
        active.name
    }

    fn note(&self, file: FileNumber, what: &EventKind) {
        let Some(note) = events::note(what) else { return };
        let name = self.active.get(&file).map_or("", |active| active.name.as_str());
        self.tell(&format!("{name}: {note}"));
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
            Some(bar) => bar.suspend(|| write_line(line)),
            None => write_line(line),
        }
    }

    /// The line of a log.
    fn line(&self) {
        if self.bar.is_none() && matches!(self.show.style, Style::Line | Style::Auto) {
            self.tell(&self.now());
        }
    }

    fn draw(&self) {
        let Some(bar) = &self.bar else { return };
        let known: Option<u64> = self.active.values().map(|active| active.length).sum();
        let is_last =
            self.expected.is_some_and(|expected| self.done + self.failed + self.moving() >= expected);
        if let (Some(known), true) = (known, is_last) {
            bar.set_length(self.bytes + known);
        }
        bar.set_position(self.moved());
        bar.set_message(self.counts());
    }

    fn moving(&self) -> u64 {
        self.active.len() as u64
    }

    fn moved(&self) -> u64 {
        self.bytes + self.active.values().map(|active| active.done).sum::<u64>()
    }

    /// How many files, and which one is the furthest from its end.
    fn counts(&self) -> String {
        let mut text = match (self.expected, self.show.files) {
            (Some(1), _) => String::new(),
            (Some(expected), _) => format!("{}/{expected} files", self.done),
            (None, _) => format!("{} files", self.done),
        };
        if self.failed > 0 {
            let _ = write!(text, ", {} failed", self.failed);
        }
        let left = |active: &&Active| active.length.map(|length| length.saturating_sub(active.done));
        if let Some(slowest) = self.active.values().max_by_key(left) {
            let separator = if text.is_empty() { "" } else { ", last " };
            let _ = write!(text, "{separator}{}", slowest.name);
        }
        text
    }

    fn now(&self) -> String {
        let rate = rate(self.moved(), self.began.elapsed());
        format!("{} so far, {rate}: {}", BinaryBytes(self.moved()), self.counts())
    }

    fn summary(&self) -> String {
        let took = self.began.elapsed();
        let failed = if self.failed > 0 { format!(", {} failed", self.failed) } else { String::new() };
        format!(
            "{} files{failed}, {} in {}, {}",
            self.done,
            BinaryBytes(self.bytes),
            seconds(took),
            rate(self.bytes, took)
        )
    }
}

fn bar() -> ProgressBar {
    let target = ProgressDrawTarget::stderr_with_hz(10);
    let style = ProgressStyle::with_template(
        "{bar:20} {binary_bytes} of {binary_total_bytes}  {binary_bytes_per_sec}  {eta} left  {wide_msg}",
    );
    let bar = ProgressBar::with_draw_target(None, target);
    match style {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

/// What is said of a file that is there.
fn ending(length: u64, verification: &Verification, timings: &Timings) -> String {
    let verified = match verification {
        Verification::Verified(digest) => format!("verified by {digest}"),
        Verification::NotAvailable => "length right, no checksum to be had".to_owned(),
    };
    let mut spent = vec![format!("waiting {}", seconds(timings.answering))];
    for (what, time) in
        [("disk", timings.writing), ("pauses", timings.pausing), ("checksum", timings.verifying)]
    {
        if time * 20 > timings.total {
            spent.push(format!("{what} {}", seconds(time)));
        }
    }
    format!(
        "{} in {}, {}, {verified} ({})",
        BinaryBytes(length),
        seconds(timings.total),
        rate(timings.fetched, timings.total),
        spent.join(", ")
    )
}

fn rate(bytes: u64, time: Duration) -> String {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a rate for people need not be exact"
    )]
    let rate = (bytes as f64 / time.as_secs_f64().max(0.001)) as u64;
    format!("{}/s", BinaryBytes(rate))
}

fn seconds(time: Duration) -> String {
    if time.as_secs() < 100 {
        format!("{:.2} s", time.as_secs_f64())
    } else {
        format!("{} s", time.as_secs())
    }
}

fn shown(path: &Path) -> String {
    let name = path.file_name().unwrap_or(path.as_os_str());
    name.to_string_lossy().chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

fn write_line(line: &str) {
    crate::print::note(line);
}
