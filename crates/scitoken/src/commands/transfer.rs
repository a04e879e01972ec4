//! What `get`, `put` and `copy` have in common.

use clap::Args;
use scitoken_types::Seconds;

use crate::args::{ConnectionArgs, FederationArgs, RateArgs, RetryArgs};
use crate::progress::ProgressMode;

/// How transfers are shown, limited and retried, and how servers are reached.
#[derive(Clone, Debug, Args)]
pub(crate) struct TransferArgs {
    /// How to show progress
    #[arg(long, value_name = "MODE", value_enum, default_value_t)]
    pub(crate) progress: ProgressMode,
    /// Time between progress lines in a log
    #[arg(long, value_name = "SECONDS", default_value = "60")]
    pub(crate) progress_interval: Seconds,
    #[command(flatten)]
    pub(crate) rate: RateArgs,
    #[command(flatten)]
    pub(crate) retry: RetryArgs,
    #[command(flatten)]
    pub(crate) federation: FederationArgs,
    #[command(flatten)]
    pub(crate) connection: ConnectionArgs,
}
