//! Sessions that cannot be built.

use reqwest_scitokens::{Session, SessionBuilder};

use crate::exit::Exit;
use crate::failure::Failure;
use crate::hints::worded;

/// Builds a session, and words the failure.
pub(crate) fn open_session(builder: SessionBuilder) -> Result<Session, Failure> {
    builder.build().map_err(|error| {
        let hint = error.hint().map(|hint| worded(&hint));
        Failure::from_error(Exit::Usage, &error).with_optional_hint(hint)
    })
}
