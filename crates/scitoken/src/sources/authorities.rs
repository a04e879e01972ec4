//! Certificate authorities besides the system's.

use std::path::PathBuf;

use crate::settings::{self, Settings};

/// The certificate authorities that are trusted besides the system's, also when a token is refreshed.
#[derive(Clone, Debug, Default)]
pub(crate) struct AuthorityFiles {
    pub(crate) file: Option<PathBuf>,
    pub(crate) directory: Option<PathBuf>,
}

impl AuthorityFiles {
    /// Returns those that the settings name.
    pub(crate) fn of(settings: &Settings) -> Self {
        Self {
            file: settings.choose_path(None, settings::CACERT),
            directory: settings.choose_path(None, settings::CAPATH),
        }
    }
}
