//! The lock that one renewal at a time holds.

/// An exclusive lock for renewing the tokens of a storage, released when it is dropped.
///
/// Rotating refresh tokens (RFC 6749 section 10.4) need it: if two processes use one refresh token, the server revokes
/// both logins. Take the lock, read the entry again, renew it if that is still needed, store it, and drop the lock.
///
/// ```
/// use scitoken_storage::{MemoryTokenStorage, TokenStorage};
///
/// let storage = MemoryTokenStorage::new();
/// let lock = storage.try_lock_for_renewal()?.expect("not locked");
/// assert!(storage.try_lock_for_renewal()?.is_none());
/// drop(lock);
/// # Ok::<(), scitoken_storage::StorageError>(())
/// ```
#[derive(Debug)]
pub struct RenewalLock {
    _guard: Box<dyn std::any::Any + Send + Sync>,
}

impl RenewalLock {
    /// Creates a lock that is held until `guard` is dropped.
    pub fn new(guard: impl std::any::Any + Send + Sync) -> Self {
        Self { _guard: Box::new(guard) }
    }

    /// Creates a lock that excludes no other process, for storages without locks.
    pub fn none() -> Self {
        Self::new(())
    }
}
