//! Why a server asks for fewer requests.

use serde::{Serialize, Serializer};

/// Why a server of a federation asks for fewer requests: the `error` member of its `429`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ThrottleReason {
    /// The origin behind the cache does not respond.
    OriginUnresponsive,
    /// The origin behind the cache is slow.
    OriginSlow,
    /// The cache has too much to do.
    CacheOverloaded,
}

impl ThrottleReason {
    /// Returns the reason as the server writes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::OriginUnresponsive => "origin_unresponsive",
            Self::OriginSlow => "origin_slow",
            Self::CacheOverloaded => "cache_overloaded",
        }
    }
}

impl Serialize for ThrottleReason {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}
