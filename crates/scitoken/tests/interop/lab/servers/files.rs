//! The files that every server has, for whoever compares what comes.

use std::path::Path;

/// A name with a blank, a percent sign and a letter that is none of ASCII's.
const AWKWARD: &str = "sp ace 50% é.bin";

/// More than any buffer, and worth several streams.
pub(crate) const LARGE: (&str, usize) = ("large.bin", 20 * 1024 * 1024 + 1);

/// More than fits on a small disk, and too little to be reserved.
pub(crate) const MEDIUM: (&str, usize) = ("medium.bin", 300_001);

/// Their names and lengths: nothing, an odd number of bytes, much.
pub(crate) const FILES: [(&str, usize); 5] =
    [("empty.bin", 0), ("odd.bin", 10_007), MEDIUM, LARGE, (AWKWARD, 4_097)];

/// What a file of this length has in it. No two blocks of it are the same.
pub(crate) fn content(length: usize) -> Vec<u8> {
    let words = (0..).flat_map(|n: u32| n.wrapping_mul(2_654_435_761).to_le_bytes());
    words.take(length).collect()
}

/// Writes them all.
pub(super) fn write(directory: &Path) -> anyhow::Result<()> {
    fs_err::create_dir_all(directory)?;
    for (name, length) in FILES {
        fs_err::write(directory.join(name), content(length))?;
    }
    Ok(())
}
