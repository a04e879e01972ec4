//! Servers that ask for tokens.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use crate::origin::Origin;

/// The origins that have challenged a request, so that the next one carries a token from the start.
#[derive(Debug, Default)]
pub(crate) struct Challengers(Mutex<HashSet<Origin>>);

impl Challengers {
    /// Those beyond are asked each time.
    const MOST: usize = 1_024;

    pub(crate) fn contains(&self, origin: &Origin) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).contains(origin)
    }

    pub(crate) fn remember(&self, origin: &Origin) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() < Self::MOST && !known.contains(origin) {
            known.insert(origin.clone());
        }
    }
}
