//! Tokens in files, opened with care and read anew when they changed.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use super::{SourceError, TokenRequest, TokenSource, text};
use crate::sys;
use crate::token::{AccessToken, InvalidToken, Mistake};

/// The largest token file that is read, in bytes.
const LARGEST: u64 = 1024 * 1024;

/// The token in a file that the program was given.
///
/// The file holds the token with or without white space around it, or a JSON object with an `access_token` as
/// HTCondor writes it. It is read anew whenever its time, size or inode changed, so a batch system may replace it
/// under a running job. A file that is missing, empty or no token is an error: it was named on purpose.
#[derive(Debug)]
pub struct FileSource {
    path: PathBuf,
    memory: Memory,
}

impl FileSource {
    /// Reads tokens from this file.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), memory: Memory::default() }
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl TokenSource for FileSource {
    async fn token(&self, request: &TokenRequest<'_>) -> Result<Option<AccessToken>, SourceError> {
        let token = self.memory.read(&self.path, request.now()).map_err(|problem| {
            let error = SourceError::caused_by(format!("no token in `{}`", self.path.display()), problem);
            error.with_hint("look whether the path is right and whether what writes the file still runs")
        })?;
        if token.is_expired_at(request.now()) {
            return Err(SourceError::expired(&token, request.now()));
        }
        Ok(Some(token))
    }
}

/// Why a token file gives no token.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FileProblem {
    /// There is no such file, or a link that leads nowhere.
    #[error("the file does not exist")]
    Missing,
    /// The file cannot be opened or read.
    #[error("the file cannot be read")]
    Unreadable(#[source] io::Error),
    /// A directory, fifo, socket or device.
    #[error("it is not a regular file")]
    NotRegular,
    /// A symbolic link in a directory where everybody may make one.
    #[error("it is a symbolic link in a directory that everybody can write to")]
    Link,
    /// Somebody else's file in a directory where everybody may put one.
    #[error("it belongs to user {owner}, in a directory that everybody can write to")]
    ForeignOwner {
        /// Whose it is.
        owner: u32,
    },
    /// More than a mebibyte.
    #[error("it is larger than 1 MiB, so it is no token")]
    TooLarge,
    /// The content is no token.
    #[error("{0}")]
    NoToken(InvalidToken),
}

impl FileProblem {
    /// Whether the file is there and readable but has nothing in it.
    pub fn is_empty_file(&self) -> bool {
        matches!(self, Self::NoToken(invalid) if invalid.mistake() == Mistake::Empty)
    }
}

/// What was read last, so that an unchanged file costs one `stat`.
#[derive(Debug, Default)]
pub(super) struct Memory(Mutex<Vec<Kept>>);

#[derive(Debug)]
struct Kept {
    path: PathBuf,
    stamp: Stamp,
    token: AccessToken,
}

impl Memory {
    /// More files than this are read anew each time.
    const MOST: usize = 64;

    /// The token in the file; read only when the file is not the one that was read last.
    pub(super) fn read(&self, path: &Path, now: SystemTime) -> Result<AccessToken, FileProblem> {
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
            kept.push(Kept { path: path.to_owned(), stamp, token: token.clone() });
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

    /// Whether a later write must show in the stamp. File times are coarse: a file written a moment ago could be
    /// written again without a new time.
    fn is_settled(&self, now: SystemTime) -> bool {
        const COARSE: Duration = Duration::from_secs(2);
        self.modified.is_some_and(|modified| now.duration_since(modified).is_ok_and(|age| age > COARSE))
    }
}

/// Reads a file that holds secrets; gives its mode too, if others can get at it.
pub(crate) fn read_with_care(path: &Path) -> Result<(Vec<u8>, Option<u32>), FileProblem> {
    read_bytes(path).map(|(bytes, metadata)| (bytes, loose_mode(&metadata)))
}

fn read_bytes(path: &Path) -> Result<(Vec<u8>, std::fs::Metadata), FileProblem> {
    let (file, shared) = open(path)?;
    let metadata = file.metadata().map_err(FileProblem::Unreadable)?;
    check(&metadata, shared)?;
    let mut bytes = Vec::new();
    file.take(LARGEST + 1).read_to_end(&mut bytes).map_err(FileProblem::Unreadable)?;
    if bytes.len() as u64 > LARGEST {
        return Err(FileProblem::TooLarge);
    }
    Ok((bytes, metadata))
}

fn read(path: &Path) -> Result<(AccessToken, Stamp), FileProblem> {
    let (bytes, metadata) = read_bytes(path)?;
    let stamp = Stamp::of(&metadata);
    let token = text::read(&bytes, stamp.modified);
    let token = token.map_err(FileProblem::NoToken)?;
    if let Some(mode) = loose_mode(&metadata) {
        tracing::warn!(
            path = %path.display(),
            "other users can read the token file (mode {mode:04o}); `chmod 600 {}`",
            path.display()
        );
    }
    Ok((token.with_found_in(format!("file {}", path.display())), stamp))
}

/// Whether everybody may put files into the directory that a file stands in, as in `/tmp`.
#[derive(Clone, Copy, PartialEq)]
enum Shared {
    Yes,
    No,
}

#[cfg(unix)]
fn open(path: &Path) -> Result<(File, Shared), FileProblem> {
    use std::os::unix::fs::MetadataExt;

    use rustix::fs::{Mode, OFlags};
    use rustix::io::Errno;

    const STICKY: u32 = 0o1000;
    const WORLD_WRITABLE: u32 = 0o002;
    let parent = match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    };
    let shared = match fs_err::metadata(parent) {
        Ok(metadata) if metadata.mode() & (STICKY | WORLD_WRITABLE) != 0 => Shared::Yes,
        _ => Shared::No,
    };
    // Non-blocking, or a fifo without a writer would hold us for ever.
    let mut flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY;
    if shared == Shared::Yes {
        flags |= OFlags::NOFOLLOW;
    }
    match rustix::fs::open(path, flags, Mode::empty()) {
        Ok(descriptor) => Ok((File::from(descriptor), shared)),
        Err(Errno::NOENT | Errno::NOTDIR) => Err(FileProblem::Missing),
        Err(Errno::LOOP) if shared == Shared::Yes => Err(FileProblem::Link),
        // A socket, or a fifo that cannot be read without a writer.
        Err(Errno::NXIO) => Err(FileProblem::NotRegular),
        Err(error) => Err(FileProblem::Unreadable(error.into())),
    }
}

#[cfg(not(unix))]
fn open(path: &Path) -> Result<(File, Shared), FileProblem> {
    match File::open(path) {
        Ok(file) => Ok((file, Shared::No)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(FileProblem::Missing),
        Err(error) => Err(FileProblem::Unreadable(error)),
    }
}

fn check(metadata: &std::fs::Metadata, shared: Shared) -> Result<(), FileProblem> {
    if !metadata.is_file() {
        return Err(FileProblem::NotRegular);
    }
    if metadata.len() > LARGEST {
        return Err(FileProblem::TooLarge);
    }
    match shared {
        Shared::Yes => check_owner(metadata),
        Shared::No => Ok(()),
    }
}

/// In a directory where everybody may put a file, only ours and root's will do.
#[cfg(unix)]
fn check_owner(metadata: &std::fs::Metadata) -> Result<(), FileProblem> {
    use std::os::unix::fs::MetadataExt;
    let owner = metadata.uid();
    if owner == 0 || Some(owner) == sys::effective_uid() {
        return Ok(());
    }
    Err(FileProblem::ForeignOwner { owner })
}

#[cfg(not(unix))]
fn check_owner(_: &std::fs::Metadata) -> Result<(), FileProblem> {
    Ok(())
}

/// The mode of a file that others than its owner can read or write.
#[cfg(unix)]
fn loose_mode(metadata: &std::fs::Metadata) -> Option<u32> {
    use std::os::unix::fs::MetadataExt;
    Some(metadata.mode() & 0o7777).filter(|mode| mode & 0o066 != 0)
}

#[cfg(not(unix))]
fn loose_mode(_: &std::fs::Metadata) -> Option<u32> {
    None
}

/// The mode of the file at `path` if others than its owner can read or write it, for a survey.
pub(super) fn loose_mode_of(path: &Path) -> Option<u32> {
    loose_mode(&fs_err::metadata(path).ok()?)
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use std::error::Error as _;
    use std::os::unix::fs::{PermissionsExt, symlink};

    use tempfile::TempDir;
    use url::Url;

    use super::*;

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
            (dir.path().to_owned(), "it is not a regular file"),
            (fifo, "it is not a regular file"),
            (at("socket"), "it is not a regular file"),
            (PathBuf::from("/dev/null"), "it is not a regular file"),
            (PathBuf::from("/dev/zero"), "it is not a regular file"),
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
    fn links_are_followed_only_where_nobody_else_can_make_them() {
        let (own, shared) = (tempfile::tempdir().unwrap(), shared());
        let target = own.path().join("target");
        fs_err::write(&target, "tok").unwrap();
        symlink(&target, own.path().join("link")).unwrap();
        symlink(&target, shared.path().join("link")).unwrap();
        assert_eq!(problem(&own.path().join("link")), "token tok");
        assert!(problem(&shared.path().join("link")).contains("symbolic link"));
    }

    #[test]
    fn a_strangers_file_in_a_shared_directory_is_not_read() {
        let dir = shared();
        let path = dir.path().join("bt_u0");
        fs_err::write(&path, "tok").unwrap();
        assert_eq!(problem(&path), "token tok");
        // Only root can give a file away.
        if sys::effective_uid() == Some(0) {
            std::os::unix::fs::chown(&path, Some(4711), None).unwrap();
            assert!(problem(&path).contains("belongs to user 4711"));
        }
    }

    #[test]
    fn a_file_of_the_same_time_size_and_inode_is_not_opened_again() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("token");
        let (memory, old) = (Memory::default(), SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000));
        let now = old + Duration::from_secs(3_600);
        let write = |text: &str, modified| {
            fs_err::write(&path, text).unwrap();
            let file = fs_err::OpenOptions::new().write(true).open(&path).unwrap();
            file.file().set_modified(modified).unwrap();
        };
        let token = || memory.read(&path, now).unwrap().expose_secret().to_owned();
        write("first", old);
        assert_eq!(token(), "first");
        // Nobody does this to a token; it shows that an unchanged file costs one `stat` and no more.
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
        assert_eq!(token.found_in(), Some(format!("file {}", path.display()).as_str()));
    }
}
