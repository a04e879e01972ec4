//! The part of a key cache that is kept in memory: everything, or the changes that a file refused.

use std::collections::BTreeMap;

use super::record::CachedKeys;

/// Records by issuer.
#[derive(Debug, Default)]
pub(super) struct MemoryCache(BTreeMap<String, MemoryEntry>);

#[derive(Debug)]
struct MemoryEntry {
    kept: CachedState,
    /// Whether the file has accepted the entry, so that the file decides from then on; never without a file.
    #[cfg_attr(not(feature = "sqlite"), expect(dead_code, reason = "only read with a file"))]
    is_in_file: bool,
}

#[derive(Debug)]
enum CachedState {
    Keys(CachedKeys),
    /// Keys that were removed, but are still in the file.
    #[cfg_attr(not(feature = "sqlite"), expect(dead_code, reason = "only a file can refuse"))]
    Forgotten(CachedKeys),
}

impl MemoryCache {
    pub(super) fn keep(&mut self, issuer: &str, keys: CachedKeys, is_in_file: bool) {
        self.0.insert(issuer.to_owned(), MemoryEntry { kept: CachedState::Keys(keys), is_in_file });
    }

    /// Removes the keys and tells whether there were any.
    pub(super) fn forget(&mut self, issuer: &str) -> bool {
        matches!(self.0.remove(issuer), Some(MemoryEntry { kept: CachedState::Keys(_), .. }))
    }

    pub(super) fn get(&self, issuer: &str) -> Option<&CachedKeys> {
        match &self.0.get(issuer)?.kept {
            CachedState::Keys(keys) => Some(keys),
            CachedState::Forgotten(_) => None,
        }
    }

    pub(super) fn list(&self) -> impl Iterator<Item = (&str, &CachedKeys)> {
        self.0.keys().filter_map(|issuer| Some((issuer.as_str(), self.get(issuer)?)))
    }
}

#[cfg(feature = "sqlite")]
impl MemoryCache {
    /// Notes that these removed keys are still in the file.
    pub(super) fn hide(&mut self, issuer: &str, keys: CachedKeys) {
        self.0
            .insert(issuer.to_owned(), MemoryEntry { kept: CachedState::Forgotten(keys), is_in_file: false });
    }

    /// Merges the file's record with changes that the file refused. Another process may have written newer keys
    /// since.
    pub(super) fn over(&self, issuer: &str, in_file: Option<CachedKeys>) -> Option<CachedKeys> {
        match self.0.get(issuer) {
            Some(MemoryEntry { kept: CachedState::Keys(keys), is_in_file: false }) => {
                in_file.filter(|theirs| theirs.expires() > keys.expires()).or_else(|| Some(keys.clone()))
            }
            Some(MemoryEntry { kept: CachedState::Forgotten(hidden), .. }) => {
                in_file.filter(|theirs| theirs != hidden)
            }
            Some(_) | None => in_file,
        }
    }
}

#[cfg(all(test, feature = "sqlite"))]
mod tests {
    use std::time::{Duration, SystemTime};

    use super::*;

    fn keys(expires: u64) -> CachedKeys {
        let at = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        CachedKeys::new("{}".to_owned(), at(1), at(expires))
    }

    #[test]
    fn the_file_decides_about_what_it_has_taken() {
        let mut memory = MemoryCache::default();
        memory.keep("a", keys(9), true);
        assert_eq!(memory.over("a", Some(keys(5))), Some(keys(5)));
        assert_eq!(memory.over("a", None), None, "another process has removed them");
        assert_eq!(memory.get("a"), Some(&keys(9)), "for when the file cannot be read");
    }

    #[test]
    fn what_the_file_would_not_take_counts_until_the_file_has_something_newer() {
        let mut memory = MemoryCache::default();
        memory.keep("a", keys(9), false);
        assert_eq!(memory.over("a", Some(keys(5))), Some(keys(9)));
        assert_eq!(memory.over("a", None), Some(keys(9)));
        assert_eq!(memory.over("a", Some(keys(10))), Some(keys(10)));
    }

    #[test]
    fn what_the_file_would_not_let_go_is_forgotten_all_the_same() {
        let mut memory = MemoryCache::default();
        memory.hide("a", keys(5));
        assert_eq!(memory.over("a", Some(keys(5))), None);
        assert_eq!(memory.over("a", Some(keys(6))), Some(keys(6)), "put there since");
        assert_eq!((memory.get("a"), memory.list().count()), (None, 0));
        assert!(!memory.forget("a"));
    }
}
