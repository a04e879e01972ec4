//! The identity of a file, apart from its name.

use std::fs::{File, Metadata};
use std::io;
use std::time::UNIX_EPOCH;

use scitoken_types::files::DirectoryEntry;
use serde::{Deserialize, Serialize};

/// The identity of a file, different for the next file of that name.
///
/// File systems reuse the inode number of a removed file, so the creation time belongs to it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct FileId {
    device: u64,
    inode: u64,
    born: Option<u128>,
}

impl FileId {
    /// Returns the identity of an open file.
    pub(crate) fn of(file: &File) -> io::Result<Self> {
        file.metadata().map(|metadata| Self::read(&metadata))
    }

    /// Returns whether an entry of a directory is this file, while it is open: its inode number is not used again before.
    pub(crate) fn is_named_by(&self, entry: &DirectoryEntry) -> bool {
        (self.device, self.inode) == (entry.device, entry.inode)
    }

    /// Returns what tells it from all other files of its device. Device numbers may change when the system starts again.
    pub(crate) fn on_its_device(&self) -> String {
        format!("{} {}", self.inode, self.born.unwrap_or_default())
    }

    /// Returns the identity from metadata.
    pub(crate) fn read(metadata: &Metadata) -> Self {
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
