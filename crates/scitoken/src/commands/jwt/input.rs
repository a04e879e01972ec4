//! Reading tokens, secrets and keys.

use std::io::Read as _;
use std::path::Path;

use scitoken_jwt::keys::KeyError;

use crate::exit::Exit;
use crate::failure::Failure;
use crate::files;

/// The most bytes that are read from standard input.
const MAX_LENGTH: u64 = 4 * 1024 * 1024;

/// Reads a file, or standard input for `-`.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    if path.as_os_str() != "-" {
        return files::read(path);
    }
    let mut bytes = Vec::new();
    files::standard_input()?.take(MAX_LENGTH).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Reads a token and removes one line end, which editors and `echo` append.
pub(super) fn read_token(path: &Path) -> Result<Vec<u8>, Failure> {
    let is_token =
        path.to_str().is_some_and(|text| text.starts_with("eyJ") && text.matches('.').count() == 2);
    if is_token && !path.exists() {
        return Err(Failure::new(Exit::Usage, "a token is read from a file or from standard input")
            .with_hint("pipe it in, and pass `-` in its place"));
    }
    read(path).map(without_line_end)
}

/// Reads a secret, and removes one line end if the secret is text.
pub(super) fn read_secret(path: &Path) -> Result<Vec<u8>, Failure> {
    let bytes = read(path)?;
    let is_text = std::str::from_utf8(&bytes)
        .is_ok_and(|text| !text.trim_end_matches(['\r', '\n']).chars().any(char::is_control));
    Ok(if is_text { without_line_end(bytes) } else { bytes })
}

fn without_line_end(mut bytes: Vec<u8>) -> Vec<u8> {
    if bytes.last() == Some(&b'\n') {
        bytes.pop();
        if bytes.last() == Some(&b'\r') {
            bytes.pop();
        }
    }
    bytes
}

/// Returns whether a key file is a JWK.
pub(super) fn is_json(bytes: &[u8]) -> bool {
    bytes.trim_ascii_start().first() == Some(&b'{')
}

/// Returns whether a key file is PEM.
pub(super) fn is_pem(bytes: &[u8]) -> bool {
    bytes.windows(11).any(|window| window == b"-----BEGIN ")
}

/// Returns the failure of an invalid key file.
pub(super) fn invalid_key(path: &Path, error: &KeyError) -> Failure {
    Failure::new(Exit::Local, format!("invalid key in `{}`: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_end_is_removed_and_nothing_else() {
        for (bytes, wanted) in [
            (&b"a.b\n"[..], &b"a.b"[..]),
            (b"a.b\r\n", b"a.b"),
            (b" a \n\n", b" a \n"),
            (b"a\r", b"a\r"),
            (b"", b""),
        ] {
            assert_eq!(without_line_end(bytes.to_vec()), wanted);
        }
    }
}
