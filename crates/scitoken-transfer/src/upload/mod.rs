//! Uploads that are verified at the other end.

mod accepted;
pub(crate) mod body;
pub(crate) mod check;
pub(crate) mod job;
mod local_file;
mod progress;
mod refusal;
pub(crate) mod run;
pub(crate) mod tree;
