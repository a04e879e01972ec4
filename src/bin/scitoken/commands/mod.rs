//! One file a command.

pub(crate) mod jwt;
pub(crate) mod gafaelfawr;
