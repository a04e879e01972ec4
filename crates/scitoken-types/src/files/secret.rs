//! Files that hold secrets.

use std::fs::{File, Metadata};
use std::path::{Path, PathBuf};

use secrecy::zeroize::Zeroizing;

use super::open::read_to_limit;
use super::{FileError, FileProblem, owner};

/// Whose files are opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ownership {
    /// Files of the effective user and of root, in directories of theirs.
    #[default]
    UserOrRoot,
    /// Files of any user, for a file that the user named and that belongs to another one. The rules for links still
    /// apply.
    Any,
}

/// An opened file that holds a secret; see the [rules](super#rules-for-files-of-secrets).
///
/// ```
/// use scitoken_types::files::{Ownership, SecretFile};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let directory = tempfile::tempdir()?;
/// # let path = directory.path().join("token");
/// scitoken_types::files::replace_secret(&path, b"c2VjcmV0")?;
/// let file = SecretFile::open(&path, Ownership::UserOrRoot)?;
/// assert_eq!(file.loose_mode(), None);
/// assert_eq!(file.read(1024)?.as_slice(), b"c2VjcmV0");
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct SecretFile {
    path: PathBuf,
    file: File,
    metadata: Metadata,
}

impl SecretFile {
    /// Opens a file without blocking, and checks it.
    ///
    /// # Errors
    /// [`FileError`], which tells the rule that the file breaks.
    pub fn open(path: impl AsRef<Path>, ownership: Ownership) -> Result<Self, FileError> {
        let path = path.as_ref();
        let opened = open(path, ownership);
        let (file, metadata) = opened.map_err(|problem| FileError::new(path, problem))?;
        Ok(Self { path: path.to_owned(), file, metadata })
    }

    /// Returns the file's metadata at the time when it was opened.
    pub fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    /// Returns the permission bits if other users than the owner can read or write the file.
    pub fn loose_mode(&self) -> Option<u32> {
        loose_mode(&self.metadata)
    }

    /// Reads the whole file.
    ///
    /// # Errors
    /// [`FileProblem::TooLarge`] when it has more than `limit` bytes; no more than that is read.
    pub fn read(self, limit: u64) -> Result<Zeroizing<Vec<u8>>, FileError> {
        let content = read_to_limit(&self.file, self.metadata.len(), limit);
        content.map_err(|problem| FileError::new(self.path, problem))
    }
}

#[cfg(unix)]
fn open(path: &Path, ownership: Ownership) -> Result<(File, Metadata), FileProblem> {
    let found = super::walk::open(path)?;
    let metadata = found.file.metadata().map_err(FileProblem::io("open"))?;
    if !metadata.is_file() {
        return Err(FileProblem::NotRegular(metadata.file_type().into()));
    }
    if ownership == Ownership::UserOrRoot {
        if let Some(owner) = owner::foreign_owner(&metadata) {
            return Err(FileProblem::ForeignOwner { owner });
        }
        let access = found.directory_access;
        if access.others_can_replace() {
            let (mode, owner) = (access.mode, access.owner);
            return Err(FileProblem::WritableDirectory { directory: found.directory, mode, owner });
        }
        let access = owner::FileAccess::of(&metadata);
        if access.others_can_write() {
            return Err(FileProblem::WritableFile { mode: access.mode });
        }
    }
    Ok((found.file, metadata))
}

#[cfg(not(unix))]
fn open(path: &Path, _: Ownership) -> Result<(File, Metadata), FileProblem> {
    super::open::open_checked(path)
}

#[cfg(unix)]
fn loose_mode(metadata: &Metadata) -> Option<u32> {
    use std::os::unix::fs::MetadataExt;
    Some(metadata.mode() & 0o7777).filter(|mode| mode & 0o066 != 0)
}

#[cfg(not(unix))]
fn loose_mode(_: &Metadata) -> Option<u32> {
    None
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, chown, symlink};

    use tempfile::TempDir;

    use super::*;
    use crate::files::FileKind;
    use crate::sys;

    const ANOTHER_USER: Option<u32> = Some(4711);

    fn directory(mode: u32) -> TempDir {
        let directory = tempfile::tempdir().unwrap();
        fs_err::set_permissions(directory.path(), std::fs::Permissions::from_mode(mode)).unwrap();
        directory
    }

    fn open(path: impl AsRef<Path>) -> Result<Vec<u8>, FileError> {
        SecretFile::open(path, Ownership::UserOrRoot)?.read(100).map(|content| content.to_vec())
    }

    fn broken_rule(path: impl AsRef<Path>) -> FileProblem {
        open(path).unwrap_err().problem
    }

    /// Only root can give files away.
    fn is_root() -> bool {
        sys::effective_uid() == Some(0)
    }

    #[test]
    fn only_regular_files_are_opened_and_never_waited_for() {
        let own = directory(0o700);
        let at = |name: &str| own.path().join(name);
        rustix::fs::mknodat(
            rustix::fs::CWD,
            at("fifo"),
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::RUSR,
            0,
        )
        .unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(at("socket")).unwrap();
        for (path, expected) in [
            (at("fifo"), FileKind::Fifo),
            (at("socket"), FileKind::Socket),
            (own.path().to_owned(), FileKind::Directory),
            (PathBuf::from("/dev/zero"), FileKind::Device),
            (PathBuf::from("/"), FileKind::Directory),
            (PathBuf::from(".."), FileKind::Directory),
        ] {
            let problem = broken_rule(&path);
            assert!(
                matches!(problem, FileProblem::NotRegular(kind) if kind == expected),
                "{path:?} {problem}"
            );
        }
        symlink(at("nowhere"), at("dangling")).unwrap();
        for missing in ["missing", "dangling", "fifo/below", "missing/below"] {
            assert!(open(at(missing)).unwrap_err().is_missing(), "{missing}");
        }
    }

    #[test]
    fn a_file_that_is_larger_than_its_reader_accepts_is_not_read() {
        let own = directory(0o700);
        let path = own.path().join("f");
        fs_err::write(&path, [b'x'; 100]).unwrap();
        assert_eq!(open(&path).unwrap().len(), 100);
        fs_err::write(&path, [b'x'; 101]).unwrap();
        assert!(matches!(broken_rule(&path), FileProblem::TooLarge { limit: 100 }));
        assert!(matches!(broken_rule("/proc/self/mountinfo"), FileProblem::TooLarge { .. }));
    }

    #[test]
    fn a_kubernetes_volume_is_read_through_its_links() {
        for mode in [0o1777, 0o3777, 0o755] {
            let volume = directory(mode);
            let at = |name: &str| volume.path().join(name);
            fs_err::create_dir(at("..2026_x")).unwrap();
            fs_err::write(at("..2026_x/token"), "tok").unwrap();
            symlink("..2026_x", at("..data")).unwrap();
            symlink("..data/token", at("token")).unwrap();
            assert_eq!(open(at("token")).unwrap(), b"tok", "{mode:o}");
            assert_eq!(open(at("..data/token")).unwrap(), b"tok", "{mode:o}");
            assert_eq!(open(at("..data/../token")).unwrap(), b"tok", "{mode:o}");
        }
    }

    #[test]
    fn a_volume_that_is_replaced_all_the_time_is_always_read() {
        let volume = directory(0o1777);
        let at = |name: &str| volume.path().join(name);
        let rotate = |number: u32| {
            let version = at(&format!("..version_{number}"));
            fs_err::create_dir(&version).unwrap();
            fs_err::write(version.join("token"), format!("token-{number}")).unwrap();
            symlink(format!("..version_{number}"), at("..data_tmp")).unwrap();
            fs_err::rename(at("..data_tmp"), at("..data")).unwrap();
            if let Some(last) = number.checked_sub(1) {
                fs_err::remove_dir_all(at(&format!("..version_{last}"))).unwrap();
            }
        };
        rotate(0);
        symlink("..data/token", at("token")).unwrap();
        let is_done = std::sync::atomic::AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let mut number = 1;
                while !is_done.load(std::sync::atomic::Ordering::Relaxed) {
                    rotate(number);
                    number += 1;
                }
            });
            let opened: Vec<_> = (0..1_000).map(|_| open(at("token"))).collect();
            is_done.store(true, std::sync::atomic::Ordering::Relaxed);
            for content in opened {
                assert!(content.unwrap().starts_with(b"token-"));
            }
        });
    }

    #[test]
    fn a_link_of_another_user_is_followed_only_where_that_user_cannot_make_one() {
        if !is_root() {
            return;
        }
        let (shared, own) = (directory(0o1777), directory(0o755));
        let target = own.path().join("target");
        fs_err::write(&target, "tok").unwrap();
        for (directory, follows) in [(&shared, false), (&own, true)] {
            let (file, parent) = (directory.path().join("link"), directory.path().join("parent"));
            symlink(&target, &file).unwrap();
            symlink(own.path(), &parent).unwrap();
            for link in [&file, &parent] {
                std::os::unix::fs::lchown(link, ANOTHER_USER, None).unwrap();
            }
            for path in [file, parent.join("target")] {
                let opened = open(&path);
                match (follows, opened) {
                    (true, Ok(content)) => assert_eq!(content, b"tok"),
                    (false, Err(error)) => {
                        assert!(
                            matches!(error.problem, FileProblem::ForeignLink { owner: 4711, .. }),
                            "{error}"
                        );
                        assert!(error.hint().unwrap().to_string().starts_with("rm /"), "{error}");
                    }
                    (_, opened) => panic!("{path:?}: {opened:?}"),
                }
            }
        }
    }

    #[test]
    fn a_file_must_belong_to_the_user_or_root_unless_any_owner_will_do() {
        if !is_root() {
            return;
        }
        let own = directory(0o755);
        let path = own.path().join("bt_u0");
        fs_err::write(&path, "tok").unwrap();
        chown(&path, ANOTHER_USER, None).unwrap();
        assert!(matches!(broken_rule(&path), FileProblem::ForeignOwner { owner: 4711 }));
        let opened = SecretFile::open(&path, Ownership::Any).unwrap();
        assert_eq!(opened.read(100).unwrap().as_slice(), b"tok");
    }

    #[test]
    fn a_directory_that_others_can_write_to_is_refused_unless_it_is_sticky() {
        for (mode, fits) in [(0o755, true), (0o775, true), (0o1777, true), (0o777, false), (0o757, false)] {
            let directory = directory(mode);
            let path = directory.path().join("f");
            fs_err::write(&path, "tok").unwrap();
            assert_eq!(open(&path).is_ok(), fits, "{mode:o}");
            let hint = open(&path).err().and_then(|error| error.hint());
            let expected = (!fits).then(|| format!("chmod go-w {}", directory.path().display()));
            assert_eq!(hint.map(|hint| hint.to_string()), expected);
        }
        if !is_root() {
            return;
        }
        for (mode, uid, gid) in
            [(0o700, ANOTHER_USER, None), (0o1777, ANOTHER_USER, None), (0o775, None, ANOTHER_USER)]
        {
            let directory = directory(mode);
            let path = directory.path().join("f");
            fs_err::write(&path, "tok").unwrap();
            chown(directory.path(), uid, gid).unwrap();
            assert!(matches!(broken_rule(&path), FileProblem::WritableDirectory { .. }), "{mode:o}");
        }
    }

    #[test]
    fn a_file_that_others_can_write_to_is_refused_with_the_chmod_that_helps() {
        let own = directory(0o700);
        let path = own.path().join("f");
        fs_err::write(&path, "tok").unwrap();
        for (mode, fits) in [(0o600, true), (0o644, true), (0o660, true), (0o666, false), (0o602, false)] {
            fs_err::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(open(&path).is_ok(), fits, "{mode:o}");
            let hint = open(&path).err().and_then(|error| error.hint());
            let expected = (!fits).then(|| format!("chmod go-w {}", path.display()));
            assert_eq!(hint.map(|hint| hint.to_string()), expected);
        }
        fs_err::set_permissions(&path, std::fs::Permissions::from_mode(0o660)).unwrap();
        if is_root() {
            chown(&path, None, ANOTHER_USER).unwrap();
            assert!(matches!(broken_rule(&path), FileProblem::WritableFile { mode: 0o660 }));
        }
    }

    #[test]
    fn links_in_a_circle_end() {
        let own = directory(0o700);
        symlink("loop", own.path().join("loop")).unwrap();
        assert!(matches!(broken_rule(own.path().join("loop")), FileProblem::TooManyLinks));
    }

    #[test]
    fn a_relative_path_and_an_open_file_by_its_number_are_read() {
        assert!(SecretFile::open("Cargo.toml", Ownership::Any).is_ok());
        let own = directory(0o700);
        let path = own.path().join("f");
        fs_err::write(&path, "tok").unwrap();
        let held = fs_err::File::open(&path).unwrap();
        let number = std::os::fd::AsRawFd::as_raw_fd(held.file());
        let by_number = PathBuf::from(format!("/dev/fd/{number}"));
        let opened = SecretFile::open(by_number, Ownership::Any).unwrap();
        assert_eq!(opened.read(100).unwrap().as_slice(), b"tok");
    }
}
