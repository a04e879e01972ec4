//! The way to a file, one name at a time, so that each symbolic link on it is checked before it is followed.

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, openat, readlinkat, statat};
use rustix::io::Errno;

use super::FileProblem;
use super::owner::{FileAccess, is_user_or_root};

/// As many links as Linux follows.
const MOST_LINKS: usize = 40;
/// A change between two looks at one name is tried again this often.
const MOST_RACES: usize = 100;

#[cfg(target_os = "linux")]
const DIRECTORY: OFlags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);
#[cfg(not(target_os = "linux"))]
const DIRECTORY: OFlags = OFlags::DIRECTORY.union(OFlags::CLOEXEC);

/// An opened file and the directory that it lies in, after all links.
#[derive(Debug)]
pub(super) struct OpenedFile {
    pub(super) file: File,
    pub(super) directory: PathBuf,
    pub(super) directory_access: FileAccess,
}

/// Opens a file for reading, without blocking. Links in directories that others can write to are followed if they belong
/// to the effective user or to root.
pub(super) fn open(path: &Path) -> Result<OpenedFile, FileProblem> {
    /// A link that leads nowhere is looked at this often before it is taken for one.
    const DANGLING: usize = 4;
    for attempt in 0..MOST_RACES {
        match open_once(path) {
            // What a link led to a moment ago may have been replaced, as Kubernetes does with its volumes.
            Err((FileProblem::Missing, links)) if links > 0 && (attempt < DANGLING || exists(path)) => {}
            result => return result.map_err(|(problem, _)| problem),
        }
    }
    Err(FileProblem::Missing)
}

/// Opens a file; an error comes with the number of links that were followed.
fn open_once(path: &Path) -> Result<OpenedFile, (FileProblem, usize)> {
    let mut walk = PathWalk::start(path).map_err(|problem| (problem, 0))?;
    loop {
        let Some(name) = walk.ahead.pop_front() else {
            // The path is a directory, or ends in `..`.
            return Err((FileProblem::NotRegular(super::FileKind::Directory), walk.links));
        };
        let step = if !walk.ahead.is_empty() || name == ".." {
            walk.enter(&name).map(|()| None)
        } else {
            walk.finish(&name)
        };
        if let Some(found) = step.map_err(|problem| (problem, walk.links))? {
            return Ok(found);
        }
    }
}

fn exists(path: &Path) -> bool {
    fs_err::metadata(path).is_ok()
}

struct PathWalk {
    directory: OwnedFd,
    /// The directory's path, for messages.
    shown: PathBuf,
    ahead: VecDeque<OsString>,
    links: usize,
    races: usize,
}

impl PathWalk {
    fn start(path: &Path) -> Result<Self, FileProblem> {
        let mut walk = Self {
            directory: open_directory(".")?,
            shown: PathBuf::new(),
            ahead: VecDeque::new(),
            links: 0,
            races: 0,
        };
        walk.prepend(path)?;
        Ok(walk)
    }

    /// Puts the names of `path` before those that are still ahead.
    fn prepend(&mut self, path: &Path) -> Result<(), FileProblem> {
        if path.is_absolute() {
            self.directory = open_directory("/")?;
            self.shown = PathBuf::from("/");
        }
        for component in path.components().rev() {
            match component {
                Component::Normal(name) => self.ahead.push_front(name.to_owned()),
                Component::ParentDir => self.ahead.push_front(OsString::from("..")),
                Component::CurDir | Component::RootDir | Component::Prefix(_) => {}
            }
        }
        Ok(())
    }

    /// Goes into a directory, or follows the link that `name` is.
    fn enter(&mut self, name: &OsStr) -> Result<(), FileProblem> {
        match openat(&self.directory, name, DIRECTORY | OFlags::NOFOLLOW, Mode::empty()) {
            Ok(directory) => {
                self.directory = directory;
                self.shown.push(name);
                Ok(())
            }
            Err(Errno::LOOP | Errno::NOTDIR | Errno::MLINK) => {
                if self.follow(name)? {
                    Ok(())
                } else {
                    Err(FileProblem::Missing)
                }
            }
            Err(error) => Err(problem(error)),
        }
    }

    /// Opens the last name; `None` when it is a link that has been followed, or was one a moment ago.
    fn finish(&mut self, name: &OsStr) -> Result<Option<OpenedFile>, FileProblem> {
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY | OFlags::NOFOLLOW;
        let file = match openat(&self.directory, name, flags, Mode::empty()) {
            Ok(file) => file,
            // The names that `/proc` shows for open files are no paths: only the kernel can follow them.
            Err(Errno::LOOP) if self.is_proc() => {
                openat(&self.directory, name, flags - OFlags::NOFOLLOW, Mode::empty()).map_err(problem)?
            }
            Err(Errno::LOOP | Errno::MLINK) => {
                if !self.follow(name)? {
                    self.race()?;
                    self.ahead.push_front(name.to_owned());
                }
                return Ok(None);
            }
            // A socket, or a device without a driver.
            Err(Errno::NXIO | Errno::NODEV | Errno::OPNOTSUPP) => {
                return Err(FileProblem::NotRegular(self.kind(name)));
            }
            Err(error) => return Err(problem(error)),
        };
        let directory_access = self.access()?;
        let shown = if self.shown == Path::new("") { PathBuf::from(".") } else { self.shown.clone() };
        Ok(Some(OpenedFile { file: File::from(file), directory: shown, directory_access }))
    }

    /// Follows a link; `false` when `name` is none.
    fn follow(&mut self, name: &OsStr) -> Result<bool, FileProblem> {
        let link = statat(&self.directory, name, AtFlags::SYMLINK_NOFOLLOW).map_err(problem)?;
        if FileType::from_raw_mode(link.st_mode) != FileType::Symlink {
            return Ok(false);
        }
        self.links += 1;
        if self.links > MOST_LINKS {
            return Err(FileProblem::TooManyLinks);
        }
        if !is_user_or_root(link.st_uid) && self.access()?.others_can_write() {
            return Err(FileProblem::ForeignLink { link: self.shown.join(name), owner: link.st_uid });
        }
        let target = match readlinkat(&self.directory, name, Vec::new()) {
            Ok(target) => target,
            // It was replaced by something else meanwhile.
            Err(Errno::INVAL) => return Ok(false),
            Err(error) => return Err(problem(error)),
        };
        self.prepend(Path::new(OsStr::from_bytes(target.as_bytes())))?;
        Ok(true)
    }

    #[cfg(target_os = "linux")]
    fn is_proc(&self) -> bool {
        rustix::fs::fstatfs(&self.directory).is_ok_and(|system| system.f_type == rustix::fs::PROC_SUPER_MAGIC)
    }

    #[cfg(not(target_os = "linux"))]
    fn is_proc(&self) -> bool {
        false
    }

    fn race(&mut self) -> Result<(), FileProblem> {
        self.races += 1;
        if self.races > MOST_RACES { Err(FileProblem::TooManyLinks) } else { Ok(()) }
    }

    fn access(&self) -> Result<FileAccess, FileProblem> {
        let directory = rustix::fs::fstat(&self.directory).map_err(problem)?;
        #[cfg_attr(
            target_os = "linux",
            expect(clippy::useless_conversion, reason = "the mode has 16 bits elsewhere")
        )]
        let mode = u32::from(directory.st_mode) & 0o7777;
        Ok(FileAccess { owner: directory.st_uid, group: directory.st_gid, mode })
    }

    fn kind(&self, name: &OsStr) -> super::FileKind {
        match statat(&self.directory, name, AtFlags::empty()).map(|s| FileType::from_raw_mode(s.st_mode)) {
            Ok(FileType::Socket) => super::FileKind::Socket,
            Ok(FileType::Fifo) => super::FileKind::Fifo,
            Ok(FileType::CharacterDevice | FileType::BlockDevice) => super::FileKind::Device,
            _ => super::FileKind::Other,
        }
    }
}

fn open_directory(path: &str) -> Result<OwnedFd, FileProblem> {
    openat(CWD, path, DIRECTORY, Mode::empty()).map_err(problem)
}

fn problem(error: Errno) -> FileProblem {
    match error {
        Errno::LOOP => FileProblem::TooManyLinks,
        error => FileProblem::io("open")(error.into()),
    }
}
