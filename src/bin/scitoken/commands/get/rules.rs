//! What holds for every file of a run, and what follows from it for each.

use std::path::{Path, PathBuf};

use reqwest_scitokens::SafeUrl;
use reqwest_scitokens::download::{
    Below, Checksum, Download, Existing, FileNumber, ListEntry, Resume, TransferError, WebPages, file_name,
};
use url::Url;

use super::{Get, SkipBy};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::settings::{self, Settings};

#[derive(Clone, Debug)]
pub(super) struct Rules {
    directory: PathBuf,
    directories: Directories,
    checksum: Checksum,
    existing: Existing,
    resume: Resume,
    pages: WebPages,
}

/// What becomes of directories that are not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Directories {
    /// The one of the run must be there; those below it are made.
    MustBeThere,
    Made,
    /// As `Made`, but this run only tells what would be done.
    WouldBeMade,
}

/// Where a file goes.
#[derive(Clone, Copy, Debug)]
pub(super) enum Place<'p> {
    Stream,
    File(&'p Path),
    /// Under the name that its address has.
    ByUrl,
}

impl Rules {
    pub(super) fn new(get: &Get, settings: &Settings) -> Result<Self, Failure> {
        let existing = match (get.no_clobber, get.skip_existing) {
            (_, Some(SkipBy::Size)) => Existing::SkipSameSize,
            (_, Some(SkipBy::Checksum)) => Existing::SkipSameChecksum,
            (true, None) => Existing::Refuse,
            // A server that chooses the name must not choose which of one's files to replace.
            (false, None) if get.remote_header_name => Existing::Refuse,
            (false, None) => Existing::Replace,
        };
        let directories = match (get.create_dirs, get.dry_run) {
            (false, _) => Directories::MustBeThere,
            (true, false) => Directories::Made,
            (true, true) => Directories::WouldBeMade,
        };
        Ok(Self {
            directory: get.directory.clone().unwrap_or_default(),
            directories,
            checksum: settings.choose(get.checksum.clone(), settings::CHECKSUM)?.unwrap_or_default(),
            existing,
            resume: if get.no_resume { Resume::Never } else { Resume::WhenSafe },
            pages: if get.allow_html { WebPages::Welcome } else { WebPages::ByName },
        })
    }

    pub(super) fn checksum(&self) -> &Checksum {
        &self.checksum
    }

    /// The directory, or that of the one file, must be there before the network is touched.
    pub(super) fn prepare(&self, output: Option<&Path>) -> Result<(), Failure> {
        let directory = output.and_then(Path::parent).unwrap_or(&self.directory);
        if directory.as_os_str().is_empty() || directory.is_dir() {
            return Ok(());
        }
        match self.directories {
            Directories::MustBeThere => {
                let message = format!("`{}` is no directory", directory.display());
                Err(Failure::new(Exit::Local, message).with_hint("make it, or let `--create-dirs` make it"))
            }
            Directories::Made => make(directory),
            Directories::WouldBeMade => Ok(()),
        }
    }

    /// Makes the directories between the run's own and the file.
    pub(super) fn make_room(&self, download: &Download) -> Result<(), Failure> {
        match download.target().and_then(Path::parent) {
            Some(parent) if parent.starts_with(&self.directory) && !parent.as_os_str().is_empty() => {
                if parent.is_dir() { Ok(()) } else { make(parent) }
            }
            _ => Ok(()),
        }
    }

    /// A file that was named on the command line.
    pub(super) fn named(
        &self,
        url: Url,
        mirrors: &[Url],
        number: u64,
        place: Place<'_>,
    ) -> Result<Download, Failure> {
        let download = match place {
            Place::Stream => Download::without_target(url),
            Place::File(path) => Download::new(url, path),
            Place::ByUrl => {
                let name = name_of(&url)?;
                Download::new(url, self.directory.join(name))
            }
        };
        let download = with_mirrors(download, mirrors.iter().cloned())?;
        Ok(self.apply(download, number))
    }

    /// A file that its server has named.
    pub(super) fn called(&self, url: Url, name: &str, number: u64) -> Result<Download, Failure> {
        let download = Download::new(url, self.directory.join(name)).map_err(|error| usage(&error))?;
        Ok(self.apply(download, number))
    }

    /// A file of a list.
    pub(super) fn listed(&self, entry: ListEntry, number: u64) -> Result<Download, Failure> {
        let checksum = entry.checksum.clone();
        let download = entry.into_download(&self.directory).map_err(|error| usage(&error))?;
        let download = self.apply(download, number);
        Ok(match checksum {
            Some(checksum) => download.with_checksum(checksum),
            None => download,
        })
    }

    /// A file that was found below a directory.
    pub(super) fn below(&self, below: &Below, number: u64) -> Result<Download, Failure> {
        let target = self.directory.join(&below.path);
        let download = Download::new(below.entry.url.clone(), target).map_err(|error| usage(&error))?;
        Ok(self.apply(download, number))
    }

    fn apply(&self, download: Download, number: u64) -> Download {
        download
            .with_number(FileNumber(number))
            .with_checksum(self.checksum.clone())
            .with_existing(self.existing)
            .with_resume(self.resume)
            .with_web_pages(self.pages)
    }
}

/// The name that a file's address gives it.
pub(super) fn name_of(url: &Url) -> Result<String, Failure> {
    file_name(url).map_err(|error| {
        Failure::new(Exit::Usage, format!("`{}`: {error}", SafeUrl::new(url)))
            .with_hint("name the file with `-o FILE`; for a directory use `--recursive`")
    })
}

fn with_mirrors(
    download: Result<Download, TransferError>,
    mirrors: impl Iterator<Item = Url>,
) -> Result<Download, Failure> {
    let mut download = download.map_err(|error| usage(&error))?;
    for mirror in mirrors {
        download = download.with_mirror(mirror).map_err(|error| usage(&error))?;
    }
    Ok(download)
}

fn make(directory: &Path) -> Result<(), Failure> {
    fs_err::create_dir_all(directory).map_err(|error| Failure::from_error(Exit::Local, &error))
}

fn usage(error: &TransferError) -> Failure {
    let failure = Failure::from_error(Exit::Usage, error);
    match error.hint() {
        Some(hint) => failure.with_hint(hint),
        None => failure,
    }
}
