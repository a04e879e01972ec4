//! `-v` and `-q`: how much is told on standard error.

use clap::Args;
use tracing_subscriber::EnvFilter;

/// Flags for how much is told
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct Loudness {
    /// Tell more; up to three times
    #[arg(short, long, action = clap::ArgAction::Count, global = true)]
    verbose: u8,
    /// Tell nothing but errors
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    quiet: bool,
}

impl Loudness {
    /// Whether nothing but errors is to be told.
    pub(crate) fn is_quiet(self) -> bool {
        self.quiet
    }

    /// Begins to write what the library notes, to standard error. No level shows a token: the library shows none.
    pub(crate) fn begin(self) {
        // Ours at each level; HTTP's own notes from the second on, since they hold no header's value.
        let filter = match (self.quiet, self.verbose) {
            (true, _) => "error",
            (_, 0) => "warn",
            (_, 1) => "reqwest_scitokens=info,warn",
            (_, 2) => "reqwest_scitokens=debug,info",
            (_, _) => "reqwest_scitokens=trace,debug,h2=info,rustls=info",
        };
        let colours = std::io::IsTerminal::is_terminal(&std::io::stderr())
            && reqwest_scitokens::sys::Env::process().get_non_empty("NO_COLOR").is_none();
        let begun = tracing_subscriber::fmt()
            .with_env_filter(EnvFilter::new(filter))
            .with_writer(std::io::stderr)
            .with_ansi(colours)
            .with_target(false)
            .without_time()
            // It would complain on the very standard error that is gone, and panic.
            .log_internal_errors(false)
            .try_init();
        // Somebody else writes already, in tests.
        drop(begun);
    }
}
