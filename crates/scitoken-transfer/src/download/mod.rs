//! Downloads: one file from its first request to its final name, and many of them.

pub(crate) mod batch;
pub(crate) mod content;
pub(crate) mod content_failures;
pub(crate) mod downloaded;
pub(crate) mod existing;
pub(crate) mod finalize;
pub(crate) mod first_answer;
pub(crate) mod job;
pub(crate) mod length_source;
pub(crate) mod local;
pub(crate) mod naming;
pub(crate) mod range_request;
pub(crate) mod ranges;
pub(crate) mod root;
pub(crate) mod run;
pub(crate) mod side_streams;
pub(crate) mod sources;
pub(crate) mod state;
pub(crate) mod stream;
pub(crate) mod target;
pub(crate) mod ticker;
pub(crate) mod transfer;
