//! Giving a file its name.

use std::fs::File;
use std::io;
use std::path::Path;

/// Renames, and replaces what has the name.
#[expect(
    clippy::disallowed_methods,
    reason = "fs_err would name both paths, and the caller names the one that matters"
)]
pub(super) fn rename(from: &Path, to: &Path) -> io::Result<()> {
    std::fs::rename(from, to)
}

/// Renames if nothing has the name. File systems that cannot do so in one step are looked at first.
///
/// # Errors
/// [`AlreadyExists`](io::ErrorKind::AlreadyExists) when something has it.
pub(super) fn rename_to_free(from: &Path, to: &Path) -> io::Result<()> {
    #[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
    {
        use rustix::fs::{CWD, RenameFlags, renameat_with};
        use rustix::io::Errno;
        match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
            Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {}
            result => return result.map_err(io::Error::from),
        }
    }
    if fs_err::symlink_metadata(to).is_ok() {
        return Err(io::ErrorKind::AlreadyExists.into());
    }
    rename(from, to)
}

/// Puts a name on the disk, where the file system has that. One that has not keeps its names in another way.
pub(super) fn sync_directory(of: &Path) {
    if cfg!(unix) {
        let directory = of.parent().filter(|parent| !parent.as_os_str().is_empty());
        let _ = File::open(directory.unwrap_or(Path::new("."))).and_then(|directory| directory.sync_all());
    }
}
