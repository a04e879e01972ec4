//! What another attempt needs.

/// What another attempt needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RetryAction {
    /// The same request, resumed where it ended.
    Retry,
    /// The same request at once: an idle connection was closed as the request arrived.
    Reconnect,
    /// The same request from the first byte: the data so far cannot be trusted.
    Restart,
    /// One request for the whole file at this server: nothing proves that what came before belongs to its file.
    WholeFile,
    /// The same request from the first byte: this server has other content, or none at that place.
    Changed,
    /// The same request without asking for a digest (XRootD 5.5 answers `500` where none is configured).
    WithoutDigest,
    /// One request for the whole file: the server does not support ranges correctly.
    WithoutRanges,
    /// Another token.
    OtherToken,
    /// Another server: this one will give the same answer again.
    OtherSource,
    /// No attempt can succeed.
    GiveUp,
}

impl RetryAction {
    /// Returns whether the data that came before cannot be used.
    pub(crate) fn discards_data(self) -> bool {
        matches!(self, Self::Restart | Self::WholeFile | Self::Changed)
    }
}
