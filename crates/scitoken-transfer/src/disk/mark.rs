//! What tells this engine's files from the user's: an extended attribute, bound to the file that has it.
//!
//! A copy has the attribute and not the inode, so it is the user's, and so is a finished file that was changed since.

use std::fs::{File, Metadata};
use std::io;

use crate::disk::file_id::FileId;

/// Marks an unfinished file.
///
/// # Errors
/// The file system has no such attributes.
pub(crate) fn set_unfinished(file: &File, id: &FileId) -> io::Result<()> {
    set(file, unfinished(id).as_bytes())
}

/// Returns whether an unfinished file is marked as ours.
pub(crate) fn is_unfinished(file: &File, id: &FileId) -> bool {
    get(file).is_some_and(|mark| mark == unfinished(id).as_bytes())
}

/// Returns whether the file's system has such attributes.
pub(crate) fn is_possible(file: &File) -> bool {
    system::has_attributes(file)
}

/// Marks a finished file, where the file system can. A file without a mark is taken for the user's, which is safe.
pub(crate) fn set_finished(file: &File, metadata: &Metadata) {
    let _ = set(file, finished(metadata).as_bytes());
}

/// Returns whether a file is as an earlier download has finished it.
pub(crate) fn is_finished(file: &File) -> bool {
    file.metadata().is_ok_and(|metadata| get(file).is_some_and(|mark| mark == finished(&metadata).as_bytes()))
}

fn unfinished(id: &FileId) -> String {
    format!("unfinished {}", id.on_its_device())
}

fn finished(metadata: &Metadata) -> String {
    let modified = metadata.modified().ok().and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok());
    let modified = modified.unwrap_or_default().as_nanos();
    format!("finished {} {} {modified}", FileId::read(metadata).on_its_device(), metadata.len())
}

#[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
mod system {
    use std::fs::File;
    use std::io;

    use rustix::fs::XattrFlags;

    const NAME: &str = "user.scitoken";
    /// No mark of ours is longer.
    const LONGEST: usize = 256;

    pub(super) fn set(file: &File, mark: &[u8]) -> io::Result<()> {
        Ok(rustix::fs::fsetxattr(file, NAME, mark, XattrFlags::empty())?)
    }

    pub(super) fn get(file: &File) -> Option<Vec<u8>> {
        let mut mark = vec![0; LONGEST];
        let length = rustix::fs::fgetxattr(file, NAME, mark.as_mut_slice()).ok()?;
        mark.truncate(length);
        Some(mark)
    }

    pub(super) fn has_attributes(file: &File) -> bool {
        use rustix::io::Errno;
        let mut none = [0; 0];
        !matches!(
            rustix::fs::fgetxattr(file, NAME, none.as_mut_slice()),
            Err(Errno::OPNOTSUPP | Errno::NOSYS)
        )
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android", target_vendor = "apple")))]
mod system {
    use std::fs::File;
    use std::io;

    pub(super) fn set(_: &File, _: &[u8]) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(super) fn get(_: &File) -> Option<Vec<u8>> {
        None
    }

    pub(super) fn has_attributes(_: &File) -> bool {
        false
    }
}

use system::{get, set};

#[cfg(target_os = "linux")]
#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    /// Marks `f`, and returns it; `None` on a file system without such attributes.
    fn marked(directory: &tempfile::TempDir) -> Option<File> {
        let path = directory.path().join("f");
        fs_err::write(&path, "data").unwrap();
        let file = File::options().read(true).write(true).open(path).unwrap();
        let metadata = file.metadata().unwrap();
        set_unfinished(&file, &FileId::read(&metadata)).ok()?;
        assert!(is_unfinished(&file, &FileId::read(&metadata)) && !is_finished(&file));
        set_finished(&file, &metadata);
        Some(file)
    }

    #[test]
    fn a_finished_file_is_known_until_it_is_changed() {
        let directory = tempfile::tempdir().unwrap();
        let Some(file) = marked(&directory) else { return };
        let path = directory.path().join("f");
        assert!(is_finished(&file) && !is_unfinished(&file, &FileId::of(&file).unwrap()));
        fs_err::rename(&path, directory.path().join("g")).unwrap();
        assert!(is_finished(&file), "another name is no change");
        let later = file.metadata().unwrap().modified().unwrap() + std::time::Duration::from_millis(1);
        file.set_modified(later).unwrap();
        assert!(!is_finished(&file));
    }

    #[test]
    fn a_copy_with_all_attributes_is_the_users() {
        let directory = tempfile::tempdir().unwrap();
        let Some(_file) = marked(&directory) else { return };
        let copied = Command::new("cp").args(["-a", "f", "copy"]).current_dir(directory.path()).status();
        assert!(copied.unwrap().success());
        let copy = File::open(directory.path().join("copy")).unwrap();
        assert!(get(&copy).is_some(), "`cp -a` copies the attribute");
        assert!(!is_finished(&copy) && !is_unfinished(&copy, &FileId::of(&copy).unwrap()));
    }
}
