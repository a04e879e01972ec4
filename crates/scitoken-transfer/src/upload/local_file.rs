//! The file that is uploaded, on this machine.

use std::fs::{File, Metadata};
use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use crate::error::{FailureKind, RetryAction, TransferError, display_path};
use crate::hint::TransferHint;
use crate::upload::job::Upload;
use scitoken_types::files::open_regular;

/// Opens a file, and returns its length.
pub(super) fn open(path: &Path) -> Result<(Arc<File>, u64), TransferError> {
    let local = |error| TransferError::local("read", path, error);
    let file = open_regular(path).map_err(|error| local(error.into_io()))?;
    let length = file.metadata().map_err(local)?.len();
    // Files that the kernel makes up as they are read, as below `/proc`, have a length of zero.
    if length == 0 && (&file).read(&mut [0]).map_err(local)? > 0 {
        let message = format!("`{}` has no length of its own", display_path(path));
        return Err(TransferError::new(FailureKind::Local, RetryAction::GiveUp, message)
            .with_hint(TransferHint::SendCopy));
    }
    Ok((Arc::new(file), length))
}

/// By what a change of a file shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FileStamp {
    length: Option<u64>,
    modified: Option<SystemTime>,
}

impl FileStamp {
    pub(super) fn of(file: &File) -> Self {
        let metadata = file.metadata().ok();
        Self {
            length: metadata.as_ref().map(Metadata::len),
            modified: metadata.and_then(|metadata| metadata.modified().ok()),
        }
    }
}

/// The failure of a file that was written to while it was sent.
pub(super) fn changed(upload: &Upload) -> TransferError {
    let message = format!("`{}` changed during the upload", display_path(&upload.file));
    TransferError::new(FailureKind::Local, RetryAction::GiveUp, message).with_hint(TransferHint::UploadAgain)
}
