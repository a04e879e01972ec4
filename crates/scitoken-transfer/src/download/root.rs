//! A directory that names chosen by others do not leave.

use std::ffi::OsStr;
use std::io;
use std::path::{Component, Path};

use scitoken_types::files::Directory;
use scitoken_types::redact;

use crate::error::{FailureKind, RetryAction, TransferError, display_path};
use crate::hint::TransferHint;
use crate::local_target::LocalTarget;
use crate::overwrite::Overwrite;

/// The directory of downloads whose names others choose: a server, a listing, a list, a Metalink.
///
/// It is opened once, and files are reached by its handle:
///
/// * No name leaves it, and no link below it is followed, whatever other processes do to the directories meanwhile.
/// * A name that begins with a dot is refused where the directory existed before: it may be one of the user's settings.
/// * An existing file that no earlier download made is kept, unless [`with_overwrite`](Self::with_overwrite) allows to
///   replace it. A file that is already right counts as downloaded.
///
/// An earlier download marks its files with the extended attribute `user.scitoken`. Where the file system has none (NFS 3),
/// each existing file counts as the user's.
///
/// ```
/// use scitoken_transfer::{Download, DownloadRoot};
///
/// # let directory = tempfile::tempdir()?;
/// let root = DownloadRoot::create(directory.path().join("run7"))?;
/// let url: url::Url = "https://h/run1.root".parse()?;
/// assert!(Download::below(url.clone(), &root, "d/run1.root").is_ok());
/// assert!(Download::below(url, &root, "../run1.root").is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct DownloadRoot {
    directory: Directory,
    existed: bool,
    foreign: Overwrite,
}

impl DownloadRoot {
    /// Opens a directory that the user named, or creates it and its parents. The path itself may contain links; the empty
    /// one is the working directory.
    ///
    /// # Errors
    /// The directory cannot be created, or is something else.
    pub fn create(path: impl AsRef<Path>) -> Result<Self, TransferError> {
        let path = path.as_ref();
        let failed = |error| TransferError::local("create", path, error);
        let existed = match Directory::open(path) {
            Ok(_) => true,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                if let Some(parent) = path.parent() {
                    fs_err::create_dir_all(parent).map_err(failed)?;
                }
                match fs_err::create_dir(path) {
                    Ok(()) => false,
                    // Another process was faster.
                    Err(error) if error.kind() == io::ErrorKind::AlreadyExists => true,
                    Err(error) => return Err(failed(error)),
                }
            }
            Err(error) => return Err(failed(error)),
        };
        let directory = Directory::open(path).map_err(failed)?;
        Ok(Self { directory, existed, foreign: Overwrite::Refuse })
    }

    /// Opens or creates a directory below it, as a root of its own.
    ///
    /// # Errors
    /// As [`make_directory`](Self::make_directory).
    pub fn subdirectory(&self, name: impl AsRef<Path>) -> Result<Self, TransferError> {
        let name = name.as_ref();
        self.check(name)?;
        let (mut directory, mut existed) = (self.directory.clone(), self.existed);
        for part in name.components() {
            existed = match directory.make_directory(part.as_os_str()) {
                Ok(()) => false,
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => true,
                Err(error) => {
                    return Err(TransferError::local("create", &directory.path().join(part), error));
                }
            };
            directory = enter(&directory, part.as_os_str(), name)?;
        }
        Ok(Self { directory, existed, foreign: self.foreign })
    }

    /// Sets whether downloads may replace files that no earlier download made; they may not unless this says so.
    pub fn with_overwrite(mut self, foreign: Overwrite) -> Self {
        self.foreign = foreign;
        self
    }

    /// Accepts names that begin with a dot in a directory that existed: the directory holds nothing of the user.
    pub fn with_dot_names(mut self) -> Self {
        self.existed = false;
        self
    }

    /// Returns its path as it was opened.
    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Creates a directory below it, with its parents.
    ///
    /// # Errors
    /// The name leads out of the root, begins with a dot in a root that existed, or meets a link or a file.
    pub fn make_directory(&self, name: impl AsRef<Path>) -> Result<(), TransferError> {
        let name = name.as_ref();
        self.check(name)?;
        self.descend(name, name).map(drop)
    }

    /// Checks a name, without a look at the disk.
    pub(crate) fn check(&self, name: &Path) -> Result<(), TransferError> {
        for part in name.components() {
            let Component::Normal(part) = part else {
                return Err(refused(name, "leads out of the directory"));
            };
            if part.to_string_lossy().chars().any(|c| redact::clean_char(c) != c) {
                let message = format!("`{}` has a character that drives a terminal", display_path(name));
                return Err(TransferError::new(FailureKind::Local, RetryAction::GiveUp, message));
            }
            if self.existed && part.as_encoded_bytes().starts_with(b".") {
                return Err(refused(name, "begins with a dot, in a directory that existed before"));
            }
        }
        Ok(())
    }

    /// Checks the name of a file, without a look at the disk.
    pub(crate) fn check_file(&self, name: &Path) -> Result<(), TransferError> {
        if name.file_name().is_none() || name.as_os_str().as_encoded_bytes().ends_with(b"/") {
            return Err(refused(name, "is not the name of a file"));
        }
        self.check(name)
    }

    /// Creates the directories of a file, and opens the last one.
    pub(crate) fn open(&self, name: &Path) -> Result<LocalTarget, TransferError> {
        self.check_file(name)?;
        let directory = self.descend(name.parent().unwrap_or(Path::new("")), name)?;
        let file = name.file_name().unwrap_or_default().to_owned();
        Ok(LocalTarget { directory, name: file, foreign: self.foreign })
    }

    /// Opens or creates the directory `path` for the file or directory `name`.
    fn descend(&self, path: &Path, name: &Path) -> Result<Directory, TransferError> {
        let mut directory = self.directory.clone();
        for part in path.components() {
            directory = enter(&directory, part.as_os_str(), name)?;
        }
        Ok(directory)
    }
}

/// Opens or creates a directory in another one.
fn enter(directory: &Directory, part: &OsStr, name: &Path) -> Result<Directory, TransferError> {
    directory.create_subdirectory(part).map_err(|error| match directory.entry(part) {
        Ok(Some(_)) => refused(name, "leads through a link or a file"),
        _ => TransferError::local("create", &directory.path().join(part), error),
    })
}

fn refused(name: &Path, what: &str) -> TransferError {
    let message = format!("`{}` {what}", display_path(name));
    TransferError::new(FailureKind::Local, RetryAction::GiveUp, message)
        .with_hint(TransferHint::UseNewDirectory)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_below_the_root() {
        let directory = tempfile::tempdir().unwrap();
        let root = DownloadRoot::create(directory.path().join("new")).unwrap();
        for name in ["../f", "/etc/passwd", "d/../../f", "", "..", ".", "d/..", "f/", "d/../f"] {
            assert!(root.open(Path::new(name)).is_err(), "{name}");
        }
        assert_eq!(root.open(Path::new("d/e/f")).unwrap().path(), directory.path().join("new/d/e/f"));
        assert!(directory.path().join("new/d/e").is_dir());
    }

    #[test]
    fn names_that_drive_a_terminal_are_refused_everywhere() {
        let directory = tempfile::tempdir().unwrap();
        let root = DownloadRoot::create(directory.path().join("new")).unwrap();
        for name in ["a\u{1b}[31m", "a\nb", "d\u{202e}/f", "f\u{9b}", "f\u{2028}g"] {
            assert!(root.open(Path::new(name)).is_err() && root.make_directory(name).is_err(), "{name:?}");
        }
        assert!(root.open(Path::new("na\u{ef}ve \u{1f389}")).is_ok());
    }

    #[test]
    fn names_with_a_dot_are_refused_where_the_directory_existed() {
        let directory = tempfile::tempdir().unwrap();
        for name in [".bashrc", ".ssh/authorized_keys", "d/.netrc", "..f", ".config/scitoken/scitoken.toml"] {
            let existing = DownloadRoot::create(directory.path()).unwrap();
            let failure = existing.open(Path::new(name)).unwrap_err();
            assert_eq!(failure.hint(), Some(&TransferHint::UseNewDirectory), "{name}");
            assert!(existing.make_directory(name).is_err() && existing.subdirectory(name).is_err());
        }
        let new = DownloadRoot::create(directory.path().join("new")).unwrap();
        assert!(new.open(Path::new(".hidden")).is_ok());
        let again = DownloadRoot::create(directory.path().join("new")).unwrap();
        assert!(again.open(Path::new(".hidden")).is_err());
        let inner = again.subdirectory("inner").unwrap();
        assert!(inner.open(Path::new(".hidden")).is_ok(), "`inner` is new");
    }

    #[cfg(unix)]
    #[test]
    fn no_link_below_the_root_is_followed() {
        let directory = tempfile::tempdir().unwrap();
        let elsewhere = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink(elsewhere.path(), directory.path().join("sub")).unwrap();
        fs_err::create_dir(directory.path().join("d")).unwrap();
        std::os::unix::fs::symlink(elsewhere.path(), directory.path().join("d/deep")).unwrap();
        std::os::unix::fs::symlink("..", directory.path().join("d/up")).unwrap();
        fs_err::write(directory.path().join("file"), "").unwrap();
        let root = DownloadRoot::create(directory.path()).unwrap();
        for name in ["sub/f", "d/deep/f", "d/deep/new/f", "file/f", "d/up/f"] {
            let failure = root.open(Path::new(name)).unwrap_err();
            assert!(failure.to_string().contains("leads through a link or a file"), "{failure}");
            assert!(root.subdirectory(Path::new(name).parent().unwrap()).is_err(), "{name}");
        }
        assert_eq!(fs_err::read_dir(elsewhere.path()).unwrap().count(), 0);
    }

    #[cfg(unix)]
    #[test]
    fn a_root_that_is_swapped_for_a_link_redirects_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let elsewhere = tempfile::tempdir().unwrap();
        let root = DownloadRoot::create(directory.path().join("runs")).unwrap();
        fs_err::rename(directory.path().join("runs"), directory.path().join("moved")).unwrap();
        std::os::unix::fs::symlink(elsewhere.path(), directory.path().join("runs")).unwrap();
        root.open(Path::new("d/f")).unwrap();
        assert!(directory.path().join("moved/d").is_dir());
        assert_eq!(fs_err::read_dir(elsewhere.path()).unwrap().count(), 0);
    }
}
