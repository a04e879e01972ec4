//! Reads and writes at a position, without a shared cursor.

use std::fs::File;
use std::io;

#[cfg(unix)]
pub(crate) fn read_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    std::os::unix::fs::FileExt::read_at(file, buffer, offset)
}

#[cfg(unix)]
pub(crate) fn write_all_at(file: &File, data: &[u8], offset: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::write_all_at(file, data, offset)
}

#[cfg(windows)]
pub(crate) fn read_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    std::os::windows::fs::FileExt::seek_read(file, buffer, offset)
}

#[cfg(windows)]
pub(crate) fn write_all_at(file: &File, mut data: &[u8], mut offset: u64) -> io::Result<()> {
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

/// Fails if the file system has less free space than `length`.
pub(crate) fn check_space(file: &File, length: u64) -> io::Result<()> {
    #[cfg(unix)]
    {
        let there = rustix::fs::fstatvfs(file)?;
        if there.f_blocks > 0 && there.f_bavail.saturating_mul(there.f_frsize) < length {
            return Err(rustix::io::Errno::NOSPC.into());
        }
    }
    let _ = (file, length);
    Ok(())
}

/// Reserves disk space for a part of a file, so that it is contiguous, where the file system can.
pub(crate) fn reserve(file: &File, range: std::ops::Range<u64>) -> io::Result<()> {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    {
        use rustix::fs::FallocateFlags;
        use rustix::io::Errno;
        while !is_memory(file) {
            // The length of the file grows with its data only.
            let length = range.end - range.start;
            match rustix::fs::fallocate(file, FallocateFlags::KEEP_SIZE, range.start, length) {
                Ok(()) | Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL) => break,
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
    let _ = (file, range);
    Ok(())
}

/// Whether a file is in a `tmpfs`, where reserving would write every page.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn is_memory(file: &File) -> bool {
    const TMPFS: i64 = 0x0102_1994;
    rustix::fs::fstatfs(file).is_ok_and(|there| there.f_type == TMPFS)
}
