//! What cannot be converted.

use crate::keys::{KeyError, KeyKind};

/// A key or algorithm cannot be converted to or from `jsonwebtoken`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BridgeError {
    /// The other crate has no such algorithm, curve or member.
    #[error("{what} has no counterpart in {library}")]
    NoCounterpart {
        /// What cannot be converted: an algorithm, a kind of key, or what the other crate's parser complains about.
        what: String,
        /// `jsonwebtoken` or `scitoken-jwt`.
        library: &'static str,
    },
    /// The key was made for the algorithms of another kind of key.
    #[error("the key was made for `{family}` algorithms, and it is a {kind}")]
    OtherFamily {
        /// The `AlgorithmFamily` of `jsonwebtoken`.
        family: String,
        /// The kind of the key.
        kind: KeyKind,
    },
    /// The key is malformed.
    #[error(transparent)]
    Key(#[from] KeyError),
}

impl BridgeError {
    pub(super) fn not_in_jsonwebtoken(what: impl Into<String>) -> Self {
        Self::NoCounterpart { what: what.into(), library: "jsonwebtoken" }
    }

    pub(super) fn not_here(what: impl Into<String>) -> Self {
        Self::NoCounterpart { what: what.into(), library: "scitoken-jwt" }
    }
}
