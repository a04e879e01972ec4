//! Reading and writing key files.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use scitoken_jwt::keys::{Jwk, sha256};
use scitoken_types::files::make_private;

use crate::exit::Exit;
use crate::failure::Failure;

/// Writes a new file, with mode 0600 for a secret; never overwrites one.
fn write_new(path: &Path, text: &str, is_secret: bool) -> Result<(), Failure> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    if is_secret {
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    }
    let failed = |error: io::Error| {
        Failure::new(Exit::Local, format!("failed to write `{}`: {error}", path.display()))
    };
    let mut file = match options.open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            return Err(Failure::new(Exit::Exists, format!("`{}` already exists", path.display()))
                .with_hint("key files are never overwritten; name another file, or remove this one"));
        }
        Err(error) => return Err(failed(error)),
    };
    let is_private = if is_secret { make_private(&file) } else { Ok(()) };
    is_private.and_then(|()| file.write_all(text.as_bytes())).map_err(|error| {
        // Half of a key is none, and would be in the way of the next run.
        let _ = fs_err::remove_file(path);
        failed(error)
    })
}

/// The key files of a run: all of them are kept, or none.
#[derive(Debug, Default)]
pub(super) struct NewFiles(Vec<PathBuf>);

impl NewFiles {
    /// Writes one more file.
    pub(super) fn write(&mut self, path: &Path, text: &str, is_secret: bool) -> Result<(), Failure> {
        write_new(path, text, is_secret)?;
        self.0.push(path.to_owned());
        Ok(())
    }

    /// Keeps the files.
    pub(super) fn keep(mut self) {
        self.0.clear();
    }
}

impl Drop for NewFiles {
    fn drop(&mut self) {
        for path in &self.0 {
            let _ = fs_err::remove_file(path);
        }
    }
}

/// Returns the first 16 hexadecimal digits of the SHA-256 of the public key.
pub(super) fn fingerprint(public: &Jwk) -> String {
    let text = public.expose_json();
    sha256(text).iter().take(8).fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"))
}
