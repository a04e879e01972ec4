//! The files that HTCondor asks for.

use std::path::{Component, Path, PathBuf};

use scitoken_transfer::class_ad::{ClassAd, read_class_ads};
use scitoken_transfer::{Download, DownloadRoot, Overwrite, TransferError};
use scitoken_types::SafeUrl;
use url::Url;

use crate::args::parse_location;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::files;

/// One file to transfer.
#[derive(Clone, Debug)]
pub(super) struct Order {
    /// The index of its ad.
    pub(super) number: usize,
    pub(super) url: Url,
    pub(super) file: PathBuf,
}

/// An ad of the list, and the order that it describes.
#[derive(Debug)]
pub(super) struct RequestedTransfer {
    pub(super) url: String,
    pub(super) file: String,
    pub(super) order: Result<Order, Failure>,
}

/// The directory of the job's files, which names of HTCondor do not leave: the working directory of the plugin.
#[derive(Debug)]
pub(super) struct Scratch {
    path: PathBuf,
    root: DownloadRoot,
}

impl Scratch {
    pub(super) fn open() -> Result<Self, TransferError> {
        let root = DownloadRoot::create("")?.with_overwrite(Overwrite::Allow).with_dot_names();
        Ok(Self { path: fs_err::canonicalize(".").unwrap_or_default(), root })
    }

    /// Returns the name below the directory; `None` for a path elsewhere.
    fn name<'f>(&self, file: &'f Path) -> Option<&'f Path> {
        if file.is_relative() { Some(file) } else { file.strip_prefix(&self.path).ok() }
    }
}

impl Order {
    /// Returns the download of the file. A path outside of the scratch directory is HTCondor's own choice.
    pub(super) fn download(&self, scratch: &Scratch) -> Result<Download, TransferError> {
        match scratch.name(&self.file) {
            Some(name) => {
                let name: PathBuf = name.components().filter(|part| *part != Component::CurDir).collect();
                Download::below(self.url.clone(), &scratch.root, name)
            }
            None => Download::new(self.url.clone(), &self.file),
        }
    }
}

/// Reads the ads of a file. The files of the plugin itself are no targets.
pub(super) fn read_orders(infile: &Path, own: [&Path; 2]) -> Result<Vec<RequestedTransfer>, Failure> {
    let text = files::read_text(infile)?;
    let ads = read_class_ads(&text)
        .map_err(|error| Failure::new(Exit::Usage, format!("`{}`: {error}", infile.display())))?;
    Ok(ads.iter().enumerate().map(|(number, ad)| RequestedTransfer::read(number, ad, own)).collect())
}

/// Returns whether two paths lead to one existing file.
pub(super) fn is_one_file(one: &Path, other: &Path) -> bool {
    let real = |path: &Path| fs_err::canonicalize(path).ok();
    real(one).is_some_and(|one| real(other) == Some(one))
}

impl RequestedTransfer {
    fn read(number: usize, ad: &ClassAd, own: [&Path; 2]) -> Self {
        let get = |name: &str| {
            ad.text(name).ok_or_else(|| Failure::new(Exit::Usage, format!("the ClassAd has no `{name}`")))
        };
        let order = || {
            let file = PathBuf::from(get("LocalFileName")?);
            let is_own = own.iter().any(|own| is_one_file(&file, own));
            if is_own || file.components().any(|part| part == Component::ParentDir) {
                let what = if is_own {
                    "is a file of the plugin itself"
                } else {
                    "leads out of the directory with `..`"
                };
                return Err(Failure::new(Exit::Usage, format!("`{}` {what}", file.display())));
            }
            Ok(Order { number, url: parse_location(get("Url")?)?, file })
        };
        Self {
            url: SafeUrl::unparsed(ad.text("Url").unwrap_or_default()),
            file: ad.text("LocalFileName").unwrap_or_default().to_owned(),
            order: order(),
        }
    }
}
