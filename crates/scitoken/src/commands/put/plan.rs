//! From the command line to the files and directories of an upload.

use std::ffi::OsStr;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use scitoken_transfer::{EntryKind, UploadTree, child_url};
use scitoken_types::SafeUrl;
use tempfile::NamedTempFile;
use url::Url;

use super::args::Put;
use crate::args::parse_location;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::files;
use crate::sanitize;
use crate::targets::Destinations;

/// The files and directories of a run, no two with the same target.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) items: Vec<Planned>,
    pub(super) destinations: Destinations,
}

/// What an argument of the command line stands for.
#[derive(Debug)]
pub(super) enum Planned {
    File(Source),
    Tree(UploadTree),
}

/// A file to upload.
#[derive(Debug)]
pub(super) struct Source {
    /// The name in messages.
    pub(super) name: String,
    pub(super) path: PathBuf,
    pub(super) target: Url,
    /// The copy of standard input, which is removed at the end.
    copy: Option<NamedTempFile>,
}

impl Planned {
    /// Returns the number of files that it stands for.
    pub(super) fn files(self) -> u64 {
        match self {
            Self::File(_) => 1,
            Self::Tree(tree) => tree.flatten().filter(|entry| entry.kind == EntryKind::File).count() as u64,
        }
    }
}

impl Plan {
    /// Returns the files and directories with their targets; standard input is copied into a temporary file, because its
    /// length must be known.
    pub(super) fn new(put: &Put) -> Result<Self, Failure> {
        let url = target(put)?;
        if put.files.len() > 1 && !url.path().ends_with('/') {
            return Err(Failure::new(Exit::Usage, "several files need a directory as target")
                .with_hint("write a URL that ends in `/`"));
        }
        let mut destinations = Destinations::default();
        let items = put.files.iter().map(|file| planned(put, file, &url, &mut destinations));
        Ok(Self { items: items.collect::<Result<_, _>>()?, destinations })
    }
}

impl Source {
    /// Returns a file of a tree.
    pub(super) fn of_tree(path: PathBuf, target: Url) -> Self {
        Self { name: shown(&path), path, target, copy: None }
    }

    /// Returns whether it is a copy of standard input.
    pub(super) fn is_copy(&self) -> bool {
        self.copy.is_some()
    }

    /// Returns whether the file is a fifo or a device, which has no length.
    pub(super) fn is_stream(&self) -> bool {
        fs_err::metadata(&self.path).is_ok_and(|metadata| !metadata.is_file() && !metadata.is_dir())
    }

    fn named(file: &Path, url: &Url) -> Result<Self, Failure> {
        let is_stdin = is_standard_input(file);
        let mut target = url.clone();
        if url.path().ends_with('/') {
            let name = file.file_name().filter(|_| !is_stdin).ok_or_else(|| {
                let message = if is_stdin { "standard input has no name" } else { "the file has no name" };
                Failure::new(Exit::Usage, message).with_hint("write the name of the target in the URL")
            })?;
            target = below(url, name, false)?;
        }
        if !is_stdin {
            return Ok(Self { name: shown(file), path: file.to_owned(), target, copy: None });
        }
        let mut input = files::standard_input()?;
        let copied = NamedTempFile::new().and_then(|mut copy| {
            io::copy(&mut input, &mut copy)?;
            copy.flush()?;
            Ok(copy)
        });
        let copy = copied.map_err(|error| {
            Failure::new(Exit::Local, "failed to keep standard input in a temporary file")
                .with_cause(&plain_words(&error))
                .with_hint("set `TMPDIR` to a directory with space for all of the data")
        })?;
        let path = copy.path().to_owned();
        Ok(Self { name: "standard input".to_owned(), path, target, copy: Some(copy) })
    }
}

/// Returns the target of the command line.
fn target(put: &Put) -> Result<Url, Failure> {
    let is_url = |text: &str| text.contains("://");
    if let Some(url) = put.files.iter().find_map(|file| file.to_str().filter(|text| is_url(text))) {
        let (url, target) = (SafeUrl::unparsed(url), SafeUrl::unparsed(&put.url));
        let hint = match (put.files.len(), is_url(&put.url)) {
            (1, true) => format!("write `scitoken copy {url} {target}` to copy between servers"),
            (1, false) => format!("write `scitoken put {target} {url}` to upload the file"),
            _ => "write `scitoken put FILE... URL`, with one URL at the end; `scitoken copy` copies between servers".to_owned(),
        };
        return Err(Failure::new(
            Exit::Usage,
            format!("`{url}` stands before the target, where files are named"),
        )
        .with_hint(hint));
    }
    parse_location(&put.url)
}

fn planned(put: &Put, file: &Path, url: &Url, destinations: &mut Destinations) -> Result<Planned, Failure> {
    if is_standard_input(file) || !file.is_dir() {
        let source = Source::named(file, url)?;
        destinations.claim_named(&source.name, &source.target)?;
        return Ok(Planned::File(source));
    }
    if !put.recursive {
        return Err(Failure::new(Exit::Usage, format!("`{}` is a directory", file.display()))
            .with_hint("`--recursive` uploads it with everything below it"));
    }
    let target = match file.file_name() {
        // `.` and `..` have no name: their contents go into the target.
        Some(name) if url.path().ends_with('/') => below(url, name, true)?,
        _ => url.clone(),
    };
    destinations.claim_named(&shown(file), &target)?;
    UploadTree::new(file, &target).map(Planned::Tree).map_err(|error| put.transfer.retry.failure(&error))
}

/// Returns whether a path is a name of standard input.
fn is_standard_input(path: &Path) -> bool {
    const NAMES: [&str; 4] = ["-", "/dev/stdin", "/dev/fd/0", "/proc/self/fd/0"];
    NAMES.iter().any(|name| path == Path::new(name))
}

/// Returns what the system says, without the name of a temporary file.
fn plain_words(error: &io::Error) -> String {
    let words = error.to_string();
    words.split(" at path ").next().unwrap_or(&words).to_owned()
}

/// Returns the URL of a name below a directory.
fn below(url: &Url, name: &OsStr, is_directory: bool) -> Result<Url, Failure> {
    child_url(url, name.as_encoded_bytes(), is_directory).ok_or_else(|| {
        Failure::new(Exit::Usage, format!("`{}` is a name that no URL can have", name.display()))
            .with_hint("write the name of the target in the URL")
    })
}

/// Returns a local path on one line.
fn shown(path: &Path) -> String {
    sanitize::line(&path.display().to_string())
}
