//! Certificate authorities besides the system's.

use std::path::PathBuf;

use reqwest_scitokens::{Session, SessionBuilder};

use crate::args::AuthorityArgs;
use crate::context::Context;
use crate::failure::Failure;
use crate::settings::{self, Settings};

/// The certificate authorities that are trusted besides the system's, also when a token is refreshed.
#[derive(Clone, Debug, Default)]
pub(crate) struct AuthorityFiles {
    pub(crate) file: Option<PathBuf>,
    pub(crate) directory: Option<PathBuf>,
}

impl AuthorityFiles {
    /// Returns the files of the flags, or those of the settings.
    pub(crate) fn of(flags: &AuthorityArgs, settings: &Settings) -> Self {
        Self {
            file: settings.choose_path(flags.cacert.as_deref(), settings::CACERT),
            directory: settings.choose_path(flags.capath.as_deref(), settings::CAPATH),
        }
    }

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

/// Returns a session with the certificate authorities of the flags, or of the settings.
pub(crate) fn session(context: &Context, flags: &AuthorityArgs) -> Result<SessionBuilder, Failure> {
    let files = AuthorityFiles::of(flags, &context.settings()?);
    Ok(files.add_to(Session::builder().env(context.env.clone())))
}
