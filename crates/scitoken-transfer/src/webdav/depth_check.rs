//! Whether everything further below is in a directory that the listing names.

use std::collections::{BTreeMap, HashSet};
use std::hash::{BuildHasher, RandomState};

use crate::webdav::child_url::segments;
use crate::webdav::entry::{EntryKind, RemoteEntry};

/// The most names that are kept of entries whose directory is not listed.
const MOST_ORPHANS: usize = 1000;

/// Remembers the directories of a listing, eight bytes for each, and what lies in none of them.
///
/// A server that ignores `Depth: 1` lists the whole tree, where the listings of the directories find it again. An entry
/// without its directory would be lost.
#[derive(Debug, Default)]
pub(crate) struct DepthCheck {
    hasher: RandomState,
    directories: HashSet<u64>,
    orphans: BTreeMap<u64, String>,
}

impl DepthCheck {
    pub(crate) fn saw_member(&mut self, entry: &RemoteEntry) {
        if entry.kind == EntryKind::Directory
            && let Some(name) = segments(entry.url.path()).and_then(|mut path| path.pop())
        {
            let name = self.hasher.hash_one(name);
            self.directories.insert(name);
            self.orphans.remove(&name);
        }
    }

    pub(crate) fn saw_deeper(&mut self, member: &Vec<u8>, href: &str) {
        let name = self.hasher.hash_one(member);
        if !self.directories.contains(&name) && self.orphans.len() < MOST_ORPHANS {
            self.orphans.entry(name).or_insert_with(|| href.to_owned());
        }
    }

    /// Returns the next entry whose directory was not listed, one for each directory.
    pub(crate) fn next_orphan(&mut self) -> Option<String> {
        self.orphans.pop_first().map(|(_, href)| href)
    }
}
