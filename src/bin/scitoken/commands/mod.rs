//! One file a command.

pub(crate) mod gafaelfawr;
pub(crate) mod jwt;
