//! Files that hold tokens: read with care, replaced whole and for good.

use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use fs_err::PathExt;
use secrecy::zeroize::Zeroizing;

use super::error::Kind;
use super::lock;

/// A storage larger than this was not written by anybody who stores tokens.
const LARGEST: u64 = 16 * 1024 * 1024;

/// The file that `path` means, through symbolic links, whether it exists or not.
pub(super) fn resolve(path: &Path) -> io::Result<PathBuf> {
    const DEEPEST: usize = 16;
    let mut path = if path.parent() == Some(Path::new("")) { Path::new(".").join(path) } else { path.into() };
    for _ in 0..DEEPEST {
        match path.fs_err_symlink_metadata() {
            Ok(found) if found.is_symlink() => {
                let target = path.fs_err_read_link()?;
                path = path.parent().unwrap_or(Path::new(".")).join(target);
            }
            Ok(_) => return Ok(path),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(path),
            Err(error) => return Err(error),
        }
    }
    Err(io::Error::other("too many symbolic links"))
}

/// Makes the directory that `path` is to stand in, for nobody but the user.
pub(super) fn make_directory(path: &Path) -> io::Result<()> {
    let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty() && !parent.is_dir())
    else {
        return Ok(());
    };
    let mut builder = std::fs::DirBuilder::new();
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt;
        builder.mode(0o700);
    }
    builder.recursive(true).create(parent)
}

/// Reads a file of tokens; `None` when there is none.
pub(super) fn read(path: &Path) -> Result<Option<Zeroizing<Vec<u8>>>, Kind> {
    let failed = |error| Kind::Io("it cannot be read", error);
    let mut options = fs_err::OpenOptions::new();
    options.read(true);
    #[cfg(unix)]
    {
        use fs_err::os::unix::fs::OpenOptionsExt;
        // A named pipe must not hold us up before we see that it is one.
        options.custom_flags(rustix::fs::OFlags::NONBLOCK.bits().cast_signed());
    }
    let file = match options.open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    let metadata = file.metadata().map_err(failed)?;
    check(&metadata)?;
    let mut content = Zeroizing::new(Vec::with_capacity(usize::try_from(metadata.len()).unwrap_or(0) + 1));
    file.take(LARGEST + 1).read_to_end(&mut content).map_err(failed)?;
    if content.len() as u64 > LARGEST {
        return Err(Kind::TooLarge { size: content.len() as u64, limit: LARGEST });
    }
    Ok(Some(content))
}

/// Checks what `path` leads to, as [`read`] does, without reading it.
#[cfg(feature = "sqlite")]
pub(super) fn check_path(path: &Path) -> Result<(), Kind> {
    check(&path.fs_err_metadata().map_err(|error| Kind::Io("it cannot be read", error))?)
}

fn check(metadata: &std::fs::Metadata) -> Result<(), Kind> {
    if !metadata.is_file() {
        return Err(Kind::NotRegular);
    }
    if metadata.len() > LARGEST {
        return Err(Kind::TooLarge { size: metadata.len(), limit: LARGEST });
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        let (uid, me) = (metadata.uid(), crate::sys::effective_uid());
        // Root reads everybody's files; nobody else reads but their own and root's.
        if uid != 0 && me != Some(0) && me != Some(uid) {
            return Err(Kind::ForeignOwner { uid });
        }
    }
    Ok(())
}

/// The permission bits that let others at the file, if there are any.
pub(super) fn loose_permissions(path: &Path) -> io::Result<Option<u32>> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        match path.fs_err_metadata() {
            Ok(metadata) => {
                let mode = metadata.permissions().mode() & 0o777;
                return Ok((mode & 0o077 != 0).then_some(mode));
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    let _ = path;
    Ok(None)
}

/// Puts `content` in the place of the file: whoever looks sees the old or the new one, also after a power cut.
///
/// The caller holds the write lock. Under it there is one name for the new file, so what a killed writer left is
/// taken away here. The new file is for the owner only; as root, the owner stays who it was.
pub(super) fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let new = lock::beside(path, ".new");
    match fs_err::remove_file(&new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let directory = path.parent().unwrap_or(Path::new("."));
    let name = new.file_name().unwrap_or_default();
    let mut file = tempfile::Builder::new().prefix(name).rand_bytes(0).tempfile_in(directory)?;
    file.write_all(content)?;
    keep_owner(path, file.as_file())?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|failed| failed.error)?;
    #[cfg(unix)]
    fs_err::File::open(directory)?.sync_all()?;
    Ok(())
}

#[cfg(unix)]
fn keep_owner(path: &Path, file: &std::fs::File) -> io::Result<()> {
    use std::os::unix::fs::{MetadataExt, fchown};
    let Ok(old) = path.fs_err_metadata() else { return Ok(()) };
    let new = file.metadata()?;
    if crate::sys::effective_uid() == Some(0) && (old.uid(), old.gid()) != (new.uid(), new.gid()) {
        fchown(file, Some(old.uid()), Some(old.gid()))?;
    }
    Ok(())
}

#[cfg(not(unix))]
fn keep_owner(_path: &Path, _file: &std::fs::File) -> io::Result<()> {
    Ok(())
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    #[test]
    fn a_replaced_file_is_for_its_owner_only_and_leftovers_go() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("tokens.json");
        fs_err::write(&path, "old").unwrap();
        fs_err::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        assert_eq!(loose_permissions(&path).unwrap(), Some(0o644));
        fs_err::write(directory.path().join(".tokens.json.new"), "torn").unwrap();
        replace(&path, b"new").unwrap();
        assert_eq!(read(&path).ok().unwrap().unwrap().as_slice(), b"new");
        assert_eq!(loose_permissions(&path).unwrap(), None);
        assert_eq!(fs_err::read_dir(directory.path()).unwrap().count(), 1);
    }

    #[test]
    fn links_are_followed_and_stay() {
        let directory = tempfile::tempdir().unwrap();
        let link = directory.path().join("link");
        symlink("real", &link).unwrap();
        assert_eq!(resolve(&link).unwrap(), directory.path().join("real"));
        symlink("loop", directory.path().join("loop")).unwrap();
        assert!(resolve(&directory.path().join("loop")).is_err());
        assert_eq!(resolve(Path::new("bare-name-that-is-not-there")).unwrap().parent(), Some(Path::new(".")));
    }

    #[test]
    fn a_directory_and_a_device_are_no_storage() {
        let directory = tempfile::tempdir().unwrap();
        assert!(matches!(read(directory.path()), Err(Kind::NotRegular)));
        assert!(matches!(read(Path::new("/dev/null")), Err(Kind::NotRegular)));
        assert!(matches!(read(&directory.path().join("absent")), Ok(None)));
    }

    #[test]
    fn a_huge_file_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("huge");
        fs_err::File::create(&path).unwrap().set_len(LARGEST + 1).unwrap();
        assert!(matches!(read(&path), Err(Kind::TooLarge { .. })));
    }
}
