//! Keys of issuers, kept between tokens and between processes.

mod memory;
mod record;
#[cfg(feature = "sqlite")]
mod sqlite;
mod times;

#[cfg(feature = "sqlite")]
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use memory::Memory;
pub use record::CachedKeys;
pub use times::CacheTimes;
pub(super) use times::{Ends, Known, Step, Wanted, decide, is_live};

use super::Issuer;

/// A cache of issuers' keys; clones share it.
///
/// In memory it lives as long as the process. In a SQLite file (feature `sqlite`) all processes of a user share it: what
/// one has fetched, the others need not. A file that cannot be read or written costs its benefit and nothing else: there
/// is one warning, and the keys are kept in memory (mistake 18 of the peers). Keys that a file would not take count more
/// than older ones that are in it.
#[derive(Clone, Debug)]
pub struct KeyCache(Arc<Backend>);

#[derive(Debug)]
struct Backend {
    memory: Mutex<Memory>,
    /// How often [`KeyCache::put`] and [`KeyCache::remove`] were called, so that running verifiers notice.
    changes: AtomicU64,
    #[cfg(feature = "sqlite")]
    file: Option<sqlite::File>,
}

/// Why the file of a [`KeyCache`] is of no use.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyCacheError {
    /// The file, or the directory above it, cannot be made or looked at.
    #[error("cannot open the key cache `{}`", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Others than the user and root may write the file, so the keys in it may be anybody's.
    #[error("others may write the key cache `{}`; run `chmod go-w` on it, or remove it", path.display())]
    Writable {
        /// The file.
        path: PathBuf,
    },
    /// The file is no SQLite database, or it is locked, full or read-only.
    #[error("the key cache `{}` cannot be used; if it stays so, remove it", path.display())]
    Database {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl Default for KeyCache {
    fn default() -> Self {
        Self::in_memory()
    }
}

impl KeyCache {
    /// A cache that lives as long as the process.
    pub fn in_memory() -> Self {
        Self(Arc::new(Backend {
            memory: Mutex::default(),
            changes: AtomicU64::default(),
            #[cfg(feature = "sqlite")]
            file: None,
        }))
    }

    /// A cache in a SQLite file, which is made when it is needed, for the user alone.
    ///
    /// The table is that of scitokens-cpp, so that its file can be given here, and this one to it.
    #[cfg(feature = "sqlite")]
    pub fn sqlite(path: impl Into<PathBuf>) -> Self {
        let file = Some(sqlite::File::new(path.into()));
        Self(Arc::new(Backend { memory: Mutex::default(), changes: AtomicU64::default(), file }))
    }

    /// Where the user's cache is: `scitokens/keys.sqlite3` in `$XDG_CACHE_HOME`, or else in `$HOME/.cache`. `None` where
    /// neither is an absolute path.
    #[cfg(feature = "sqlite")]
    pub fn user_file(env: &crate::sys::Env) -> Option<PathBuf> {
        let absolute =
            |name: &str| env.get_non_empty(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let home = absolute("XDG_CACHE_HOME").or_else(|| Some(absolute("HOME")?.join(".cache")))?;
        Some(home.join("scitokens").join("keys.sqlite3"))
    }

    /// Every issuer in the cache and its keys, in alphabetical order.
    ///
    /// # Errors
    /// [`KeyCacheError`] when the file is there and cannot be read.
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

    /// Forgets the keys of an issuer; tells whether there were any.
    ///
    /// Verifiers with this cache, or a clone of it, drop the keys that they have at hand and look into it anew. Those of
    /// other processes notice when they next look into the file: when their keys want refreshing, or a token has a key that
    /// they do not know.
    ///
    /// # Errors
    /// [`KeyCacheError`] when the file cannot be written; this cache and its clones do without the keys all the same.
    pub fn remove(&self, issuer: &Issuer) -> Result<bool, KeyCacheError> {
        let removed = self.memory().forget(issuer.as_str());
        #[cfg(feature = "sqlite")]
        let in_file = self.0.file.as_ref().map_or(Ok(false), |file| {
            let outcome = file.remove(issuer.as_str());
            if let (Err(_), Ok(Some(keys))) = (&outcome, file.load(issuer.as_str())) {
                self.memory().hide(issuer.as_str(), keys);
            }
            outcome
        });
        self.note_change();
        #[cfg(feature = "sqlite")]
        let removed = in_file? || removed;
        Ok(removed)
    }

    /// Keeps the keys of an issuer, and says so when that fails. Verifiers notice as with [`remove`](Self::remove).
    ///
    /// # Errors
    /// [`KeyCacheError`] when the file cannot be written; the keys are kept in memory then.
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

    /// How often others than verifiers have changed the cache.
    pub(super) fn changes(&self) -> u64 {
        self.0.changes.load(Ordering::Acquire)
    }

    fn note_change(&self) {
        self.0.changes.fetch_add(1, Ordering::AcqRel);
    }

    /// Whether looking something up can block on a disk.
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

    /// The keys of an issuer: what a file says that can be read, else what is in memory.
    pub(super) fn get(&self, issuer: &Issuer) -> Option<CachedKeys> {
        let issuer = issuer.as_str();
        #[cfg(feature = "sqlite")]
        if let Some(file) = &self.0.file {
            match file.load(issuer) {
                // A file that cannot even be made decides nothing.
                Ok(None) if !file.is_there() => {}
                Ok(keys) => return self.memory().over(issuer, keys),
                Err(error) => file.warn(&error),
            }
        }
        self.memory().get(issuer).cloned()
    }

    /// Keeps the keys of an issuer as well as it can be done.
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

    fn memory(&self) -> std::sync::MutexGuard<'_, Memory> {
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
