//! Reading and writing key files.

use std::io::{self, Write as _};
use std::path::Path;

use scitoken_jwt::keys::{Jwk, sha256};
use scitoken_types::files::make_private;

use crate::exit::Exit;
use crate::failure::Failure;

/// Writes a new file, with mode 0600 for a secret; never overwrites one.
pub(super) fn write_new(path: &Path, text: &str, is_secret: bool) -> Result<(), Failure> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    if is_secret {
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    }
    let written = options.open(path).and_then(|mut file| {
        if is_secret {
            make_private(&file)?;
        }
        file.write_all(text.as_bytes())
    });
    written.map_err(|error| {
        let failure = Failure::new(Exit::Local, format!("failed to write `{}`: {error}", path.display()));
        if error.kind() == io::ErrorKind::AlreadyExists {
            return failure
                .with_hint("key files are never overwritten; name another file, or remove this one");
        }
        failure
    })
}

/// Returns the first 16 hexadecimal digits of the SHA-256 of the public key.
pub(super) fn fingerprint(public: &Jwk) -> String {
    let text = public.expose_json();
    sha256(text).iter().take(8).fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"))
}
