//! Lists of files to download.

pub(crate) mod metalink;
pub(crate) mod uri_list;
