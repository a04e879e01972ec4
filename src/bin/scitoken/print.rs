//! Writing to standard output and standard error, where a reader may be gone.

use std::io::{self, Write as _};

use crate::exit::Exit;
use crate::failure::Failure;

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

/// Writes a whole text, and tells when that did not work. A reader that has seen enough is no trouble here either.
pub(crate) fn bytes(text: &[u8]) -> Result<Exit, Failure> {
    match io::stdout().write_all(text) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::from_error(Exit::Local, &error))
        }
        _ => Ok(Exit::Ok),
    }
}
