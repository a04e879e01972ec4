//! Downloads.

mod chaos;
mod checkpoints;
mod connections;
mod content;
mod contradictions;
mod local;
mod many;
mod mirrors;
mod resume;
mod retries;
mod retry_after;
mod streams;
pub(crate) mod support;
mod trailers;
