//! Whether existing files may be replaced.

/// Whether an upload or a rename may replace an existing file on a server, or a download below a
/// [`DownloadRoot`](crate::DownloadRoot) a file that no earlier download made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Overwrite {
    /// It may replace it.
    #[default]
    Allow,
    /// It may not. An upload asks the server first and carries `If-None-Match: *`, which XRootD ignores; a
    /// rename carries `Overwrite: F`.
    Refuse,
}
