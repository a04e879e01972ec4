//! Why a file is not opened, and what helps.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use crate::{ErrorChain, redact};

/// A file was not opened, read or written.
///
/// The message names the file; [`problem`](Self::problem) is the rule that was broken, and [`hint`](Self::hint) what
/// helps.
///
/// ```
/// use scitoken_types::files::{FileProblem, Ownership, SecretFile};
///
/// let error = SecretFile::open("/nonexistent/token", Ownership::UserOrRoot).unwrap_err();
/// assert!(matches!(error.problem(), FileProblem::Missing));
/// assert_eq!(error.to_string(), "`/nonexistent/token` does not exist");
/// ```
pub struct FileError {
    path: PathBuf,
    pub(super) problem: FileProblem,
}

/// Which rule a file breaks, without the file's name: "the file is a directory, not a regular file".
#[derive(Debug)]
#[non_exhaustive]
pub enum FileProblem {
    /// There is no such file, or a link that leads nowhere.
    Missing,
    /// The system refused an operation.
    Io {
        /// The action that failed: `open`, `read`, `write`.
        action: &'static str,
        /// The system's error.
        error: io::Error,
    },
    /// It is something else than a regular file.
    NotRegular(FileKind),
    /// It has more bytes than its reader accepts.
    TooLarge {
        /// How many bytes are accepted.
        limit: u64,
    },
    /// It belongs to another user.
    ForeignOwner {
        /// The owner's user id.
        owner: u32,
    },
    /// It is reached through a symbolic link that another user made, in a directory where other users can make one.
    ForeignLink {
        /// The link.
        link: PathBuf,
        /// The link owner's user id.
        owner: u32,
    },
    /// Other users can replace it, because they can write to its directory.
    WritableDirectory {
        /// The directory.
        directory: PathBuf,
        /// Its permission bits.
        mode: u32,
        /// Its owner's user id.
        owner: u32,
    },
    /// Other users can write to it.
    WritableFile {
        /// Its permission bits.
        mode: u32,
    },
    /// There are more symbolic links on the way to it than the system follows.
    TooManyLinks,
}

/// What a file system entry is, if not a regular file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FileKind {
    /// A directory.
    Directory,
    /// A named or anonymous pipe.
    Fifo,
    /// A socket.
    Socket,
    /// A character or block device.
    Device,
    /// Something else.
    Other,
}

/// What the user can do about a [`FileProblem`], as a command that a shell runs.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FileHint {
    /// Take the permission to write away from other users.
    ForbidWriting(PathBuf),
    /// Make the file belong to the effective user.
    TakeOver(PathBuf),
    /// Remove a link or file that another user made.
    Remove(PathBuf),
}

impl FileError {
    pub(super) fn new(path: impl Into<PathBuf>, problem: FileProblem) -> Self {
        Self { path: path.into(), problem }
    }

    /// Returns the path of the file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns which rule it breaks.
    pub fn problem(&self) -> &FileProblem {
        &self.problem
    }

    /// Returns which rule it breaks, for errors that name the file themselves.
    pub fn into_problem(self) -> FileProblem {
        self.problem
    }

    /// Returns it as an I/O error, for errors that name the file themselves.
    pub fn into_io(self) -> io::Error {
        match self.problem {
            FileProblem::Io { error, .. } => error,
            problem @ FileProblem::Missing => io::Error::new(io::ErrorKind::NotFound, problem),
            problem => io::Error::other(problem),
        }
    }

    /// Returns whether there is no such file.
    pub fn is_missing(&self) -> bool {
        matches!(self.problem, FileProblem::Missing)
    }

    /// Returns what the user can do about it.
    pub fn hint(&self) -> Option<FileHint> {
        self.problem.hint(&self.path)
    }
}

impl FileProblem {
    /// Returns what the user can do about it, for the file at `path`.
    pub fn hint(&self, path: &Path) -> Option<FileHint> {
        match self {
            Self::WritableDirectory { directory, .. } => Some(FileHint::ForbidWriting(directory.clone())),
            Self::WritableFile { .. } => Some(FileHint::ForbidWriting(path.to_owned())),
            Self::ForeignOwner { .. } => Some(FileHint::TakeOver(path.to_owned())),
            Self::ForeignLink { link, .. } => Some(FileHint::Remove(link.clone())),
            _ => None,
        }
    }
}

/// As displayed, with the system's error.
impl fmt::Debug for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FileError({})", ErrorChain::new(self))
    }
}

/// A path that looks like a token is masked.
impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.problem.write(f, &format!("`{}`", redact::path(&self.path)))
    }
}

impl std::error::Error for FileError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        std::error::Error::source(&self.problem)
    }
}

impl FileProblem {
    /// A failed `action`; a missing file is [`Missing`](Self::Missing).
    pub(super) fn io(action: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |error| match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Self::Missing,
            _ => Self::Io { action, error },
        }
    }

    fn write(&self, f: &mut fmt::Formatter<'_>, file: &str) -> fmt::Result {
        const MEBIBYTE: u64 = 1 << 20;
        match self {
            Self::Missing => write!(f, "{file} does not exist"),
            Self::Io { action, .. } => write!(f, "failed to {action} {file}"),
            Self::NotRegular(kind) => write!(f, "{file} is a {kind}, not a regular file"),
            Self::TooLarge { limit } if *limit >= MEBIBYTE && limit.is_multiple_of(MEBIBYTE) => {
                write!(f, "{file} is larger than {} MiB", limit / MEBIBYTE)
            }
            Self::TooLarge { limit } => write!(f, "{file} is larger than {limit} bytes"),
            Self::ForeignOwner { owner } => write!(f, "{file} belongs to user {owner}"),
            Self::ForeignLink { link, owner } => {
                let link = redact::path(link);
                write!(
                    f,
                    "{file} is reached through the symbolic link `{link}`, which belongs to user {owner}"
                )
            }
            Self::WritableDirectory { directory, mode, owner } => {
                let directory = redact::path(directory);
                write!(
                    f,
                    "{file} is in `{directory}`, where others can replace it (owner {owner}, mode {mode:04o})"
                )
            }
            Self::WritableFile { mode } => write!(f, "{file} can be written by others (mode {mode:04o})"),
            Self::TooManyLinks => write!(f, "{file} is behind too many symbolic links"),
        }
    }
}

impl fmt::Display for FileProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(f, "the file")
    }
}

impl std::error::Error for FileProblem {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io { error, .. } => Some(error),
            _ => None,
        }
    }
}

impl fmt::Display for FileKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Directory => "directory",
            Self::Fifo => "fifo",
            Self::Socket => "socket",
            Self::Device => "device",
            Self::Other => "special file",
        })
    }
}

impl From<std::fs::FileType> for FileKind {
    fn from(file_type: std::fs::FileType) -> Self {
        #[cfg(unix)]
        {
            use std::os::unix::fs::FileTypeExt;
            if file_type.is_fifo() {
                return Self::Fifo;
            }
            if file_type.is_socket() {
                return Self::Socket;
            }
            if file_type.is_char_device() || file_type.is_block_device() {
                return Self::Device;
            }
        }
        if file_type.is_dir() { Self::Directory } else { Self::Other }
    }
}

impl fmt::Display for FileHint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ForbidWriting(path) => write!(f, "chmod go-w {}", path.display()),
            Self::TakeOver(path) => write!(f, "chown \"$USER\" {}", path.display()),
            Self::Remove(path) => write!(f, "rm {}", path.display()),
        }
    }
}
