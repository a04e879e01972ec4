//! Why the file of a key cache cannot be used.

use std::io;
use std::path::PathBuf;

use scitoken_types::files::FileError;

/// Why the file of a [`KeyCache`](super::KeyCache) cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyCacheError {
    /// The file or its directory cannot be created or examined.
    #[error("failed to open the key cache `{}`", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Other users can write the file, its directory or its journal, so its keys cannot be trusted.
    #[error(transparent)]
    Untrusted(#[from] FileError),
    /// The file is not an SQLite database, or it is locked, full or read-only.
    #[error("failed to use the key cache `{}`; if this persists, remove it", path.display())]
    Database {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}
