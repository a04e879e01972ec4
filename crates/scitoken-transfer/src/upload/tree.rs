//! A local directory as files and directories to upload.

use std::fs::FileType;
use std::path::{Path, PathBuf};

use url::Url;

use crate::address::check_url;
use crate::error::{FailureKind, RetryAction, TransferError, display_path};
use crate::object_name::url::FederationUrl;
use crate::webdav::child_url::child_url;
use crate::webdav::entry::EntryKind;

/// A file or directory of an [`UploadTree`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TreeEntry {
    /// Where it is.
    pub path: PathBuf,
    /// Where it goes; directories end with a slash.
    pub url: Url,
    /// Whether it is a file.
    pub kind: EntryKind,
}

/// The contents of a local directory with the URLs to which they go: each directory before its contents, empty ones
/// included, and sorted by name.
///
/// A link to a file stands for the file. A link to a directory, a device, a socket, and a name that no URL can have are errors
/// of their own, after which the walk continues.
///
/// ```no_run
/// use scitoken_transfer::UploadTree;
///
/// for entry in UploadTree::new("runs", &"https://data.example.org/vo/runs/".parse()?)? {
///     let entry = entry?;
///     println!("{} -> {}", entry.path.display(), entry.url);
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct UploadTree {
    pending: Vec<(PathBuf, Url)>,
    found: std::vec::IntoIter<Result<TreeEntry, TransferError>>,
}

impl UploadTree {
    /// Returns the tree of `directory`, whose contents go below `target`.
    ///
    /// # Errors
    /// `target` is neither a URL to upload to nor the name of a collection in a federation, or `directory` is not a directory.
    pub fn new(directory: impl Into<PathBuf>, target: &Url) -> Result<Self, TransferError> {
        if FederationUrl::try_from(target).is_err() {
            check_url(target)?;
        }
        let directory = directory.into();
        let metadata = fs_err::metadata(&directory);
        let metadata = metadata.map_err(|error| TransferError::local("read", &directory, error))?;
        if !metadata.is_dir() {
            return Err(skipped(&directory, "is not a directory"));
        }
        let mut url = target.clone();
        if !url.path().ends_with('/') {
            url.set_path(&format!("{}/", target.path()));
        }
        let root = TreeEntry { path: directory.clone(), url: url.clone(), kind: EntryKind::Directory };
        Ok(Self { pending: vec![(directory, url)], found: vec![Ok(root)].into_iter() })
    }

    /// Reads one directory.
    fn read(&mut self, directory: &Path, url: &Url) -> Vec<Result<TreeEntry, TransferError>> {
        let failed = |error| TransferError::local("read", directory, error);
        let entries = match fs_err::read_dir(directory) {
            Ok(entries) => entries,
            Err(error) => return vec![Err(failed(error))],
        };
        let mut found: Vec<_> = entries
            .map(|entry| {
                let entry = entry.map_err(failed)?;
                let kind = kind(&entry.path(), entry.file_type().map_err(failed)?)?;
                let name = entry.file_name();
                let url = child_url(url, name.as_encoded_bytes(), kind == EntryKind::Directory)
                    .ok_or_else(|| skipped(&entry.path(), "has a name that no URL can have"))?;
                Ok(TreeEntry { path: entry.path(), url, kind })
            })
            .collect();
        found.sort_by(|one, other| match (one, other) {
            (Ok(one), Ok(other)) => one.path.cmp(&other.path),
            (one, other) => one.is_ok().cmp(&other.is_ok()),
        });
        let directories = found.iter().flatten().filter(|entry| entry.kind == EntryKind::Directory);
        self.pending.extend(directories.rev().map(|entry| (entry.path.clone(), entry.url.clone())));
        found
    }
}

impl Iterator for UploadTree {
    type Item = Result<TreeEntry, TransferError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(found) = self.found.next() {
                return Some(found);
            }
            let (directory, url) = self.pending.pop()?;
            self.found = self.read(&directory, &url).into_iter();
        }
    }
}

/// Returns what an entry stands for.
fn kind(path: &Path, file_type: FileType) -> Result<EntryKind, TransferError> {
    if file_type.is_dir() {
        return Ok(EntryKind::Directory);
    }
    let metadata = fs_err::metadata(path).map_err(|error| TransferError::local("read", path, error))?;
    if metadata.is_file() {
        Ok(EntryKind::File)
    } else if metadata.is_dir() {
        Err(skipped(path, "is a link to a directory, which is not followed"))
    } else {
        Err(skipped(path, "is not a regular file"))
    }
}

fn skipped(path: &Path, what: &str) -> TransferError {
    let message = format!("`{}` {what}", display_path(path));
    TransferError::new(FailureKind::Local, RetryAction::GiveUp, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_has_directories_before_their_contents_and_names_that_urls_carry() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().join("run s");
        for name in ["empty", "b/deep/er", "a"] {
            fs_err::create_dir_all(root.join(name)).unwrap();
        }
        let names = [
            "a/1",
            "b/deep/er/x",
            "we ird#na+me%20?.txt",
            "ü",
            "tab\tnew\nline",
            "back\\slash",
            "b/deep/..x",
        ];
        for name in names {
            fs_err::write(root.join(name), name).unwrap();
        }
        let tree = UploadTree::new(&root, &"https://h/d/t".parse().unwrap()).unwrap();
        let urls: Vec<_> = tree.map(|entry| entry.unwrap().url.path().to_owned()).collect();
        assert_eq!(
            urls,
            [
                "/d/t/",
                "/d/t/a/",
                "/d/t/b/",
                "/d/t/back%5Cslash",
                "/d/t/empty/",
                "/d/t/tab%09new%0Aline",
                "/d/t/we%20ird%23na+me%2520%3F.txt",
                "/d/t/%C3%BC",
                "/d/t/a/1",
                "/d/t/b/deep/",
                "/d/t/b/deep/..x",
                "/d/t/b/deep/er/",
                "/d/t/b/deep/er/x",
            ]
        );
    }

    #[cfg(unix)]
    #[test]
    fn what_is_no_file_is_a_failure_of_its_own() {
        use std::os::unix::ffi::OsStrExt as _;

        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        fs_err::write(at("file"), "x").unwrap();
        fs_err::create_dir(at("sub")).unwrap();
        for (target, link) in [("file", "to-file"), ("sub", "to-sub"), ("..", "up"), ("nowhere", "dangling")]
        {
            std::os::unix::fs::symlink(target, at(link)).unwrap();
        }
        fs_err::write(directory.path().join(std::ffi::OsStr::from_bytes(b"not-utf8-\xff")), "x").unwrap();
        let (good, bad): (Vec<_>, Vec<_>) =
            UploadTree::new(directory.path(), &"https://h/d/".parse().unwrap())
                .unwrap()
                .partition(Result::is_ok);
        let good: Vec<_> = good.into_iter().map(|entry| entry.unwrap().url.path().to_owned()).collect();
        assert_eq!(good, ["/d/", "/d/file", "/d/not%2Dutf8%2D%FF", "/d/sub/", "/d/to-file"]);
        let bad = bad.into_iter().map(|entry| entry.unwrap_err().to_string()).collect::<Vec<_>>().join("\n");
        assert!(
            bad.lines().count() == 3
                && bad.contains("to-sub")
                && bad.contains("up")
                && bad.contains("dangling"),
            "{bad}"
        );
    }

    #[test]
    fn only_a_directory_is_a_tree() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("f");
        fs_err::write(&file, "x").unwrap();
        let url = "https://h/d/".parse().unwrap();
        for path in [file, directory.path().join("missing")] {
            assert_eq!(UploadTree::new(&path, &url).unwrap_err().kind(), FailureKind::Local, "{path:?}");
        }
        assert!(UploadTree::new(directory.path(), &"ftp://h/d".parse().unwrap()).is_err());
    }
}
