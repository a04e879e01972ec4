//! Directories that are opened once, and reached by their handle from then on.

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;

#[cfg_attr(unix, path = "directory/unix.rs")]
#[cfg_attr(not(unix), path = "directory/other.rs")]
mod system;
mod unnamed;

/// An open directory.
///
/// Its files are reached by the directory's handle and one name. No link is followed, neither in place of a file nor in
/// place of a directory below it, and a directory that is renamed or replaced by a link meanwhile redirects nothing.
/// Clones share the handle.
///
/// ```
/// use scitoken_types::files::{Directory, EntryType, FileReaders};
///
/// # let temporary = tempfile::tempdir()?;
/// let runs = Directory::open(temporary.path())?.create_subdirectory("runs".as_ref())?;
/// runs.create_file("run1.root".as_ref(), FileReaders::ByUmask)?;
/// assert_eq!(runs.entry("run1.root".as_ref())?.unwrap().kind, EntryType::File);
/// assert!(runs.entry("../runs".as_ref()).is_err());
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Directory {
    #[cfg(unix)]
    handle: Arc<std::os::fd::OwnedFd>,
    path: Arc<Path>,
}

/// What a directory says about one of its entries; a link counts as itself.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DirectoryEntry {
    /// What it is.
    pub kind: EntryType,
    /// The device that it lies on.
    pub device: u64,
    /// Its number on that device.
    pub inode: u64,
    /// How many names it has.
    pub links: u64,
    /// Its owner's user id.
    pub owner: u32,
    /// Its group's id.
    pub group: u32,
    /// Its permission bits.
    pub mode: u32,
    /// Its length in bytes.
    pub length: u64,
}

/// What an entry of a directory is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntryType {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link.
    Link,
    /// A device, a fifo or a socket.
    Special,
}

/// Which users may read a new file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileReaders {
    /// Its owner (mode 0600).
    Owner,
    /// Those that the umask leaves (mode 0666 without its bits).
    ByUmask,
}

impl Directory {
    /// Opens a directory that the user named: links on the way to it are followed. The empty path is the working directory.
    ///
    /// # Errors
    /// There is no such directory.
    pub fn open(path: impl AsRef<Path>) -> io::Result<Self> {
        let path = path.as_ref();
        let named = if path.as_os_str().is_empty() { Path::new(".") } else { path };
        system::open(named, path)
    }

    /// Returns its path as it was opened, for messages.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Opens a directory in it.
    ///
    /// # Errors
    /// There is none, or `name` is a link, a file or a path.
    pub fn subdirectory(&self, name: &OsStr) -> io::Result<Self> {
        self.open_subdirectory(single(name)?)
    }

    /// Opens a directory in it, and makes it if it does not exist.
    ///
    /// # Errors
    /// As [`subdirectory`](Self::subdirectory), and when it cannot be made.
    pub fn create_subdirectory(&self, name: &OsStr) -> io::Result<Self> {
        match self.subdirectory(name) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            result => return result,
        }
        match self.make_directory(name) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
            _ => self.open_subdirectory(name),
        }
    }

    /// Makes a directory in it.
    ///
    /// # Errors
    /// [`AlreadyExists`](io::ErrorKind::AlreadyExists) when the name is taken.
    pub fn make_directory(&self, name: &OsStr) -> io::Result<()> {
        self.mkdir(single(name)?)
    }

    /// Opens a file in it for reading, without blocking.
    ///
    /// # Errors
    /// There is none, or `name` is a link or a path.
    pub fn open_file(&self, name: &OsStr) -> io::Result<File> {
        self.open_existing(single(name)?, false)
    }

    /// Opens a file in it for reading and writing, without blocking.
    ///
    /// # Errors
    /// As [`open_file`](Self::open_file).
    pub fn open_to_write(&self, name: &OsStr) -> io::Result<File> {
        self.open_existing(single(name)?, true)
    }

    /// Makes a file in it, for reading and writing.
    ///
    /// # Errors
    /// [`AlreadyExists`](io::ErrorKind::AlreadyExists) when the name is taken, also by a link that leads nowhere.
    pub fn create_file(&self, name: &OsStr, readers: FileReaders) -> io::Result<File> {
        self.create(single(name)?, readers)
    }

    /// Returns what has this name; `None` when it is free.
    ///
    /// # Errors
    /// The system refuses to tell, or `name` is a path.
    pub fn entry(&self, name: &OsStr) -> io::Result<Option<DirectoryEntry>> {
        match self.status(single(name)?) {
            Ok(entry) => Ok(Some(entry)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Removes a file or a link, if it exists.
    ///
    /// # Errors
    /// The system refuses, or `name` is a path.
    pub fn remove_file(&self, name: &OsStr) -> io::Result<()> {
        match self.unlink(single(name)?) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// Gives a file another name, and replaces what has that name.
    ///
    /// # Errors
    /// The system refuses, or one of both is a path.
    pub fn rename(&self, from: &OsStr, to: &OsStr) -> io::Result<()> {
        self.rename_over(single(from)?, single(to)?)
    }

    /// Gives a file another name that is free. File systems that cannot do so atomically are checked first.
    ///
    /// # Errors
    /// [`AlreadyExists`](io::ErrorKind::AlreadyExists) when the name is taken.
    pub fn rename_to_free(&self, from: &OsStr, to: &OsStr) -> io::Result<()> {
        let (from, to) = (single(from)?, single(to)?);
        if let Some(result) = self.rename_no_replace(from, to) {
            return result;
        }
        if self.entry(to)?.is_some() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        self.rename_over(from, to)
    }
}

/// Refuses paths: a name is what a directory has.
fn single(name: &OsStr) -> io::Result<&OsStr> {
    let mut parts = Path::new(name).components();
    match (parts.next(), parts.next()) {
        (Some(std::path::Component::Normal(only)), None) if only == name => Ok(name),
        _ => Err(io::Error::new(io::ErrorKind::InvalidInput, "not the name of a file")),
    }
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn opened() -> (tempfile::TempDir, Directory) {
        let temporary = tempfile::tempdir().unwrap();
        let directory = Directory::open(temporary.path()).unwrap();
        (temporary, directory)
    }

    #[test]
    fn only_a_single_name_is_accepted() {
        let (_temporary, directory) = opened();
        for name in ["", ".", "..", "a/b", "/etc/passwd", "a/", "./a", "a/.", "../a"] {
            let name = OsStr::new(name);
            let results = [
                directory.subdirectory(name).map(drop),
                directory.create_subdirectory(name).map(drop),
                directory.open_file(name).map(drop),
                directory.create_file(name, FileReaders::ByUmask).map(drop),
                directory.remove_file(name),
                directory.rename(name, "x".as_ref()),
                directory.rename("x".as_ref(), name),
                directory.rename_to_free("x".as_ref(), name),
                directory.entry(name).map(drop),
            ];
            for result in results {
                assert_eq!(result.unwrap_err().kind(), io::ErrorKind::InvalidInput, "{name:?}");
            }
        }
    }

    #[test]
    fn no_link_is_followed_to_a_file_or_a_directory() {
        let (_elsewhere, elsewhere) = opened();
        elsewhere.create_file("f".as_ref(), FileReaders::ByUmask).unwrap();
        let (_temporary, directory) = opened();
        let at = |name: &str| directory.path().join(name);
        symlink(elsewhere.path(), at("directory")).unwrap();
        symlink(elsewhere.path().join("f"), at("file")).unwrap();
        symlink(elsewhere.path().join("new"), at("dangling")).unwrap();
        for name in ["directory", "file", "dangling"].map(OsStr::new) {
            assert!(directory.subdirectory(name).is_err());
            assert!(directory.create_subdirectory(name).is_err());
            assert!(directory.open_file(name).is_err());
            assert!(directory.open_to_write(name).is_err());
            assert!(directory.create_file(name, FileReaders::ByUmask).is_err());
            assert_eq!(directory.entry(name).unwrap().unwrap().kind, EntryType::Link);
        }
        assert_eq!(fs_err::read_dir(elsewhere.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_directory_that_is_swapped_for_a_link_redirects_nothing() {
        let (_elsewhere, elsewhere) = opened();
        let (_temporary, directory) = opened();
        let inner = directory.create_subdirectory("inner".as_ref()).unwrap();
        inner.create_file("f.part".as_ref(), FileReaders::ByUmask).unwrap();
        fs_err::rename(directory.path().join("inner"), directory.path().join("moved")).unwrap();
        symlink(elsewhere.path(), directory.path().join("inner")).unwrap();
        inner.rename("f.part".as_ref(), "f".as_ref()).unwrap();
        inner.create_file("g".as_ref(), FileReaders::ByUmask).unwrap();
        inner.sync().unwrap();
        assert!(directory.path().join("moved/f").is_file());
        assert_eq!(fs_err::read_dir(elsewhere.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_name_that_is_taken_is_not_replaced_where_it_must_be_free() {
        let (_temporary, directory) = opened();
        for name in ["new", "old"] {
            fs_err::write(directory.path().join(name), name).unwrap();
        }
        let error = directory.rename_to_free("new".as_ref(), "old".as_ref()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
        directory.rename_to_free("new".as_ref(), "free".as_ref()).unwrap();
        directory.rename("free".as_ref(), "old".as_ref()).unwrap();
        assert_eq!(fs_err::read_to_string(directory.path().join("old")).unwrap(), "new");
        directory.remove_file("old".as_ref()).unwrap();
        directory.remove_file("old".as_ref()).unwrap();
        assert_eq!(directory.entry("old".as_ref()).unwrap(), None);
    }

    #[test]
    fn a_fifo_is_told_from_a_file_without_waiting_for_its_other_end() {
        let (_temporary, directory) = opened();
        let fifo = directory.path().join("fifo");
        let kind = rustix::fs::FileType::Fifo;
        rustix::fs::mknodat(rustix::fs::CWD, &fifo, kind, rustix::fs::Mode::RWXU, 0).unwrap();
        assert!(!directory.open_file("fifo".as_ref()).unwrap().metadata().unwrap().is_file());
        assert_eq!(directory.entry("fifo".as_ref()).unwrap().unwrap().kind, EntryType::Special);
    }
}
