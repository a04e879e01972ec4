//! Keys of issuers, kept between tokens and between processes.

mod error;
mod memory;
mod record;
#[cfg(feature = "sqlite")]
mod sqlite;
mod times;

#[cfg(feature = "sqlite")]
use std::collections::{BTreeMap, BTreeSet};
#[cfg(feature = "sqlite")]
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

pub use error::KeyCacheError;
use memory::MemoryCache;
pub use record::CachedKeys;
pub use times::CacheTimes;
pub(super) use times::{KeyAction, KeyFacts, KeyMatch, KeyTimes, decide, is_live};

use super::Issuer;

/// A cache of issuers' keys; clones share it.
///
/// In memory it lives as long as the process. In an SQLite file (feature `sqlite`) all processes of a user share it.
/// If the file cannot be read or written, one warning is logged and keys are kept in memory, where they take
/// precedence over older ones in the file.
///
/// ```
/// use std::time::SystemTime;
/// use scitoken_authz::{CacheTimes, CachedKeys, Issuer, KeyCache};
/// use scitoken_jwt::keys::JwkSet;
///
/// # fn run(published: &[u8]) -> Result<(), Box<dyn std::error::Error>> {
/// let cache = KeyCache::in_memory();
/// let issuer: Issuer = "https://issuer.example.org".parse()?;
/// let keys = JwkSet::parse(published)?;
/// cache.put(&issuer, CachedKeys::from_set(&keys, CacheTimes::default(), SystemTime::now()))?;
/// assert_eq!(cache.list()?.len(), 1);
/// assert!(cache.remove(&issuer)?);
/// # Ok(())
/// # }
/// # run(br#"{"keys":[]}"#).unwrap();
/// ```
#[derive(Clone, Debug)]
pub struct KeyCache(Arc<Backend>);

#[derive(Debug)]
struct Backend {
    memory: Mutex<MemoryCache>,
    /// Counts the calls of [`KeyCache::put`] and [`KeyCache::remove`], so that running verifiers notice them.
    changes: AtomicU64,
    #[cfg(feature = "sqlite")]
    file: Option<sqlite::CacheFile>,
}

impl Default for KeyCache {
    fn default() -> Self {
        Self::in_memory()
    }
}

impl KeyCache {
    /// Returns a cache that lives as long as the process.
    pub fn in_memory() -> Self {
        Self(Arc::new(Backend {
            memory: Mutex::default(),
            changes: AtomicU64::default(),
            #[cfg(feature = "sqlite")]
            file: None,
        }))
    }

    /// Returns a cache in an SQLite file, which is created for the user alone when it is first written.
    ///
    /// The table is that of scitokens-cpp; both programs can share a file.
    #[cfg(feature = "sqlite")]
    pub fn sqlite(path: impl Into<PathBuf>) -> Self {
        let file = Some(sqlite::CacheFile::new(path.into()));
        Self(Arc::new(Backend { memory: Mutex::default(), changes: AtomicU64::default(), file }))
    }

    /// Returns the path of the user's cache: `scitokens/keys.sqlite3` in `$XDG_CACHE_HOME`, or else in
    /// `$HOME/.cache`. `None` where neither is an absolute path.
    #[cfg(feature = "sqlite")]
    pub fn user_file(env: &scitoken_types::sys::Env) -> Option<PathBuf> {
        let absolute =
            |name: &str| env.get_non_empty(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let home = absolute("XDG_CACHE_HOME").or_else(|| Some(absolute("HOME")?.join(".cache")))?;
        Some(home.join("scitokens").join("keys.sqlite3"))
    }

    /// Returns every issuer in the cache with its keys, in alphabetical order.
    ///
    /// # Errors
    /// [`KeyCacheError`] if the file exists and cannot be read.
    pub fn list(&self) -> Result<Vec<(String, CachedKeys)>, KeyCacheError> {
        #[cfg(feature = "sqlite")]
        let mut in_file: BTreeMap<_, _> = match &self.0.file {
            Some(file) => file.list()?.into_iter().collect(),
            None => BTreeMap::new(),
        };
        let memory = self.memory();
        #[cfg(feature = "sqlite")]
        if self.0.file.is_some() {
            let in_memory = memory.list().map(|(issuer, _)| issuer.to_owned());
            let issuers: BTreeSet<String> = in_file.keys().cloned().chain(in_memory).collect();
            let counting = |issuer: String| {
                let keys = memory.over(&issuer, in_file.remove(&issuer))?;
                Some((issuer, keys))
            };
            return Ok(issuers.into_iter().filter_map(counting).collect());
        }
        Ok(memory.list().map(|(issuer, keys)| (issuer.to_owned(), keys.clone())).collect())
    }

    /// Removes the keys of an issuer and tells whether there were any.
    ///
    /// Verifiers with this cache or a clone of it drop these keys and read the cache again. Verifiers in other
    /// processes notice when they next read the file: when their keys are due for a refresh, or a token has an
    /// unknown key.
    ///
    /// # Errors
    /// [`KeyCacheError`] if the file cannot be written; this cache and its clones drop the keys all the same.
    pub fn remove(&self, issuer: &Issuer) -> Result<bool, KeyCacheError> {
        self.remove_name(issuer.as_str())
    }

    /// As [`remove`](Self::remove), by the name that [`list`](Self::list) returns: the file may have keys of test issuers, and of
    /// names that other programs stored.
    ///
    /// # Errors
    /// As [`remove`](Self::remove).
    pub fn remove_name(&self, issuer: &str) -> Result<bool, KeyCacheError> {
        let removed = self.memory().forget(issuer);
        #[cfg(feature = "sqlite")]
        let in_file = self.0.file.as_ref().map_or(Ok(false), |file| {
            let outcome = file.remove(issuer);
            if let (Err(_), Ok(Some(keys))) = (&outcome, file.load(issuer)) {
                self.memory().hide(issuer, keys);
            }
            outcome
        });
        self.note_change();
        #[cfg(feature = "sqlite")]
        let removed = in_file? || removed;
        Ok(removed)
    }

    /// Stores the keys of an issuer. Verifiers notice as with [`remove`](Self::remove).
    ///
    /// # Errors
    /// [`KeyCacheError`] if the file cannot be written; the keys are then kept in memory.
    pub fn put(&self, issuer: &Issuer, keys: CachedKeys) -> Result<(), KeyCacheError> {
        let stored = self.store(issuer, keys);
        self.note_change();
        stored
    }

    #[cfg_attr(not(feature = "sqlite"), expect(clippy::unnecessary_wraps, reason = "only a file can fail"))]
    fn store(&self, issuer: &Issuer, keys: CachedKeys) -> Result<(), KeyCacheError> {
        #[cfg(feature = "sqlite")]
        if let Some(file) = &self.0.file {
            let saved = file.save(issuer.as_str(), &keys);
            self.memory().keep(issuer.as_str(), keys, saved.is_ok());
            return saved;
        }
        self.memory().keep(issuer.as_str(), keys, false);
        Ok(())
    }

    /// Counts the changes that were not made by verifiers.
    pub(super) fn changes(&self) -> u64 {
        self.0.changes.load(Ordering::Acquire)
    }

    fn note_change(&self) {
        self.0.changes.fetch_add(1, Ordering::AcqRel);
    }

    /// Returns whether a lookup can block on a disk.
    #[cfg_attr(not(feature = "sqlite"), expect(clippy::unused_self, reason = "only a file is on a disk"))]
    pub(super) fn is_on_disk(&self) -> bool {
        #[cfg(feature = "sqlite")]
        {
            self.0.file.is_some()
        }
        #[cfg(not(feature = "sqlite"))]
        {
            false
        }
    }

    /// Returns the keys of an issuer: those of a readable file, else those in memory.
    pub(super) fn get(&self, issuer: &Issuer) -> Option<CachedKeys> {
        let issuer = issuer.as_str();
        #[cfg(feature = "sqlite")]
        if let Some(file) = &self.0.file {
            match file.load(issuer) {
                // A file that cannot be created holds no keys.
                Ok(None) if !file.is_there() => {}
                Ok(keys) => return self.memory().over(issuer, keys),
                Err(error) => file.warn(&error),
            }
        }
        self.memory().get(issuer).cloned()
    }

    /// Stores the keys of an issuer, in memory if the file fails.
    pub(super) fn keep(&self, issuer: &Issuer, keys: CachedKeys) {
        match self.store(issuer, keys) {
            Ok(()) => {}
            Err(error) => {
                #[cfg(feature = "sqlite")]
                if let Some(file) = &self.0.file {
                    file.warn(&error);
                }
                drop(error);
            }
        }
    }

    fn memory(&self) -> std::sync::MutexGuard<'_, MemoryCache> {
        self.0.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, SystemTime};

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
    }

    #[test]
    fn memory_keeps_lists_and_forgets() {
        let cache = KeyCache::in_memory();
        let issuer: Issuer = "https://iss".parse().unwrap();
        let keys = CachedKeys::new("{}".to_owned(), at(1), at(2));
        cache.put(&issuer, keys.clone()).unwrap();
        let clone = cache.clone();
        assert_eq!(clone.list().unwrap(), [("https://iss".to_owned(), keys.clone())]);
        assert_eq!(cache.get(&issuer), Some(keys));
        assert!(cache.remove(&issuer).unwrap());
        assert!(!cache.remove(&issuer).unwrap());
        assert_eq!(cache.get(&issuer), None);
    }
}
