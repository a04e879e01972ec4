//! Which servers of a federation are used.

use clap::Args;
use scitoken_transfer::federation::{FederationHost, PreferredCaches};

/// Federations
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Federations (pelican://, osdf://, stash://)")]
pub(crate) struct FederationArgs {
    /// Try these caches first, separated by commas; with `,+` at the end, then those of the director
    #[arg(long, value_name = "URL[,URL][,+]")]
    pub(crate) cache: Option<PreferredCaches>,
    /// Read from the origin instead of caches
    #[arg(long)]
    pub(crate) direct: bool,
    /// Discovery host of `osdf://` and `stash://` names [default: osg-htc.org]
    #[arg(long, value_name = "HOST")]
    pub(crate) federation: Option<FederationHost>,
}
