//! Files that a user or a job names.

use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::path::Path;

use secrecy::zeroize::Zeroizing;

use super::{FileError, FileProblem};

/// Opens a regular file for reading, without blocking: a fifo or a device is an error at once.
///
/// Any user's file will do, and links are followed. For secrets there is [`SecretFile`](super::SecretFile).
///
/// ```
/// use scitoken_types::files::{FileKind, FileProblem, open_regular};
///
/// let error = open_regular("/dev/zero").unwrap_err();
/// # #[cfg(unix)]
/// assert!(matches!(error.problem(), FileProblem::NotRegular(FileKind::Device)));
/// ```
///
/// # Errors
/// [`FileError`], with [`FileProblem::NotRegular`] for anything that is not a regular file.
pub fn open_regular(path: impl AsRef<Path>) -> Result<File, FileError> {
    let path = path.as_ref();
    open_checked(path).map(|(file, _)| file).map_err(|problem| FileError::new(path, problem))
}

/// Reads a regular file of at most `limit` bytes, without blocking.
///
/// # Errors
/// As [`open_regular`], and [`FileProblem::TooLarge`].
pub fn read_bounded(path: impl AsRef<Path>, limit: u64) -> Result<Vec<u8>, FileError> {
    let path = path.as_ref();
    let read = || {
        let (file, metadata) = open_checked(path)?;
        read_to_limit(&file, metadata.len(), limit)
    };
    let content = read().map_err(|problem| FileError::new(path, problem))?;
    Ok(content.to_vec())
}

/// Opens a file for writing without blocking, and empties it, or makes it: a regular file, a device or a fifo.
///
/// Writes to it do block, as usual.
///
/// # Errors
/// The system's; [`WouldBlock`](io::ErrorKind::WouldBlock) for a fifo that no process reads.
pub fn open_output(path: impl AsRef<Path>) -> io::Result<File> {
    open_to_write(path.as_ref())
}

#[cfg(unix)]
fn open_to_write(path: &Path) -> io::Result<File> {
    use rustix::fs::{Mode, OFlags};
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC;
    let careful = OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY;
    let mode = Mode::RUSR | Mode::WUSR | Mode::RGRP | Mode::WGRP | Mode::ROTH | Mode::WOTH;
    let file = rustix::fs::open(path, flags | careful, mode).map_err(|error| {
        use std::os::unix::fs::FileTypeExt as _;
        let is_fifo = || fs_err::metadata(path).is_ok_and(|metadata| metadata.file_type().is_fifo());
        if error == rustix::io::Errno::NXIO && is_fifo() {
            return io::Error::new(io::ErrorKind::WouldBlock, "no process reads this fifo");
        }
        error.into()
    })?;
    let set = rustix::fs::fcntl_getfl(&file)?;
    rustix::fs::fcntl_setfl(&file, set - OFlags::NONBLOCK)?;
    Ok(File::from(file))
}

#[cfg(not(unix))]
fn open_to_write(path: &Path) -> io::Result<File> {
    File::create(path)
}

pub(super) fn open_checked(path: &Path) -> Result<(File, Metadata), FileProblem> {
    let file = open(path)?;
    let metadata = file.metadata().map_err(FileProblem::io("open"))?;
    if !metadata.is_file() {
        return Err(FileProblem::NotRegular(metadata.file_type().into()));
    }
    Ok((file, metadata))
}

/// Reads at most `limit` bytes of a file that said to have `size`.
pub(super) fn read_to_limit(
    mut file: &File,
    size: u64,
    limit: u64,
) -> Result<Zeroizing<Vec<u8>>, FileProblem> {
    if size > limit {
        return Err(FileProblem::TooLarge { limit });
    }
    // One byte more, so that the buffer does not grow, which would leave copies of secrets behind.
    let mut content = Zeroizing::new(Vec::with_capacity(usize::try_from(size).unwrap_or(0) + 1));
    Read::by_ref(&mut file)
        .take(limit.saturating_add(1))
        .read_to_end(&mut content)
        .map_err(FileProblem::io("read"))?;
    if content.len() as u64 > limit {
        return Err(FileProblem::TooLarge { limit });
    }
    Ok(content)
}

#[cfg(unix)]
fn open(path: &Path) -> Result<File, FileProblem> {
    use rustix::fs::{Mode, OFlags};
    use rustix::io::Errno;
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY;
    match rustix::fs::open(path, flags, Mode::empty()) {
        Ok(file) => Ok(File::from(file)),
        // A socket, or a device without a driver.
        Err(error @ (Errno::NXIO | Errno::NODEV | Errno::OPNOTSUPP)) => match fs_err::metadata(path) {
            Ok(metadata) => Err(FileProblem::NotRegular(metadata.file_type().into())),
            Err(_) => Err(FileProblem::io("open")(error.into())),
        },
        Err(Errno::LOOP) => Err(FileProblem::TooManyLinks),
        Err(error) => Err(FileProblem::io("open")(error.into())),
    }
}

#[cfg(not(unix))]
fn open(path: &Path) -> Result<File, FileProblem> {
    File::open(path).map_err(FileProblem::io("open"))
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::FileKind;

    #[test]
    fn a_fifo_and_a_device_neither_hang_nor_eat_memory() {
        let directory = tempfile::tempdir().unwrap();
        let fifo = directory.path().join("fifo");
        rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, rustix::fs::Mode::RUSR, 0)
            .unwrap();
        for (path, expected) in [
            (fifo.as_path(), FileKind::Fifo),
            (Path::new("/dev/zero"), FileKind::Device),
            (Path::new("/dev/tty"), FileKind::Device),
            (directory.path(), FileKind::Directory),
        ] {
            let error = read_bounded(path, 100).unwrap_err();
            let is_expected = match error.problem() {
                FileProblem::NotRegular(kind) => *kind == expected,
                // A process without a terminal has no `/dev/tty`.
                FileProblem::Io { .. } => path == Path::new("/dev/tty"),
                _ => false,
            };
            assert!(is_expected, "{error}");
        }
    }

    #[test]
    fn a_growing_or_endless_file_ends_at_the_limit() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("f");
        fs_err::write(&path, "12345").unwrap();
        assert_eq!(read_bounded(&path, 5).unwrap(), b"12345");
        let error = read_bounded(&path, 4).unwrap_err();
        assert_eq!(error.to_string(), format!("`{}` is larger than 4 bytes", path.display()));
        // Its size is given as zero.
        let error = read_bounded("/proc/self/mountinfo", 4).unwrap_err();
        assert!(matches!(error.problem(), FileProblem::TooLarge { limit: 4 }), "{error}");
    }

    #[test]
    fn a_fifo_that_no_process_reads_is_an_error_at_once_and_one_that_is_read_blocks_the_writer() {
        use std::io::{Read as _, Write as _};
        let directory = tempfile::tempdir().unwrap();
        let fifo = directory.path().join("fifo");
        let kind = rustix::fs::FileType::Fifo;
        rustix::fs::mknodat(rustix::fs::CWD, &fifo, kind, rustix::fs::Mode::RWXU, 0).unwrap();
        let error = open_output(&fifo).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
        let mut reader = open(&fifo).unwrap();
        let mut writer = open_output(&fifo).unwrap();
        assert!(!rustix::fs::fcntl_getfl(&writer).unwrap().contains(rustix::fs::OFlags::NONBLOCK));
        writer.write_all(b"data").unwrap();
        let mut read = [0; 4];
        reader.read_exact(&mut read).unwrap();
        assert_eq!(&read, b"data");
    }

    #[test]
    fn the_systems_complaint_is_the_source_and_not_in_the_message() {
        let name = "x".repeat(300);
        let error = open_regular(&name).unwrap_err();
        assert_eq!(error.to_string(), format!("failed to open `{name}`"));
        assert!(std::error::Error::source(&error).is_some());
        assert!(open_regular("/nonexistent").unwrap_err().is_missing());
    }
}
