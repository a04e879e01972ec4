//! The options of a run, applied to each file.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use scitoken_transfer::{
    Checksum, Download, DownloadRoot, FailureKind, FileNumber, IfExists, ListEntry, Overwrite, Resume,
    TransferError, WalkEntry, WebPages, file_name,
};
use scitoken_types::SafeUrl;
use url::Url;

use super::args::{Get, SkipBy};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::hints;
use crate::settings::{self, Settings};
use crate::targets::Targets;

#[derive(Debug)]
pub(super) struct DownloadRules {
    directory: PathBuf,
    directories: Directories,
    checksum: Checksum,
    existing: IfExists,
    resume: Resume,
    pages: WebPages,
    /// Whether files that no earlier run made are replaced where others choose the names.
    overwrite: Overwrite,
    /// The target directory, which names that others choose do not leave.
    root: OnceLock<DownloadRoot>,
}

/// A directory on a server that is downloaded with everything below it.
#[derive(Debug)]
pub(super) struct Collection {
    pub(super) url: Url,
    /// The local directory below the target directory: empty where the user named one.
    directory: PathBuf,
    root: OnceLock<DownloadRoot>,
}

/// Whose names are in a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ListOrigin {
    /// A list in a file of the user.
    User,
    /// A Metalink, or a list from standard input: a server may have written it.
    Others,
}

/// What to do about directories.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Directories {
    /// The target directory must exist; directories below it are created.
    MustExist,
    Create,
    /// Nothing, in a dry run; the target directory must exist.
    WouldUse,
    /// Nothing, in a dry run.
    WouldCreate,
}

/// How the target of a file is chosen.
#[derive(Clone, Copy, Debug)]
pub(super) enum TargetNaming<'p> {
    Stream,
    File(&'p Path),
    /// A file named after the URL.
    ByUrl,
}

impl Collection {
    /// The contents go into the directory of `-P`, or into one with the collection's own name.
    pub(super) fn new(url: Url, get: &Get) -> Result<Self, Failure> {
        let directory = match get.directory {
            Some(_) => PathBuf::new(),
            None => collection_name(&url)?.into(),
        };
        Ok(Self { url, directory, root: OnceLock::new() })
    }
}

impl DownloadRules {
    pub(super) fn new(get: &Get, settings: &Settings) -> Result<Self, Failure> {
        let existing = match (get.no_clobber, get.skip_existing) {
            (_, Some(SkipBy::Size)) => IfExists::SkipSameSize,
            (_, Some(SkipBy::Checksum)) => IfExists::SkipSameChecksum,
            (true, None) => IfExists::Refuse,
            // curl's `-J` replaces no file.
            (false, None) if get.remote_header_name && !get.overwrite => IfExists::Refuse,
            (false, None) => IfExists::Replace,
        };
        let directories = match (get.create_dirs, get.dry_run) {
            (false, false) => Directories::MustExist,
            (false, true) => Directories::WouldUse,
            (true, false) => Directories::Create,
            (true, true) => Directories::WouldCreate,
        };
        Ok(Self {
            directory: get.directory.clone().unwrap_or_default(),
            directories,
            checksum: settings.choose(get.checksum.clone(), settings::CHECKSUM)?.unwrap_or_default(),
            existing,
            resume: if get.no_resume { Resume::Never } else { Resume::WhenSafe },
            pages: if get.allow_html { WebPages::Allowed } else { WebPages::ByName },
            overwrite: if get.overwrite { Overwrite::Allow } else { Overwrite::Refuse },
            root: OnceLock::new(),
        })
    }

    pub(super) fn checksum(&self) -> &Checksum {
        &self.checksum
    }

    /// Checks or creates the target directory before the first request.
    pub(super) fn prepare(&self, output: Option<&Path>) -> Result<(), Failure> {
        let directory = output.and_then(Path::parent).unwrap_or(&self.directory);
        if directory.as_os_str().is_empty() || directory.is_dir() {
            return Ok(());
        }
        match self.directories {
            _ if directory.exists() => {
                let message = format!("`{}` is a file, not a directory", directory.display());
                Err(Failure::new(Exit::Local, message).with_hint("name another directory"))
            }
            Directories::MustExist | Directories::WouldUse => {
                let message = format!("`{}` is not a directory", directory.display());
                Err(Failure::new(Exit::Local, message).with_hint("create it, or pass `--create-dirs`"))
            }
            Directories::Create if output.is_some() => create(directory),
            Directories::Create => self.root().map(drop),
            Directories::WouldCreate => Ok(()),
        }
    }

    /// Returns the download of a file that the user named.
    pub(super) fn named(
        &self,
        url: Url,
        mirrors: &[Url],
        number: u64,
        place: TargetNaming<'_>,
    ) -> Result<Download, Failure> {
        let download = match place {
            TargetNaming::Stream => Download::without_target(url),
            TargetNaming::File(path) => Download::new(url, path),
            TargetNaming::ByUrl => {
                let name = name_of(&url)?;
                Download::new(url, self.directory.join(name))
            }
        };
        let download = with_mirrors(download, mirrors.iter().cloned())?;
        Ok(self.apply(download, number))
    }

    /// Returns the download of a file that its server names, no two with the same target.
    pub(super) fn unnamed(
        &self,
        url: Url,
        number: u64,
        targets: Arc<Mutex<Targets>>,
    ) -> Result<Download, Failure> {
        let root = self.root()?.clone().with_overwrite(self.overwrite);
        let (directory, asked) = (self.directory.clone(), url.clone());
        let choose = move |name: &str| {
            let mut targets = targets.lock().unwrap_or_else(PoisonError::into_inner);
            match targets.claim_target(&directory.join(name), &asked, FileNumber(number)) {
                Ok(()) => Ok(name.into()),
                Err(failure) => Err(failure.message().into()),
            }
        };
        let download = Download::named_by_server_below(url, &root, choose);
        Ok(self.apply(download.map_err(|error| usage_failure(&error))?, number))
    }

    /// Returns the download of an entry of a list.
    pub(super) fn listed(
        &self,
        entry: ListEntry,
        origin: ListOrigin,
        number: u64,
    ) -> Result<Download, Failure> {
        let checksum = entry.checksum.clone();
        let overwrite = if origin == ListOrigin::User { Overwrite::Allow } else { self.overwrite };
        let download = match self.writable_root()? {
            Some(root) => entry.into_download_below(&root.with_overwrite(overwrite)),
            None => entry.into_download(&self.directory),
        };
        let download = self.apply(download.map_err(|error| refused_name(&error))?, number);
        Ok(match checksum {
            Some(checksum) => download.with_checksum(checksum),
            None => download,
        })
    }

    /// Creates a directory that was found below a collection.
    pub(super) fn make_directory(&self, collection: &Collection, below: &WalkEntry) -> Result<(), Failure> {
        match self.root_of(collection)? {
            // The collection itself is there.
            Some(_) if below.path.as_os_str().is_empty() => Ok(()),
            Some(root) => root.make_directory(&below.path).map_err(|error| refused_name(&error)),
            None => Ok(()),
        }
    }

    /// Returns the download of a file that was found below a collection.
    pub(super) fn below(
        &self,
        collection: &Collection,
        below: &WalkEntry,
        number: u64,
    ) -> Result<Download, Failure> {
        let url = below.entry.url.clone();
        let download = match self.root_of(collection)? {
            Some(root) => Download::below(url, root, &below.path),
            None => Download::new(url, self.directory.join(&collection.directory).join(&below.path)),
        };
        Ok(self.apply(download.map_err(|error| refused_name(&error))?, number))
    }

    /// Opens or creates the local directory of a collection; `None` in a dry run.
    fn root_of<'c>(&self, collection: &'c Collection) -> Result<Option<&'c DownloadRoot>, Failure> {
        if let Some(root) = collection.root.get() {
            return Ok(Some(root));
        }
        let Some(base) = self.writable_root()? else { return Ok(None) };
        let base = base.with_overwrite(self.overwrite);
        let root = if collection.directory.as_os_str().is_empty() {
            base
        } else {
            base.subdirectory(&collection.directory).map_err(|error| refused_name(&error))?
        };
        Ok(Some(collection.root.get_or_init(|| root)))
    }

    /// Opens or creates the target directory; `None` in a dry run.
    fn writable_root(&self) -> Result<Option<DownloadRoot>, Failure> {
        match self.directories {
            Directories::WouldUse | Directories::WouldCreate => Ok(None),
            Directories::MustExist | Directories::Create => self.root().map(|root| Some(root.clone())),
        }
    }

    fn root(&self) -> Result<&DownloadRoot, Failure> {
        if let Some(root) = self.root.get() {
            return Ok(root);
        }
        let root = DownloadRoot::create(&self.directory).map_err(|error| refused_name(&error))?;
        Ok(self.root.get_or_init(|| root))
    }

    fn apply(&self, download: Download, number: u64) -> Download {
        download
            .with_number(FileNumber(number))
            .with_checksum(self.checksum.clone())
            .with_if_exists(self.existing)
            .with_resume(self.resume)
            .with_web_pages(self.pages)
    }
}

fn refused_name(error: &TransferError) -> Failure {
    let exit = if error.kind() == FailureKind::Local { Exit::Local } else { Exit::Usage };
    Failure::from_error(exit, error).with_optional_hint(hints::of_transfer(error))
}

/// Returns the name of the directory that a URL names.
fn collection_name(url: &Url) -> Result<String, Failure> {
    let mut bare = url.clone();
    bare.set_path(url.path().trim_end_matches('/'));
    file_name(&bare).map_err(|error| {
        let message = format!("`{}` gives its directory no name: {error}", SafeUrl::new(url));
        Failure::new(Exit::Usage, message).with_hint("name the directory to download into with `-P DIR`")
    })
}

/// Returns the file name of a URL.
fn name_of(url: &Url) -> Result<String, Failure> {
    file_name(url).map_err(|error| {
        Failure::new(Exit::Usage, format!("`{}`: {error}", SafeUrl::new(url)))
            .with_hint("pass `-o FILE`, or `--recursive` for a directory")
    })
}

fn with_mirrors(
    download: Result<Download, TransferError>,
    mirrors: impl Iterator<Item = Url>,
) -> Result<Download, Failure> {
    let mut download = download.map_err(|error| usage_failure(&error))?;
    for mirror in mirrors {
        download = download.with_mirror(mirror).map_err(|error| usage_failure(&error))?;
    }
    Ok(download)
}

fn create(directory: &Path) -> Result<(), Failure> {
    Ok(fs_err::create_dir_all(directory)?)
}

fn usage_failure(error: &TransferError) -> Failure {
    Failure::from_error(Exit::Usage, error).with_optional_hint(hints::of_transfer(error))
}
