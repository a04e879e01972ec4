//! Which bytes of a file are there, and which connection fetches the others.

pub(crate) mod range_set;
pub(crate) mod scaling;
pub(crate) mod scheduler;
