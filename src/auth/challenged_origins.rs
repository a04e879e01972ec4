//! Origins that ask for tokens.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use scitoken_types::Origin;

/// The origins that challenged a request; the next one carries a token from the start.
#[derive(Debug, Default)]
pub(crate) struct ChallengedOrigins(Mutex<HashSet<Origin>>);

impl ChallengedOrigins {
    /// Origins beyond this number are not remembered.
    const MAX: usize = 1_024;

    pub(crate) fn contains(&self, origin: &Origin) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).contains(origin)
    }

    pub(crate) fn remember(&self, origin: &Origin) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() < Self::MAX && !known.contains(origin) {
            known.insert(origin.clone());
        }
    }
}
