//! Tokens that were verified before, so that the signature need not be looked at again.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use aws_lc_rs::digest::{SHA256, digest};

use super::super::VerifiedToken;
use super::rules::Verified;
use crate::keys::{Algorithm, JwkSet, VerifyingKey};

/// Verified tokens by the SHA-256 of their text; the text itself is not kept.
///
/// It holds two halves. A new token goes into the young half; when that is full, it becomes the old one and the old one is
/// dropped, and what is found in the old half moves to the young. So it is bounded, and what is in use stays.
pub(super) struct SeenTokens {
    halves: Mutex<Halves>,
    half: usize,
}

#[derive(Default)]
struct Halves {
    young: HashMap<Digest, Seen>,
    old: HashMap<Digest, Seen>,
}

/// The name of a token here: the SHA-256 of its text.
pub(super) type Digest = [u8; 32];

/// A token, whose it is, and with which of the issuer's keys it was verified.
#[derive(Clone)]
pub(super) struct Seen {
    pub(super) token: VerifiedToken,
    /// The place of the issuer in the verifier's list.
    pub(super) issuer: usize,
    /// The key set in which the key was last found.
    pub(super) generation: u64,
    key: VerifyingKey,
    key_id: Option<Arc<str>>,
    algorithm: Algorithm,
}

impl Seen {
    pub(super) fn new(verified: Verified, issuer: usize, generation: u64) -> Self {
        let Verified { token, key, key_id, algorithm } = verified;
        Self { token, issuer, generation, key, key_id: key_id.map(Arc::from), algorithm }
    }

    /// Whether the issuer still publishes the very key.
    pub(super) fn key_is_in(&self, keys: &JwkSet) -> bool {
        keys.candidates(self.key_id.as_deref(), self.algorithm)
            .filter_map(|jwk| jwk.verifying_key().ok())
            .any(|key| *key == self.key)
    }
}

impl SeenTokens {
    /// Room for about so many tokens; none at all for zero.
    pub(super) fn new(capacity: usize) -> Self {
        Self { halves: Mutex::default(), half: capacity.div_ceil(2) }
    }

    /// The name of a token here; none where no token is kept, and for what is too long to be one, which is not worth a hash.
    pub(super) fn name(&self, token: &str) -> Option<Digest> {
        if self.half == 0 || token.len() > crate::MAX_TOKEN_LENGTH {
            return None;
        }
        digest(&SHA256, token.as_bytes()).as_ref().try_into().ok()
    }

    pub(super) fn get(&self, name: &Digest) -> Option<Seen> {
        let mut halves = self.lock();
        if let Some(seen) = halves.young.get(name) {
            return Some(seen.clone());
        }
        let seen = halves.old.remove(name)?;
        self.insert(&mut halves, *name, seen.clone());
        Some(seen)
    }

    pub(super) fn put(&self, name: Digest, seen: Seen) {
        self.insert(&mut self.lock(), name, seen);
    }

    /// Notes in which key set the token's key has been found since.
    pub(super) fn renew(&self, name: &Digest, generation: u64) {
        if let Some(seen) = self.lock().young.get_mut(name) {
            seen.generation = generation;
        }
    }

    pub(super) fn remove(&self, name: &Digest) {
        let mut halves = self.lock();
        halves.young.remove(name);
        halves.old.remove(name);
    }

    fn insert(&self, halves: &mut Halves, name: Digest, seen: Seen) {
        if halves.young.len() >= self.half {
            halves.old = std::mem::take(&mut halves.young);
        }
        halves.young.insert(name, seen);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Halves> {
        self.halves.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for SeenTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let halves = self.lock();
        write!(f, "SeenTokens({} of {})", halves.young.len() + halves.old.len(), self.half * 2)
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::Claims;
    use super::*;
    use crate::keys::{KeyKind, SigningKey};

    fn seen(key: &SigningKey) -> Seen {
        Seen {
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
        let cache = SeenTokens::new(10);
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
    fn a_cache_without_room_has_no_name_for_any_token() {
        assert_eq!(SeenTokens::new(0).name("token"), None);
        assert_eq!(SeenTokens::new(2).name(&"a".repeat(crate::MAX_TOKEN_LENGTH + 1)), None);
    }

    #[test]
    fn a_key_is_known_by_itself_not_by_its_name() {
        let (key, other) =
            (SigningKey::generate(KeyKind::P256).unwrap(), SigningKey::generate(KeyKind::P256).unwrap());
        let set =
            |key: &SigningKey, name| [key.verifying_key().to_jwk().with_key_id(name)].into_iter().collect();
        assert!(seen(&key).key_is_in(&set(&key, "a")));
        assert!(!seen(&key).key_is_in(&set(&other, "a")), "another key of the same name");
        assert!(!seen(&key).key_is_in(&set(&key, "b")), "the token names `a`");
        assert!(!seen(&key).key_is_in(&JwkSet::default()));
    }
}
