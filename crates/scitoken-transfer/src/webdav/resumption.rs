//! A listing that goes on where it broke off.

use std::collections::HashSet;
use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher as _, Hash};

use tokio::time::Instant;

use crate::exchange::attempts::Attempts;

/// A listing that breaks off is asked for again, and what an answer before has given is passed over.
#[derive(Debug)]
pub(super) struct Resumption {
    pub(super) attempts: Attempts,
    /// What this answer gives, as hashes.
    given: HashSet<u64>,
    /// What those before it gave.
    given_before: HashSet<u64>,
    hasher: RandomState,
}

impl Resumption {
    pub(super) fn new() -> Self {
        Self {
            attempts: Attempts::new(Instant::now()),
            given: HashSet::new(),
            given_before: HashSet::new(),
            hasher: RandomState::new(),
        }
    }

    /// Notes what the listing gives, and returns whether an answer before this one gave the same.
    pub(super) fn was_given(&mut self, what: impl Hash) -> bool {
        let hash = self.hasher.hash_one(what);
        self.given.insert(hash);
        self.given_before.contains(&hash)
    }

    /// Notes that the answer broke off. One that gave something new is no failure in a row.
    pub(super) fn broke_off(&mut self) {
        if self.given.iter().any(|given| !self.given_before.contains(given)) {
            self.attempts.progressed();
        }
        self.given_before.extend(self.given.drain());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_what_an_earlier_answer_gave_is_passed_over() {
        let mut resumption = Resumption::new();
        assert!(!resumption.was_given("a") && !resumption.was_given("a"), "twice in one answer");
        resumption.broke_off();
        assert!(resumption.was_given("a") && !resumption.was_given("b"));
        resumption.broke_off();
        assert!(resumption.was_given("a") && resumption.was_given("b"));
    }
}
