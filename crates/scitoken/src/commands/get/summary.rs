//! The outcome of a run.

use scitoken_transfer::Downloaded;
use serde_json::json;

use crate::exit::Exit;
use crate::failure::Failure;
use crate::progress::ProgressOptions;

/// Failures beyond this number are counted, not kept.
const MAX_FAILURES: usize = 100;

/// The outcome of a run.
#[derive(Debug)]
pub(super) struct RunSummary {
    exit: Exit,
    files: u64,
    bytes: u64,
    failed: u64,
    /// Begun, and interrupted by a signal.
    unfinished: u64,
    failures: Vec<Failure>,
}

impl Default for RunSummary {
    fn default() -> Self {
        Self { exit: Exit::Ok, files: 0, bytes: 0, failed: 0, unfinished: 0, failures: Vec::new() }
    }
}

impl RunSummary {
    pub(super) fn succeeded(&mut self, file: &Downloaded) {
        self.files += 1;
        self.bytes += file.length;
    }

    pub(super) fn failed(&mut self, failure: Failure) {
        self.failed += 1;
        self.exit = self.exit.more_severe(failure.exit());
        if self.failures.len() < MAX_FAILURES {
            self.failures.push(failure);
        }
    }

    /// Counts a file that a signal interrupted; all of them are reported together.
    pub(super) fn interrupted(&mut self) {
        self.unfinished += 1;
        self.exit = self.exit.more_severe(Exit::TryLater);
    }

    /// Returns what a signal left undone, of a run of `expected` files if their number is known.
    pub(super) fn interruption(&self, expected: Option<u64>) -> Option<Failure> {
        let ended = self.files + self.failed + self.unfinished;
        let rest = match expected {
            Some(expected) if expected == ended && self.unfinished == 0 => return None,
            Some(expected) => format!("{} not started", expected.saturating_sub(ended)),
            None => "the others not started".to_owned(),
        };
        let files = if self.files == 1 { "1 file" } else { &format!("{} files", self.files) };
        let failed = if self.failed > 0 { format!(", {} failed", self.failed) } else { String::new() };
        let message = format!("interrupted: {files} done{failed}, {} unfinished, {rest}", self.unfinished);
        Some(Failure::new(Exit::TryLater, message).with_hint(
            "run the same command again with `--skip-existing=size`: it keeps the files that are done, and resumes \
             the unfinished ones",
        ))
    }

    pub(super) fn exit(&self) -> Exit {
        self.exit
    }

    /// Reports the failures with their hints, and the run as one event.
    pub(super) fn report(&self, options: ProgressOptions) -> Result<(), Failure> {
        for failure in &self.failures {
            failure.report_text();
        }
        if self.failed > self.failures.len() as u64 {
            let more = self.failed - self.failures.len() as u64;
            Failure::new(Exit::Local, format!("and {more} more files failed")).report_text();
        }
        options.write_event(&json!({
            "event": "summary", "files": self.files, "failed": self.failed, "bytes": self.bytes,
            "unfinished": self.unfinished, "exit": self.exit as u8,
        }))?;
        Ok(())
    }
}
