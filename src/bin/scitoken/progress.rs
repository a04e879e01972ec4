//! What the user sees while files move: one line that is drawn anew, one line a minute, JSON, or nothing.

mod screen;
mod tally;
mod words;

use std::thread::JoinHandle;
use std::time::Duration;

use clap::ValueEnum;
use reqwest_scitokens::download::Events;

use self::screen::Screen;

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
    /// How often a log gets a line.
    pub(crate) interval: Duration,
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
