//! Tokens in files, read again when the file has changed.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use super::{SourceError, TokenRequest, TokenSource};
use crate::hint::Hint;
use scitoken_types::files::{FileError, FileHint, FileKind, FileProblem, Ownership, SecretFile};
use scitoken_types::{AccessToken, InvalidToken, TokenText, redact};

/// The largest token file that is read, in bytes.
const LARGEST: u64 = 1024 * 1024;

/// The token in a given file.
///
/// The file holds the token with or without white space around it, or a JSON object with an `access_token` as
/// HTCondor writes it. It is read again whenever its time, size or inode has changed, so a batch system may replace it
/// under a running job. A file that is missing, empty or not a token is an error.
///
/// ```
/// use reqwest_scitokens::FileSource;
///
/// let source = FileSource::new("/run/job/token");
/// # let _ = source;
/// ```
pub struct FileSource {
    path: PathBuf,
    cache: FileCache,
}

impl FileSource {
    /// Returns a source that reads this file.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), cache: FileCache::default() }
    }

    /// Returns the path of the file.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// A token that was given in place of the path is masked.
impl fmt::Debug for FileSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FileSource({})", redact::path(&self.path))
    }
}

impl TokenSource for FileSource {
    fn is_cheap(&self, _: &TokenRequest<'_>) -> bool {
        true
    }

    async fn token(&self, request: &TokenRequest<'_>) -> Result<Option<AccessToken>, SourceError> {
        let token = self.cache.read(&self.path, request.now()).map_err(|problem| {
            let hint = problem.hint(&self.path);
            SourceError::caused_by(format!("no token in `{}`", redact::path(&self.path)), problem)
                .with_hint(hint)
        })?;
        if token.is_expired_at(request.now()) {
            return Err(SourceError::expired(&token, request.now()));
        }
        Ok(Some(token))
    }
}

/// Words the command that makes a file usable.
pub(super) fn repair(command: &FileHint) -> String {
    format!("if you trust its content, run `{command}`")
}

/// Why a token file gives no token. The file's name is not in the message.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TokenFileError {
    /// The file breaks a rule for files of secrets, or cannot be read.
    #[error(transparent)]
    File(#[from] FileProblem),
    /// The content is not a token.
    #[error("{0}")]
    NotAToken(InvalidToken),
}

impl TokenFileError {
    /// Returns what helps with the file at `path`.
    pub(super) fn hint(&self, path: &Path) -> Hint {
        let command = match self {
            // A pipe is empty after the first reader, and the file is read for each request.
            Self::File(FileProblem::NotRegular(FileKind::Fifo)) => return Hint::UseTokenCommand,
            Self::File(problem) => problem.hint(path),
            Self::NotAToken(_) => {
                return "the file has to have the token alone, or a JSON object with `access_token`".into();
            }
        };
        match command {
            Some(command) => repair(&command).into(),
            None => "check the path, and that the program that writes the file still runs".into(),
        }
    }
}

impl From<FileError> for TokenFileError {
    fn from(error: FileError) -> Self {
        Self::File(error.into_problem())
    }
}

/// What was read last, so that an unchanged file costs one `stat`.
#[derive(Debug, Default)]
pub(super) struct FileCache(Mutex<Vec<CachedFile>>);

#[derive(Debug)]
struct CachedFile {
    path: PathBuf,
    stamp: Stamp,
    token: AccessToken,
}

impl FileCache {
    /// More files than this are read each time.
    const MOST: usize = 64;

    /// The token in the file; read only when the file is not the one that was read last.
    pub(super) fn read(&self, path: &Path, now: SystemTime) -> Result<AccessToken, TokenFileError> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let at = kept.iter().position(|kept| kept.path == path);
        if let Some(at) = at {
            match fs_err::metadata(path) {
                Ok(metadata) if kept[at].stamp == Stamp::of(&metadata) => return Ok(kept[at].token.clone()),
                _ => drop(kept.swap_remove(at)),
            }
        }
        let (token, stamp) = read(path)?;
        if kept.len() < Self::MOST && stamp.is_settled(now) {
            kept.push(CachedFile { path: path.to_owned(), stamp, token: token.clone() });
        }
        Ok(token)
    }
}

/// Which file, and which state of it.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Stamp {
    modified: Option<SystemTime>,
    size: u64,
    #[cfg(unix)]
    file: (u64, u64),
}

impl Stamp {
    fn of(metadata: &std::fs::Metadata) -> Self {
        Self {
            modified: metadata.modified().ok(),
            size: metadata.len(),
            #[cfg(unix)]
            file: {
                use std::os::unix::fs::MetadataExt;
                (metadata.dev(), metadata.ino())
            },
        }
    }

    /// Returns whether a later write must show in the stamp. File times are coarse: a file written a moment ago could
    /// be written again without a new time.
    fn is_settled(&self, now: SystemTime) -> bool {
        const COARSE: Duration = Duration::from_secs(2);
        self.modified.is_some_and(|modified| now.duration_since(modified).is_ok_and(|age| age > COARSE))
    }
}

fn read(path: &Path) -> Result<(AccessToken, Stamp), TokenFileError> {
    let file = SecretFile::open(path, Ownership::UserOrRoot)?;
    let stamp = Stamp::of(file.metadata());
    let loose_mode = file.loose_mode();
    let read = TokenText::read(&file.read(LARGEST)?, stamp.modified).map_err(TokenFileError::NotAToken)?;
    let shown = redact::path(path);
    for note in read.notes {
        tracing::debug!(path = %shown, "in the token file, {note}");
    }
    if let Some(mode) = loose_mode {
        tracing::warn!(
            path = %shown,
            "other users can read the token file (mode {mode:04o}); `chmod 600 {shown}`",
        );
    }
    Ok((read.token.with_origin_label(format!("file {shown}")), stamp))
}

/// The mode of the file at `path` if others than its owner can read or write it, for a report.
pub(super) fn loose_mode_of(path: &Path) -> Option<u32> {
    SecretFile::open(path, Ownership::Any).ok()?.loose_mode()
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use std::error::Error as _;
    use std::os::unix::fs::{PermissionsExt, symlink};

    use tempfile::TempDir;
    use url::Url;

    use super::*;
    use scitoken_types::sys;

    fn problem(path: &Path) -> String {
        match read(path) {
            Ok((token, _)) => format!("token {}", token.expose_secret()),
            Err(problem) => problem.to_string(),
        }
    }

    fn shared() -> TempDir {
        let dir = tempfile::tempdir().unwrap();
        fs_err::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o1777)).unwrap();
        dir
    }

    #[test]
    fn only_regular_files_are_read() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        let fifo = at("fifo");
        rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, rustix::fs::Mode::RUSR, 0)
            .unwrap();
        let socket = std::os::unix::net::UnixListener::bind(at("socket")).unwrap();
        symlink(at("nowhere"), at("dangling")).unwrap();
        for (path, expected) in [
            (at("missing"), "the file does not exist"),
            (at("dangling"), "the file does not exist"),
            (dir.path().to_owned(), "the file is a directory, not a regular file"),
            (fifo, "the file is a fifo, not a regular file"),
            (at("socket"), "the file is a socket, not a regular file"),
            (PathBuf::from("/dev/null"), "the file is a device, not a regular file"),
            (PathBuf::from("/dev/zero"), "the file is a device, not a regular file"),
        ] {
            assert_eq!(problem(&path), expected, "{}", path.display());
        }
        drop(socket);
    }

    #[test]
    fn a_huge_file_is_not_read() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("huge");
        let file = fs_err::File::create(&path).unwrap();
        file.set_len(LARGEST + 1).unwrap();
        assert!(problem(&path).contains("larger than 1 MiB"));
    }

    #[test]
    fn a_link_in_a_shared_directory_is_followed_unless_another_user_made_it() {
        let (own, shared) = (tempfile::tempdir().unwrap(), shared());
        let target = own.path().join("target");
        fs_err::write(&target, "tok").unwrap();
        for directory in [&own, &shared] {
            let link = directory.path().join("link");
            symlink(&target, &link).unwrap();
            assert_eq!(problem(&link), "token tok");
        }
        // Only root can give a link away.
        if sys::effective_uid() == Some(0) {
            let link = shared.path().join("link");
            std::os::unix::fs::lchown(&link, Some(4711), None).unwrap();
            assert!(problem(&link).contains("which belongs to user 4711"));
        }
    }

    #[test]
    fn a_file_of_another_user_is_not_read_wherever_it_is() {
        for dir in [shared(), tempfile::tempdir().unwrap()] {
            let path = dir.path().join("bt_u0");
            fs_err::write(&path, "tok").unwrap();
            assert_eq!(problem(&path), "token tok");
            // Only root can give a file away.
            if sys::effective_uid() == Some(0) {
                std::os::unix::fs::chown(&path, Some(4711), None).unwrap();
                assert_eq!(problem(&path), "the file belongs to user 4711");
            }
        }
    }

    #[tokio::test]
    async fn a_token_in_place_of_the_path_is_not_repeated() {
        let url = Url::parse("https://h").unwrap();
        let request = TokenRequest::new(&url).unwrap();
        for token in ["eyJhbGciOiJIUzI1NiJ9.e30.abcdef", "AgK8mQz0o7pX2EdYx1b9WwRtPq3"] {
            let error = FileSource::new(token).token(&request).await.unwrap_err();
            let shown = format!("{error} {error:?} {}", error.source().unwrap());
            assert!(!shown.contains(token) && shown.contains("no token in `…`"), "{shown}");
        }
    }

    #[test]
    fn a_file_of_the_same_time_size_and_inode_is_not_opened_again() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("token");
        let (cache, old) = (FileCache::default(), SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000));
        let now = old + Duration::from_secs(3_600);
        let write = |text: &str, modified| {
            fs_err::write(&path, text).unwrap();
            let file = fs_err::OpenOptions::new().write(true).open(&path).unwrap();
            file.file().set_modified(modified).unwrap();
        };
        let token = || cache.read(&path, now).unwrap().expose_secret().to_owned();
        write("first", old);
        assert_eq!(token(), "first");
        // With the same time, size and inode the file is not opened again.
        write("other", old);
        assert_eq!(token(), "first");
        write("other", old + Duration::from_secs(1));
        assert_eq!(token(), "other");
    }

    #[tokio::test]
    async fn a_named_file_without_a_token_is_an_error_with_its_path() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("token");
        let source = FileSource::new(&path);
        let url = Url::parse("https://h").unwrap();
        let request = TokenRequest::new(&url).unwrap();
        let error = source.token(&request).await.unwrap_err();
        assert!(error.to_string().contains("token`") && error.hint().is_some());
        assert_eq!(error.source().unwrap().to_string(), "the file does not exist");
        fs_err::write(&path, "\n").unwrap();
        let error = source.token(&request).await.unwrap_err();
        assert_eq!(error.source().unwrap().to_string(), "it is empty");
        fs_err::write(&path, "tok\n").unwrap();
        let token = source.token(&request).await.unwrap().unwrap();
        assert_eq!(token.origin_label(), Some(format!("file {}", path.display()).as_str()));
    }
}
