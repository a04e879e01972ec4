//! `--retry` and its siblings.

use clap::Args;
use scitoken_types::Seconds;

/// Limits and retries
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Limits and retries")]
pub(crate) struct RetryArgs {
    /// Retry up to N times in a row [default: 5]
    #[arg(long, value_name = "N")]
    pub(crate) retry: Option<u32>,
    /// Wait up to this long before the first retry, and up to twice as long before each further one [default: 1]
    #[arg(long, value_name = "SECONDS")]
    pub(crate) retry_delay: Option<Seconds>,
    /// Start no further attempt after this time; 0 is no limit [default: no limit]
    #[arg(long, value_name = "SECONDS")]
    pub(crate) retry_max_time: Option<Seconds>,
    /// Limit the retries of all files together [default: 10000]
    #[arg(long, value_name = "N")]
    pub(crate) retry_budget: Option<u32>,
    /// Exit with code 11 for every failure that may pass, as HTCondor expects
    #[arg(long)]
    pub(crate) retry_exit_code: bool,
    /// Give up after this time, retries included; 0 is no limit [default: no limit]
    #[arg(long, value_name = "SECONDS")]
    pub(crate) max_time: Option<Seconds>,
    /// Retry when no data arrives for this time; 0 is no limit [default: 60]
    #[arg(long, value_name = "SECONDS")]
    pub(crate) stall_time: Option<Seconds>,
    /// Wait this long for a new token when the server refuses the old one [default: 0]
    #[arg(long, value_name = "SECONDS")]
    pub(crate) token_wait: Option<Seconds>,
}
