//! The session that fetches issuers' keys.

use reqwest_scitokens::{Attach, Session};

use crate::args::AuthorityArgs;
use crate::authorities;
use crate::context::Context;
use crate::failure::Failure;
use crate::open_session::open_session;

/// Returns a session that fetches keys and sends no token.
pub(crate) fn key_session(context: &Context, flags: &AuthorityArgs) -> Result<Session, Failure> {
    open_session(authorities::session(context, flags)?.attach(Attach::Never))
}
