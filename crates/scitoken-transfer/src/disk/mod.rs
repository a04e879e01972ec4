//! Local files: identity, marks, positioned reads and writes.

pub(crate) mod file_id;
pub(crate) mod mark;
pub(crate) mod positioned_io;
