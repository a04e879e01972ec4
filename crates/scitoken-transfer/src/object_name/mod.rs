//! Names of objects in federations.

pub(crate) mod invalid_url;
pub(crate) mod object_path;
pub(crate) mod query;
pub(crate) mod url;
