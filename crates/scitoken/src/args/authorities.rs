//! Certificate authorities on the command line.

use std::path::PathBuf;

use clap::Args;

use crate::settings::{self, Settings};
use crate::sources::AuthorityFiles;

/// Certificate authorities that a command trusts besides the system's.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct AuthorityArgs {
    /// Also trust the certificate authorities in this PEM file
    #[arg(long, value_name = "FILE", global = true)]
    cacert: Option<PathBuf>,
    /// Also trust the certificate authorities in this directory, besides `X509_CERT_DIR`
    #[arg(long, value_name = "DIR", global = true)]
    capath: Option<PathBuf>,
}

impl AuthorityArgs {
    /// Returns the files of the flags, or those of the settings.
    pub(crate) fn files(&self, settings: &Settings) -> AuthorityFiles {
        AuthorityFiles {
            file: settings.choose_path(self.cacert.as_deref(), settings::CACERT),
            directory: settings.choose_path(self.capath.as_deref(), settings::CAPATH),
        }
    }
}
