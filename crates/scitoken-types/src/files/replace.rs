//! Files of secrets, written as a whole.

use std::ffi::{OsStr, OsString};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::{FileError, FileKind, FileProblem};

/// How sure it is that a replaced file survives a power failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "less than `Full` is worth a warning"]
pub enum Durability {
    /// The file and its directory are on disk.
    Full,
    /// The file is on disk, but the file system cannot flush directories: after a power failure the old file may be
    /// back.
    FileOnly,
    /// The file system cannot flush files: after a power failure the file may be damaged.
    Unknown,
}

/// Replaces a file by `content`, or makes it: atomically, on disk, readable by its owner only.
///
/// Readers see the old or the new content, never a part. A link in place of the file is replaced, not followed. As
/// root, the owner of an existing file is kept.
///
/// # Errors
/// [`FileError`] with the action that failed; the old file is unchanged then. Also what [`check_replaceable`] refuses.
pub fn replace_secret(path: impl AsRef<Path>, content: &[u8]) -> Result<Durability, FileError> {
    let path = path.as_ref();
    check_replaceable(path)?;
    write(path, content).map_err(|error| FileError::new(path, FileProblem::io("write")(error)))
}

/// Checks that a write to `path` makes a file or replaces a regular one, also where links lead: a device, a fifo, a socket
/// and a directory are not replaced, nor is a link to an open file of a process (`/dev/stdout`).
///
/// ```
/// use scitoken_types::files::{FileKind, FileProblem, check_replaceable};
///
/// # #[cfg(unix)] {
/// let error = check_replaceable("/dev/null").unwrap_err();
/// assert!(matches!(error.problem(), FileProblem::NotRegular(FileKind::Device)));
/// # }
/// ```
///
/// # Errors
/// [`FileError`] with [`FileProblem::NotRegular`].
pub fn check_replaceable(path: impl AsRef<Path>) -> Result<(), FileError> {
    let path = path.as_ref();
    let refused = |kind| Err(FileError::new(path, FileProblem::NotRegular(kind)));
    // What the system does not tell, such as the target of a dangling link, the write itself meets.
    match fs_err::metadata(path) {
        Ok(found) if !found.is_file() => refused(found.file_type().into()),
        _ if leads_to_open_file(path) => refused(FileKind::Other),
        _ => Ok(()),
    }
}

/// Returns whether a path, or a link on the way from it, names an open file of a process.
fn leads_to_open_file(path: &Path) -> bool {
    const MOST_LINKS: usize = 40;
    let mut next = path.to_owned();
    for _ in 0..MOST_LINKS {
        let directory = directory_of(&next);
        let real = fs_err::canonicalize(&directory).unwrap_or_default();
        if ["/proc", "/dev/fd"].iter().any(|place| real.starts_with(place)) {
            return true;
        }
        let Ok(target) = fs_err::read_link(&next) else { return false };
        next = directory.join(target);
    }
    false
}

/// Removes the temporary files that killed processes left of their writes to `path`. Only for the holder of the lock
/// that guards the file.
pub fn remove_leftovers(path: impl AsRef<Path>) -> io::Result<()> {
    let path = path.as_ref();
    let prefix = temporary_prefix(path);
    for entry in fs_err::read_dir(directory_of(path))? {
        let name = entry?.file_name();
        let (name_bytes, prefix) = (name.as_encoded_bytes(), prefix.as_encoded_bytes());
        let is_leftover = name_bytes.starts_with(prefix) && name_bytes.ends_with(TEMPORARY_SUFFIX.as_bytes());
        if is_leftover {
            match fs_err::remove_file(path.with_file_name(&name)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
    }
    Ok(())
}

const TEMPORARY_SUFFIX: &str = ".new";

/// `tokens.json` is written as `.tokens.json.<random>.new` first.
fn temporary_prefix(path: &Path) -> OsString {
    let mut prefix = OsString::from(".");
    prefix.push(path.file_name().unwrap_or(OsStr::new("secret")));
    prefix.push(".");
    prefix
}

fn directory_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if parent != Path::new("") => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}

fn write(path: &Path, content: &[u8]) -> io::Result<Durability> {
    let directory = directory_of(path);
    // Mode 0600 and a name that was free: both are what `tempfile` makes sure of.
    let mut file = tempfile::Builder::new()
        .prefix(&temporary_prefix(path))
        .suffix(TEMPORARY_SUFFIX)
        .tempfile_in(&directory)?;
    super::make_private(file.as_file())?;
    file.write_all(content)?;
    keep_owner(path, file.as_file())?;
    let synced = sync_file(file.as_file())?;
    file.persist(path).map_err(|failed| failed.error)?;
    Ok(if synced { sync_directory(&directory) } else { Durability::Unknown })
}

/// Flushes a file to disk; `false` if the file system cannot flush, which is no reason to lose the content.
///
/// # Errors
/// The system's error, unless it is that there is nothing to flush to.
pub fn sync_file(file: &std::fs::File) -> io::Result<bool> {
    match file.sync_all() {
        Ok(()) => Ok(true),
        Err(error) if is_flush_unsupported(&error) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Returns whether an error means that there is nothing to flush to (`EINVAL`, `ENOTSUP`, `ENOSYS`; fsync(2)).
fn is_flush_unsupported(error: &io::Error) -> bool {
    let is_invalid = matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported);
    is_invalid || super::is_lock_unsupported(error)
}

#[cfg(unix)]
fn sync_directory(directory: &Path) -> Durability {
    match fs_err::File::open(directory).and_then(|opened| opened.sync_all()) {
        Ok(()) => Durability::Full,
        Err(_) => Durability::FileOnly,
    }
}

#[cfg(not(unix))]
fn sync_directory(_: &Path) -> Durability {
    Durability::FileOnly
}

#[cfg(unix)]
fn keep_owner(path: &Path, file: &std::fs::File) -> io::Result<()> {
    use std::os::unix::fs::{MetadataExt, fchown};
    let Ok(old) = fs_err::symlink_metadata(path) else { return Ok(()) };
    let new = file.metadata()?;
    let differs = (old.uid(), old.gid()) != (new.uid(), new.gid());
    if old.is_file() && differs && crate::sys::effective_uid() == Some(0) {
        fchown(file, Some(old.uid()), Some(old.gid()))?;
    }
    Ok(())
}

#[cfg(not(unix))]
fn keep_owner(_: &Path, _: &std::fs::File) -> io::Result<()> {
    Ok(())
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    #[test]
    fn a_replaced_file_is_for_its_owner_only_and_leaves_nothing_beside_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("tokens.json");
        for content in ["first", "second"] {
            fs_err::write(&path, "old").unwrap();
            fs_err::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
            assert_eq!(replace_secret(&path, content.as_bytes()).unwrap(), Durability::Full);
            assert_eq!(fs_err::read_to_string(&path).unwrap(), content);
            assert_eq!(fs_err::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        }
        assert_eq!(fs_err::read_dir(directory.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_a_link_leads_to_is_not_written() {
        let directory = tempfile::tempdir().unwrap();
        let (link, victim) = (directory.path().join("link"), directory.path().join("victim"));
        fs_err::write(&victim, "mine").unwrap();
        symlink(&victim, &link).unwrap();
        assert_eq!(replace_secret(&link, b"secret").unwrap(), Durability::Full);
        assert_eq!(fs_err::read_to_string(&victim).unwrap(), "mine");
        assert!(!fs_err::symlink_metadata(&link).unwrap().is_symlink());
    }

    #[test]
    fn only_regular_files_are_replaced_and_no_open_files_of_processes() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        let made = |name: &str, kind, device| {
            rustix::fs::mknodat(rustix::fs::CWD, at(name), kind, rustix::fs::Mode::RUSR, device)
        };
        made("fifo", rustix::fs::FileType::Fifo, 0).unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(at("socket")).unwrap();
        fs_err::create_dir(at("directory")).unwrap();
        symlink("/dev/null", at("link to a device")).unwrap();
        symlink("fifo", at("link to a fifo")).unwrap();
        let held = fs_err::File::create(at("held")).unwrap();
        let number = std::os::fd::AsRawFd::as_raw_fd(held.file());
        symlink(format!("/dev/fd/{number}"), at("link to an open file")).unwrap();
        symlink("link to an open file", at("link to that link")).unwrap();
        let mut refused = 0;
        for (name, kind) in [
            ("fifo", FileKind::Fifo),
            ("socket", FileKind::Socket),
            ("directory", FileKind::Directory),
            ("link to a device", FileKind::Device),
            ("link to a fifo", FileKind::Fifo),
            ("link to an open file", FileKind::Other),
            ("link to that link", FileKind::Other),
        ] {
            let before = fs_err::symlink_metadata(at(name)).unwrap().file_type();
            let error = replace_secret(at(name), b"secret").unwrap_err();
            assert!(
                matches!(error.problem(), FileProblem::NotRegular(found) if *found == kind),
                "{name}: {error}"
            );
            assert_eq!(fs_err::symlink_metadata(at(name)).unwrap().file_type(), before, "{name}");
            refused += 1;
        }
        assert_eq!(refused, 7);
        symlink("nowhere", at("dangling")).unwrap();
        for name in ["held", "dangling", "new"] {
            assert_eq!(replace_secret(at(name), b"secret").unwrap(), Durability::Full, "{name}");
        }
    }

    #[test]
    fn an_error_of_the_disk_is_none_of_a_file_system_that_cannot_flush() {
        use rustix::io::Errno;
        for errno in [Errno::INVAL, Errno::NOTSUP, Errno::OPNOTSUPP, Errno::NOSYS] {
            assert!(is_flush_unsupported(&errno.into()), "{errno}");
        }
        for errno in [Errno::IO, Errno::NOSPC, Errno::DQUOT, Errno::ROFS, Errno::BADF] {
            assert!(!is_flush_unsupported(&errno.into()), "{errno}");
        }
    }

    #[test]
    fn a_file_that_cannot_be_flushed_is_no_error() {
        let directory = tempfile::tempdir().unwrap();
        let file = fs_err::File::create(directory.path().join("f")).unwrap().into_file();
        assert!(sync_file(&file).unwrap());
        let (socket, _other) = std::os::unix::net::UnixStream::pair().unwrap();
        assert!(!sync_file(&std::fs::File::from(std::os::fd::OwnedFd::from(socket))).unwrap());
    }

    #[test]
    fn leftovers_of_this_file_go_and_no_others() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        for name in ["tokens.json", ".tokens.json.abc123.new", ".tokens.json.lock", ".other.json.abc123.new"]
        {
            fs_err::write(at(name), "x").unwrap();
        }
        remove_leftovers(at("tokens.json")).unwrap();
        assert!(!at(".tokens.json.abc123.new").exists());
        assert_eq!(fs_err::read_dir(directory.path()).unwrap().count(), 3);
    }

    #[test]
    fn a_missing_directory_is_an_error_that_names_the_file() {
        let error = replace_secret("/nonexistent/f", b"x").unwrap_err();
        assert!(error.to_string().contains("/nonexistent/f"), "{error}");
    }
}
