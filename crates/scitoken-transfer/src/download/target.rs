//! The file that a download writes.

use std::path::{Path, PathBuf};

use crate::download::root::DownloadRoot;
use crate::error::TransferError;
use crate::local_target::LocalTarget;

/// The file that a download writes.
#[derive(Clone, Debug)]
pub(crate) enum Target {
    /// A file that the caller named.
    Path(PathBuf),
    /// A file that others named: its root, its name there, and both as one path for messages.
    Below(DownloadRoot, PathBuf, PathBuf),
}

impl Target {
    /// Checks a name without a look at the disk.
    pub(crate) fn below(root: &DownloadRoot, name: PathBuf) -> Result<Self, TransferError> {
        root.check_file(&name)?;
        let path = root.path().join(&name);
        Ok(Self::Below(root.clone(), name, path))
    }

    /// Returns its path.
    pub(crate) fn path(&self) -> &Path {
        match self {
            Self::Path(path) | Self::Below(_, _, path) => path,
        }
    }

    /// Opens the directory that the file lies in, and creates those below a root.
    pub(crate) fn open(&self) -> Result<LocalTarget, TransferError> {
        match self {
            Self::Path(path) => LocalTarget::open(path),
            Self::Below(root, name, _) => root.open(name),
        }
    }
}
