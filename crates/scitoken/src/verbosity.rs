//! `-v`, `-q` and `--json`.

use std::io::IsTerminal as _;

use clap::Args;
use scitoken_types::sys::Env;
use tracing_subscriber::filter::{LevelFilter, Targets, filter_fn};
use tracing_subscriber::fmt::writer::MakeWriterExt as _;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::output::{self, Output};

/// How much is written, and in which form
#[derive(Clone, Copy, Debug, Args)]
#[command(next_help_heading = "Output")]
pub(crate) struct Verbosity {
    /// Write one JSON object on each line, also for failures
    #[arg(long, global = true)]
    json: bool,
    /// Log requests to standard error; -vv adds headers, -vvv internals
    #[arg(short, long, action = clap::ArgAction::Count, global = true)]
    verbose: u8,
    /// Write nothing but errors to standard error
    #[arg(short, long, global = true, short_alias = 's', alias = "silent", conflicts_with = "verbose")]
    quiet: bool,
}

/// The log target of the certificate verifier.
const VERIFIER: &str = "rustls_platform_verifier";

impl Verbosity {
    /// Returns the writer of a command that these flags ask for.
    pub(crate) fn output(self, command: &'static str) -> Output {
        Output { json: self.json, quiet: self.quiet, verbose: self.verbose > 0, command }
    }

    /// Returns how often `-v` was given.
    pub(crate) fn level(self) -> u8 {
        self.verbose
    }

    /// Starts writing the library's log to standard error.
    pub(crate) fn init(self) {
        if self.quiet {
            output::leave_out_warnings();
        }
        let filter = match (self.quiet, self.verbose) {
            (true, _) => Targets::new().with_default(LevelFilter::ERROR),
            (_, 0..=2) => Targets::new().with_default(LevelFilter::WARN),
            (_, _) => Targets::new().with_default(LevelFilter::DEBUG).with_targets([
                ("reqwest_scitokens", LevelFilter::TRACE),
                ("h2", LevelFilter::INFO),
                ("rustls", LevelFilter::INFO),
            ]),
        };
        let colours = std::io::stderr().is_terminal() && Env::process().get_non_empty("NO_COLOR").is_none();
        let warning = LevelFilter::WARN.into_level().expect("a level");
        let writer =
            output::LogWriter::of_warning.with_max_level(warning).or_else(output::LogWriter::default);
        let started = tracing_subscriber::fmt()
            .with_max_level(LevelFilter::TRACE)
            .with_writer(writer)
            .with_ansi(colours)
            .with_target(false)
            .without_time()
            // A closed standard error would make it panic.
            .log_internal_errors(false)
            .finish()
            .with(filter)
            // Why a certificate is not accepted is in the failure.
            .with(filter_fn(move |event| {
                self.verbose > 2
                    || *event.level() != LevelFilter::ERROR
                    || !event.target().starts_with(VERIFIER)
            }))
            .try_init();
        // Fails only where a subscriber exists, as in tests.
        drop(started);
    }
}
