//! The unfinished file on the disk, and its state.

pub(crate) mod checkpoint;
pub(crate) mod open_part;
pub(crate) mod output;
pub(crate) mod part_file;
pub(crate) mod sidecar;
pub(crate) mod small_file;
