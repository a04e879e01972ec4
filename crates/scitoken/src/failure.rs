//! How a command reports that it failed.

use std::error::Error;
use std::fmt::Write as _;
use std::io;

use serde_json::{Map, Value};

use crate::exit::Exit;
use crate::hints;
use crate::output::{self, Output};
use crate::sanitize::{self, plain_words};

/// A command's failure: the message, the exit code, and what to do about it.
#[derive(Debug)]
pub(crate) struct Failure {
    exit: Exit,
    reason: Option<String>,
    message: String,
    hint: Option<String>,
    details: Option<String>,
    is_closed_pipe: bool,
    is_transient: bool,
}

impl Failure {
    /// Returns a failure with a message.
    pub(crate) fn new(exit: Exit, message: impl Into<String>) -> Self {
        let (reason, hint, details) = (None, None, None);
        Self {
            exit,
            reason,
            message: message.into(),
            hint,
            details,
            is_closed_pipe: false,
            is_transient: false,
        }
    }

    /// Returns a failure whose message is an error's whole chain, each cause once.
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
        Self::new(exit, plain_words(&message))
    }

    /// Marks the failure as that of a closed pipe if an error in the chain is one: the data went to standard output.
    pub(crate) fn of_standard_output(mut self, error: &(dyn Error + 'static)) -> Self {
        let is_closed_pipe = |error: &(dyn Error + 'static)| {
            error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
        };
        let mut next = Some(error);
        while let Some(error) = next {
            self.is_closed_pipe |= is_closed_pipe(error);
            next = error.source();
        }
        self
    }

    /// Appends a cause to the message.
    pub(crate) fn with_cause(mut self, cause: &str) -> Self {
        let _ = write!(self.message, ": {cause}");
        self
    }

    /// Puts the name of the file before the message, unless the message names it, by this or another of its names.
    pub(crate) fn with_missing_subject(mut self, others: &[&str], subject: &str) -> Self {
        let subject = format!("`{}`", subject.trim_matches('`'));
        let is_named = |name: &str| self.message.contains(&format!("`{name}`"));
        if !self.message.contains(&subject) && !others.iter().any(|name| is_named(name)) {
            self.message = format!("{subject}: {}", self.message);
        }
        self
    }

    /// Returns the message, one line.
    pub(crate) fn message(&self) -> &str {
        &self.message
    }

    /// Returns the hint.
    pub(crate) fn hint(&self) -> Option<&str> {
        self.hint.as_deref()
    }

    /// Returns the exit code.
    pub(crate) fn exit(&self) -> Exit {
        self.exit
    }

    /// Says whether the same request may succeed later.
    pub(crate) fn with_transience(self, is_transient: bool) -> Self {
        Self { is_transient, ..self }
    }

    /// Returns whether the same request may succeed later.
    pub(crate) fn is_transient(&self) -> bool {
        self.is_transient
    }

    /// Returns whether the reader of standard output has closed the pipe, which ends a command quietly.
    pub(crate) fn is_closed_pipe(&self) -> bool {
        self.is_closed_pipe
    }

    /// Replaces the machine-readable reason, which is otherwise the name of the exit code.
    pub(crate) fn with_reason(mut self, reason: impl Into<String>) -> Self {
        self.reason = Some(reason.into());
        self
    }

    /// Adds a report of several lines.
    pub(crate) fn with_details(mut self, details: impl Into<String>) -> Self {
        self.details = Some(details.into());
        self
    }

    /// Adds a sentence that says what to do next.
    pub(crate) fn with_hint(self, hint: impl Into<String>) -> Self {
        self.with_optional_hint(Some(hint.into()))
    }

    /// Adds another sentence to the hint.
    pub(crate) fn with_further_hint(self, further: &str) -> Self {
        let hint = match &self.hint {
            Some(hint) => format!("{hint}; {further}"),
            None => further.to_owned(),
        };
        self.with_hint(hint)
    }

    /// Sets or removes the hint.
    pub(crate) fn with_optional_hint(mut self, hint: Option<String>) -> Self {
        self.hint = hint;
        self
    }

    /// Returns the members of the failure in JSON.
    pub(crate) fn members(&self) -> Map<String, Value> {
        Map::from_iter([
            ("error".to_owned(), self.message.as_str().into()),
            ("reason".to_owned(), self.reason.as_deref().unwrap_or(self.exit.name()).into()),
            ("exit".to_owned(), (self.exit as u8).into()),
            ("hint".to_owned(), self.hint.as_deref().into()),
        ])
    }

    /// Writes the failure and returns the exit code: text to standard error, or an object to standard output.
    pub(crate) fn report(&self, output: Output) -> Exit {
        let hint = self.hint.as_deref().and_then(|hint| hints::for_command(hint, output.command));
        let mut members = self.members();
        members.insert("hint".to_owned(), hint.as_deref().into());
        if !output.json || output.object(false, members.into()).is_err() {
            self.write_text(hint.as_deref());
        }
        self.exit
    }

    /// Writes the failure to standard error.
    pub(crate) fn report_text(&self) {
        self.write_text(self.hint());
    }

    fn write_text(&self, hint: Option<&str>) {
        output::note(&format!("scitoken: {}", sanitize::line(&self.message)));
        if let Some(details) = self.details.as_ref().filter(|details| !details.is_empty()) {
            output::note(details.trim_end());
        }
        if let Some(hint) = hint {
            output::note(&format!("hint: {hint}"));
        }
    }
}

/// An error of local I/O, the exit code 3.
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        let is_closed_pipe = error.kind() == io::ErrorKind::BrokenPipe;
        Self { is_closed_pipe, ..Self::from_error(Exit::Local, &error) }
    }
}
