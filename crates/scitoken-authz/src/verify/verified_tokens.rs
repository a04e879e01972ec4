//! Tokens that were verified before, so that their signature need not be verified again.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use super::rules::Verified;
use crate::VerifiedToken;
use scitoken_jwt::keys::{Algorithm, JwkSet, VerifyingKey, sha256};

/// Verified tokens, or what is known about them, by the SHA-256 of their text, which is not kept.
///
/// The cache has two halves. A new token goes into the young half; when that is full, it becomes the old half and the
/// previous old half is dropped. A token found in the old half moves to the young one. So the size is bounded and
/// tokens in use stay.
pub(super) struct VerifiedTokens<T = CachedToken> {
    halves: Mutex<Halves<T>>,
    half: usize,
}

struct Halves<T> {
    young: HashMap<Fingerprint, T>,
    old: HashMap<Fingerprint, T>,
}

impl<T> Default for Halves<T> {
    fn default() -> Self {
        Self { young: HashMap::new(), old: HashMap::new() }
    }
}

/// The SHA-256 of a token.
pub(super) type Fingerprint = [u8; 32];

/// A token with its issuer and the key that verified it.
#[derive(Clone)]
pub(super) struct CachedToken {
    pub(super) token: VerifiedToken,
    /// The index of the issuer in the verifier's list.
    pub(super) issuer: usize,
    /// The number of the key set that last included the key.
    pub(super) generation: u64,
    key: VerifyingKey,
    key_id: Option<Arc<str>>,
    algorithm: Algorithm,
}

impl CachedToken {
    pub(super) fn new(verified: Verified, issuer: usize, generation: u64) -> Self {
        let Verified { token, key, key_id, algorithm } = verified;
        Self { token, issuer, generation, key, key_id: key_id.map(Arc::from), algorithm }
    }

    /// Returns whether the issuer still publishes this key.
    pub(super) fn is_signed_by_key_in(&self, keys: &JwkSet) -> bool {
        keys.candidates(self.key_id.as_deref(), self.algorithm)
            .filter_map(|jwk| jwk.verifying_key().ok())
            .any(|key| *key == self.key)
    }
}

impl<T: Clone> VerifiedTokens<T> {
    /// Returns a cache for about this many tokens; zero caches none.
    pub(super) fn new(capacity: usize) -> Self {
        Self { halves: Mutex::default(), half: capacity.div_ceil(2) }
    }

    /// Returns the fingerprint of a token; `None` if no tokens are cached, or if the token is too long to be valid.
    pub(super) fn name(&self, token: &str) -> Option<Fingerprint> {
        if self.half == 0 || token.len() > scitoken_types::MAX_TOKEN_LENGTH {
            return None;
        }
        Some(sha256(token))
    }

    pub(super) fn get(&self, name: &Fingerprint) -> Option<T> {
        let mut halves = self.lock();
        if let Some(seen) = halves.young.get(name) {
            return Some(seen.clone());
        }
        let seen = halves.old.remove(name)?;
        self.insert(&mut halves, *name, seen.clone());
        Some(seen)
    }

    pub(super) fn put(&self, name: Fingerprint, seen: T) {
        self.insert(&mut self.lock(), name, seen);
    }

    pub(super) fn remove(&self, name: &Fingerprint) {
        let mut halves = self.lock();
        halves.young.remove(name);
        halves.old.remove(name);
    }

    fn insert(&self, halves: &mut Halves<T>, name: Fingerprint, seen: T) {
        if halves.young.len() >= self.half {
            halves.old = std::mem::take(&mut halves.young);
        }
        halves.young.insert(name, seen);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Halves<T>> {
        self.halves.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl VerifiedTokens {
    /// Notes the newest key set that includes the token's key.
    pub(super) fn renew(&self, name: &Fingerprint, generation: u64) {
        if let Some(seen) = self.lock().young.get_mut(name) {
            seen.generation = generation;
        }
    }
}

impl<T: Clone> fmt::Debug for VerifiedTokens<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let halves = self.lock();
        write!(f, "VerifiedTokens({} of {})", halves.young.len() + halves.old.len(), self.half * 2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Claims;
    use scitoken_jwt::keys::{KeyKind, SigningKey};

    fn seen(key: &SigningKey) -> CachedToken {
        CachedToken {
            token: VerifiedToken::new(Claims::parse("{}".to_owned(), None).unwrap(), None),
            issuer: 0,
            generation: 1,
            key: key.verifying_key(),
            key_id: Some("a".into()),
            algorithm: Algorithm::Es256,
        }
    }

    #[test]
    fn the_cache_is_bounded_and_keeps_what_is_in_use() {
        let key = SigningKey::generate(KeyKind::P256).unwrap();
        let cache = VerifiedTokens::new(10);
        let name = |token: &str| cache.name(token).unwrap();
        for n in 0..1_000 {
            cache.put(name(&format!("token {n}")), seen(&key));
            cache.put(name("used"), seen(&key));
            assert!(cache.get(&name("used")).is_some());
            let halves = cache.lock();
            assert!(halves.young.len() <= 5 && halves.old.len() <= 5);
        }
        assert!(cache.get(&name("token 999")).is_some());
        assert!(cache.get(&name("token 1")).is_none());
    }

    #[test]
    fn a_cache_of_size_zero_has_no_name_for_any_token() {
        assert_eq!(VerifiedTokens::<CachedToken>::new(0).name("token"), None);
        assert_eq!(
            VerifiedTokens::<CachedToken>::new(2).name(&"a".repeat(scitoken_types::MAX_TOKEN_LENGTH + 1)),
            None
        );
    }

    #[test]
    fn a_key_is_known_by_itself_not_by_its_name() {
        let (key, other) =
            (SigningKey::generate(KeyKind::P256).unwrap(), SigningKey::generate(KeyKind::P256).unwrap());
        let set =
            |key: &SigningKey, name| [key.verifying_key().to_jwk().with_key_id(name)].into_iter().collect();
        assert!(seen(&key).is_signed_by_key_in(&set(&key, "a")));
        assert!(!seen(&key).is_signed_by_key_in(&set(&other, "a")), "another key of the same name");
        assert!(!seen(&key).is_signed_by_key_in(&set(&key, "b")), "the token names `a`");
        assert!(!seen(&key).is_signed_by_key_in(&JwkSet::default()));
    }
}
