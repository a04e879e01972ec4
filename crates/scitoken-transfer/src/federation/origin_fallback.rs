//! The setting for reads from origins.

/// Whether the origin is asked when all caches fail.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum OriginFallback {
    /// After each cache has failed once, if the namespace allows direct reads.
    #[default]
    AfterCaches,
    /// Never.
    Never,
}
