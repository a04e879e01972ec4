//! File names that come from a URL or from a server.

pub(crate) mod disposition;
pub(crate) mod file_name;
