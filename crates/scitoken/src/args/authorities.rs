//! Certificate authorities on the command line.

use std::path::PathBuf;

use clap::Args;

/// Certificate authorities that a command trusts besides the system's.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct AuthorityArgs {
    /// Also trust the certificate authorities in this PEM file
    #[arg(long, value_name = "FILE", global = true)]
    pub(crate) cacert: Option<PathBuf>,
    /// Also trust the certificate authorities in this directory, besides `X509_CERT_DIR`
    #[arg(long, value_name = "DIR", global = true)]
    pub(crate) capath: Option<PathBuf>,
}
