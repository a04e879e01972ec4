//! Files without a name (`O_TMPFILE`), which get one when they are complete (`linkat`).

use std::fs::{File, Metadata};
use std::io;
use std::sync::OnceLock;

use super::{Directory, OsStr};

impl Directory {
    /// Makes a file in it that has no name, for reading and writing; readers are those that the umask leaves.
    ///
    /// It is gone when it is closed, also by a process that is killed, unless [`link_to_free`](Self::link_to_free) has named it.
    ///
    /// # Errors
    /// The system or the file system has no such files.
    pub fn create_unnamed(&self) -> io::Result<File> {
        self.unnamed()
    }

    /// Gives a file without a name this one; `metadata` is the file's.
    ///
    /// # Errors
    /// [`AlreadyExists`](io::ErrorKind::AlreadyExists) when the name is taken, also by a link that leads nowhere;
    /// [`Unsupported`](io::ErrorKind::Unsupported) when the file has not the mode that a file with a name would have.
    pub fn link_to_free(&self, file: &File, metadata: &Metadata, name: &OsStr) -> io::Result<()> {
        let name = super::single(name)?;
        // Linux before 6.0 forgets the umask on some file systems; and a default ACL replaces it.
        if umask().is_none_or(|umask| has_any(metadata, umask)) {
            return Err(io::ErrorKind::Unsupported.into());
        }
        self.link(file, name)
    }

    /// Returns whether the process may make files in it.
    ///
    /// # Errors
    /// It may not.
    pub fn check_creatable(&self) -> io::Result<()> {
        self.check_access()
    }
}

#[cfg(unix)]
fn has_any(metadata: &Metadata, mode: u32) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    metadata.mode() & mode != 0
}

#[cfg(not(unix))]
fn has_any(_: &Metadata, _: u32) -> bool {
    false
}

/// Returns the process's umask, which can be read without changing it on Linux only.
fn umask() -> Option<u32> {
    static UMASK: OnceLock<Option<u32>> = OnceLock::new();
    *UMASK.get_or_init(|| {
        let status = fs_err::read_to_string("/proc/self/status").ok()?;
        let umask = status.lines().find_map(|line| line.strip_prefix("Umask:"))?;
        u32::from_str_radix(umask.trim(), 8).ok()
    })
}

#[cfg(any(target_os = "linux", target_os = "android"))]
mod system {
    use std::fs::File;
    use std::io;
    use std::os::fd::AsRawFd as _;

    use rustix::fs::{AtFlags, CWD, Mode, OFlags};
    use rustix::io::Errno;

    use super::{Directory, OsStr};

    impl Directory {
        pub(super) fn unnamed(&self) -> io::Result<File> {
            let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
            let mode = Mode::from_raw_mode(0o666);
            Ok(File::from(rustix::fs::openat(&*self.handle, ".", flags, mode)?))
        }

        pub(super) fn link(&self, file: &File, name: &OsStr) -> io::Result<()> {
            match rustix::fs::linkat(file, "", &*self.handle, name, AtFlags::EMPTY_PATH) {
                // Before Linux 6.10 this needs a capability.
                Err(Errno::NOENT) => {
                    let descriptor = format!("/proc/self/fd/{}", file.as_raw_fd());
                    Ok(rustix::fs::linkat(CWD, descriptor, &*self.handle, name, AtFlags::SYMLINK_FOLLOW)?)
                }
                result => Ok(result?),
            }
        }
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
mod system {
    use std::fs::File;
    use std::io;

    use super::{Directory, OsStr};

    impl Directory {
        pub(super) fn unnamed(&self) -> io::Result<File> {
            Err(io::ErrorKind::Unsupported.into())
        }

        pub(super) fn link(&self, _: &File, _: &OsStr) -> io::Result<()> {
            Err(io::ErrorKind::Unsupported.into())
        }
    }
}

#[cfg(target_os = "linux")]
#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn a_file_without_a_name_gets_a_free_one_and_replaces_nothing() {
        let temporary = tempfile::tempdir().unwrap();
        let directory = Directory::open(temporary.path()).unwrap();
        // A file system without such files has nothing to test.
        let Ok(mut file) = directory.create_unnamed() else { return };
        let metadata = file.metadata().unwrap();
        file.write_all(b"data").unwrap();
        assert_eq!(fs_err::read_dir(temporary.path()).unwrap().count(), 0);
        fs_err::write(temporary.path().join("taken"), "other").unwrap();
        std::os::unix::fs::symlink("nowhere", temporary.path().join("link")).unwrap();
        for name in ["taken", "link"] {
            let error = directory.link_to_free(&file, &metadata, name.as_ref()).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::AlreadyExists, "{name}");
        }
        directory.link_to_free(&file, &metadata, "free".as_ref()).unwrap();
        assert_eq!(fs_err::read(temporary.path().join("free")).unwrap(), b"data");
        assert_eq!(fs_err::read(temporary.path().join("taken")).unwrap(), b"other");
    }

    #[test]
    fn a_file_without_a_name_has_the_mode_of_other_files() {
        use std::os::unix::fs::MetadataExt as _;
        let temporary = tempfile::tempdir().unwrap();
        let directory = Directory::open(temporary.path()).unwrap();
        let Ok(unnamed) = directory.create_unnamed() else { return };
        let named = directory.create_file("f".as_ref(), super::super::FileReaders::ByUmask).unwrap();
        assert_eq!(unnamed.metadata().unwrap().mode(), named.metadata().unwrap().mode());
    }

    #[test]
    fn a_file_that_is_closed_before_it_has_a_name_leaves_nothing() {
        let temporary = tempfile::tempdir().unwrap();
        let directory = Directory::open(temporary.path()).unwrap();
        drop(directory.create_unnamed());
        assert_eq!(fs_err::read_dir(temporary.path()).unwrap().count(), 0);
        assert!(directory.check_creatable().is_ok());
    }
}
