//! One file a command.

pub(crate) mod gafaelfawr;
mod issuer;
pub(crate) mod jwt;
pub(crate) mod keys;
pub(crate) mod login;
pub(crate) mod logout;
pub(crate) mod store;
pub(crate) mod time;
pub(crate) mod token;
