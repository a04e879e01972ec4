//! Reading files that the user or a job names.

use std::path::Path;

use scitoken_types::files::{FileError, read_bounded};

use crate::exit::Exit;
use crate::failure::Failure;

/// The largest file of settings, keys or ClassAds.
const MAX_LENGTH: u64 = 64 * 1024 * 1024;

/// Fails if a path that the user names does not exist.
pub(crate) fn require(path: &Path) -> Result<(), Failure> {
    let shown = path.display();
    match path.try_exists() {
        Ok(true) => Ok(()),
        Ok(false) => Err(Failure::new(Exit::Local, format!("`{shown}` does not exist"))),
        Err(error) => {
            Err(Failure::from_error(Exit::Local, &error).with_missing_subject(&[], &shown.to_string()))
        }
    }
}

/// Reads a regular file: not a FIFO, which would block, and not a device, which may never end.
pub(crate) fn read(path: impl AsRef<Path>) -> Result<Vec<u8>, Failure> {
    read_bounded(path, MAX_LENGTH).map_err(|error| failure(&error))
}

/// Returns the failure of a file, with the command that helps.
pub(crate) fn failure(error: &FileError) -> Failure {
    let hint = error.hint().map(|hint| format!("run `{hint}`"));
    Failure::from_error(Exit::Local, error).with_optional_hint(hint)
}

/// Reads a regular file of UTF-8 text.
pub(crate) fn read_text(path: impl AsRef<Path>) -> Result<String, Failure> {
    let bytes = read(path.as_ref())?;
    String::from_utf8(bytes)
        .map_err(|_| Failure::new(Exit::Local, format!("`{}` is not UTF-8", path.as_ref().display())))
}
