//! Sessions that cannot be built.

use reqwest_scitokens::client::ServerTrust;
use reqwest_scitokens::{Error, Session, SessionBuilder};

use crate::exit::Exit;
use crate::failure::Failure;
use crate::hints::worded;

/// Builds a session, and words the failure.
pub(crate) fn open_session(builder: SessionBuilder) -> Result<Session, Failure> {
    builder.build().map_err(|error| worded_failure(&error))
}

/// Reads the certificate authorities for several sessions, and words the failure.
pub(crate) fn read_server_trust(builder: SessionBuilder) -> Result<ServerTrust, Failure> {
    builder.read_server_trust().map_err(|error| worded_failure(&error))
}

fn worded_failure(error: &Error) -> Failure {
    let hint = error.hint().map(|hint| worded(&hint));
    Failure::from_error(Exit::Usage, error).with_optional_hint(hint)
}
