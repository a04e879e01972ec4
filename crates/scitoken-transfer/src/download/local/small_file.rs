//! A small file: held in memory until it is right, then named in one step.

use std::io;
use std::path::PathBuf;

use crate::disk::mark;
use crate::disk::positioned_io::write_all_at;
use crate::download::local::open_part::{Opened, being_downloaded, open_part_file};
use crate::download::local::part_file::PartFile;
use crate::error::TransferError;
use crate::local_target::{LocalTarget, PART};

/// The longest file that is held in memory, in bytes.
const LONGEST: u64 = 64 * 1024;

/// A new file that was not seen to be large yet. Nothing of it is on the disk.
///
/// It becomes an unfinished file `NAME.part` when it turns out to be large, or when a later request or a later run has to
/// resume it.
#[derive(Debug)]
pub(crate) struct SmallFile {
    target: LocalTarget,
    /// The announced length.
    length: Option<u64>,
    data: Vec<u8>,
}

/// Whether a file is still one for memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fits {
    Yes,
    No,
}

impl SmallFile {
    /// Returns a file for a name that is free; `None` where an earlier or another run has an unfinished one.
    ///
    /// # Errors
    /// The directory is not writable.
    pub(crate) fn new(target: &LocalTarget) -> Result<Option<Self>, TransferError> {
        let part = target.sibling(PART);
        if !matches!(target.directory.entry(&part), Ok(None)) {
            return Ok(None);
        }
        let writable = target.directory.check_creatable();
        writable.map_err(|error| TransferError::local("create", &target.path_of(&part), error))?;
        Ok(Some(Self { target: target.clone(), length: None, data: Vec::new() }))
    }

    /// Discards all data, and says whether `length` bytes fit into memory.
    pub(crate) fn restart(&mut self, length: Option<u64>) -> Fits {
        self.length = length;
        self.data = Vec::new();
        if length.is_none_or(|length| length <= LONGEST) { Fits::Yes } else { Fits::No }
    }

    /// Takes data, if it continues what is there and fits.
    pub(crate) fn append(&mut self, data: &[u8], offset: u64) -> Fits {
        let there = self.data.len() as u64;
        if offset != there || data.len() as u64 > LONGEST - there {
            return Fits::No;
        }
        if self.data.is_empty() {
            let announced = self.length.filter(|length| *length <= LONGEST).unwrap_or_default();
            self.data.reserve_exact(usize::try_from(announced).unwrap_or_default());
        }
        self.data.extend_from_slice(data);
        Fits::Yes
    }

    /// Makes the file of `length` bytes, with its name, and returns its path. It replaces nothing.
    ///
    /// # Errors
    /// Bytes are missing, the name is taken by now, or the file system has no files without a name: [`open_part`](Self::open_part) is the way then.
    pub(crate) fn name(&self, length: u64) -> io::Result<PathBuf> {
        if self.data.len() as u64 != length {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let file = self.target.directory.create_unnamed()?;
        write_all_at(&file, &self.data, 0)?;
        let metadata = file.metadata()?;
        mark::set_finished(&file, &metadata);
        self.target.directory.link_to_free(&file, &metadata, &self.target.name)?;
        Ok(self.target.path())
    }

    /// Makes an unfinished file of it.
    ///
    /// # Errors
    /// As [`open_part_file`], and when another process has begun to download it.
    pub(crate) fn open_part(&mut self) -> Result<Box<PartFile>, TransferError> {
        let Opened::Ours(mut part) = open_part_file(self.target.clone())? else {
            return Err(being_downloaded(&self.target));
        };
        let mut filled = part.restart(self.length);
        if filled.is_ok() && !self.data.is_empty() {
            filled = part.write(&self.data, 0);
        }
        if let Err(error) = filled {
            // The disk is full, most likely.
            part.discard();
            return Err(error);
        }
        self.data = Vec::new();
        Ok(part)
    }
}

#[cfg(test)]
mod tests {
    use scitoken_types::files::Directory;

    use super::*;
    use crate::download::content::identity::Identity;
    use crate::download::job::IfExists;
    use crate::download::local::output::Output;
    use crate::download::local::sidecar::Sidecar;
    use crate::download::ranges::range_set::RangeSet;
    use crate::overwrite::Overwrite;

    fn opened() -> (tempfile::TempDir, LocalTarget) {
        let temporary = tempfile::tempdir().unwrap();
        let directory = Directory::open(temporary.path()).unwrap();
        let target = LocalTarget { directory, name: "f".into(), foreign: Overwrite::Allow };
        (temporary, target)
    }

    fn small(target: &LocalTarget) -> Output {
        Output::Small(SmallFile::new(target).unwrap().unwrap())
    }

    fn names(directory: &tempfile::TempDir) -> Vec<String> {
        let entries = fs_err::read_dir(directory.path()).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    fn read(directory: &tempfile::TempDir, name: &str) -> Vec<u8> {
        fs_err::read(directory.path().join(name)).unwrap()
    }

    #[test]
    fn a_small_file_has_no_name_until_it_is_right_and_only_its_own_then() {
        for length in [Some(6), None] {
            let (directory, target) = opened();
            let mut output = small(&target);
            output.restart(length).unwrap();
            output.write(b"abc", 0).unwrap();
            output.write(b"def", 3).unwrap();
            assert!(names(&directory).is_empty(), "{length:?}");
            let path = output.finish(6, IfExists::Refuse).unwrap().unwrap();
            assert_eq!(path, directory.path().join("f"));
            assert_eq!(
                (names(&directory), read(&directory, "f")),
                (vec!["f".to_owned()], b"abcdef".to_vec())
            );
            assert!(target.is_made_by_us() || !has_marks(&directory));
        }
    }

    fn has_marks(directory: &tempfile::TempDir) -> bool {
        mark::is_possible(&std::fs::File::open(directory.path().join("f")).unwrap())
    }

    #[test]
    fn an_empty_file_is_a_small_one() {
        let (directory, target) = opened();
        let mut output = small(&target);
        output.restart(Some(0)).unwrap();
        output.finish(0, IfExists::Replace).unwrap();
        assert_eq!(read(&directory, "f"), b"");
    }

    #[test]
    fn a_file_that_turns_out_to_be_large_is_an_unfinished_one_on_the_disk() {
        let block = vec![7; 50_000];
        for announced in [Some(100_000), None] {
            let (directory, target) = opened();
            let mut output = small(&target);
            output.restart(announced).unwrap();
            output.write(&block, 0).unwrap();
            output.write(&block, 50_000).unwrap();
            assert_eq!(names(&directory)[0], "f.part");
            output.finish(100_000, IfExists::Replace).unwrap();
            assert_eq!((names(&directory), read(&directory, "f")), (vec!["f".to_owned()], vec![7; 100_000]));
        }
    }

    #[test]
    fn a_name_that_was_taken_meanwhile_is_replaced_or_kept_as_the_caller_said() {
        let (directory, target) = opened();
        for (existing, content) in [(IfExists::Replace, "new"), (IfExists::Refuse, "other")] {
            let mut output = small(&LocalTarget { name: content.into(), ..target.clone() });
            output.restart(Some(3)).unwrap();
            output.write(b"new", 0).unwrap();
            fs_err::write(directory.path().join(content), "other").unwrap();
            let ended = output.finish(3, existing);
            assert_eq!(ended.is_ok(), existing == IfExists::Replace, "{ended:?}");
            assert_eq!(read(&directory, content), content.as_bytes());
        }
        assert_eq!(names(&directory), ["new", "other"]);
    }

    #[test]
    fn a_file_with_a_missing_byte_gets_no_name() {
        let (directory, target) = opened();
        let mut output = small(&target);
        output.restart(Some(3)).unwrap();
        output.write(b"ab", 0).unwrap();
        assert!(output.finish(3, IfExists::Replace).is_err());
        assert!(!names(&directory).contains(&"f".to_owned()));
    }

    #[test]
    fn what_came_of_a_small_file_is_kept_where_a_later_run_can_resume_it_and_else_nothing() {
        let (directory, target) = opened();
        let mut done = RangeSet::default();
        done.insert(0..3);
        let identity = Identity { etag: Some("\"v\"".to_owned()), length: Some(9), ..Identity::default() };
        let state = Sidecar::new(&"https://h/f".parse().unwrap(), None, &identity, &done);
        for (state, left) in [(None, vec![]), (state, vec!["f.part", "f.part.json"])] {
            let mut output = small(&target);
            output.restart(Some(9)).unwrap();
            output.write(b"abc", 0).unwrap();
            output.abandon(state).unwrap();
            assert_eq!(names(&directory), left);
        }
        assert_eq!(read(&directory, "f.part"), b"abc");
        assert!(SmallFile::new(&target).unwrap().is_none(), "it is resumed");
    }
}
