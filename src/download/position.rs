//! Reading and writing at a position, without moving a cursor that two of us would share.

use std::fs::File;
use std::io;

#[cfg(unix)]
pub(super) fn read_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    std::os::unix::fs::FileExt::read_at(file, buffer, offset)
}

#[cfg(unix)]
pub(super) fn write_all_at(file: &File, data: &[u8], offset: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::write_all_at(file, data, offset)
}

#[cfg(windows)]
pub(super) fn read_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    std::os::windows::fs::FileExt::seek_read(file, buffer, offset)
}

#[cfg(windows)]
pub(super) fn write_all_at(file: &File, mut data: &[u8], mut offset: u64) -> io::Result<()> {
    while !data.is_empty() {
        let written = std::os::windows::fs::FileExt::seek_write(file, data, offset)?;
        if written == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        data = &data[written..];
        offset += written as u64;
    }
    Ok(())
}

/// Reserves the disk space of a whole file, so that a full disk is found before anything is fetched and the file lies
/// in one piece. Where the file system cannot reserve, or is memory, the length is set only.
pub(super) fn reserve(file: &File, length: u64) -> io::Result<()> {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    {
        use rustix::fs::FallocateFlags;
        use rustix::io::Errno;
        if is_memory(file) {
            let there = rustix::fs::fstatvfs(file)?;
            if there.f_blocks > 0 && there.f_bavail.saturating_mul(there.f_frsize) < length {
                return Err(Errno::NOSPC.into());
            }
            return file.set_len(length);
        }
        loop {
            match rustix::fs::fallocate(file, FallocateFlags::empty(), 0, length) {
                Ok(()) => return Ok(()),
                Err(Errno::INTR) => {}
                Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL) => break,
                Err(error) => return Err(error.into()),
            }
        }
    }
    file.set_len(length)
}

/// Whether a file lies in a `tmpfs`, where reserving would write every page once with zeros.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn is_memory(file: &File) -> bool {
    const TMPFS: i64 = 0x0102_1994;
    rustix::fs::fstatfs(file).is_ok_and(|there| there.f_type == TMPFS)
}

/// Opens a file for reading, but not through a link at its end.
pub(super) fn open_no_follow(path: &std::path::Path) -> io::Result<File> {
    let mut options = File::options();
    options.read(true);
    no_follow(&mut options);
    options.open(path)
}

/// Removes a file. That there is none is fine.
pub(super) fn remove_if_there(path: &std::path::Path) -> io::Result<()> {
    match fs_err::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// A link in a shared directory would let its owner choose what we write to.
pub(super) fn no_follow(options: &mut std::fs::OpenOptions) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
        options.custom_flags(flags.bits().cast_signed());
    }
    #[cfg(not(unix))]
    let _ = options;
}
