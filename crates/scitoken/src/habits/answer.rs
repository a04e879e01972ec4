//! The answer to a command line that means something else here.

/// What is wrong with a command line, and what to type instead.
pub(super) type Answer = (String, String);
