//! How a command that could not do its work says so.

use std::error::Error;
use std::fmt::Write as _;
use std::process::ExitCode;

use crate::exit::Exit;
use crate::print;

/// A command's failure: what went wrong, the code to exit with, and what to do about it.
#[derive(Debug)]
pub(crate) struct Failure {
    exit: Exit,
    message: String,
    hint: Option<String>,
    details: Option<String>,
}

impl Failure {
    /// A failure with a message of our own.
    pub(crate) fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, message: message.into(), hint: None, details: None }
    }

    /// A failure that an error explains; the message is its whole chain, each cause once.
    pub(crate) fn from_error(exit: Exit, error: &(dyn Error + 'static)) -> Self {
        let mut message = error.to_string();
        let mut cause = error.source();
        while let Some(error) = cause {
            let text = error.to_string();
            if !message.contains(&text) {
                let _ = write!(message, ": {text}");
            }
            cause = error.source();
        }
        Self::new(exit, message)
    }

    /// What went wrong, in one line.
    pub(crate) fn message(&self) -> &str {
        &self.message
    }

    /// Adds a report of several lines.
    pub(crate) fn with_details(mut self, details: impl Into<String>) -> Self {
        self.details = Some(details.into());
        self
    }

    /// The code to exit with.
    pub(crate) fn exit(&self) -> Exit {
        self.exit
    }

    /// Adds the sentence that says what to do next.
    pub(crate) fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Leaves it out again where it would not help.
    pub(crate) fn without_hint(mut self) -> Self {
        self.hint = None;
        self
    }

    /// Writes the failure to standard error and gives the code to exit with.
    pub(crate) fn report(&self) -> ExitCode {
        print::note(&format!("scitoken: {}", self.message));
        if let Some(details) = &self.details {
            print::note(details.trim_end());
        }
        if let Some(hint) = &self.hint {
            print::note(&format!("hint: {hint}"));
        }
        self.exit.into()
    }
}
