//! Files that move, and sums over those that don't any more.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use indicatif::BinaryBytes;
use reqwest_scitokens::download::FileNumber;

use super::words::{rate, seconds, short};

/// What is known of a run at one moment. It holds the files that move and no others.
#[derive(Debug)]
pub(super) struct Tally {
    expected: Option<u64>,
    done: u64,
    failed: u64,
    bytes: u64,
    active: BTreeMap<FileNumber, Active>,
}

#[derive(Debug, Default)]
struct Active {
    name: String,
    done: u64,
    /// How much an earlier run left.
    resumed: u64,
    length: Option<u64>,
}

/// How a file ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// It is there, and has so many bytes.
    Fetched(u64),
    /// It was there before.
    Kept,
    Failed,
}

impl Tally {
    /// `expected` files, where that is known.
    pub(super) fn new(expected: Option<u64>) -> Self {
        Self { expected, done: 0, failed: 0, bytes: 0, active: BTreeMap::new() }
    }

    pub(super) fn started(&mut self, file: FileNumber, name: String) {
        self.active.insert(file, Active { name, ..Active::default() });
    }

    pub(super) fn answered(&mut self, file: FileNumber, length: Option<u64>, resumed_from: u64) {
        if let Some(active) = self.active.get_mut(&file) {
            (active.length, active.resumed, active.done) = (length, resumed_from, resumed_from);
        }
    }

    pub(super) fn progressed(&mut self, file: FileNumber, done: u64, length: Option<u64>) {
        if let Some(active) = self.active.get_mut(&file) {
            (active.done, active.length) = (done, length.or(active.length));
        }
    }

    /// Gives the file's name.
    pub(super) fn ended(&mut self, file: FileNumber, end: End) -> String {
        let active = self.active.remove(&file).unwrap_or_default();
        match end {
            End::Fetched(length) => {
                self.done += 1;
                self.bytes += length.saturating_sub(active.resumed);
            }
            End::Kept => self.done += 1,
            End::Failed => self.failed += 1,
        }
        active.name
    }

    pub(super) fn name(&self, file: FileNumber) -> &str {
        self.active.get(&file).map_or("", |active| active.name.as_str())
    }

    /// How many bytes there are so far.
    pub(super) fn moved(&self) -> u64 {
        self.bytes + self.active.values().map(|active| active.done).sum::<u64>()
    }

    /// How many bytes there will be, once no file is still to come.
    pub(super) fn total(&self) -> Option<u64> {
        let known: Option<u64> = self.active.values().map(|active| active.length).sum();
        let begun = self.done + self.failed + self.active.len() as u64;
        known
            .filter(|_| self.expected.is_some_and(|expected| begun >= expected))
            .map(|known| self.bytes + known)
    }

    /// How many files, and which one is the furthest from its end.
    pub(super) fn counts(&self) -> String {
        let mut text = match self.expected {
            Some(1) => String::new(),
            Some(expected) => format!("{}/{expected} files", self.done),
            None => format!("{} files", self.done),
        };
        if self.failed > 0 {
            let separator = if text.is_empty() { "" } else { ", " };
            let _ = write!(text, "{separator}{} failed", self.failed);
        }
        let left = |active: &&Active| active.length.map(|length| length.saturating_sub(active.done));
        if let Some(slowest) = self.active.values().max_by_key(left) {
            let separator = if text.is_empty() { "" } else { ", last " };
            let _ = write!(text, "{separator}{}", slowest.name);
        }
        text
    }

    /// The line of a terminal, with the rate and the time that somebody else keeps.
    pub(super) fn line(&self, rate: f64, left: Duration) -> String {
        let moved = BinaryBytes(self.moved());
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rate for people")]
        let rate = BinaryBytes(rate.max(0.0) as u64);
        match self.total() {
            Some(total) => {
                let (total, left) = (BinaryBytes(total), short(left));
                format!("{moved} of {total}  {rate}/s  {left} left  {}", self.counts())
            }
            None => format!("{moved}  {rate}/s  {}", self.counts()),
        }
    }

    /// The line of a log.
    pub(super) fn now(&self, elapsed: Duration) -> String {
        let of = self.total().map(|total| format!(" of {}", BinaryBytes(total))).unwrap_or_default();
        let moved = self.moved();
        format!("{}{of}, {}: {}", BinaryBytes(moved), rate(moved, elapsed), self.counts())
    }

    /// The last line of a run of many files.
    pub(super) fn summary(&self, elapsed: Duration) -> String {
        let failed = if self.failed > 0 { format!(", {} failed", self.failed) } else { String::new() };
        format!(
            "{} files{failed}, {} in {}, {}",
            self.done,
            BinaryBytes(self.bytes),
            seconds(elapsed),
            rate(self.bytes, elapsed)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_summed_up_at_any_moment() {
        let mut tally = Tally::new(Some(3));
        let second = Duration::from_secs(1);
        for (file, name) in [(0, "a"), (1, "b")] {
            tally.started(FileNumber(file), name.to_owned());
        }
        tally.answered(FileNumber(0), Some(2048), 0);
        tally.answered(FileNumber(1), Some(4096), 1024);
        assert_eq!(tally.total(), None, "a file is still to come");
        assert_eq!(tally.now(second), "1.00 KiB, 1.00 KiB/s: 0/3 files, last b");
        assert_eq!(tally.ended(FileNumber(0), End::Fetched(2048)), "a");
        tally.started(FileNumber(2), "c".to_owned());
        assert_eq!(tally.total(), None, "nobody knows how long the last one is");
        assert_eq!(tally.line(1024.0, second), "3.00 KiB  1.00 KiB/s  1/3 files, last b");
        tally.progressed(FileNumber(2), 10, Some(20));
        let line = tally.line(1024.0, Duration::from_secs(90));
        assert_eq!(line, "3.01 KiB of 6.02 KiB  1.00 KiB/s  1 min 30 s left  1/3 files, last b");
        assert_eq!(tally.total(), Some(2048 + 4096 + 20));
        tally.ended(FileNumber(2), End::Failed);
        assert_eq!(tally.now(second), "3.00 KiB of 6.00 KiB, 3.00 KiB/s: 1/3 files, 1 failed, last b");
        tally.ended(FileNumber(1), End::Fetched(4096));
        assert_eq!(tally.summary(second), "2 files, 1 failed, 5.00 KiB in 1.00 s, 5.00 KiB/s");
        assert!(tally.active.is_empty());
    }

    #[test]
    fn one_file_needs_no_count() {
        let mut tally = Tally::new(Some(1));
        tally.started(FileNumber(0), "a".to_owned());
        assert_eq!(tally.now(Duration::from_secs(1)), "0 B, 0 B/s: a");
        tally.ended(FileNumber(0), End::Kept);
        assert_eq!(tally.counts(), "");
    }
}
