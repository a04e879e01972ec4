//! One file a command.

mod issuer;
pub(crate) mod login;
pub(crate) mod logout;
pub(crate) mod store;
