//! Ensures that no two files of a run have the same target, on this machine or on a server.

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;
use std::path::{Component, Path, PathBuf};

use scitoken_transfer::{Download, FileNumber, ResourceName};
use scitoken_types::SafeUrl;
use url::Url;

use crate::exit::Exit;
use crate::failure::Failure;

/// The targets of the files of a run, as hashes: a list may name millions.
#[derive(Clone, Debug, Default)]
pub(crate) struct Targets {
    hasher: RandomState,
    /// The number of the file that has a target.
    claimed: HashMap<u64, u64>,
    /// The URLs of the command line, which have the first numbers.
    named: Vec<String>,
}

impl Targets {
    /// Claims the targets of the files of the command line.
    pub(crate) fn of(named: &[Download]) -> Result<Self, Failure> {
        let urls = named.iter().map(|download| SafeUrl::new(download.url()).to_string());
        let mut targets = Self { named: urls.collect(), ..Self::default() };
        for download in named {
            targets.claim(download)?;
        }
        Ok(targets)
    }

    /// Claims the target of one more file.
    pub(crate) fn claim(&mut self, download: &Download) -> Result<(), Failure> {
        match download.target() {
            Some(target) => self.claim_target(target, download.url(), download.number()),
            None => Ok(()),
        }
    }

    /// Claims this target for a file of the run.
    pub(crate) fn claim_target(
        &mut self,
        target: &Path,
        url: &Url,
        number: FileNumber,
    ) -> Result<(), Failure> {
        let number = number.0;
        let place: PathBuf = target.components().filter(|part| *part != Component::CurDir).collect();
        let Some(first) = self.claimed.insert(self.hasher.hash_one(&place), number) else { return Ok(()) };
        let first = match usize::try_from(first).ok().and_then(|first| self.named.get(first)) {
            Some(url) => format!("`{url}`"),
            None => format!("file {} of this run", first + 1),
        };
        let url = SafeUrl::new(url);
        let message = format!("{first} and `{url}` have the same target `{}`", target.display());
        Err(Failure::new(Exit::Usage, message).with_hint(
            "download each with a command of its own and `-o FILE`, or pass a list with `out=NAME`",
        ))
    }
}

/// The URLs to which the files of a run go, as hashes: a tree may have millions.
#[derive(Debug, Default)]
pub(crate) struct Destinations {
    hasher: RandomState,
    claimed: HashMap<u64, Option<String>>,
}

impl Destinations {
    /// Claims a URL for a file or directory of the command line.
    pub(crate) fn claim_named(&mut self, source: &str, url: &Url) -> Result<(), Failure> {
        self.insert(source, url, Some(source.to_owned()))
    }

    /// Claims a URL for a file of a tree or a list.
    pub(crate) fn claim(&mut self, source: &str, url: &Url) -> Result<(), Failure> {
        self.insert(source, url, None)
    }

    fn insert(&mut self, source: &str, url: &Url, name: Option<String>) -> Result<(), Failure> {
        let hash = self.hasher.hash_one(ResourceName::of(url));
        let Some(first) = self.claimed.get(&hash) else {
            self.claimed.insert(hash, name);
            return Ok(());
        };
        let first = first.as_ref().map_or("another file of this run".to_owned(), |name| format!("`{name}`"));
        let message = format!("{first} and `{source}` have the same target `{}`", SafeUrl::new(url));
        Err(Failure::new(Exit::Usage, message)
            .with_hint("give each a target of its own, with one command for each"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_sources_with_one_destination_are_both_named() {
        let url = |text: &str| text.parse::<Url>().unwrap();
        let mut destinations = Destinations::default();
        destinations.claim_named("a/f", &url("https://h/d/f")).unwrap();
        destinations.claim("t/g", &url("https://h/d/g")).unwrap();
        for (source, target, expected) in [
            ("b/f", "https://h/d/f", "`a/f` and `b/f` have the same target `https://h/d/f`"),
            (
                "b/g",
                "https://h/d/g",
                "another file of this run and `b/g` have the same target `https://h/d/g`",
            ),
            (
                "c/g",
                "https://h/d//%67",
                "another file of this run and `c/g` have the same target `https://h/d//%67`",
            ),
        ] {
            assert_eq!(destinations.claim(source, &url(target)).unwrap_err().message(), expected);
        }
    }

    fn download(url: &str, target: &str, number: u64) -> Download {
        let number = FileNumber(number);
        Download::new(url.parse().unwrap(), target).unwrap().with_number(number)
    }

    #[test]
    fn two_files_with_the_same_name_are_reported_by_their_urls() {
        let named = [download("https://h/a/f", "d/f", 0), download("https://h/b/f", "./d//f", 1)];
        let failure = Targets::of(&named).unwrap_err().message().to_owned();
        assert!(failure.contains("https://h/a/f") && failure.contains("https://h/b/f"), "{failure}");
    }

    #[test]
    fn a_listed_file_is_reported_by_its_number() {
        let mut targets = Targets::default();
        for number in 0..9 {
            targets.claim(&download("https://h/f", &format!("f{number}"), number)).unwrap();
        }
        let failure = targets.claim(&download("https://h/f", "f4", 9)).unwrap_err().message().to_owned();
        assert!(failure.contains("file 5 of this run"), "{failure}");
    }
}
