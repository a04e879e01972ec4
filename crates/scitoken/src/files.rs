//! Reading files that the user or a job names.

use std::io;
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

/// Returns standard input, whose content is to be stored or used.
///
/// # Errors
/// The program was started with it closed: what reads it would take that for an empty file.
pub(crate) fn standard_input() -> Result<io::Stdin, Failure> {
    let stdin = io::stdin();
    if was_closed(&stdin) {
        let failure = Failure::new(Exit::Local, "standard input is closed, or `/dev/null`");
        return Err(failure.with_hint("redirect it from a file or a pipe; for an empty file, `< /dev/null`"));
    }
    Ok(stdin)
}

/// Returns whether a descriptor is `/dev/null` for reading and writing, which the standard library opens in place of a closed
/// one. A shell opens it in one direction only.
#[cfg(unix)]
fn was_closed(stdin: &io::Stdin) -> bool {
    use rustix::fs::{FileType, OFlags, fcntl_getfl, fstat, stat};

    let is_both_ways = fcntl_getfl(stdin).is_ok_and(|flags| flags.contains(OFlags::RDWR));
    is_both_ways
        && matches!((fstat(stdin), stat("/dev/null")), (Ok(input), Ok(null))
            if FileType::from_raw_mode(input.st_mode) == FileType::CharacterDevice && input.st_rdev == null.st_rdev)
}

#[cfg(not(unix))]
fn was_closed(_: &io::Stdin) -> bool {
    false
}

/// Reads a regular file of UTF-8 text.
pub(crate) fn read_text(path: impl AsRef<Path>) -> Result<String, Failure> {
    let bytes = read(path.as_ref())?;
    String::from_utf8(bytes)
        .map_err(|_| Failure::new(Exit::Local, format!("`{}` is not UTF-8", path.as_ref().display())))
}
