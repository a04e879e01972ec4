//! Tokens that could not be stored.

use std::error::Error;
use std::fmt;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use scitoken_types::sys::Env;
use secrecy::zeroize::Zeroizing;

use crate::entry::TokenDataMap;
use crate::storage::{JsonTokenStorage, StorageError};

/// Tokens that could not be stored where they were meant to be, and why.
///
/// The server does not issue them again. [`rescue`](Self::rescue) keeps them in a file of their own, and
/// [`expose_json`](Self::expose_json) gives them to a program that has another way. `Debug` and `Display` show no token.
///
/// ```
/// use scitoken_storage::login::LoginTarget;
/// use scitoken_storage::{JsonTokenStorage, TokenStorage, TokenStorageData};
/// use scitoken_types::sys::Env;
///
/// # let directory = tempfile::tempdir()?;
/// # let env = Env::given([("XDG_RUNTIME_DIR", directory.path())]);
/// # let path = directory.path().join("tokens.json");
/// let target = LoginTarget::storage(JsonTokenStorage::new(&path)).prepare()?;
/// # std::fs::create_dir(&path)?;
/// let tokens = TokenStorageData::new("https://data.example", "read", "AT", 1_700_000_000);
/// if let Err(unsaved) = target.store(tokens.into()) {
///     let file = unsaved.rescue(&env)?;
///     eprintln!("{unsaved}; the tokens are in {}", file.display());
/// #   assert!(JsonTokenStorage::new(file).get_token_data("https://data.example")?.is_some());
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct UnsavedTokens(Box<FailedWrite>);

#[derive(Debug)]
struct FailedWrite {
    error: StorageError,
    tokens: TokenDataMap,
}

impl UnsavedTokens {
    pub(crate) fn new(error: StorageError, tokens: TokenDataMap) -> Self {
        Self(Box::new(FailedWrite { error, tokens }))
    }

    /// Returns why the tokens could not be stored.
    pub fn error(&self) -> &StorageError {
        &self.0.error
    }

    /// Returns the tokens.
    pub fn tokens(&self) -> &TokenDataMap {
        &self.0.tokens
    }

    /// Returns the content of a [`JsonTokenStorage`] with the tokens, **with their secrets**.
    pub fn expose_json(&self) -> Zeroizing<String> {
        JsonTokenStorage::file_content(&self.0.tokens)
    }

    /// Keeps the tokens in a new file of mode 0600, a [`JsonTokenStorage`], and returns its path.
    ///
    /// The file is in the first directory that can be written of `$XDG_RUNTIME_DIR`, `$HOME`, the working directory and
    /// `/tmp`.
    ///
    /// # Errors
    /// That of the first directory, when none can be written.
    pub fn rescue(&self, env: &Env) -> io::Result<PathBuf> {
        let named = ["XDG_RUNTIME_DIR", "HOME"].into_iter().filter_map(|name| env.get_non_empty(name));
        let directories = named.map(PathBuf::from).chain([PathBuf::from("."), PathBuf::from("/tmp")]);
        self.rescue_in(directories)
    }

    pub(super) fn rescue_in(&self, directories: impl IntoIterator<Item = PathBuf>) -> io::Result<PathBuf> {
        let mut first_error = None;
        for directory in directories {
            match self.write_file(&directory) {
                Ok(path) => return Ok(path),
                Err(error) => first_error = first_error.or(Some(error)),
            }
        }
        Err(first_error.unwrap_or_else(|| io::ErrorKind::NotFound.into()))
    }

    fn write_file(&self, directory: &Path) -> io::Result<PathBuf> {
        // Mode 0600 and a free name: both are what `tempfile` makes sure of.
        let mut file =
            tempfile::Builder::new().prefix("scitoken-login-").suffix(".json").tempfile_in(directory)?;
        write(file.as_file_mut(), self.expose_json().as_bytes())?;
        let (_, path) = file.keep().map_err(|failed| failed.error)?;
        Ok(std::path::absolute(&path).unwrap_or(path))
    }
}

/// Writes tokens for which there is no other place: a file that is written and not flushed is better than none.
fn write(file: &mut std::fs::File, content: &[u8]) -> io::Result<()> {
    file.write_all(content)?;
    if let Err(error) = file.sync_all() {
        tracing::warn!(%error, "the file with the tokens cannot be flushed: a power failure can damage it");
    }
    Ok(())
}

impl fmt::Debug for UnsavedTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for UnsavedTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "failed to store the tokens in {}", self.0.error)
    }
}

impl Error for UnsavedTokens {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.error.source()
    }
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    #[test]
    fn tokens_are_kept_where_files_cannot_be_flushed() {
        // A socket cannot be flushed.
        let (socket, mut other) = std::os::unix::net::UnixStream::pair().unwrap();
        let mut file = std::fs::File::from(std::os::fd::OwnedFd::from(socket));
        assert!(file.sync_all().is_err());
        write(&mut file, b"tokens").unwrap();
        drop(file);
        let mut kept = String::new();
        other.read_to_string(&mut kept).unwrap();
        assert_eq!(kept, "tokens");
    }
}
