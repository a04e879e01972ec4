//! How progress is shown.

use std::io::{self, Write as _};
use std::time::Duration;

use clap::ValueEnum;
use serde_json::Value;

use crate::output::{self, Output};

/// How progress is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum ProgressMode {
    /// A bar on a terminal, lines elsewhere
    #[default]
    Auto,
    /// A bar; lines where none can be drawn
    Bar,
    /// Lines
    Line,
    /// Nothing
    None,
}

/// What is said of files that are done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FinalLines {
    /// A line for each file.
    EachFile,
    /// One line for all of them.
    Summary,
    /// Nothing: the command reports them.
    ByCommand,
}

/// What is shown, and where.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ProgressOptions {
    pub(crate) mode: ProgressMode,
    pub(crate) output: Output,
    /// Whether standard output carries the data, so that events go to standard error.
    pub(crate) stdout_has_data: bool,
    pub(crate) final_lines: FinalLines,
    /// Whether failures that may pass have the exit code for another run.
    pub(crate) retry_exit_code: bool,
    /// The time between lines in a log.
    pub(crate) interval: Duration,
}

impl ProgressOptions {
    /// Returns whether nothing is shown.
    pub(crate) fn is_silent(self) -> bool {
        !self.output.json && self.output.quiet
    }

    /// Returns whether text for users is shown.
    pub(crate) fn shows_text(self) -> bool {
        !self.output.json && !self.output.quiet
    }

    /// Writes an event as a line of JSON; nothing without `--json`.
    pub(crate) fn write_event(self, event: &Value) -> io::Result<()> {
        match (self.output.json, self.stdout_has_data) {
            (false, _) => Ok(()),
            (true, false) => output::json_line(event),
            (true, true) => {
                io::stderr().lock().write_all(format!("{}\n", output::json_text(event)).as_bytes())
            }
        }
    }
}
