//! Certificate authorities besides the system's.

use std::path::PathBuf;

use reqwest_scitokens::SessionBuilder;

/// The certificate authorities that are trusted besides the system's, also when a token is refreshed.
#[derive(Clone, Debug, Default)]
pub(crate) struct AuthorityFiles {
    pub(crate) file: Option<PathBuf>,
    pub(crate) directory: Option<PathBuf>,
}

impl AuthorityFiles {
    /// Lets a session trust them.
    pub(crate) fn add_to(&self, mut session: SessionBuilder) -> SessionBuilder {
        if let Some(file) = &self.file {
            session = session.ca_file(file);
        }
        if let Some(directory) = &self.directory {
            session = session.ca_directory(directory);
        }
        session
    }
}
