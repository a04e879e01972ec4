//! The file in which WLCG Bearer Token Discovery finds a token.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::error::{Kind, StorageError};
use super::file;
use crate::sys::{self, Env};
use crate::token::AccessToken;

/// A file with one bearer token in it, where other programs find it: `$XDG_RUNTIME_DIR/bt_u1000`.
///
/// It has no room for a refresh token: a token that should renew itself belongs in a
/// [`TokenStorage`](super::TokenStorage).
///
/// ```
/// use reqwest_scitokens::AccessToken;
/// use reqwest_scitokens::storage::BearerTokenFile;
///
/// # let directory = tempfile::tempdir()?;
/// let file = BearerTokenFile::new(directory.path().join("bt_u1000"));
/// file.write(&AccessToken::new("c2VjcmV0")?)?;
/// assert_eq!(file.read()?.unwrap().expose_secret(), "c2VjcmV0");
/// assert!(file.remove()?);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BearerTokenFile(PathBuf);

impl BearerTokenFile {
    /// The file at `path`.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    /// The file that discovery looks for: what `BEARER_TOKEN_FILE` names, else `bt_u<uid>` in
    /// `$XDG_RUNTIME_DIR`, else in `/tmp`. `None` where the system has no user ids.
    pub fn discovered(env: &Env) -> Option<Self> {
        if let Some(path) = env.get_non_empty("BEARER_TOKEN_FILE") {
            return Some(Self(path.into()));
        }
        let name = format!("bt_u{}", sys::effective_uid()?);
        let directory = env.get_non_empty("XDG_RUNTIME_DIR").unwrap_or_else(|| "/tmp".into());
        Some(Self(Path::new(&directory).join(name)))
    }

    /// Where the file is.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Puts a token in the place of the file, whole and for the owner only.
    ///
    /// A symbolic link is replaced, not followed: in `/tmp` it could be anybody's.
    pub fn write(&self, token: &AccessToken) -> Result<(), StorageError> {
        let write = || {
            file::make_directory(&self.0)?;
            let directory = self.0.parent().filter(|parent| !parent.as_os_str().is_empty());
            let mut new =
                tempfile::Builder::new().prefix(".bt_").tempfile_in(directory.unwrap_or(Path::new(".")))?;
            writeln!(new, "{}", token.expose_secret())?;
            new.as_file().sync_all()?;
            new.persist(&self.0).map_err(|failed| failed.error)?;
            io::Result::Ok(())
        };
        write().map_err(|error| Kind::Io("it cannot be written", error).at(self.place()))
    }

    /// The token in the file, if there is a file.
    pub fn read(&self) -> Result<Option<AccessToken>, StorageError> {
        let Some(content) = file::read(&self.0).map_err(|kind| kind.at(self.place()))? else {
            return Ok(None);
        };
        let text = String::from_utf8_lossy(&content);
        AccessToken::new(text.trim_ascii())
            .map(Some)
            .map_err(|error| StorageError::new(self.place(), "it holds no token").with_source(error))
    }

    /// Removes the file; `false` when there was none.
    pub fn remove(&self) -> Result<bool, StorageError> {
        match fs_err::remove_file(&self.0) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(Kind::Io("it cannot be removed", error).at(self.place())),
        }
    }

    fn place(&self) -> String {
        format!("token file {}", self.0.display())
    }
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    #[test]
    fn a_link_is_replaced_and_its_target_left_alone() {
        let directory = tempfile::tempdir().unwrap();
        let victim = directory.path().join("victim");
        fs_err::write(&victim, "precious").unwrap();
        let file = BearerTokenFile::new(directory.path().join("bt_u0"));
        symlink(&victim, file.path()).unwrap();
        file.write(&AccessToken::new("AT").unwrap()).unwrap();
        assert_eq!(fs_err::read_to_string(&victim).unwrap(), "precious");
        let metadata = fs_err::symlink_metadata(file.path()).unwrap();
        assert!(metadata.is_file());
        assert_eq!(metadata.permissions().mode() & 0o777, 0o600);
        assert!(file.remove().unwrap() && !file.remove().unwrap());
    }

    #[test]
    fn the_place_is_the_one_that_discovery_looks_at_first() {
        let uid = sys::effective_uid().unwrap();
        let path = |env: Env| BearerTokenFile::discovered(&env).unwrap().path().to_owned();
        assert_eq!(path(Env::given([("X", "")])), PathBuf::from(format!("/tmp/bt_u{uid}")));
        assert_eq!(
            path(Env::given([("XDG_RUNTIME_DIR", "/run/me")])),
            PathBuf::from(format!("/run/me/bt_u{uid}"))
        );
        assert_eq!(path(Env::given([("BEARER_TOKEN_FILE", "/x")])), PathBuf::from("/x"));
    }
}
