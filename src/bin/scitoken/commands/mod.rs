//! One file a command.

pub(crate) mod gafaelfawr;
pub(crate) mod jwt;
pub(crate) mod keys;
pub(crate) mod time;
pub(crate) mod token;
