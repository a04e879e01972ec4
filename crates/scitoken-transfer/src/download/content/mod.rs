//! Whether an answer belongs to the file: pure decisions.

pub(crate) mod content_check;
pub(crate) mod expected;
pub(crate) mod identity;
