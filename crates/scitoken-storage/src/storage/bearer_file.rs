//! The token file of WLCG Bearer Token Discovery.

use std::io;
use std::path::{Path, PathBuf};

use scitoken_types::files::{
    Durability, Ownership, SecretFile, check_replaceable, create_private_dir, replace_secret,
};
use secrecy::zeroize::Zeroizing;

use super::error::{Kind, StorageError};
use scitoken_types::sys;
use scitoken_types::sys::Env;
use scitoken_types::{AccessToken, TokenText};

/// The largest token file that is read, in bytes.
const MAX_FILE_SIZE: u64 = 1024 * 1024;

/// A file with one bearer token, where other programs find it: `$XDG_RUNTIME_DIR/bt_u1000`.
///
/// It cannot hold a refresh token: a token that is to be renewed belongs in a [`TokenStorage`](crate::TokenStorage).
///
/// ```
/// use scitoken_types::{AccessToken, TokenText};
/// use scitoken_storage::BearerTokenFile;
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
    /// Names the file at `path`.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    /// Names the file that discovery reads: `$BEARER_TOKEN_FILE`, else `bt_u<uid>` in `$XDG_RUNTIME_DIR`, else in
    /// `/tmp`; where none of them exists, the first. `None` on systems without user ids.
    pub fn discovered(env: &Env) -> Option<Self> {
        let mut candidates = Self::candidates(env).into_iter();
        let first = candidates.next()?;
        if fs_err::symlink_metadata(&first.0).is_ok() {
            return Some(first);
        }
        Some(candidates.find(|file| fs_err::symlink_metadata(&file.0).is_ok()).unwrap_or(first))
    }

    /// Names the first file that discovery reads and that can be [written](Self::prepare), for a login: if
    /// `$XDG_RUNTIME_DIR` names a directory that does not exist or that is not the user's, the file in `/tmp`.
    ///
    /// # Errors
    /// That of the first file, when none can be written. `Ok(None)` on systems without user ids.
    pub fn prepared(env: &Env) -> Result<Option<Self>, StorageError> {
        let mut first_error = None;
        for (position, file) in Self::candidates(env).into_iter().enumerate() {
            let directory = file.0.parent().filter(|parent| !parent.as_os_str().is_empty());
            // The system creates runtime directories, and removes them at logout.
            let absent = position == 0 && env.get_non_empty("BEARER_TOKEN_FILE").is_none();
            let tested = match directory {
                Some(directory) if absent && !directory.is_dir() => {
                    let error = io::Error::from(io::ErrorKind::NotFound);
                    Err(Kind::Io("failed to open the directory", error).at(file.label()))
                }
                _ => file.prepare(),
            };
            match tested {
                Ok(()) => return Ok(Some(file)),
                Err(error) => first_error = first_error.or(Some(error)),
            }
        }
        first_error.map_or(Ok(None), Err)
    }

    fn candidates(env: &Env) -> Vec<Self> {
        if let Some(path) = env.get_non_empty("BEARER_TOKEN_FILE") {
            return vec![Self(path.into())];
        }
        let Some(uid) = sys::effective_uid() else { return Vec::new() };
        let runtime = env.get_non_empty("XDG_RUNTIME_DIR").map(PathBuf::from);
        runtime
            .into_iter()
            .chain([PathBuf::from("/tmp")])
            .map(|directory| Self(directory.join(format!("bt_u{uid}"))))
            .collect()
    }

    /// Returns the path.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Replaces the file atomically, with mode 0600.
    ///
    /// A symbolic link is replaced, not followed: in `/tmp` another user could have created it. Devices, fifos, sockets and
    /// directories are not replaced.
    pub fn write(&self, token: &AccessToken) -> Result<(), StorageError> {
        self.create_directory()?;
        let text = Zeroizing::new(format!("{}\n", token.expose_secret()));
        match replace_secret(&self.0, text.as_bytes()) {
            Ok(Durability::Full) => {}
            Ok(Durability::FileOnly | Durability::Unknown) => {
                tracing::debug!(path = %self.0.display(), "the file system cannot flush all of the write");
            }
            Err(error) => return Err(Kind::File(error).at(self.label())),
        }
        Ok(())
    }

    /// Reads the token; `None` when there is no file.
    pub fn read(&self) -> Result<Option<AccessToken>, StorageError> {
        let content = match SecretFile::open(&self.0, Ownership::UserOrRoot) {
            Ok(file) => file.read(MAX_FILE_SIZE).map_err(|error| Kind::File(error).at(self.label()))?,
            Err(error) if error.is_missing() => return Ok(None),
            Err(error) => return Err(Kind::File(error).at(self.label())),
        };
        TokenText::read(&content, None).map(|read| Some(read.token)).map_err(|error| {
            StorageError::new(self.label(), "the file has no valid token").with_source(error)
        })
    }

    /// Removes the file; `false` when there was none.
    pub fn remove(&self) -> Result<bool, StorageError> {
        match fs_err::remove_file(&self.0) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(Kind::Io("failed to remove", error).at(self.label())),
        }
    }

    /// Checks that the file can be written, without changing it: creates the directory, and writes a temporary file.
    ///
    /// # Errors
    /// Also when other users could replace the file, which discovery would refuse to read, and when it is no regular file.
    pub fn prepare(&self) -> Result<(), StorageError> {
        check_replaceable(&self.0).map_err(|error| Kind::File(error).at(self.label()))?;
        self.create_directory()?;
        let mut name = std::ffi::OsString::from(".");
        name.push(self.0.file_name().unwrap_or_default());
        name.push(format!(".{}.probe", std::process::id()));
        let probe = self.0.with_file_name(name);
        let tested = replace_secret(&probe, b"\n")
            .and_then(|_| SecretFile::open(&probe, Ownership::UserOrRoot).map(drop))
            .map_err(|error| Kind::File(error).at(self.label()));
        match fs_err::remove_file(&probe) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                tested.and(Err(Kind::Io("failed to remove a temporary file", error).at(self.label())))
            }
            _ => tested,
        }
    }

    fn create_directory(&self) -> Result<(), StorageError> {
        match self.0.parent().filter(|parent| !parent.as_os_str().is_empty() && !parent.is_dir()) {
            Some(directory) => create_private_dir(directory)
                .map_err(|error| Kind::Io("failed to create the directory", error).at(self.label())),
            None => Ok(()),
        }
    }

    pub(crate) fn label(&self) -> String {
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
    fn the_path_is_the_one_that_discovery_reads() {
        let uid = sys::effective_uid().unwrap();
        let path = |env: Env| BearerTokenFile::discovered(&env).unwrap().path().to_owned();
        assert_eq!(path(Env::given([("X", "")])), PathBuf::from(format!("/tmp/bt_u{uid}")));
        assert_eq!(
            path(Env::given([("XDG_RUNTIME_DIR", "/run/me")])),
            PathBuf::from(format!("/run/me/bt_u{uid}"))
        );
        assert_eq!(path(Env::given([("BEARER_TOKEN_FILE", "/x")])), PathBuf::from("/x"));
    }

    #[test]
    fn a_login_falls_back_from_an_absent_or_unusable_runtime_directory_as_reading_does() {
        let uid = sys::effective_uid().unwrap();
        let directory = tempfile::tempdir().unwrap();
        let prepared = |runtime: &Path| {
            let env = Env::given([("XDG_RUNTIME_DIR", runtime)]);
            BearerTokenFile::prepared(&env).unwrap().unwrap().path().to_owned()
        };
        let fallback = PathBuf::from(format!("/tmp/bt_u{uid}"));
        assert_eq!(prepared(&directory.path().join("absent")), fallback);
        assert!(!directory.path().join("absent").exists());
        let shared = directory.path().join("shared");
        fs_err::create_dir(&shared).unwrap();
        fs_err::set_permissions(&shared, std::fs::Permissions::from_mode(0o777)).unwrap();
        assert_eq!(prepared(&shared), fallback);
        let file = directory.path().join("file");
        fs_err::write(&file, "").unwrap();
        assert_eq!(prepared(&file), fallback);
        assert_eq!(prepared(directory.path()), directory.path().join(format!("bt_u{uid}")));
        assert_eq!(fs_err::read_dir(&shared).unwrap().count(), 0);
        let taken = directory.path().join(format!("bt_u{uid}"));
        fs_err::create_dir(&taken).unwrap();
        assert_eq!(prepared(directory.path()), fallback, "a directory has the name of the token file");
        assert!(taken.is_dir());
    }

    #[test]
    fn a_named_token_file_is_the_only_candidate_and_is_tested_before_it_is_needed() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("file");
        fs_err::write(&file, "").unwrap();
        let named = |path: PathBuf| BearerTokenFile::prepared(&Env::given([("BEARER_TOKEN_FILE", path)]));
        assert!(named(file.join("token")).is_err(), "a file is not a directory");
        for (path, problem) in [
            (directory.path(), "directory"),
            (Path::new("/dev/null"), "device"),
            (Path::new("/dev/fd/1"), ""),
        ] {
            let error = named(path.to_owned()).unwrap_err().to_string();
            assert!(error.contains(problem) && error.contains("not a regular file"), "{path:?}: {error}");
        }
        let made = directory.path().join("made/token");
        assert_eq!(named(made.clone()).unwrap().unwrap().path(), made);
        assert!(!made.exists());
    }
}
