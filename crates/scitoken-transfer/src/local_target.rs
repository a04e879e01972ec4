//! Names on the disk: what a download may be called, and what is put beside it.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use scitoken_types::files::{Directory, DirectoryEntry, EntryType};

use crate::digest::algorithm::DigestAlgorithm;
use crate::digest::hasher;
use crate::disk::mark;
use crate::error::{FailureKind, RetryAction, TransferError, display_path};
use crate::hint::TransferHint;
use crate::overwrite::Overwrite;

/// The suffixes of unfinished files and of their state. No target may have them.
pub(crate) const PART: &str = ".part";
pub(crate) const STATE: &str = ".part.json";

/// The directory of a download, opened once, and the file's name in it.
#[derive(Clone, Debug)]
pub(crate) struct LocalTarget {
    pub(crate) directory: Directory,
    pub(crate) name: OsString,
    /// Whether it may replace a file that no earlier download made.
    pub(crate) foreign: Overwrite,
}

impl LocalTarget {
    /// Opens the directory of a file that the user named.
    pub(crate) fn open(path: &Path) -> Result<Self, TransferError> {
        let Some(name) = path.file_name() else {
            return Err(refused(path, "a directory", TransferHint::NameFileInDirectory));
        };
        let directory = Directory::open(path.parent().unwrap_or(Path::new("")));
        let directory = directory.map_err(|error| TransferError::local("create", path, error))?;
        Ok(Self { directory, name: name.to_owned(), foreign: Overwrite::Allow })
    }

    /// Returns its path, for messages.
    pub(crate) fn path(&self) -> PathBuf {
        self.path_of(&self.name)
    }

    /// Returns the path of a file beside it, for messages.
    pub(crate) fn path_of(&self, name: &OsStr) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Checks that the name is free or a regular file's, and has no suffix of an unfinished file. Returns the file.
    pub(crate) fn check(&self) -> Result<Option<DirectoryEntry>, TransferError> {
        let refuse = |what: &str, hint: TransferHint| Err(refused(&self.path(), what, hint));
        let name = self.name.to_string_lossy().to_ascii_lowercase();
        if name.ends_with(PART) || name.ends_with(STATE) {
            return refuse("the name of an unfinished download", TransferHint::ChooseOtherName);
        }
        let entry = self.directory.entry(&self.name);
        let entry = entry.map_err(|error| TransferError::local("inspect", &self.path(), error))?;
        match &entry {
            None => Ok(None),
            Some(there) => match there.kind {
                EntryType::Directory => refuse("a directory", TransferHint::NameFileInDirectory),
                EntryType::Link => {
                    refuse("a symbolic link, which would be replaced", TransferHint::ResolveLink)
                }
                EntryType::Special => refuse("not a regular file", TransferHint::WriteToStream),
                // Some mode bit permits writing, and this process may.
                EntryType::File
                    if there.mode & 0o222 == 0 || self.directory.check_writable(&self.name).is_err() =>
                {
                    refuse("not writable, and would be replaced", TransferHint::ChooseWritablePath)
                }
                EntryType::File => Ok(entry),
            },
        }
    }

    /// Returns whether the file of that name is as an earlier download made it.
    pub(crate) fn is_made_by_us(&self) -> bool {
        self.directory.open_file(&self.name).is_ok_and(|file| mark::is_finished(&file))
    }

    /// Returns the failure for a file that exists.
    pub(crate) fn already_exists(&self) -> TransferError {
        let message = format!("`{}` already exists", display_path(&self.path()));
        TransferError::new(FailureKind::Exists, RetryAction::GiveUp, message)
            .with_hint(TransferHint::KeepExistingFile)
    }

    /// Returns the failure for a file that no earlier download made.
    pub(crate) fn is_foreign(&self) -> TransferError {
        let message =
            format!("`{}` already exists, and no earlier download made it", display_path(&self.path()));
        TransferError::new(FailureKind::Exists, RetryAction::GiveUp, message)
            .with_hint(TransferHint::ReplaceForeignFile)
    }

    /// Returns its name with a suffix. A name that would get too long is shortened and made unique by its checksum.
    pub(crate) fn sibling(&self, suffix: &str) -> OsString {
        const LONGEST: usize = 255;
        // The state's name is longer by `.json`, and by `.part` while it is being written.
        const EXTRA: usize = ".json.part".len();
        let mut name = self.name.clone();
        if name.len() + suffix.len() + EXTRA > LONGEST {
            let text = name.to_string_lossy().into_owned();
            let digest = hasher::digest_of(DigestAlgorithm::Crc32c, text.as_bytes()).to_hex();
            let cut = (0..=200).rev().find(|n| text.is_char_boundary(*n)).unwrap_or(0);
            name = OsString::from(format!("{}-{digest}", &text[..cut]));
        }
        name.push(suffix);
        name
    }
}

fn refused(target: &Path, what: &str, hint: TransferHint) -> TransferError {
    let message = format!("`{}` is {what}", display_path(target));
    TransferError::new(FailureKind::Local, RetryAction::GiveUp, message).with_hint(hint)
}
