//! Counts of a run: active files, and sums over finished ones.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use indicatif::BinaryBytes;
use scitoken_transfer::FileNumber;

use super::format::{rate, seconds, short};

/// The counts of a run. Holds active files only.
#[derive(Debug)]
pub(super) struct Tally {
    expected: Option<u64>,
    done: u64,
    skipped: u64,
    failed: u64,
    bytes: u64,
    active: BTreeMap<FileNumber, Active>,
}

#[derive(Debug, Default)]
struct Active {
    name: String,
    done: u64,
    /// The bytes that an earlier run left.
    resumed: u64,
    length: Option<u64>,
}

/// The outcome of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FileOutcome {
    /// Downloaded, with its length.
    Fetched(u64),
    /// Existed before.
    Skipped,
    Failed,
}

impl Tally {
    /// Returns the counts of a run of `expected` files, if their number is known.
    pub(super) fn new(expected: Option<u64>) -> Self {
        Self { expected, done: 0, skipped: 0, failed: 0, bytes: 0, active: BTreeMap::new() }
    }

    /// Returns whether no file has started.
    pub(super) fn is_empty(&self) -> bool {
        self.done + self.skipped + self.failed == 0 && self.active.is_empty()
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

    /// Counts a finished file and returns its name.
    pub(super) fn ended(&mut self, file: FileNumber, end: FileOutcome) -> String {
        let active = self.active.remove(&file).unwrap_or_default();
        match end {
            FileOutcome::Fetched(length) => {
                self.done += 1;
                self.bytes += length.saturating_sub(active.resumed);
            }
            FileOutcome::Skipped => self.skipped += 1,
            FileOutcome::Failed => self.failed += 1,
        }
        active.name
    }

    pub(super) fn name(&self, file: FileNumber) -> &str {
        self.active.get(&file).map_or("", |active| active.name.as_str())
    }

    /// Returns the bytes so far.
    pub(super) fn moved(&self) -> u64 {
        self.bytes + self.active.values().map(|active| active.done).sum::<u64>()
    }

    /// Returns the total of bytes, once every file has started.
    pub(super) fn total(&self) -> Option<u64> {
        let known: Option<u64> = self.active.values().map(|active| active.length).sum();
        let begun = self.done + self.skipped + self.failed + self.active.len() as u64;
        known
            .filter(|_| self.expected.is_some_and(|expected| begun >= expected))
            .map(|known| self.bytes + known)
    }

    /// Returns the number of files, and the active file with the most bytes left.
    pub(super) fn counts(&self) -> String {
        let mut text = match self.expected {
            Some(1) => String::new(),
            Some(expected) => format!("{}/{expected} files", self.done + self.skipped),
            None => files(self.done),
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

    /// Returns the line for a terminal, given the rate and the time left, and shorter ones for a narrow terminal.
    pub(super) fn lines(&self, rate: f64, left: Duration) -> Vec<String> {
        let bytes = self.moved();
        let moved = BinaryBytes(bytes);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rounded rate")]
        let rate = BinaryBytes(rate.max(0.0) as u64);
        let counts = self.counts();
        let Some(total) = self.total() else {
            return vec![format!("{moved}  {rate}/s  {counts}"), format!("{moved}  {counts}")];
        };
        let percent = u128::from(bytes) * 100 / u128::from(total.max(1));
        let (total, left) = (BinaryBytes(total), short(left));
        vec![
            format!("{moved} of {total}  {rate}/s  {left} left  {counts}"),
            format!("{moved} of {total}  {rate}/s  {counts}"),
            format!("{percent}%  {rate}/s  {counts}"),
            format!("{percent}%  {counts}"),
        ]
    }

    /// Returns the line for a log.
    pub(super) fn log_line(&self, elapsed: Duration) -> String {
        let of = self.total().map(|total| format!(" of {}", BinaryBytes(total))).unwrap_or_default();
        let moved = self.moved();
        format!("{}{of}, {}: {}", BinaryBytes(moved), rate(moved, elapsed), self.counts())
    }

    /// Returns the last line of a run of many files, of which `refused` could not begin.
    pub(super) fn summary(&self, elapsed: Duration, refused: u64) -> String {
        let mut counts = files(self.done);
        let failed = self.failed + refused;
        let not_started = self.expected.map_or(0, |expected| {
            expected.saturating_sub(self.done + self.skipped + failed + self.active.len() as u64)
        });
        for (count, what) in [
            (self.skipped, "skipped"),
            (failed, "failed"),
            (self.active.len() as u64, "unfinished"),
            (not_started, "not started"),
        ] {
            if count > 0 {
                let _ = write!(counts, ", {count} {what}");
            }
        }
        format!(
            "{counts}, {} in {}, {}",
            BinaryBytes(self.bytes),
            seconds(elapsed),
            rate(self.bytes, elapsed)
        )
    }
}

/// A number of files, in words.
fn files(count: u64) -> String {
    format!("{count} {}", if count == 1 { "file" } else { "files" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_can_be_summarized_at_any_time() {
        let mut tally = Tally::new(Some(3));
        let second = Duration::from_secs(1);
        for (file, name) in [(0, "a"), (1, "b")] {
            tally.started(FileNumber(file), name.to_owned());
        }
        tally.answered(FileNumber(0), Some(2048), 0);
        tally.answered(FileNumber(1), Some(4096), 1024);
        assert_eq!(tally.total(), None, "a file is still to come");
        assert_eq!(tally.log_line(second), "1.00 KiB, 1.00 KiB/s: 0/3 files, last b");
        assert_eq!(tally.ended(FileNumber(0), FileOutcome::Fetched(2048)), "a");
        tally.started(FileNumber(2), "c".to_owned());
        assert_eq!(tally.total(), None, "the length of the last file is unknown");
        assert_eq!(tally.lines(1024.0, second)[0], "3.00 KiB  1.00 KiB/s  1/3 files, last b");
        tally.progressed(FileNumber(2), 10, Some(20));
        let lines = tally.lines(1024.0, Duration::from_secs(90));
        assert_eq!(lines[0], "3.01 KiB of 6.02 KiB  1.00 KiB/s  1 min 30 s left  1/3 files, last b");
        assert_eq!(lines[2..], ["50%  1.00 KiB/s  1/3 files, last b", "50%  1/3 files, last b"]);
        assert_eq!(tally.total(), Some(2048 + 4096 + 20));
        tally.ended(FileNumber(2), FileOutcome::Failed);
        assert_eq!(tally.log_line(second), "3.00 KiB of 6.00 KiB, 3.00 KiB/s: 1/3 files, 1 failed, last b");
        tally.ended(FileNumber(1), FileOutcome::Fetched(4096));
        assert_eq!(tally.summary(second, 0), "2 files, 1 failed, 5.00 KiB in 1.00 s, 5.00 KiB/s");
        assert_eq!(tally.summary(second, 2), "2 files, 3 failed, 5.00 KiB in 1.00 s, 5.00 KiB/s");
        assert!(tally.active.is_empty());
    }

    #[test]
    fn a_single_file_has_no_count() {
        let mut tally = Tally::new(Some(1));
        tally.started(FileNumber(0), "a".to_owned());
        assert_eq!(tally.log_line(Duration::from_secs(1)), "0 B, 0 B/s: a");
        tally.ended(FileNumber(0), FileOutcome::Skipped);
        assert_eq!(tally.counts(), "");
    }
}
