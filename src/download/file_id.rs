//! Telling one file from another that has its name.

use std::fs::{File, Metadata};
use std::io;
use std::path::Path;
use std::time::UNIX_EPOCH;

use serde::{Deserialize, Serialize};

/// What stays the same while a file lives, and is another for the next file of that name.
///
/// File systems give the number of a removed file to the next one, so the time of its birth belongs to it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct FileId {
    device: u64,
    inode: u64,
    born: Option<u128>,
}

impl FileId {
    /// The identity of an open file.
    pub(super) fn of(file: &File) -> io::Result<Self> {
        file.metadata().map(|metadata| Self::read(&metadata))
    }

    /// The identity of whatever has this name now; a link counts as itself.
    pub(super) fn at(path: &Path) -> io::Result<Self> {
        fs_err::symlink_metadata(path).map(|metadata| Self::read(&metadata))
    }

    /// The same, from what was read of the file already.
    pub(super) fn read(metadata: &Metadata) -> Self {
        let born = metadata.created().ok().and_then(|born| born.duration_since(UNIX_EPOCH).ok());
        #[cfg(unix)]
        let (device, inode) = {
            use std::os::unix::fs::MetadataExt as _;
            (metadata.dev(), metadata.ino())
        };
        #[cfg(not(unix))]
        let (device, inode) = (0, 0);
        Self { device, inode, born: born.map(|born| born.as_nanos()) }
    }
}
