//! Reads JSON values as Pydantic does: every field is read, and all errors are reported together.

pub(crate) mod number;
pub(crate) mod reader;
pub(crate) mod rules;
pub(crate) mod timestamp;
pub(crate) mod validation;
