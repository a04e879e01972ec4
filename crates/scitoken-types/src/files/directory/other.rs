//! Without handles for directories, each link is looked for before it is followed.

use super::{Directory, DirectoryEntry, EntryType, File, FileReaders, OsStr, Path, io};

pub(super) fn open(named: &Path, shown: &Path) -> io::Result<Directory> {
    match fs_err::metadata(named)?.is_dir() {
        true => Ok(Directory { path: shown.into() }),
        false => Err(io::ErrorKind::NotADirectory.into()),
    }
}

impl Directory {
    pub(super) fn open_subdirectory(&self, name: &OsStr) -> io::Result<Self> {
        match self.status(name)?.kind {
            EntryType::Directory => Ok(Self { path: self.path.join(name).into() }),
            _ => Err(io::ErrorKind::NotADirectory.into()),
        }
    }

    pub(super) fn mkdir(&self, name: &OsStr) -> io::Result<()> {
        fs_err::create_dir(self.path.join(name))
    }

    pub(super) fn open_existing(&self, name: &OsStr, writes: bool) -> io::Result<File> {
        match self.status(name)?.kind {
            EntryType::Link => Err(io::Error::other("it is a link")),
            _ => File::options().read(true).write(writes).open(self.path.join(name)),
        }
    }

    pub(super) fn create(&self, name: &OsStr, _: FileReaders) -> io::Result<File> {
        File::options().read(true).write(true).create_new(true).open(self.path.join(name))
    }

    pub(super) fn status(&self, name: &OsStr) -> io::Result<DirectoryEntry> {
        let metadata = fs_err::symlink_metadata(self.path.join(name))?;
        let kind = match metadata.file_type() {
            kind if kind.is_file() => EntryType::File,
            kind if kind.is_dir() => EntryType::Directory,
            kind if kind.is_symlink() => EntryType::Link,
            _ => EntryType::Special,
        };
        let mode = if metadata.permissions().readonly() { 0o444 } else { 0o666 };
        let length = metadata.len();
        Ok(DirectoryEntry { kind, device: 0, inode: 0, links: 1, owner: 0, group: 0, mode, length })
    }

    pub(super) fn unlink(&self, name: &OsStr) -> io::Result<()> {
        fs_err::remove_file(self.path.join(name))
    }

    pub(super) fn rename_over(&self, from: &OsStr, to: &OsStr) -> io::Result<()> {
        fs_err::rename(self.path.join(from), self.path.join(to))
    }

    pub(super) fn rename_no_replace(&self, _: &OsStr, _: &OsStr) -> Option<io::Result<()>> {
        None
    }

    /// Returns whether the process may write to a file in it.
    pub fn check_writable(&self, _: &OsStr) -> io::Result<()> {
        Ok(())
    }

    pub(super) fn check_access(&self) -> io::Result<()> {
        Ok(())
    }

    /// Does nothing: this system syncs the names of files by itself.
    pub fn sync(&self) -> io::Result<()> {
        Ok(())
    }
}
