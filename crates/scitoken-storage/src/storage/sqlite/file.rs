//! The file of a database, looked at without SQLite.

use std::io::Read as _;
use std::path::Path;

use scitoken_types::files::open_regular;

/// Returns whether a file is there that is no database: the first bytes of one are fixed, and a new one is empty.
pub(super) fn is_foreign(path: &Path) -> bool {
    const MAGIC: &[u8; 16] = b"SQLite format 3\0";
    let mut first = Vec::new();
    let read = open_regular(path).map(|file| file.take(MAGIC.len() as u64).read_to_end(&mut first));
    matches!(read, Ok(Ok(_))) && !first.is_empty() && first != MAGIC
}

/// Identifies the file at `path` by device and inode.
#[cfg(unix)]
pub(super) fn file_at(path: &Path) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt as _;
    std::fs::metadata(path).ok().map(|metadata| (metadata.dev(), metadata.ino()))
}

/// Windows does not replace open files.
#[cfg(not(unix))]
pub(super) fn file_at(_path: &Path) -> Option<(u64, u64)> {
    None
}
