//! Directories by their handle (`openat` and its relatives).

use std::os::fd::OwnedFd;

use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;

use super::{Arc, Directory, DirectoryEntry, EntryType, File, FileReaders, OsStr, Path, io};

#[cfg(target_os = "linux")]
const DIRECTORY: OFlags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);
#[cfg(not(target_os = "linux"))]
const DIRECTORY: OFlags = OFlags::DIRECTORY.union(OFlags::CLOEXEC);
const FILE: OFlags = OFlags::NOFOLLOW.union(OFlags::NONBLOCK).union(OFlags::NOCTTY).union(OFlags::CLOEXEC);

pub(super) fn open(named: &Path, shown: &Path) -> io::Result<Directory> {
    let handle = rustix::fs::openat(CWD, named, DIRECTORY, Mode::empty())?;
    Ok(Directory { handle: Arc::new(handle), path: shown.into() })
}

impl Directory {
    pub(super) fn open_subdirectory(&self, name: &OsStr) -> io::Result<Self> {
        let handle = rustix::fs::openat(&*self.handle, name, DIRECTORY | OFlags::NOFOLLOW, Mode::empty())?;
        Ok(Self { handle: Arc::new(handle), path: self.path.join(name).into() })
    }

    pub(super) fn mkdir(&self, name: &OsStr) -> io::Result<()> {
        Ok(rustix::fs::mkdirat(&*self.handle, name, Mode::RWXU | Mode::RWXG | Mode::RWXO)?)
    }

    pub(super) fn open_existing(&self, name: &OsStr, writes: bool) -> io::Result<File> {
        let access = if writes { OFlags::RDWR } else { OFlags::RDONLY };
        Ok(File::from(rustix::fs::openat(&*self.handle, name, FILE | access, Mode::empty())?))
    }

    pub(super) fn create(&self, name: &OsStr, readers: FileReaders) -> io::Result<File> {
        let flags = FILE | OFlags::RDWR | OFlags::CREATE | OFlags::EXCL;
        let owner = Mode::RUSR | Mode::WUSR;
        let mode = match readers {
            FileReaders::Owner => owner,
            FileReaders::ByUmask => owner | Mode::RGRP | Mode::WGRP | Mode::ROTH | Mode::WOTH,
        };
        Ok(File::from(rustix::fs::openat(&*self.handle, name, flags, mode)?))
    }

    pub(super) fn status(&self, name: &OsStr) -> io::Result<DirectoryEntry> {
        Ok(rustix::fs::statat(&*self.handle, name, AtFlags::SYMLINK_NOFOLLOW)?.into())
    }

    pub(super) fn unlink(&self, name: &OsStr) -> io::Result<()> {
        Ok(rustix::fs::unlinkat(&*self.handle, name, AtFlags::empty())?)
    }

    pub(super) fn rename_over(&self, from: &OsStr, to: &OsStr) -> io::Result<()> {
        Ok(rustix::fs::renameat(&*self.handle, from, &*self.handle, to)?)
    }

    /// `None` where the system or the file system cannot.
    pub(super) fn rename_no_replace(&self, from: &OsStr, to: &OsStr) -> Option<io::Result<()>> {
        #[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
        {
            use rustix::fs::{RenameFlags, renameat_with};
            match renameat_with(&*self.handle, from, &*self.handle, to, RenameFlags::NOREPLACE) {
                Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => None,
                result => Some(result.map_err(io::Error::from)),
            }
        }
        #[cfg(not(any(target_os = "linux", target_os = "android", target_vendor = "apple")))]
        {
            let _ = (from, to, Errno::INVAL);
            None
        }
    }

    /// Returns whether the process may write to a file in it.
    ///
    /// # Errors
    /// It may not, or the file does not exist.
    pub fn check_writable(&self, name: &OsStr) -> io::Result<()> {
        let access = rustix::fs::Access::WRITE_OK;
        Ok(rustix::fs::accessat(&*self.handle, super::single(name)?, access, AtFlags::empty())?)
    }

    pub(super) fn check_access(&self) -> io::Result<()> {
        let access = rustix::fs::Access::WRITE_OK | rustix::fs::Access::EXEC_OK;
        Ok(rustix::fs::accessat(&*self.handle, ".", access, AtFlags::empty())?)
    }

    /// Waits until the names of its files are on the disk.
    ///
    /// # Errors
    /// The file system cannot, or the directory cannot be read.
    pub fn sync(&self) -> io::Result<()> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let readable: OwnedFd = rustix::fs::openat(&*self.handle, ".", flags, Mode::empty())?;
        Ok(rustix::fs::fsync(readable)?)
    }
}

impl From<Stat> for DirectoryEntry {
    fn from(stat: Stat) -> Self {
        let kind = match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => EntryType::File,
            FileType::Directory => EntryType::Directory,
            FileType::Symlink => EntryType::Link,
            _ => EntryType::Special,
        };
        // The types differ between the systems.
        #[cfg_attr(target_os = "linux", expect(clippy::unnecessary_cast, reason = "not on all systems"))]
        let (device, inode, links) = (stat.st_dev as u64, stat.st_ino as u64, stat.st_nlink as u64);
        #[cfg_attr(target_os = "linux", expect(clippy::unnecessary_cast, reason = "not on all systems"))]
        let mode = stat.st_mode as u32 & 0o7777;
        let length = stat.st_size.try_into().unwrap_or_default();
        Self { kind, device, inode, links, owner: stat.st_uid, group: stat.st_gid, mode, length }
    }
}
