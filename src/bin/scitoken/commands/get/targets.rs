//! No two files of a run have the same place.

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;
use std::path::{Component, PathBuf};

use reqwest_scitokens::SafeUrl;
use reqwest_scitokens::download::Download;

use crate::exit::Exit;
use crate::failure::Failure;

/// The places that files of this run have already, as hashes: a list may name millions.
#[derive(Clone, Debug, Default)]
pub(super) struct Targets {
    hasher: RandomState,
    /// Whose a place is, by number.
    taken: HashMap<u64, u64>,
    /// The addresses that were named one by one; the first numbers are theirs.
    named: Vec<String>,
}

impl Targets {
    /// The places of files that were named one by one.
    pub(super) fn of(named: &[Download]) -> Result<Self, Failure> {
        let urls = named.iter().map(|download| SafeUrl::new(download.url()).to_string());
        let mut targets = Self { named: urls.collect(), ..Self::default() };
        for download in named {
            targets.take(download)?;
        }
        Ok(targets)
    }

    /// Takes the place of one more file.
    pub(super) fn take(&mut self, download: &Download) -> Result<(), Failure> {
        let Some(target) = download.target() else { return Ok(()) };
        let number = download.number().0;
        let place: PathBuf = target.components().filter(|part| *part != Component::CurDir).collect();
        let Some(first) = self.taken.insert(self.hasher.hash_one(&place), number) else { return Ok(()) };
        let first = match usize::try_from(first).ok().and_then(|first| self.named.get(first)) {
            Some(url) => format!("`{url}`"),
            None => format!("file {} of this run", first + 1),
        };
        let url = SafeUrl::new(download.url());
        let message = format!("{first} and `{url}` would both become `{}`", target.display());
        Err(Failure::new(Exit::Usage, message)
            .with_hint("download them one by one with `-o FILE`, or name them in a list with `out=NAME`"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn download(url: &str, target: &str, number: u64) -> Download {
        let number = reqwest_scitokens::download::FileNumber(number);
        Download::new(url.parse().unwrap(), target).unwrap().with_number(number)
    }

    #[test]
    fn two_files_of_one_name_are_told_by_their_addresses() {
        let named = [download("https://h/a/f", "d/f", 0), download("https://h/b/f", "./d//f", 1)];
        let failure = Targets::of(&named).unwrap_err().message().to_owned();
        assert!(failure.contains("https://h/a/f") && failure.contains("https://h/b/f"), "{failure}");
    }

    #[test]
    fn a_listed_file_is_told_by_its_number() {
        let mut targets = Targets::default();
        for number in 0..9 {
            targets.take(&download("https://h/f", &format!("f{number}"), number)).unwrap();
        }
        let failure = targets.take(&download("https://h/f", "f4", 9)).unwrap_err().message().to_owned();
        assert!(failure.contains("file 5 of this run"), "{failure}");
    }
}
