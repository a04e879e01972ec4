//! Reading files that the user or a job names.

use std::io;
use std::path::Path;

use scitoken_types::decoded_json;
use scitoken_types::files::{FileError, read_bounded};

use crate::exit::Exit;
use crate::failure::Failure;

/// The largest file of settings, keys or ClassAds.
const MAX_LENGTH: u64 = 64 * 1024 * 1024;

/// Fails if a path that the user names does not exist.
pub(crate) fn require(path: &Path) -> Result<(), Failure> {
    let shown = path.display();
    match path.try_exists() {
        Ok(true) => Ok(()),
        Ok(false) => Err(Failure::new(Exit::Local, format!("`{shown}` does not exist"))),
        Err(error) => {
            Err(Failure::from_error(Exit::Local, &error).with_missing_subject(&[], &shown.to_string()))
        }
    }
}

/// Reads a regular file: not a FIFO, which would block, and not a device, which may never end.
pub(crate) fn read(path: impl AsRef<Path>) -> Result<Vec<u8>, Failure> {
    read_bounded(path, MAX_LENGTH).map_err(|error| failure(&error))
}

/// Reads a file with a key, as [`decoded_key`] returns it.
pub(crate) fn read_key(path: impl AsRef<Path>) -> Result<Vec<u8>, Failure> {
    read(path).map(decoded_key)
}

/// Returns a key as text without a byte order mark and in UTF-8, or as DER.
pub(crate) fn decoded_key(bytes: Vec<u8>) -> Vec<u8> {
    const DER_SEQUENCE: u8 = 0x30;
    if bytes.first() == Some(&DER_SEQUENCE) { bytes } else { decoded_json(&bytes).into_owned() }
}

/// Reads a file with a password or a client secret: one line.
pub(crate) fn read_secret(path: &Path) -> Result<String, Failure> {
    let text = String::from_utf8(decoded_json(&read(path)?).into_owned());
    let refused = |problem: &str| Failure::new(Exit::Local, format!("`{}` {problem}", path.display()));
    let text = text.map_err(|_| refused("is not UTF-8"))?;
    let secret = text.trim_end_matches(['\r', '\n']);
    let is_quoted = |mark: char| secret.len() > 1 && secret.starts_with(mark) && secret.ends_with(mark);
    if secret.trim().is_empty() {
        return Err(refused("is empty"));
    }
    if secret.contains(['\r', '\n']) {
        return Err(refused("has several lines: a secret is one"));
    }
    if is_quoted('"') || is_quoted('\'') {
        return Err(refused("has quotation marks around the secret").with_hint("remove them"));
    }
    if secret.chars().any(char::is_control) {
        return Err(refused("has a control character in it"));
    }
    if secret.trim() != secret {
        return Err(refused("has blanks around the secret").with_hint("remove them"));
    }
    Ok(secret.to_owned())
}

/// Returns the failure of a file, with the command that helps.
pub(crate) fn failure(error: &FileError) -> Failure {
    let hint = error.hint().map(|hint| format!("run `{hint}`"));
    Failure::from_error(Exit::Local, error).with_optional_hint(hint)
}

/// Returns standard input, whose content is to be stored or used.
///
/// # Errors
/// The program was started with it closed: what reads it would take that for an empty file.
pub(crate) fn standard_input() -> Result<io::Stdin, Failure> {
    let stdin = io::stdin();
    if was_closed(&stdin) {
        let failure = Failure::new(Exit::Local, "standard input is closed, or `/dev/null`");
        return Err(failure.with_hint("redirect it from a file or a pipe; for an empty file, `< /dev/null`"));
    }
    Ok(stdin)
}

/// Returns whether a descriptor is `/dev/null` for reading and writing, which the standard library opens in place of a closed
/// one. A shell opens it in one direction only.
#[cfg(unix)]
fn was_closed(stdin: &io::Stdin) -> bool {
    use rustix::fs::{FileType, OFlags, fcntl_getfl, fstat, stat};

    let is_both_ways = fcntl_getfl(stdin).is_ok_and(|flags| flags.contains(OFlags::RDWR));
    is_both_ways
        && matches!((fstat(stdin), stat("/dev/null")), (Ok(input), Ok(null))
            if FileType::from_raw_mode(input.st_mode) == FileType::CharacterDevice && input.st_rdev == null.st_rdev)
}

#[cfg(not(unix))]
fn was_closed(_: &io::Stdin) -> bool {
    false
}

/// Reads a regular file of UTF-8 text.
pub(crate) fn read_text(path: impl AsRef<Path>) -> Result<String, Failure> {
    let bytes = read(path.as_ref())?;
    String::from_utf8(bytes)
        .map_err(|_| Failure::new(Exit::Local, format!("`{}` is not UTF-8", path.as_ref().display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_one_line_without_what_editors_and_shells_add() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("secret");
        let read = |content: &[u8]| {
            fs_err::write(&path, content).unwrap();
            read_secret(&path).map_err(|failure| failure.message().to_owned())
        };
        for content in [&b"s3cr et"[..], b"s3cr et\n", b"s3cr et\r\n\n", b"\xef\xbb\xbfs3cr et"] {
            assert_eq!(read(content).unwrap(), "s3cr et");
        }
        for (content, problem) in [
            (&b"\"s3cret\"\n"[..], "has quotation marks"),
            (b"'s3cret'", "has quotation marks"),
            (b"s3cret\nother\n", "has several lines"),
            (b"\n", "is empty"),
            (b"s3\tcret", "has a control character"),
            (b" s3cret", "has blanks around"),
            (b"s3\xffcret", "is not UTF-8"),
        ] {
            let message = read(content).unwrap_err();
            assert!(message.contains(problem) && !message.contains("cret\""), "{message}");
        }
    }

    #[test]
    fn a_key_has_no_byte_order_mark_and_der_stays_as_it_is() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("key");
        for (content, expected) in [
            (&b"\xef\xbb\xbf-----BEGIN"[..], &b"-----BEGIN"[..]),
            (b"\xef\xbb\xbf{}", b"{}"),
            (b"\x30\x82\0\0", b"\x30\x82\0\0"),
        ] {
            fs_err::write(&path, content).unwrap();
            assert_eq!(read_key(&path).unwrap(), expected);
        }
    }
}
