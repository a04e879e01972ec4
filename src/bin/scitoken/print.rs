//! Writing to standard output and standard error, where a reader may be gone.

use std::io::{self, Write as _};

/// Writes a line. A reader that has seen enough (`| head`) is no trouble.
pub(crate) fn line(text: &str) {
    let mut out = io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.write_all(b"\n"));
}

/// Writes a line to standard error. Who has closed it wants to hear nothing; the exit code says enough.
pub(crate) fn note(text: &str) {
    let mut out = io::stderr().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.write_all(b"\n"));
}
