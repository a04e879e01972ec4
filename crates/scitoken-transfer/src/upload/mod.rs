//! Uploads that are verified at the other end.

pub(crate) mod body;
pub(crate) mod check;
pub(crate) mod job;
mod refusal;
pub(crate) mod run;
pub(crate) mod tree;
