//! Whether to try again, when, and at which server.

pub(crate) mod decision;
pub(crate) mod servers;
