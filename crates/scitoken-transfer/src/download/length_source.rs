//! What is known about the length of a file.

/// Where the length of the file is known from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LengthSource {
    /// The answers with data state it, or will.
    Answers,
    /// It was asked for, because they did not: this is where the next range ends, and proves nothing.
    Asked(Option<u64>),
    /// A body without a length ended there.
    EndOfBody,
}
